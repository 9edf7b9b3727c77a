package composite

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// ErrContext says that a key may not sign under that context.
var ErrContext = errors.New("sne: the key is for another purpose")

// SecretKey signs. It is made from two 32-byte seeds, is safe for concurrent
// use and does not print.
type SecretKey struct {
	only  []Context // contexts that it may sign under; nil: any
	seeds [SeedsSize]byte
	pq    *mldsa65.PrivateKey
	ed    ed25519.PrivateKey
	pub   PublicKey
}

// Generate makes a new key; source nil is the system's generator.
func Generate(source io.Reader) (*SecretKey, error) {
	var seeds [SeedsSize]byte
	if err := kdf.Random(source, seeds[:]); err != nil {
		return nil, err
	}
	defer clear(seeds[:])
	return NewSecretKey(seeds[:])
}

// NewSecretKey makes the key of 64 bytes: ML-DSA-65 seed || Ed25519 seed.
func NewSecretKey(seeds []byte) (*SecretKey, error) {
	if len(seeds) != SeedsSize {
		return nil, wire.Malformed("signature seeds of a wrong length")
	}
	k := &SecretKey{}
	secretmem.Do(func() {
		copy(k.seeds[:], seeds)
		pub, pq := mldsa65.NewKeyFromSeed((*[mldsa65.SeedSize]byte)(seeds))
		k.pq = pq
		k.ed = ed25519.NewKeyFromSeed(seeds[mldsa65.SeedSize:])
		copy(k.pub[:], pub.Bytes())
		copy(k.pub[mldsa65.PublicKeySize:], k.ed[ed25519.SeedSize:])
	})
	return k, nil
}

// Seeds returns a copy of the seeds, for a key store.
func (k *SecretKey) Seeds() []byte { return append([]byte(nil), k.seeds[:]...) }

// Restrict makes the key refuse to sign under any other context than these.
// It is called once, before the key is used.
func (k *SecretKey) Restrict(contexts ...Context) { k.only = append([]Context{}, contexts...) }

// Public returns the key that verifies.
func (k *SecretKey) Public() *PublicKey { return &k.pub }

// Sign signs msg under ctx.
func (k *SecretKey) Sign(ctx Context, msg []byte) ([]byte, error) {
	if len(ctx) > 255 {
		return nil, contextError(ctx)
	}
	if k.only != nil && !slices.Contains(k.only, ctx) {
		return nil, fmt.Errorf("%w: %q", ErrContext, ctx)
	}
	m := message(ctx, msg)
	sig := make([]byte, SignatureSize)
	var err error
	secretmem.Do(func() {
		if err = mldsa65.SignTo(k.pq, m, []byte(label), true, sig[:mldsa65.SignatureSize]); err == nil {
			copy(sig[mldsa65.SignatureSize:], ed25519.Sign(k.ed, m))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("sne: sign: %w", err)
	}
	return sig, nil
}

// Signed returns TBS || signature.
func (k *SecretKey) Signed(ctx Context, tbs []byte) ([]byte, error) {
	sig, err := k.Sign(ctx, tbs)
	if err != nil {
		return nil, err
	}
	return append(append(make([]byte, 0, len(tbs)+len(sig)), tbs...), sig...), nil
}

// Erase overwrites the key; it is useless afterwards.
func (k *SecretKey) Erase() {
	clear(k.seeds[:])
	clear(k.ed)
	*k.pq = mldsa65.PrivateKey{}
}

// String hides the key.
func (k *SecretKey) String() string { return "redacted" }

// LogValue hides the key.
func (k *SecretKey) LogValue() slog.Value { return slog.StringValue("redacted") }

// Format hides the key from every verb of package fmt.
func (k *SecretKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }
