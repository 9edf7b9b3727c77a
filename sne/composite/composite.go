// Package composite is the signature of SNE/1: id-MLDSA65-Ed25519-SHA512 of
// draft-ietf-lamps-pq-composite-sigs.
//
// Both halves sign the same prefixed hash of the message, and both must verify:
// there is no fallback to one of them. What a key may sign is separated by the
// Context. Signatures are hedged (randomised), so a signature must never enter
// an identity. Keys are two 32-byte seeds and do not print.
package composite

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"sonahub/sne/wire"
)

// Sizes in bytes.
const (
	PublicKeySize = mldsa65.PublicKeySize + ed25519.PublicKeySize // 1984
	SignatureSize = mldsa65.SignatureSize + ed25519.SignatureSize // 3373
	SeedsSize     = mldsa65.SeedSize + ed25519.SeedSize           // 64
)

// Context says what a signature is for (section 2.1).
type Context string

// The contexts of SNE/1.
const (
	ContextBundle   Context = "sne/1 bundle"   // root key
	ContextSession  Context = "sne/1 session"  // online key
	ContextOffer    Context = "sne/1 offer"    // online key
	ContextCatalog  Context = "sne/1 catalog"  // online key
	ContextHead     Context = "sne/1 head"     // creator key
	ContextFirmware Context = "sne/1 firmware" // release key
)

// ErrSignature means that a signature does not verify. Which half failed is
// not told.
var ErrSignature = errors.New("sne: bad signature")

// PublicKey is an ML-DSA-65 key followed by an Ed25519 key.
type PublicKey [PublicKeySize]byte

// ParsePublicKey copies a key of exactly PublicKeySize bytes.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, wire.Malformed("public key of a wrong length")
	}
	return (*PublicKey)(append([]byte(nil), b...)), nil
}

// KeyID returns SHA-256("sne1 keyid" || 0x00 || key).
func (p *PublicKey) KeyID() wire.ID {
	h := sha256.New()
	h.Write([]byte("sne1 keyid\x00"))
	h.Write(p[:])
	return wire.ID(h.Sum(nil))
}

// Verify returns nil if both halves of sig sign msg under ctx, and
// ErrSignature otherwise.
func (p *PublicKey) Verify(ctx Context, msg, sig []byte) error {
	if len(sig) != SignatureSize || len(ctx) > 255 {
		return ErrSignature
	}
	m := message(ctx, msg)
	var pq mldsa65.PublicKey
	pq.Unpack((*[mldsa65.PublicKeySize]byte)(p[:mldsa65.PublicKeySize]))
	pqOK := mldsa65.Verify(&pq, m, []byte(label), sig[:mldsa65.SignatureSize])
	edOK := ed25519.Verify(p[mldsa65.PublicKeySize:], m, sig[mldsa65.SignatureSize:])
	if !pqOK || !edOK {
		return ErrSignature
	}
	return nil
}

// Open verifies signed = TBS || signature and returns the TBS, which shares
// the memory of signed.
func (p *PublicKey) Open(ctx Context, signed []byte) ([]byte, error) {
	tbs, sig, err := Split(signed)
	if err != nil {
		return nil, err
	}
	if err := p.Verify(ctx, tbs, sig); err != nil {
		return nil, err
	}
	return tbs, nil
}

// Split cuts signed = TBS || signature without verifying anything. The TBS may
// be read only to learn which key it names.
func Split(signed []byte) (tbs, sig []byte, err error) {
	n := len(signed) - SignatureSize
	if n < 0 {
		return nil, nil, wire.Malformed("shorter than a signature")
	}
	return signed[:n:n], signed[n:], nil
}

// label is both the domain separator inside the message representative and the
// ML-DSA context.
const label = "COMPSIG-MLDSA65-Ed25519-SHA512"

// message builds the message representative M' of the draft:
// prefix || label || len(ctx) || ctx || SHA-512(msg).
func message(ctx Context, msg []byte) []byte {
	const prefix = "CompositeAlgorithmSignatures2025"
	digest := sha512.Sum512(msg)
	m := make([]byte, 0, len(prefix)+len(label)+1+len(ctx)+len(digest))
	m = append(m, prefix+label...)
	m = append(m, uint8(len(ctx)))
	m = append(m, ctx...)
	return append(m, digest[:]...)
}

func contextError(ctx Context) error {
	return fmt.Errorf("sne: signature context of %d bytes", len(ctx))
}
