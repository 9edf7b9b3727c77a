// Package kdf derives the keys of SNE/1 and seals single messages with them
// (section 2.1).
//
// Derivation is HKDF-SHA-256 (RFC 5869) with labels shaped as in TLS 1.3, the
// AEAD is ChaCha20-Poly1305 (RFC 8439) with a nonce of zeros.
//
// Invariants: every secret is exactly 32 bytes; a key seals ONE message, ever;
// secrets do not print. Erasure is best effort: the Go runtime may hold copies.
package kdf

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/internal/secretmem"
	"sonahub/sne/wire"
)

// Overhead is how many bytes Seal adds.
const Overhead = chacha20poly1305.Overhead

// ErrOpen means that a ciphertext is not what was sealed under this key and
// associated data. It carries no detail, on purpose.
var ErrOpen = errors.New("sne: does not open")

// Secret is a 32-byte key. It prints as "redacted".
type Secret [32]byte

// Erase overwrites the secret with zeros.
func (s *Secret) Erase() {
	if s != nil {
		clear(s[:])
	}
}

// IsZero reports whether the secret is unset or erased.
func (s *Secret) IsZero() bool { return s.Equal(new(Secret)) }

// Equal compares in a time that does not depend on the secrets.
func (s *Secret) Equal(o *Secret) bool { return subtle.ConstantTimeCompare(s[:], o[:]) == 1 }

// String hides the secret.
func (s Secret) String() string { return redacted }

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the secret from package slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON refuses: a secret has no place in JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errors.New("sne: a secret is not JSON") }

const redacted = "redacted"

// Expand sets dst = Expand(secret, label, ctx, 32) of section 2.1. dst may be
// secret itself. It fails only for a label over 250 or a ctx over 255 bytes.
func Expand(dst, secret *Secret, label string, ctx []byte) error {
	const prefix = "sne1 "
	var w wire.Writer
	w.U16(uint16(len(dst)))
	w.Count8(len(prefix)+len(label), 255)
	w.Raw([]byte(prefix + label))
	w.Count8(len(ctx), 255)
	w.Raw(ctx)
	info, err := w.Bytes()
	if err != nil {
		return err
	}
	secretmem.Do(func() {
		var out []byte
		if out, err = hkdf.Expand(sha256.New, secret[:], string(info), len(dst)); err == nil {
			copy(dst[:], out)
			clear(out)
		}
	})
	if err != nil {
		return fmt.Errorf("sne: HKDF-Expand: %w", err)
	}
	return nil
}

// Extract sets dst = HKDF-Extract(salt, ikm). dst may be salt or ikm.
func Extract(dst, salt, ikm *Secret) error {
	var err error
	secretmem.Do(func() {
		var out []byte
		if out, err = hkdf.Extract(sha256.New, ikm[:], salt[:]); err == nil {
			copy(dst[:], out)
			clear(out)
		}
	})
	if err != nil {
		return fmt.Errorf("sne: HKDF-Extract: %w", err)
	}
	return nil
}

// Seal appends AEAD(key, aad, plaintext) to dst. A key seals one message only.
func Seal(dst []byte, key *Secret, aad, plaintext []byte) ([]byte, error) {
	dst = slices.Grow(dst, len(plaintext)+Overhead)
	var err error
	secretmem.Do(func() {
		var aead cipher.AEAD
		if aead, err = chacha20poly1305.New(key[:]); err == nil {
			var nonce [chacha20poly1305.NonceSize]byte
			dst = aead.Seal(dst, nonce[:], plaintext, aad)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("sne: AEAD: %w", err)
	}
	return dst, nil
}

// Opener opens the one message of a key whose cipher is set up already.
type Opener struct {
	aead  cipher.AEAD
	nonce [chacha20poly1305.NonceSize]byte // zeros: a key has one message
}

// NewOpener sets the cipher of a key up.
func NewOpener(key *Secret) (o *Opener, err error) {
	o = new(Opener)
	secretmem.Do(func() { o.aead, err = chacha20poly1305.New(key[:]) })
	if err != nil {
		return nil, fmt.Errorf("sne: AEAD: %w", err)
	}
	return o, nil
}

// Open appends the plaintext of ciphertext to dst, or gives ErrOpen. dst may be
// ciphertext[:0]. It allocates nothing if dst has room.
func (o *Opener) Open(dst, aad, ciphertext []byte) (out []byte, err error) {
	if n := len(ciphertext) - Overhead; n > 0 {
		dst = slices.Grow(dst, n)
	}
	secretmem.Do(func() { out, err = o.aead.Open(dst, o.nonce[:], ciphertext, aad) })
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// Open appends the plaintext of ciphertext to dst, or gives ErrOpen. dst may be
// ciphertext[:0].
func Open(dst []byte, key *Secret, aad, ciphertext []byte) ([]byte, error) {
	o, err := NewOpener(key)
	if err != nil {
		return nil, ErrOpen
	}
	return o.Open(dst, aad, ciphertext)
}
