// Package keyring keeps the keys of the reference platform and publishes the
// Bundle that names them (SNE-SPEC section 2.2), and the FFXS key sets that
// the Bundle lists (section 8).
//
// The root and the creator key are made once. Every Bundle has an online and
// a KEM key of its own; the next Bundle comes two days before the last one
// ends, which is accepted for another 24 hours and then erased. A key set
// issues for a quarter and is honoured for 180 days more.
//
// All of it lies in one folder of files that only the owner can read. In this
// reference platform the root key lies there too; a real one keeps it offline.
package keyring

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sonahub/hub/origin/durable"
	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kem"
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
	root      *composite.SecretKey
	creator   *composite.SecretKey

	mu    sync.RWMutex
	gens  []*Generation // newest first; gens[0] is current
	mints []*mint.Mint  // newest first; mints[0] issues
}

// Open loads the ring from dir, or makes it, and renews what is due. host is
// what the Bundle names. log may be nil.
func Open(dir, host string, now time.Time, log *slog.Logger) (*Ring, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	r := &Ring{dir: dir, host: host, log: log}
	var err error
	if r.root, err = r.identity("root"); err != nil {
		return nil, err
	}
	if r.creator, err = r.identity("creator"); err != nil {
		return nil, err
	}
	if err := r.loadMints(); err != nil {
		return nil, err
	}
	if err := r.loadGenerations(); err != nil {
		return nil, err
	}
	_, err = r.Renew(now)
	return r, err
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
	r.root.Erase()
	r.creator.Erase()
}

func (g *Generation) erase() {
	g.Online.Erase()
	g.KEM.Erase()
}

// identity loads or makes a key that lasts.
func (r *Ring) identity(name string) (*composite.SecretKey, error) {
	path := filepath.Join(r.dir, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := composite.Generate(nil)
		if err != nil {
			return nil, fmt.Errorf("keyring: %w", err)
		}
		seeds := k.Seeds()
		defer clear(seeds)
		return k, durable.WriteFile(path, []byte(hex.EncodeToString(seeds)+"\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer clear(text)
	seeds := make([]byte, composite.SeedsSize)
	defer clear(seeds)
	if len(text) < 2*len(seeds) {
		return nil, fmt.Errorf("keyring: key file %s is damaged", name)
	}
	if _, err := hex.Decode(seeds, text[:2*len(seeds)]); err != nil {
		return nil, fmt.Errorf("keyring: key file %s is damaged", name)
	}
	k, err := composite.NewSecretKey(seeds)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return k, nil
}
