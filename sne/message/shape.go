package message

import "sonahub/sne/wire"

// Limits on the lists of section 8.
const (
	MaxPoints = 64 // of Blinds and Evals
	MaxTokens = 32
	MaxDenom  = 23 // 2^23 units; a key set has at most 24 denominations
)

// Point is a compressed ristretto255 element, not decoded.
type Point [32]byte

// PointGroup is the blinded points of one denomination.
type PointGroup struct {
	Denom  uint8 // worth 2^Denom units each
	Points []Point
}

// Blinds is what a hub wants evaluated; denominations rise.
type Blinds []PointGroup

// EvalGroup is the evaluations of one PointGroup, with one proof for all.
type EvalGroup struct {
	Denom  uint8
	Points []Point
	Proof  [64]byte // scalars c || s
}

// Evals answers Blinds, in the same shape.
type Evals []EvalGroup

// Token is one spent unit: VOPRF input and output.
type Token struct {
	T [32]byte
	Y [64]byte
}

// TokenGroup is the tokens of one denomination.
type TokenGroup struct {
	Denom  uint8
	Tokens []Token
}

// Spend is what section 8 calls Tokens: units that pay for something.
type Spend struct {
	KeySet wire.ID
	Groups []TokenGroup
}

// Redeem is the rail body of a BUY by FFXS and the whole body of a SWAP.
type Redeem struct {
	Spend  Spend
	KeySet wire.ID // of the change
	Change Blinds  // may be empty
}

// groups reads u8 g; { u8 denom; u8 m; m elements }[g], denominations rising,
// no group empty, at most limit elements of size bytes in all.
func groups(r *wire.Reader, limit, size int, group func(denom uint8, m int)) {
	total, last := 0, -1
	for n := int(r.U8()); n > 0 && r.Err() == nil; n-- {
		denom, m := r.U8(), int(r.U8())
		total += m
		switch {
		case int(denom) <= last || denom > MaxDenom:
			r.Fail("denominations out of order")
		case m == 0 || total > limit || m*size > r.Len():
			r.Fail("group of a forbidden length")
		default:
			last = int(denom)
			group(denom, m)
		}
	}
}

// readPoints refuses the identity element, whose encoding is all zeros.
func readPoints(r *wire.Reader, m int) []Point {
	points := make([]Point, m)
	for i := range points {
		r.Fixed(points[i][:])
		if points[i] == (Point{}) {
			r.Fail("identity element")
		}
	}
	return points
}

func readBlinds(r *wire.Reader) Blinds {
	var b Blinds
	groups(r, MaxPoints, 32, func(denom uint8, m int) {
		b = append(b, PointGroup{Denom: denom, Points: readPoints(r, m)})
	})
	return b
}

// ParseBlinds reads Blinds of at most 64 points.
func ParseBlinds(raw []byte) (Blinds, error) {
	r := wire.NewReader(raw)
	b := readBlinds(r)
	return b, r.Close()
}

// ParseEvals reads Evals of at most 64 points.
func ParseEvals(raw []byte) (Evals, error) {
	r := wire.NewReader(raw)
	var e Evals
	groups(r, MaxPoints, 32, func(denom uint8, m int) {
		g := EvalGroup{Denom: denom, Points: readPoints(r, m)}
		r.Fixed(g.Proof[:])
		e = append(e, g)
	})
	return e, r.Close()
}

func readSpend(r *wire.Reader) Spend {
	s := Spend{KeySet: r.ID()}
	groups(r, MaxTokens, 96, func(denom uint8, m int) {
		g := TokenGroup{Denom: denom, Tokens: make([]Token, m)}
		for i := range g.Tokens {
			r.Fixed(g.Tokens[i].T[:])
			r.Fixed(g.Tokens[i].Y[:])
		}
		s.Groups = append(s.Groups, g)
	})
	return s
}

// ParseSpend reads at most 32 tokens.
func ParseSpend(raw []byte) (*Spend, error) {
	r := wire.NewReader(raw)
	s := readSpend(r)
	return &s, r.Close()
}

// ParseRedeem reads a Redeem.
func ParseRedeem(raw []byte) (*Redeem, error) {
	r := wire.NewReader(raw)
	d := &Redeem{Spend: readSpend(r), KeySet: r.ID(), Change: readBlinds(r)}
	return d, r.Close()
}

func (b Blinds) write(w *wire.Writer) {
	w.Count8(len(b), 255)
	for _, g := range b {
		w.U8(g.Denom)
		w.Count8(len(g.Points), MaxPoints)
		for i := range g.Points {
			w.Raw(g.Points[i][:])
		}
	}
}

// Marshal encodes the Blinds.
func (b Blinds) Marshal() ([]byte, error) {
	var w wire.Writer
	b.write(&w)
	return checked(&w, func(raw []byte) error { _, err := ParseBlinds(raw); return err })
}

// Marshal encodes the Evals.
func (e Evals) Marshal() ([]byte, error) {
	var w wire.Writer
	w.Count8(len(e), 255)
	for _, g := range e {
		w.U8(g.Denom)
		w.Count8(len(g.Points), MaxPoints)
		for i := range g.Points {
			w.Raw(g.Points[i][:])
		}
		w.Raw(g.Proof[:])
	}
	return checked(&w, func(raw []byte) error { _, err := ParseEvals(raw); return err })
}

func (s *Spend) write(w *wire.Writer) {
	w.Raw(s.KeySet[:])
	w.Count8(len(s.Groups), 255)
	for _, g := range s.Groups {
		w.U8(g.Denom)
		w.Count8(len(g.Tokens), MaxTokens)
		for i := range g.Tokens {
			w.Raw(g.Tokens[i].T[:])
			w.Raw(g.Tokens[i].Y[:])
		}
	}
}

// Marshal encodes the Redeem.
func (d *Redeem) Marshal() ([]byte, error) {
	var w wire.Writer
	d.Spend.write(&w)
	w.Raw(d.KeySet[:])
	d.Change.write(&w)
	return checked(&w, func(raw []byte) error { _, err := ParseRedeem(raw); return err })
}

// checked returns what w holds if the reader of it accepts it, so that the
// rules stand in one place.
func checked(w *wire.Writer, parse func([]byte) error) ([]byte, error) {
	raw, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	return raw, parse(raw)
}

// Units returns what the Blinds are worth.
func (b Blinds) Units() uint64 {
	var sum uint64
	for _, g := range b {
		sum += uint64(len(g.Points)) << min(g.Denom, MaxDenom)
	}
	return sum
}

// Units returns what the tokens are worth.
func (s *Spend) Units() uint64 {
	var sum uint64
	for _, g := range s.Groups {
		sum += uint64(len(g.Tokens)) << min(g.Denom, MaxDenom)
	}
	return sum
}

// Fits checks that e answers b group for group. The proofs are not checked.
func (e Evals) Fits(b Blinds) error {
	if len(e) != len(b) {
		return wire.Malformed("evaluations do not fit the blinds")
	}
	for i := range e {
		if e[i].Denom != b[i].Denom || len(e[i].Points) != len(b[i].Points) {
			return wire.Malformed("evaluations do not fit the blinds")
		}
	}
	return nil
}
