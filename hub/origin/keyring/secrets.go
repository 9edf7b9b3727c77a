package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sonahub/sne/keychain"
)

// Names in the keychain. The version of a Bundle's keys is its seq, that of a
// key set's seed the end of its issue in Unix ms.
const (
	nameRoot    = "root"
	nameCreator = "creator"
	nameOnline  = "online"
	nameKEM     = "kem"
	nameSeed    = "ffxs"
)

// chainFile holds the secrets.
const chainFile = "keychain"

// locks are what seal can open, the one that it wants first.
func (s Seal) locks() []keychain.Lock {
	device := keychain.DeviceKey{Dir: s.DeviceDir}
	all := []keychain.Lock{device}
	if s.Passphrase.Text != nil {
		all = append([]keychain.Lock{s.Passphrase}, all...)
	}
	if s.Vault != nil {
		all = append([]keychain.Lock{keychain.Remote{Device: device, Vault: s.Vault}}, all...)
	}
	return all
}

// unlock opens the keychain, or makes it, and locks it as seal wants.
func (r *Ring) unlock(ctx context.Context, seal Seal) (*keychain.Keychain, error) {
	path := filepath.Join(r.dir, chainFile)
	locks := seal.locks()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return r.found(ctx, path, locks[0])
	}
	k, err := keychain.Open(ctx, path, locks[0])
	other := (*keychain.LockError)(nil)
	if errors.As(err, &other) {
		at := slices.IndexFunc(locks, func(l keychain.Lock) bool { return l.Kind() == other.File })
		if at < 0 {
			return nil, fmt.Errorf("keyring: %w: give the %v", err, other.File)
		}
		return r.relock(ctx, path, locks[at], locks[0])
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if err := k.Finish(ctx, locks...); err != nil {
		r.log.Warn("an old lock of the keys is not erased yet", "error", err)
	}
	return k, nil
}

// relock goes from one lock to another.
func (r *Ring) relock(ctx context.Context, path string, from, to keychain.Lock) (*keychain.Keychain, error) {
	k, err := keychain.Open(ctx, path, from)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	switch err := k.Rekey(ctx, to); {
	case errors.Is(err, keychain.ErrErase):
		r.log.Warn("the old lock of the keys is not erased yet", "error", err)
	case err != nil:
		k.Close()
		return nil, fmt.Errorf("keyring: %w", err)
	}
	r.log.Info("the keys are locked anew", "from", from.Kind().String(), "to", to.Kind().String())
	return k, nil
}

// found makes the keychain with what unsealed files hold, and fresh keys where
// there is none.
func (r *Ring) found(ctx context.Context, path string, lock keychain.Lock) (*keychain.Keychain, error) {
	old, bare, err := r.unsealed()
	if err != nil {
		return nil, err
	}
	defer old.erase()
	if bare != "" {
		return nil, fmt.Errorf("keyring: %s is missing, and without it %s is useless: restore it, or begin with an empty folder", path, bare)
	}
	k, err := keychain.CreateWith(ctx, path, lock, func(e *keychain.Edit) error {
		for _, s := range old {
			if err := e.Import(s.key, s.secret); err != nil {
				return err
			}
		}
		for _, key := range []keychain.Key{rootKey(), creatorKey()} {
			if old.has(key) {
				continue
			}
			if _, err := e.Generate(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if len(old) > 0 {
		r.log.Info("keys taken over into the sealed keychain", "keys", len(old), "lock", k.Lock().String())
	}
	return k, nil
}

func rootKey() keychain.Key {
	return keychain.Key{Name: nameRoot, Version: 1, Kind: keychain.KindSigning, Purpose: keychain.PurposeRoot}
}

func creatorKey() keychain.Key {
	return keychain.Key{Name: nameCreator, Version: 1, Kind: keychain.KindSigning, Purpose: keychain.PurposeCreator}
}

func bundleKeys(seq uint64) []keychain.Key {
	return []keychain.Key{
		{Name: nameOnline, Version: seq, Kind: keychain.KindSigning, Purpose: keychain.PurposeOnline},
		{Name: nameKEM, Version: seq, Kind: keychain.KindKEM},
	}
}

func seedKey(issueUntilMs int64) keychain.Key {
	return keychain.Key{Name: nameSeed, Version: uint64(issueUntilMs), Kind: keychain.KindSecret}
}

// generate makes keys in one write. One that is there already was left by a
// crash or a full disk before its public file was written; nobody has seen it,
// and it serves as well as a fresh one.
func (r *Ring) generate(keys ...keychain.Key) error {
	if err := r.chain.Update(func(e *keychain.Edit) error {
		for _, k := range keys {
			if _, err := e.Generate(k); err != nil && !errors.Is(err, keychain.ErrExists) {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// take loads the secrets of a Bundle.
func (r *Ring) take(g *Generation, seq uint64) error {
	var err error
	if g.Online, err = r.chain.Signing(nameOnline, seq, keychain.PurposeOnline); err != nil {
		return err
	}
	g.KEM, err = r.chain.KEM(nameKEM, seq)
	return err
}

// prune erases the secrets that no public file needs.
func (r *Ring) prune() error {
	needed := []keychain.Key{rootKey(), creatorKey()}
	for _, g := range r.gens {
		needed = append(needed, bundleKeys(g.Bundle.Seq)...)
	}
	for _, m := range r.mints {
		needed = append(needed, seedKey(m.Terms().IssueUntil.UnixMilli()))
	}
	idle := slices.DeleteFunc(r.chain.Keys(), func(k keychain.Key) bool { return slices.Contains(needed, k) })
	if len(idle) == 0 {
		return nil
	}
	if err := r.chain.Update(func(e *keychain.Edit) error {
		for _, k := range idle {
			if err := e.Delete(k.Name, k.Version); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}
