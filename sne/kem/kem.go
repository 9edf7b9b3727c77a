// Package kem is X-Wing (draft-connolly-cfrg-xwing-kem: X25519 and ML-KEM-768
// in one), the only key encapsulation of SNE/1.
//
// It wraps circl, whose functions panic on slices of a wrong length: here every
// length is in a type. X-Wing rejects implicitly: a wrong ciphertext gives
// another shared secret, which shows at the next AEAD.
package kem

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/kem/xwing"

	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
)

// Sizes in bytes.
const (
	PublicKeySize  = xwing.PublicKeySize  // 1216
	CiphertextSize = xwing.CiphertextSize // 1120
	SeedSize       = xwing.SeedSize       // 32
)

// ErrKey means that a public key is not a valid one.
var ErrKey = errors.New("sne: bad KEM key")

// PublicKey is an X-Wing encapsulation key.
type PublicKey [PublicKeySize]byte

// Ciphertext is an encapsulated shared secret.
type Ciphertext [CiphertextSize]byte

// SecretKey is an X-Wing decapsulation key, kept as its seed. It does not
// print.
type SecretKey struct {
	seed kdf.Secret
	pub  PublicKey
}

// Generate makes a key pair; source nil is the system's generator.
func Generate(source io.Reader) (*SecretKey, error) {
	seed, err := kdf.NewSecret(source)
	if err != nil {
		return nil, err
	}
	defer seed.Erase()
	return NewSecretKey(seed[:])
}

// NewSecretKey makes the key pair of a 32-byte seed.
func NewSecretKey(seed []byte) (*SecretKey, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("%w: seed of %d bytes", ErrKey, len(seed))
	}
	k := &SecretKey{}
	copy(k.seed[:], seed)
	secretmem.Do(func() {
		_, pub := xwing.DeriveKeyPairPacked(seed)
		copy(k.pub[:], pub)
	})
	return k, nil
}

// Seed returns a copy of the seed, for a key store.
func (k *SecretKey) Seed() []byte { return append([]byte(nil), k.seed[:]...) }

// Public returns the encapsulation key.
func (k *SecretKey) Public() *PublicKey { return &k.pub }

// Erase overwrites the seed; the key is useless afterwards.
func (k *SecretKey) Erase() {
	if k != nil {
		k.seed.Erase()
	}
}

// String hides the key.
func (k *SecretKey) String() string { return k.seed.String() }

// LogValue hides the key.
func (k *SecretKey) LogValue() slog.Value { return k.seed.LogValue() }

// Format hides the key from every verb of package fmt.
func (k *SecretKey) Format(f fmt.State, verb rune) { k.seed.Format(f, verb) }

// Decapsulate sets ss to the secret in ct.
func (k *SecretKey) Decapsulate(ss *kdf.Secret, ct *Ciphertext) {
	secretmem.Do(func() {
		out := xwing.Decapsulate(ct[:], k.seed[:])
		copy(ss[:], out)
		clear(out)
	})
}

// Encapsulate sets ss to a fresh shared secret and ct to what carries it.
// source nil is the system's generator.
func (p *PublicKey) Encapsulate(source io.Reader, ss *kdf.Secret, ct *Ciphertext) error {
	var seed [xwing.EncapsulationSeedSize]byte
	if err := kdf.Random(source, seed[:]); err != nil {
		return err
	}
	defer clear(seed[:])
	var err error
	secretmem.Do(func() {
		secret, cipher, failed := xwing.Encapsulate(p[:], seed[:])
		if err = failed; err == nil {
			copy(ss[:], secret)
			copy(ct[:], cipher)
			clear(secret)
		}
	})
	if err != nil {
		return ErrKey
	}
	return nil
}
