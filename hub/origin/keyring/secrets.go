package keyring

import (
	"context"
	"errors"
	"fmt"
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

// Locks are what seal can open, the one that it wants first.
func (s Seal) Locks() []keychain.Lock {
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

// unlock opens the keychain, or makes it with what unsealed files hold and fresh
// keys where there is none.
func (r *Ring) unlock(ctx context.Context, seal Seal) (*keychain.Keychain, error) {
	path := filepath.Join(r.dir, chainFile)
	var old oldSecrets
	defer func() { old.erase() }()
	k, err := keychain.Unlock(ctx, path, seal.Locks(), func(e *keychain.Edit) error {
		var bare string
		var err error
		if old, bare, err = r.unsealed(); err != nil {
			return err
		}
		if bare != "" {
			return fmt.Errorf("%s is missing, and without it %s is useless: restore it, or begin with an empty folder", path, bare)
		}
		return old.into(e)
	})
	var other *keychain.LockError
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("keyring: %w: give the %v", err, other.File)
	case err != nil:
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if len(old) > 0 {
		r.log.Info("keys taken over into the sealed keychain", "keys", len(old), "lock", k.Lock().String())
	}
	if n := k.Pending(); n > 0 {
		r.log.Warn("old locks of the keys are not erased yet", "locks", n)
	}
	return k, nil
}

// into takes the secrets over, and makes what is missing of the two that last.
func (o oldSecrets) into(e *keychain.Edit) error {
	for _, s := range o {
		if err := e.Import(s.key, s.secret); err != nil {
			return err
		}
	}
	for _, key := range []keychain.Key{rootKey(), creatorKey()} {
		if o.has(key) {
			continue
		}
		if _, err := e.Generate(key); err != nil {
			return err
		}
	}
	return nil
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
