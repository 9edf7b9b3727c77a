package keychain

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"strings"

	"sonahub/sne/composite"
	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
)

// Kind is what a key can do.
type Kind uint8

// The kinds.
const (
	KindSigning Kind = 1 // composite signing key, 64 bytes of seeds
	KindKEM     Kind = 2 // X-Wing key, 32 bytes of seed
	KindSecret  Kind = 3 // 32 bytes
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindSigning:
		return "signing key"
	case KindKEM:
		return "KEM key"
	case KindSecret:
		return "secret"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// size is the secret's length in bytes; 0 for what is no kind.
func (k Kind) size() int {
	switch k {
	case KindSigning:
		return composite.SeedsSize
	case KindKEM:
		return kem.SeedSize
	case KindSecret:
		return len(kdf.Secret{})
	}
	return 0
}

// Purpose is what a signing key may sign, and nothing else.
type Purpose uint8

// The purposes.
const (
	PurposeNone    Purpose = 0 // keys that do not sign
	PurposeRoot    Purpose = 1 // Bundles
	PurposeOnline  Purpose = 2 // sessions, offers and catalogues
	PurposeCreator Purpose = 3 // Heads
	PurposeRelease Purpose = 4 // firmware
)

// String names the purpose.
func (p Purpose) String() string {
	switch p {
	case PurposeNone:
		return "nothing to sign"
	case PurposeRoot:
		return "root"
	case PurposeOnline:
		return "online"
	case PurposeCreator:
		return "creator"
	case PurposeRelease:
		return "release"
	}
	return fmt.Sprintf("purpose %d", uint8(p))
}

// Contexts are what a key of that purpose signs (section 2.1). No context
// belongs to two purposes.
func (p Purpose) Contexts() []composite.Context {
	switch p {
	case PurposeRoot:
		return []composite.Context{composite.ContextBundle}
	case PurposeOnline:
		return []composite.Context{composite.ContextSession, composite.ContextOffer, composite.ContextCatalog}
	case PurposeCreator:
		return []composite.Context{composite.ContextHead}
	case PurposeRelease:
		return []composite.Context{composite.ContextFirmware}
	}
	return nil
}

// Key names a key: everything about it but the secret.
type Key struct {
	Name    string  // 1 to 64 of a-z 0-9 . _ -
	Version uint64  // from 1; higher is newer
	Kind    Kind    // what it is
	Purpose Purpose // of a signing key
}

func (k Key) check() error {
	if len(k.Name) == 0 || len(k.Name) > maxName || strings.Trim(k.Name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Errorf("keychain: bad name %q", k.Name)
	}
	if k.Version == 0 || k.Kind.size() == 0 {
		return fmt.Errorf("keychain: %s has version %d and %v", k.Name, k.Version, k.Kind)
	}
	if (k.Kind == KindSigning) != (k.Purpose.Contexts() != nil) {
		return fmt.Errorf("keychain: %s is a %v with purpose %v", k.Name, k.Kind, k.Purpose)
	}
	return nil
}

// entry is a key with its secret. It does not print.
type entry struct {
	Key
	secret [composite.SeedsSize]byte // the first Kind.size() bytes
}

func (e *entry) bytes() []byte { return e.secret[:e.Kind.size()] }

// String hides the secret.
func (e entry) String() string { return "redacted" }

// Format hides the secret from every verb of package fmt.
func (e entry) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the secret from package slog.
func (e entry) LogValue() slog.Value { return slog.StringValue("redacted") }

func order(a, b *Key) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}

// find looks for a version; 0 is the newest of that name. It compares in place:
// a copy of an entry would be a copy of its secret.
func find(entries []entry, name string, version uint64) (int, bool) {
	want := Key{Name: name, Version: version}
	if version == 0 {
		want.Version = math.MaxUint64
	}
	at := sort.Search(len(entries), func(i int) bool { return order(&entries[i].Key, &want) >= 0 })
	ok := at < len(entries) && order(&entries[at].Key, &want) == 0
	if version == 0 && !ok {
		at--
		ok = at >= 0 && entries[at].Name == name
	}
	return at, ok
}

func eraseEntries(entries []entry) {
	for i := range entries {
		clear(entries[i].secret[:])
	}
}

// Edit is a change in the making; see Keychain.Update. It must not be kept.
type Edit struct{ entries []entry }

func (e *Edit) erase() { eraseEntries(e.entries) }

// Generate makes a key with fresh randomness. Version 0 means the one after the
// newest. It returns the key as it was made.
func (e *Edit) Generate(k Key) (Key, error) {
	if k.Version == 0 {
		k.Version = 1
		if at, ok := find(e.entries, k.Name, 0); ok {
			k.Version = e.entries[at].Version + 1
		}
	}
	fresh := make([]byte, composite.SeedsSize) // on the heap, which does not move
	defer clear(fresh)
	if err := kdf.Random(nil, fresh); err != nil {
		return Key{}, err
	}
	return k, e.Import(k, fresh[:k.Kind.size()])
}

// Import takes in a secret that was made elsewhere; its length must be that of
// its kind. The caller erases its own copy.
func (e *Edit) Import(k Key, secret []byte) error {
	if err := k.check(); err != nil {
		return err
	}
	if len(secret) != k.Kind.size() {
		return fmt.Errorf("keychain: %s: a %v has %d bytes, not %d", k.Name, k.Kind, k.Kind.size(), len(secret))
	}
	if len(e.entries) >= maxEntries {
		return fmt.Errorf("keychain: more than %d keys", maxEntries)
	}
	at, ok := find(e.entries, k.Name, k.Version)
	if ok {
		return fmt.Errorf("%w: %s %d", ErrExists, k.Name, k.Version)
	}
	secretmem.Do(func() {
		grown := make([]entry, len(e.entries)+1) // not append: it would leave a copy behind
		copy(grown, e.entries[:at])
		copy(grown[at+1:], e.entries[at:])
		grown[at].Key = k
		copy(grown[at].secret[:], secret)
		e.erase()
		e.entries = grown
	})
	return nil
}

// Delete takes a key away.
func (e *Edit) Delete(name string, version uint64) error {
	at, ok := find(e.entries, name, version)
	if !ok || version == 0 {
		return fmt.Errorf("%w: %s %d", ErrNotFound, name, version)
	}
	clear(e.entries[at].secret[:])
	e.entries = slices.Delete(e.entries, at, at+1) // zeroes the tail
	return nil
}
