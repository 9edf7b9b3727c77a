package keychain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/crypto/argon2"

	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// Bounds of argon2id. The upper ones hold also for a file that somebody else
// wrote: it must not take the machine's memory or minutes of its time.
const (
	minPassphrase = 8 // bytes
	minMemory     = 8 << 10
	maxMemory     = 256 << 10
	maxTime       = 16
	maxThreads    = 16
)

// Passphrase locks by argon2id (RFC 9106). It does not print.
//
// The passphrase is taken byte for byte; who reads it from a keyboard should
// bring it to one Unicode form. The memory that argon2id fills is erased only
// as sne/internal/secretmem says.
type Passphrase struct {
	Text    []byte // at least 8 bytes; the caller's own, and the caller erases it
	Memory  uint32 // KiB, for new files; 0 = 65,536
	Time    uint32 // passes, for new files; 0 = 3
	Threads uint8  // lanes, for new files; 0 = 4
}

// String hides the passphrase.
func (Passphrase) String() string { return "redacted" }

// Format hides the passphrase from every verb of package fmt.
func (Passphrase) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the passphrase from package slog.
func (Passphrase) LogValue() slog.Value { return slog.StringValue("redacted") }

// MarshalJSON refuses: a passphrase has no place in JSON.
func (Passphrase) MarshalJSON() ([]byte, error) {
	return nil, errors.New("keychain: a passphrase is not JSON")
}

// Kind is LockPassphrase.
func (Passphrase) Kind() LockKind { return LockPassphrase }

// cost is what stands in the file.
type cost struct {
	memory, time uint32
	threads      uint8
	salt         [16]byte
}

func (c cost) check() error {
	if c.memory < minMemory || c.memory > maxMemory || c.time < 1 || c.time > maxTime || c.threads < 1 || c.threads > maxThreads {
		return wire.Malformed("argon2id parameters out of bounds")
	}
	return nil
}

func parseCost(params []byte) (c cost, err error) {
	r := wire.NewReader(params)
	c = cost{memory: r.U32(), time: r.U32(), threads: r.U8()}
	r.Fixed(c.salt[:])
	if err := r.Close(); err != nil {
		return cost{}, err
	}
	return c, c.check()
}

// Make takes a fresh salt.
func (p Passphrase) Make(_ context.Context, kek *kdf.Secret) ([]byte, error) {
	if len(p.Text) < minPassphrase {
		return nil, fmt.Errorf("keychain: a passphrase has at least %d bytes", minPassphrase)
	}
	c := cost{memory: or(p.Memory, 64<<10), time: or(p.Time, 3), threads: or(p.Threads, 4)}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := kdf.Random(nil, c.salt[:]); err != nil {
		return nil, err
	}
	p.derive(c, kek)
	var w wire.Writer
	w.U32(c.memory)
	w.U32(c.time)
	w.U8(c.threads)
	w.Raw(c.salt[:])
	return w.Bytes()
}

// Unlock derives the key again; a wrong passphrase shows when the file is
// opened.
func (p Passphrase) Unlock(_ context.Context, params []byte, kek *kdf.Secret) error {
	c, err := parseCost(params)
	if err != nil {
		return fmt.Errorf("keychain: passphrase: %w", err)
	}
	p.derive(c, kek)
	return nil
}

// Erase has nothing to do: only the file held anything.
func (Passphrase) Erase(context.Context, []byte) error { return nil }

func (p Passphrase) derive(c cost, kek *kdf.Secret) {
	secretmem.Do(func() {
		out := argon2.IDKey(p.Text, c.salt[:], c.time, c.memory, c.threads, uint32(len(kek)))
		copy(kek[:], out)
		clear(out)
	})
}

func or[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
