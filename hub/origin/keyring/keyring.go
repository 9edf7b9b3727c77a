// Package keyring keeps the keys of the reference platform and publishes the
// Bundle that names them (SNE-SPEC section 2.2), and the FFXS key sets that
// the Bundle lists (section 8).
//
// The root and the creator key are made once. Every Bundle has an online and
// a KEM key of its own; the next Bundle comes two days before the last one
// ends, which is accepted for another 24 hours and then erased. A key set
// issues for a quarter and is honoured for 180 days more.
//
// One folder holds it all. Secrets are in the file "keychain" (sne/keychain),
// sealed by a device key that lies elsewhere, or by a passphrase; beside it lie
// the Bundles and the terms of the key sets, which are public. A secret is
// written before the public file that needs it and erased after that file is
// gone, so a crash leaves at most a secret that nothing needs, which the next
// start erases. In this reference platform the root key lies there too; a real
// one keeps it offline.
package keyring

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kem"
	"sonahub/sne/keychain"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/mint"
)

// Life of a Bundle. Lifetime and backdating together stay below the 8 days
// that the protocol allows.
const (
	lifetime = 7 * 24 * time.Hour
	backdate = time.Hour      // a listener's clock may be slow
	overlap  = 48 * time.Hour // the next Bundle is out this long before the end (at least 24 h)
	grace    = 24 * time.Hour // and the one before is accepted this long after
)

// Seal says what locks the secrets at rest. Given more than one, the last of
// them locks, and the others may still open what they locked before.
type Seal struct {
	DeviceDir  string              // folder of the device key; "" = the ring's own folder + "-device"
	Passphrase keychain.Passphrase // with a Text: instead of the device key
	Vault      keychain.Vault      // if not nil: beside the device key, which alone is nothing then
}

// Generation is one Bundle with its secrets.
type Generation struct {
	Bundle *bundle.Bundle
	ID     wire.ID
	Signed []byte
	Online *composite.SecretKey
	KEM    *kem.SecretKey

	retired time.Time // when the next one came; zero: it is the current one
}

// Ring is the platform's keys. It is safe for concurrent use.
type Ring struct {
	dir, host string
	log       *slog.Logger
	chain     *keychain.Keychain
	root      *composite.SecretKey
	creator   *composite.SecretKey

	mu    sync.RWMutex
	gens  []*Generation // newest first; gens[0] is current
	mints []*mint.Mint  // newest first; mints[0] issues

	minSeq uint64     // every Bundle before it is dead
	dead   []wire.ID  // KeyIDs of revoked creators
	nodes  [][33]byte // Lightning nodes that the Bundle names
}

// Open loads the ring from dir, or makes it, and renews what is due. host is
// what the Bundle names. Files of earlier versions, whose secrets were not
// sealed, are taken over. A ring that is locked in another way than seal wants is
// locked anew. log may be nil; ctx bounds Open alone.
func Open(ctx context.Context, dir, host string, seal Seal, now time.Time, log *slog.Logger) (*Ring, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if seal.DeviceDir == "" {
		seal.DeviceDir = filepath.Clean(dir) + "-device"
	}
	r := &Ring{dir: dir, host: host, log: log}
	if err := r.open(ctx, seal, now); err != nil {
		r.Erase()
		return nil, err
	}
	return r, nil
}

func (r *Ring) open(ctx context.Context, seal Seal, now time.Time) error {
	var err error
	if r.chain, err = r.unlock(ctx, seal); err != nil {
		return err
	}
	if r.root, err = r.chain.Signing(nameRoot, 0, keychain.PurposeRoot); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if r.creator, err = r.chain.Signing(nameCreator, 0, keychain.PurposeCreator); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if err := r.sweep(); err != nil {
		return err
	}
	if err := r.loadMints(); err != nil {
		return err
	}
	if err := r.loadGenerations(); err != nil {
		return err
	}
	_, err = r.Renew(now)
	return err
}

// Root is the KeyID that the platform's URL pins.
func (r *Ring) Root() wire.ID { return r.root.Public().KeyID() }

// Creator signs the Heads of everything that this platform publishes.
func (r *Ring) Creator() *composite.SecretKey { return r.creator }

// Current returns the Bundle in force.
func (r *Ring) Current() *Generation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.gens[0]
}

// ByID returns a Bundle that is in force or still accepted.
func (r *Ring) ByID(id wire.ID) (*Generation, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, g := range r.gens {
		if g.ID == id {
			return g, true
		}
	}
	return nil, false
}

// Issuing returns the mint that new tokens come from.
func (r *Ring) Issuing() *mint.Mint {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mints[0]
}

// Mint returns the mint of a key set that is still honoured.
func (r *Ring) Mint(id [32]byte) (*mint.Mint, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, m := range r.mints {
		if m.ID() == id {
			return m, true
		}
	}
	return nil, false
}

// Erase forgets all secrets in memory.
func (r *Ring) Erase() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gens {
		g.erase()
	}
	if r.root != nil {
		r.root.Erase()
	}
	if r.creator != nil {
		r.creator.Erase()
	}
	if r.chain != nil {
		r.chain.Close()
	}
}

func (g *Generation) erase() {
	g.Online.Erase()
	g.KEM.Erase()
}
