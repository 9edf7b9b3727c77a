// Package ffxstest is an origin in memory for tests of the purse and of what
// stands on it: it issues by voucher, swaps, and sells epochs for tokens by
// the rules of SNE-SPEC section 8.
//
// Invariants: a token is spent for one body only; the same body gets the same
// money again; what was sold can be summed up without asking the purse.
package ffxstest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/mint"
)

var _ ffxs.Origin = (*Origin)(nil)

// Origin is safe for concurrent use. Its hooks are set before use.
type Origin struct {
	Before func(op string) error            // an error here: the request never arrived
	After  func(op string) error            // an error here: the answer got lost
	Tamper func(op string, b []byte) []byte // changes evals on their way out

	mu       sync.Mutex
	mints    []*mint.Mint // issuing first
	vouchers map[string]*voucher
	spent    map[[32]byte][32]byte // nullifier -> body hash
	sold     map[Epoch]map[[32]byte]bool
	income   uint64
	issued   uint64
}

// Epoch is one epoch of one tier.
type Epoch struct {
	Broadcast string
	Tier      uint16
	Number    uint64
}

type voucher struct {
	units uint64
	used  [32]byte // hash of the blinds; zero = not used
}

// New makes an origin with one key set.
func New(tb testing.TB) *Origin {
	tb.Helper()
	o := &Origin{vouchers: map[string]*voucher{}, spent: map[[32]byte][32]byte{}, sold: map[Epoch]map[[32]byte]bool{}}
	o.Rotate(tb)
	return o
}

// Rotate makes a new issuing key set; the older ones stay redeemable.
func (o *Origin) Rotate(tb testing.TB) {
	tb.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	at := time.UnixMilli(1_800_000_000_000).Add(time.Duration(len(o.mints)) * time.Hour)
	m, err := mint.New(mint.Seed{9}, mint.Terms{IssueUntil: at, RedeemUntil: at.Add(mint.MinRedeem), Denoms: 16})
	if err != nil {
		tb.Fatal(err)
	}
	o.mints = append([]*mint.Mint{m}, o.mints...)
}

// Voucher makes a voucher and returns its code.
func (o *Origin) Voucher(tb testing.TB, units uint64) string {
	tb.Helper()
	code, err := mint.NewVoucher(nil, units)
	if err != nil {
		tb.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.vouchers[code] = &voucher{units: units}
	return code
}

func (o *Origin) hook(f func(string) error, op string) error {
	if f == nil {
		return nil
	}
	return f(op)
}

// answer lets an answer go out, tampered with or not.
func (o *Origin) answer(op string, b []byte, err error) ([]byte, error) {
	if lost := o.hook(o.After, op); lost != nil {
		return nil, lost
	}
	if err == nil && o.Tamper != nil {
		b = o.Tamper(op, b)
	}
	return b, err
}

// KeySets implements ffxs.Origin.
func (o *Origin) KeySets(context.Context) ([][32]byte, error) {
	if err := o.hook(o.Before, "keysets"); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var out [][32]byte
	for _, m := range o.mints {
		out = append(out, m.ID())
	}
	return out, nil
}

func (o *Origin) mint(id [32]byte) *mint.Mint {
	for _, m := range o.mints {
		if m.ID() == id {
			return m
		}
	}
	return nil
}

// KeySet implements ffxs.Origin.
func (o *Origin) KeySet(_ context.Context, id [32]byte) ([]byte, error) {
	if err := o.hook(o.Before, "keyset"); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.mint(id)
	if m == nil {
		return nil, fmt.Errorf("no such key set")
	}
	return m.KeySet(), nil
}

// TopUp implements ffxs.Origin.
func (o *Origin) TopUp(_ context.Context, keyset [32]byte, blinds []byte, code string) ([]byte, error) {
	if err := o.hook(o.Before, "topup"); err != nil {
		return nil, err
	}
	evals, err := o.topUp(keyset, blinds, code)
	return o.answer("topup", evals, err)
}

func (o *Origin) topUp(keyset [32]byte, blinds []byte, code string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, m, hash := o.vouchers[code], o.mint(keyset), sha256.Sum256(blinds)
	if v == nil || (v.used != [32]byte{} && v.used != hash) {
		return nil, ffxs.ErrSpent
	}
	if m == nil || (m != o.mints[0] && v.used != hash) { // what was answered once is answered for ever
		return nil, fmt.Errorf("%w: key set", ffxs.ErrRefused)
	}
	if u, err := mint.Units(blinds); err != nil || u != v.units {
		return nil, fmt.Errorf("%w: %d units asked of a voucher of %d", ffxs.ErrRefused, u, v.units)
	}
	evals, err := m.Evaluate(blinds)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ffxs.ErrRefused, err)
	}
	if v.used == [32]byte{} {
		v.used = hash
		o.issued += v.units
	}
	return evals, nil
}

// Swap implements ffxs.Origin.
func (o *Origin) Swap(_ context.Context, tokens []byte, keyset [32]byte, blinds []byte) ([]byte, error) {
	if err := o.hook(o.Before, "swap"); err != nil {
		return nil, err
	}
	body := append(append(append([]byte{}, tokens...), keyset[:]...), blinds...)
	o.mu.Lock()
	evals, _, err := o.redeem(append([]byte{5}, body...), body, 0)
	o.mu.Unlock()
	return o.answer("swap", evals, err)
}

// redeem spends the tokens of a body for price units and its blinds; fresh
// says whether that happened now or before.
func (o *Origin) redeem(hashed, body []byte, price uint64) (evals []byte, fresh bool, err error) {
	r, err := mint.ParseRedeem(body)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ffxs.ErrRefused, err)
	}
	from, to := o.mint(r.TokensKeySet), o.mint(r.BlindsKeySet)
	if from == nil || to == nil {
		return nil, false, fmt.Errorf("%w: key set", ffxs.ErrRefused)
	}
	s, err := from.Verify(r.Tokens)
	if err != nil {
		return nil, false, ffxs.ErrSpent
	}
	if s.Units != price+r.BlindUnits {
		return nil, false, fmt.Errorf("%w: %d units for a price of %d and %d change", ffxs.ErrRefused, s.Units, price, r.BlindUnits)
	}
	hash, known := sha256.Sum256(hashed), 0
	for _, n := range s.Nullifiers {
		switch h, ok := o.spent[n]; {
		case ok && h == hash:
			known++
		case ok:
			return nil, false, ffxs.ErrSpent
		}
	}
	if known != 0 && known != len(s.Nullifiers) {
		return nil, false, ffxs.ErrSpent
	}
	if evals, err = to.Evaluate(r.Blinds); err != nil {
		return nil, false, fmt.Errorf("%w: %w", ffxs.ErrRefused, err)
	}
	for _, n := range s.Nullifiers {
		o.spent[n] = hash
	}
	return evals, known == 0, nil
}

// Show is BUY, rail 2, as a stream would send it: the origin's answer as a
// receipt, or an error if none came. The origin's price is what was agreed.
func (o *Origin) Show(p wallet.Proof, price wallet.Msat) (wallet.Receipt, error) {
	if err := o.hook(o.Before, "buy"); err != nil {
		return wallet.Receipt{}, err
	}
	o.mu.Lock()
	goods := fmt.Appendf([]byte{3}, "%s/%d/%d/%d", p.Broadcast, p.Tier, p.First, p.N)
	hashed := append(goods, p.Body...)
	evals, fresh, err := o.redeem(hashed, p.Body, o.mints[0].PriceUnits(price))
	if err == nil {
		o.sell(p, price, fresh, sha256.Sum256(hashed))
	}
	o.mu.Unlock()
	evals, err = o.answer("buy", evals, err)
	return receipt(evals, price, err)
}

func (o *Origin) sell(p wallet.Proof, price wallet.Msat, fresh bool, hash [32]byte) {
	if fresh {
		o.income += o.mints[0].PriceUnits(price)
	}
	for e := p.First; e < p.First+uint64(p.N); e++ {
		k := Epoch{p.Broadcast, p.Tier, e}
		if o.sold[k] == nil {
			o.sold[k] = map[[32]byte]bool{}
		}
		o.sold[k][hash] = true
	}
}

func receipt(evals []byte, price wallet.Msat, err error) (wallet.Receipt, error) {
	switch outcome, known := Outcome(err); {
	case err == nil:
		return wallet.Receipt{Outcome: wallet.Granted, Amount: price, Change: evals}, nil
	case known:
		return wallet.Receipt{Outcome: outcome, Reason: err.Error()}, nil
	}
	return wallet.Receipt{}, err
}

// Income is what the origin earned, in units.
func (o *Origin) Income() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.income
}

// Issued is what was topped up by vouchers, in units.
func (o *Origin) Issued() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.issued
}

// SoldTwice lists epochs that were paid for more than once.
func (o *Origin) SoldTwice() []Epoch {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Epoch
	for e, bodies := range o.sold {
		if len(bodies) > 1 {
			out = append(out, e)
		}
	}
	return out
}

// Spent counts the tokens that were ever spent.
func (o *Origin) Spent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.spent)
}

// Junk is a well-formed answer to blinds whose points mean nothing: a counter
// in the place of each point.
func Junk(n int) []byte {
	out := []byte{1, 0, byte(n)}
	for i := range n {
		out = binary.BigEndian.AppendUint64(out, uint64(i+1))
		out = append(out, make([]byte, 24)...)
	}
	return append(out, make([]byte, 64)...)
}
