package message

import (
	"crypto/sha256"
	"math"
	"strings"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// MaxRange is how many epochs one purchase may have.
const MaxRange = 30

// Range is 1 to 30 consecutive epochs of one tier.
type Range struct {
	Broadcast wire.ID
	Tier      uint16
	First     uint64
	N         uint8
}

// Write encodes the Range.
func (g Range) Write(w *wire.Writer) {
	if !g.valid() {
		w.Fail("range of a forbidden length")
	}
	w.Raw(g.Broadcast[:])
	w.U16(g.Tier)
	w.U64(g.First)
	w.U8(g.N)
}

func (g Range) valid() bool {
	return g.N >= 1 && g.N <= MaxRange && g.First <= math.MaxUint64-MaxRange
}

// ReadRange reads a Range and refuses one of a forbidden length.
func ReadRange(r *wire.Reader) Range {
	g := Range{Broadcast: r.ID(), Tier: r.U16(), First: r.U64(), N: r.U8()}
	if !g.valid() {
		r.Fail("range of a forbidden length")
	}
	return g
}

// Share is one part of how a payment is split. The catalogue names the roles.
type Share struct {
	Role uint8
	Msat uint64
}

const maxShares = 8

// WriteSplit encodes u8 n; { u8 role; u64 msat }[n<=8]. The rules of a Split
// are those of CheckSplit.
func WriteSplit(w *wire.Writer, split []Share) {
	w.Count8(len(split), maxShares)
	for _, s := range split {
		w.U8(s.Role)
		w.U64(s.Msat)
	}
}

// ReadSplit reads what WriteSplit wrote.
func ReadSplit(r *wire.Reader) []Share {
	n := int(r.U8())
	if n > maxShares {
		r.Fail("split into too many shares")
	}
	var split []Share
	for i := 0; i < n && r.Err() == nil; i++ {
		split = append(split, Share{Role: r.U8(), Msat: r.U64()})
	}
	return split
}

// CheckSplit holds the rules of a Split: roles rise, the sum is the amount, or
// there is no share at all.
func CheckSplit(split []Share, amount uint64) error {
	if len(split) > maxShares {
		return wire.Malformed("split into too many shares")
	}
	rest := amount
	for i, s := range split {
		if i > 0 && s.Role <= split[i-1].Role {
			return wire.Malformed("split is out of order")
		}
		if s.Msat > rest {
			return wire.Malformed("split exceeds the amount")
		}
		rest -= s.Msat
	}
	if len(split) > 0 && rest != 0 {
		return wire.Malformed("split falls short of the amount")
	}
	return nil
}

// Buy asks for the keys of a Range.
type Buy struct {
	Rail  Rail
	Range Range
	Body  []byte // RailFFXS: a Redeem; RailOpening: empty
}

// Marshal encodes the body of a BUY.
func (b *Buy) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U8(uint8(b.Rail))
	b.Range.Write(&w)
	w.Raw(b.Body)
	return w.Bytes()
}

// ParseBuy reads the body of a BUY. The rail body is not looked into.
func ParseBuy(body []byte) (*Buy, error) {
	r := wire.NewReader(body)
	b := &Buy{Rail: Rail(r.U8()), Range: ReadRange(r)}
	b.Body = r.Take(r.Len())
	return b, r.Close()
}

// Grant hands over the epoch secrets of a Range.
type Grant struct {
	Range      Range
	AmountMsat uint64
	Split      []Share      // at most 8, roles rising; sums to the amount, or is empty
	Keys       []kdf.Secret // one for each epoch
	Evals      []byte       // change of RailFFXS; nil and the empty Evals {0} are the same
}

// Marshal encodes the body of a GRANT.
func (g *Grant) Marshal() ([]byte, error) {
	if len(g.Keys) != int(g.Range.N) {
		return nil, wire.Malformed("grant with a wrong number of keys")
	}
	if err := CheckSplit(g.Split, g.AmountMsat); err != nil {
		return nil, err
	}
	evals := g.Evals
	if len(evals) == 0 {
		evals = []byte{0}
	}
	if _, err := ParseEvals(evals); err != nil {
		return nil, err
	}
	var w wire.Writer
	g.Range.Write(&w)
	w.U64(g.AmountMsat)
	WriteSplit(&w, g.Split)
	for i := range g.Keys {
		w.Raw(g.Keys[i][:])
	}
	w.Raw(evals)
	return w.Bytes()
}

// ParseGrant reads the body of a GRANT. The keys are copies.
func ParseGrant(body []byte) (*Grant, error) {
	r := wire.NewReader(body)
	g := &Grant{Range: ReadRange(r), AmountMsat: r.U64(), Split: ReadSplit(r)}
	if r.Err() == nil {
		g.Keys = make([]kdf.Secret, g.Range.N)
		for i := range g.Keys {
			r.Fixed(g.Keys[i][:])
		}
	}
	g.Evals = r.Take(r.Len())
	if err := r.Close(); err != nil {
		return nil, err
	}
	if _, err := ParseEvals(g.Evals); err != nil {
		return nil, err
	}
	return g, CheckSplit(g.Split, g.AmountMsat)
}

// TopUp asks for new tokens.
type TopUp struct {
	Rail   Rail
	KeySet wire.ID
	Blinds []byte // see ParseBlinds
	Body   []byte // TopUpVoucher: see MarshalVoucher
}

// Marshal encodes the body of a TOPUP.
func (t *TopUp) Marshal() ([]byte, error) {
	if _, err := ParseBlinds(t.Blinds); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(uint8(t.Rail))
	w.Raw(t.KeySet[:])
	w.Raw(t.Blinds)
	w.Raw(t.Body)
	return w.Bytes()
}

// ParseTopUp reads the body of a TOPUP. The rail body is not looked into.
func ParseTopUp(body []byte) (*TopUp, error) {
	r := wire.NewReader(body)
	t := &TopUp{Rail: Rail(r.U8()), KeySet: r.ID()}
	start := r.Len()
	rest := body[len(body)-start:]
	readBlinds(r)
	t.Blinds = rest[:start-r.Len()]
	t.Body = r.Take(r.Len())
	return t, r.Close()
}

// maxVoucher is the longest voucher code in bytes.
const maxVoucher = 64

// MarshalVoucher encodes the rail body of a TOPUP by voucher.
func MarshalVoucher(code string) ([]byte, error) {
	if err := checkVoucher(code); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.X16([]byte(code), maxVoucher)
	return w.Bytes()
}

// ParseVoucher reads the rail body of a TOPUP by voucher.
func ParseVoucher(body []byte) (string, error) {
	r := wire.NewReader(body)
	code := r.Text(maxVoucher)
	if err := r.Close(); err != nil {
		return "", err
	}
	return code, checkVoucher(code)
}

// checkVoucher wants "<units>-<26 base32>".
func checkVoucher(code string) error {
	units, tail, ok := strings.Cut(code, "-")
	if !ok || len(code) > maxVoucher || units == "" || units[0] == '0' || strings.Trim(units, "0123456789") != "" {
		return wire.Malformed("voucher code")
	}
	if _, err := wire.ParseSessionID(tail); err != nil {
		return wire.Malformed("voucher code")
	}
	return nil
}

// Tokens answers a TOPUP or a SWAP.
type Tokens struct {
	KeySet wire.ID
	Evals  []byte // see ParseEvals
}

// Marshal encodes the body of a TOKENS.
func (t *Tokens) Marshal() ([]byte, error) {
	if _, err := ParseEvals(t.Evals); err != nil {
		return nil, err
	}
	return append(append([]byte(nil), t.KeySet[:]...), t.Evals...), nil
}

// ParseTokens reads the body of a TOKENS.
func ParseTokens(body []byte) (*Tokens, error) {
	r := wire.NewReader(body)
	t := &Tokens{KeySet: r.ID()}
	t.Evals = r.Take(r.Len())
	if err := r.Close(); err != nil {
		return nil, err
	}
	_, err := ParseEvals(t.Evals)
	return t, err
}

// BodyHash is SHA-256(kind || body): what makes a redemption idempotent.
func BodyHash(kind Kind, body []byte) [32]byte {
	return sha256.Sum256(append([]byte{uint8(kind)}, body...))
}
