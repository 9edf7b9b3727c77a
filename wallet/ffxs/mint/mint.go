// Package mint is the issuer's half of FFXS: it makes a key set, evaluates
// blinded points with a proof, and verifies tokens.
//
// Source: SNE-SPEC section 8, RFC 9497 mode VOPRF, suite ristretto255-SHA512,
// by circl. It keeps nothing: which token was spent for which body, and which
// voucher was used, is written in the books of whoever runs it.
//
// Invariants: two key sets never share a secret key, because every public
// term of the set goes into the derivation (a shared key would let one token
// be spent under two set ids). Evaluation is deterministic in its points, so
// that a repeated body gets the same money again. The identity element and
// points in a form that is not canonical are refused.
package mint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

var (
	// ErrToken says that a token is forged, or a point is none.
	ErrToken = errors.New("token or point refused")
	// ErrKeySet says that the bytes belong to another key set.
	ErrKeySet = errors.New("other key set")
	// ErrMalformed is wrapped by every parse error.
	ErrMalformed = token.ErrMalformed
)

// Seed is the secret from which a key set derives. It never prints itself.
type Seed [32]byte

// String hides the seed.
func (Seed) String() string { return "redacted" }

// Format hides the seed from every verb of fmt.
func (Seed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the seed from slog.
func (Seed) LogValue() slog.Value { return slog.StringValue("redacted") }

// MarshalText hides it from JSON, also inside other values that are logged.
func (Seed) MarshalText() ([]byte, error) { return []byte("redacted"), nil }

// Terms are the public terms of a key set.
type Terms struct {
	UnitMsat    uint16    // worth of a unit, msat; 0 = 100
	IssueUntil  time.Time // to the millisecond
	RedeemUntil time.Time // at least IssueUntil + 180 days
	Denoms      int       // denominations 2^0 .. 2^(Denoms-1) units; 0 = 20
}

// MinRedeem is how long tokens stay good after the last one was issued.
const MinRedeem = 180 * 24 * time.Hour

// Mint issues and verifies the tokens of one key set. It is safe for
// concurrent use.
type Mint struct {
	terms  Terms
	keySet []byte
	id     [32]byte
	keys   []*oprf.PrivateKey // by denomination
}

// New derives the key set of seed and terms: the same two give the same keys.
func New(seed Seed, t Terms) (*Mint, error) {
	if t.UnitMsat == 0 {
		t.UnitMsat = 100
	}
	if t.Denoms == 0 {
		t.Denoms = 20
	}
	if t.Denoms < 1 || t.Denoms > token.MaxDenoms {
		return nil, fmt.Errorf("mint: %d denominations, at most %d are possible", t.Denoms, token.MaxDenoms)
	}
	if t.RedeemUntil.Sub(t.IssueUntil) < MinRedeem {
		return nil, fmt.Errorf("mint: tokens must stay good for %s after the last issue", MinRedeem)
	}
	m := &Mint{terms: t}
	info := binary.BigEndian.AppendUint16([]byte("sne1 ffxs key"), t.UnitMsat)
	info = binary.BigEndian.AppendUint64(info, uint64(t.IssueUntil.UnixMilli()))
	info = binary.BigEndian.AppendUint64(info, uint64(t.RedeemUntil.UnixMilli()))
	info = append(info, byte(t.Denoms))
	set := token.KeySet{UnitMsat: t.UnitMsat, IssueUntil: t.IssueUntil, RedeemUntil: t.RedeemUntil}
	for d := range t.Denoms {
		key, err := oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, seed[:], append(info, byte(d)))
		if err != nil {
			return nil, fmt.Errorf("mint: derive key %d: %w", d, err)
		}
		// Public stores the point in the key: done here, once, it needs no lock later.
		pub, err := key.Public().MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("mint: public key %d: %w", d, err)
		}
		m.keys = append(m.keys, key)
		set.Keys = append(set.Keys, token.PublicKey{Denom: uint8(d), Key: token.Point(pub)})
	}
	m.keySet = set.Append(nil)
	m.id = token.KeySetID(m.keySet)
	return m, nil
}

// KeySet is the public key set as published.
func (m *Mint) KeySet() []byte { return slices.Clone(m.keySet) }

// ID is keyset_id.
func (m *Mint) ID() [32]byte { return m.id }

// Terms are the terms with their defaults filled in.
func (m *Mint) Terms() Terms { return m.terms }

// Unit is the worth of one unit.
func (m *Mint) Unit() wallet.Msat { return wallet.Msat(m.terms.UnitMsat) }

// PriceUnits is how many units pay for an amount: the quotient, rounded up.
func (m *Mint) PriceUnits(amount wallet.Msat) uint64 {
	if amount <= 0 {
		return 0
	}
	unit := uint64(m.terms.UnitMsat)
	return (uint64(amount) + unit - 1) / unit
}

// Evaluate answers Blinds with Evals of the same shape: evaluated points and
// one batched proof per denomination. The points depend on the input alone,
// the proofs are fresh. It is a promise of money: the caller has been paid.
func (m *Mint) Evaluate(blinds []byte) ([]byte, error) {
	in, err := token.ParseBlinds(blinds)
	if err != nil {
		return nil, err
	}
	var out token.Evals
	for _, g := range in {
		e, err := m.evaluate(g)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out.Append(nil), nil
}

func (m *Mint) evaluate(g token.PointGroup) (token.EvalGroup, error) {
	out := token.EvalGroup{Denom: g.Denom}
	if int(g.Denom) >= len(m.keys) {
		return out, fmt.Errorf("%w: no denomination of 2^%d units", ErrKeySet, g.Denom)
	}
	req := &oprf.EvaluationRequest{}
	for _, p := range g.Points {
		e, err := decodePoint(p)
		if err != nil {
			return out, err
		}
		req.Elements = append(req.Elements, e)
	}
	ev, err := oprf.NewVerifiableServer(oprf.SuiteRistretto255, m.keys[g.Denom]).Evaluate(req)
	if err != nil {
		return out, fmt.Errorf("mint: evaluate: %w", err)
	}
	for _, e := range ev.Elements {
		b, err := e.MarshalBinaryCompress()
		if err != nil {
			return out, fmt.Errorf("mint: encode point: %w", err)
		}
		out.Points = append(out.Points, token.Point(b))
	}
	proof, err := ev.Proof.MarshalBinary()
	if err != nil {
		return out, fmt.Errorf("mint: encode proof: %w", err)
	}
	out.Proof = [token.ProofSize]byte(proof)
	return out, nil
}

// decodePoint reads a point in its one canonical form and refuses the
// identity, which the library evaluates without complaint.
func decodePoint(p token.Point) (group.Element, error) {
	e := group.Ristretto255.NewElement()
	if err := e.UnmarshalBinary(p[:]); err != nil {
		return nil, fmt.Errorf("%w: not a point", ErrToken)
	}
	b, err := e.MarshalBinaryCompress()
	if err != nil || token.Point(b) != p || e.IsIdentity() {
		return nil, fmt.Errorf("%w: identity or not canonical", ErrToken)
	}
	return e, nil
}

// Spend is what a valid set of tokens is worth.
type Spend struct {
	Nullifiers [][32]byte // in the order of the tokens; distinct
	Units      uint64
}

// Verify checks every token against its own evaluation, in constant time and
// all of them, so that neither the time nor the answer tells which one is
// wrong. A token that is there twice is refused. Whether one was spent before
// is for the caller's books to say.
func (m *Mint) Verify(tokens []byte) (Spend, error) {
	in, err := token.ParseSpend(tokens)
	if err != nil {
		return Spend{}, err
	}
	if in.KeySet != m.id {
		return Spend{}, ErrKeySet
	}
	out := Spend{Units: in.Units()}
	seen, good := map[[32]byte]bool{}, true
	for _, g := range in.Groups {
		if int(g.Denom) >= len(m.keys) {
			return Spend{}, fmt.Errorf("%w: no denomination of 2^%d units", ErrKeySet, g.Denom)
		}
		server := oprf.NewVerifiableServer(oprf.SuiteRistretto255, m.keys[g.Denom])
		for _, t := range g.Tokens {
			ok := server.VerifyFinalize(t.T[:], t.Y[:])
			n := token.Nullifier(m.id, g.Denom, t.T)
			good = good && ok && !seen[n]
			seen[n] = true
			out.Nullifiers = append(out.Nullifiers, n)
		}
	}
	if !good {
		return Spend{}, ErrToken
	}
	return out, nil
}
