// Package token is the byte format of prepaid FFXS units: blinded points,
// their evaluations, tokens, key sets and vouchers, as the wire carries them.
//
// Source: SNE-SPEC section 8. Integers are big-endian. The package does no
// group arithmetic; it checks shapes and nothing else, so that the issuer and
// the purse share what they must agree on and not more.
//
// Invariants: a parser refuses trailing bytes, empty groups, denominations
// that do not rise, more than MaxPoints points or MaxTokens tokens, and the
// identity element, which RFC 9497 forbids and libraries let pass. Nothing is
// allocated from a count before the bytes behind it are there.
package token

import (
	"errors"
	"fmt"
	"log/slog"
)

// ErrMalformed is wrapped by every parse error of this package.
var ErrMalformed = errors.New("malformed FFXS bytes")

// Limits and sizes of SNE-SPEC section 8.
const (
	MaxPoints = 64 // points in one Blinds or Evals
	MaxTokens = 32 // tokens in one spend
	MaxDenoms = 24 // keys in one KeySet; denomination d is worth 2^d units

	PointSize = 32 // compressed ristretto255
	ProofSize = 64 // scalars c || s
	tokenSize = 32 + 64
)

// Point is a compressed ristretto255 element.
type Point [PointSize]byte

// IsIdentity reports whether p is the identity element, which no honest side
// ever sends: evaluated, it would give nothing away and prove nothing.
func (p Point) IsIdentity() bool { return p == Point{} }

// PointGroup holds the blinded points of one denomination.
type PointGroup struct {
	Denom  uint8 // worth 2^Denom units a point
	Points []Point
}

// EvalGroup holds the evaluated points of one denomination and one batched
// proof for all of them.
type EvalGroup struct {
	Denom  uint8
	Points []Point
	Proof  [ProofSize]byte
}

// Token is money: whoever shows it first has it. It never prints itself.
type Token struct {
	T [32]byte // VOPRF input
	Y [64]byte // VOPRF output
}

// String hides the token.
func (Token) String() string { return "redacted" }

// Format hides the token from every verb of fmt.
func (Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the token from slog.
func (Token) LogValue() slog.Value { return slog.StringValue("redacted") }

// MarshalText hides it from JSON, also inside other values that are logged.
func (Token) MarshalText() ([]byte, error) { return []byte("redacted"), nil }

// Group holds the tokens of one denomination.
type Group struct {
	Denom  uint8
	Tokens []Token
}

// Blinds are blinded points to be evaluated; none at all is allowed.
type Blinds []PointGroup

// Evals are evaluated points, in the shape of the Blinds they answer.
type Evals []EvalGroup

// Spend is a set of tokens of one key set, at least one.
type Spend struct {
	KeySet [32]byte
	Groups []Group
}

// ParseBlinds reads Blinds and nothing after them.
func ParseBlinds(b []byte) (Blinds, error) {
	r := &reader{b: b}
	v := r.blinds()
	return v, r.done()
}

// ParseEvals reads Evals and nothing after them.
func ParseEvals(b []byte) (Evals, error) {
	r := &reader{b: b}
	var v Evals
	r.groups(MaxPoints, PointSize, ProofSize, func(denom uint8, items, tail []byte) {
		v = append(v, EvalGroup{Denom: denom, Points: r.points(items), Proof: [ProofSize]byte(tail)})
	})
	return v, r.done()
}

// ParseSpend reads Tokens (a Spend) and nothing after them.
func ParseSpend(b []byte) (Spend, error) {
	r := &reader{b: b}
	v := r.spend()
	return v, r.done()
}

// Redeem is the body that spends tokens for goods and change (BUY, rail 2),
// or for other tokens alone (SWAP).
type Redeem struct {
	Spend  Spend
	KeySet [32]byte // of the blinds
	Blinds Blinds
}

// ParseRedeem reads Tokens || keyset_id || Blinds and nothing after them.
func ParseRedeem(b []byte) (Redeem, error) {
	r := &reader{b: b}
	var v Redeem
	v.Spend = r.spend()
	copy(v.KeySet[:], r.take(32))
	v.Blinds = r.blinds()
	return v, r.done()
}

// Append writes v behind dst.
func (v Blinds) Append(dst []byte) []byte {
	dst = append(dst, byte(len(v)))
	for _, g := range v {
		dst = append(dst, g.Denom, byte(len(g.Points)))
		for _, p := range g.Points {
			dst = append(dst, p[:]...)
		}
	}
	return dst
}

// Append writes v behind dst.
func (v Evals) Append(dst []byte) []byte {
	dst = append(dst, byte(len(v)))
	for _, g := range v {
		dst = append(dst, g.Denom, byte(len(g.Points)))
		for _, p := range g.Points {
			dst = append(dst, p[:]...)
		}
		dst = append(dst, g.Proof[:]...)
	}
	return dst
}

// Append writes v behind dst.
func (v Spend) Append(dst []byte) []byte {
	dst = append(dst, v.KeySet[:]...)
	dst = append(dst, byte(len(v.Groups)))
	for _, g := range v.Groups {
		dst = append(dst, g.Denom, byte(len(g.Tokens)))
		for _, t := range g.Tokens {
			dst = append(dst, t.T[:]...)
			dst = append(dst, t.Y[:]...)
		}
	}
	return dst
}

// Append writes v behind dst.
func (v Redeem) Append(dst []byte) []byte {
	dst = v.Spend.Append(dst)
	dst = append(dst, v.KeySet[:]...)
	return v.Blinds.Append(dst)
}

// Units is the worth of all points.
func (v Blinds) Units() uint64 {
	var sum uint64
	for _, g := range v {
		sum += uint64(len(g.Points)) << g.Denom
	}
	return sum
}

// Units is the worth of all tokens.
func (v Spend) Units() uint64 {
	var sum uint64
	for _, g := range v.Groups {
		sum += uint64(len(g.Tokens)) << g.Denom
	}
	return sum
}

// Fits reports whether v answers b point for point.
func (v Evals) Fits(b Blinds) bool {
	if len(v) != len(b) {
		return false
	}
	for i := range v {
		if v[i].Denom != b[i].Denom || len(v[i].Points) != len(b[i].Points) {
			return false
		}
	}
	return true
}
