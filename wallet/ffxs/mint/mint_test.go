package mint

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

func terms() Terms {
	at := time.UnixMilli(1_700_000_000_000)
	return Terms{IssueUntil: at, RedeemUntil: at.Add(MinRedeem), Denoms: 8}
}

func newMint(t testing.TB, seed byte, change func(*Terms)) *Mint {
	t.Helper()
	tm := terms()
	if change != nil {
		change(&tm)
	}
	m, err := New(Seed{seed}, tm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// listener is a purse in ten lines, on circl's own client.
type listener struct {
	blinds token.Blinds
	data   []*oprf.FinalizeData
	keys   []*oprf.PublicKey
	inputs [][][]byte
}

func newListener(t testing.TB, m *Mint, shape map[uint8]int) *listener {
	t.Helper()
	set, err := token.ParseKeySet(m.KeySet())
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	for d := uint8(0); d < token.MaxDenoms; d++ {
		if shape[d] == 0 {
			continue
		}
		k, _ := set.Key(d)
		pk := new(oprf.PublicKey)
		if err := pk.UnmarshalBinary(oprf.SuiteRistretto255, k[:]); err != nil {
			t.Fatal(err)
		}
		var in [][]byte
		for i := range shape[d] {
			in = append(in, bytes.Repeat([]byte{d + 1, byte(i)}, 16))
		}
		fd, req, err := oprf.NewVerifiableClient(oprf.SuiteRistretto255, pk).Blind(in)
		if err != nil {
			t.Fatal(err)
		}
		g := token.PointGroup{Denom: d}
		for _, e := range req.Elements {
			b, _ := e.MarshalBinaryCompress()
			g.Points = append(g.Points, token.Point(b))
		}
		l.blinds, l.data, l.keys, l.inputs = append(l.blinds, g), append(l.data, fd), append(l.keys, pk), append(l.inputs, in)
	}
	return l
}

func (l *listener) finalize(t testing.TB, m *Mint, evals []byte) (token.Spend, error) {
	t.Helper()
	ev, err := token.ParseEvals(evals)
	if err != nil {
		t.Fatal(err)
	}
	if !ev.Fits(l.blinds) {
		t.Fatal("evaluation has another shape")
	}
	out := token.Spend{KeySet: m.ID()}
	for i, g := range ev {
		e := &oprf.Evaluation{Proof: new(dleq.Proof)}
		for _, p := range g.Points {
			el := group.Ristretto255.NewElement()
			if err := el.UnmarshalBinary(p[:]); err != nil {
				t.Fatal(err)
			}
			e.Elements = append(e.Elements, el)
		}
		if err := e.Proof.UnmarshalBinary(group.Ristretto255, g.Proof[:]); err != nil {
			t.Fatal(err)
		}
		ys, err := oprf.NewVerifiableClient(oprf.SuiteRistretto255, l.keys[i]).Finalize(l.data[i], e)
		if err != nil {
			return out, err
		}
		tg := token.Group{Denom: g.Denom}
		for j, y := range ys {
			tg.Tokens = append(tg.Tokens, token.Token{T: [32]byte(l.inputs[i][j]), Y: [64]byte(y)})
		}
		out.Groups = append(out.Groups, tg)
	}
	return out, nil
}

func TestIssueAndVerify(t *testing.T) {
	m := newMint(t, 1, nil)
	l := newListener(t, m, map[uint8]int{0: 2, 3: 1, 7: 3})
	blinds := l.blinds.Append(nil)
	evals, err := m.Evaluate(blinds)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.finalize(t, m, evals)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Verify(s.Append(nil))
	if err != nil || got.Units != 2+8+3*128 || len(got.Nullifiers) != 6 {
		t.Fatalf("%+v, %v", got, err)
	}
	if u, err := Units(blinds); err != nil || u != got.Units {
		t.Fatalf("blinds are worth %d, tokens %d", u, got.Units)
	}
	again, err := m.Evaluate(blinds)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := token.ParseEvals(evals)
	b, _ := token.ParseEvals(again)
	if a[0].Points[1] != b[0].Points[1] || a[0].Proof == b[0].Proof {
		t.Fatal("a repeat must give the same points under a fresh proof")
	}

	// The proof must bind points and key; any single wrong one is noticed.
	bad := token.Evals{a[0], a[1], a[2]}
	bad[2].Points = append([]token.Point{bad[2].Points[1]}, bad[2].Points[1:]...)
	if _, err := l.finalize(t, m, bad.Append(nil)); err == nil {
		t.Fatal("a point in another's place passed the proof")
	}
	other, err := newMint(t, 2, nil).Evaluate(blinds)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.finalize(t, m, other); err == nil {
		t.Fatal("evaluation under another key passed the proof")
	}
}

func TestVerifyRefuses(t *testing.T) {
	m := newMint(t, 1, nil)
	l := newListener(t, m, map[uint8]int{2: 2})
	evals, err := m.Evaluate(l.blinds.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	good, err := l.finalize(t, m, evals)
	if err != nil {
		t.Fatal(err)
	}
	two := good.Groups[0].Tokens
	for name, c := range map[string]struct {
		groups []token.Group
		set    [32]byte
		want   error
	}{
		"forged":             {[]token.Group{{Denom: 2, Tokens: []token.Token{two[0], {T: two[1].T}}}}, m.ID(), ErrToken},
		"other denomination": {[]token.Group{{Denom: 3, Tokens: two}}, m.ID(), ErrToken},
		"twice in one body":  {[]token.Group{{Denom: 2, Tokens: []token.Token{two[0], two[0]}}}, m.ID(), ErrToken},
		"no such key":        {[]token.Group{{Denom: 9, Tokens: two}}, m.ID(), ErrKeySet},
		"other set":          {[]token.Group{{Denom: 2, Tokens: two}}, [32]byte{1}, ErrKeySet},
	} {
		if _, err := m.Verify(token.Spend{KeySet: c.set, Groups: c.groups}.Append(nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Verify([]byte{1, 2, 3}); !errors.Is(err, ErrMalformed) {
		t.Errorf("junk: %v", err)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	m := newMint(t, 1, nil)
	noPoint := token.Point{}
	for i := range noPoint {
		noPoint[i] = 0xff
	}
	blinds := func(d uint8, p token.Point) []byte {
		return token.Blinds{{Denom: d, Points: []token.Point{p}}}.Append(nil)
	}
	if _, err := m.Evaluate(blinds(0, token.Point{})); !errors.Is(err, ErrMalformed) {
		t.Errorf("identity: %v", err)
	}
	if _, err := m.Evaluate(blinds(0, noPoint)); !errors.Is(err, ErrToken) {
		t.Errorf("not a point: %v", err)
	}
	l := newListener(t, m, map[uint8]int{0: 1})
	if _, err := m.Evaluate(blinds(8, l.blinds[0].Points[0])); !errors.Is(err, ErrKeySet) {
		t.Errorf("no such denomination: %v", err)
	}
	if _, err := decodePoint(token.Point{}); !errors.Is(err, ErrToken) {
		t.Errorf("identity past the parser: %v", err)
	}
	if out, err := m.Evaluate([]byte{0}); err != nil || !bytes.Equal(out, []byte{0}) {
		t.Errorf("no blinds: %x, %v", out, err)
	}
}

// Two sets that differ in any public term must not share a key, or a token of
// one could be spent again under the id of the other.
func TestTermsEnterTheKeys(t *testing.T) {
	base := newMint(t, 1, nil)
	if same := newMint(t, 1, nil); !bytes.Equal(base.KeySet(), same.KeySet()) {
		t.Fatal("derivation is not deterministic")
	}
	set, _ := token.ParseKeySet(base.KeySet())
	for name, change := range map[string]func(*Terms){
		"unit":    func(t *Terms) { t.UnitMsat = 50 },
		"issue":   func(t *Terms) { t.IssueUntil = t.IssueUntil.Add(-time.Millisecond) },
		"redeem":  func(t *Terms) { t.RedeemUntil = t.RedeemUntil.Add(time.Millisecond) },
		"denoms":  func(t *Terms) { t.Denoms = 9 },
		"default": func(t *Terms) { t.Denoms = 0 },
	} {
		other, _ := token.ParseKeySet(newMint(t, 1, change).KeySet())
		if other.Keys[0].Key == set.Keys[0].Key {
			t.Errorf("%s does not enter the derivation", name)
		}
	}
	for i, k := range set.Keys[1:] {
		if k.Key == set.Keys[i].Key {
			t.Error("two denominations share a key")
		}
	}
	if _, err := New(Seed{1}, Terms{IssueUntil: time.UnixMilli(0), RedeemUntil: time.UnixMilli(0)}); err == nil {
		t.Error("tokens that die at once were accepted")
	}
}

// The VOPRF is RFC 9497's: its output is recomputed here from the group alone.
func TestOutputByHand(t *testing.T) {
	m := newMint(t, 1, nil)
	l := newListener(t, m, map[uint8]int{4: 1})
	evals, _ := m.Evaluate(l.blinds.Append(nil))
	s, err := l.finalize(t, m, evals)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := m.keys[4].MarshalBinary()
	k := group.Ristretto255.NewScalar()
	if err := k.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	tok := s.Groups[0].Tokens[0]
	p := group.Ristretto255.HashToElement(tok.T[:], []byte("HashToGroup-OPRFV1-\x01-ristretto255-SHA512"))
	b, _ := p.Mul(p, k).MarshalBinaryCompress()
	h := sha512.New()
	h.Write([]byte{0, 32})
	h.Write(tok.T[:])
	h.Write([]byte{0, 32})
	h.Write(b)
	h.Write([]byte("Finalize"))
	if !bytes.Equal(h.Sum(nil), tok.Y[:]) {
		t.Fatal("y is not the VOPRF output of RFC 9497")
	}
}

func TestPriceUnitsAndVoucher(t *testing.T) {
	m := newMint(t, 1, nil)
	for amount, want := range map[int64]uint64{-5: 0, 0: 0, 1: 1, 100: 1, 101: 2, 5000: 50} {
		if got := m.PriceUnits(wallet.Msat(amount)); got != want {
			t.Errorf("%d msat cost %d units, want %d", amount, got, want)
		}
	}
	code, err := NewVoucher(nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := ParseVoucher(code); err != nil || u != 1000 {
		t.Fatalf("%d, %v", u, err)
	}
	if _, err := NewVoucher(nil, 0); err == nil {
		t.Error("empty voucher")
	}
	asJSON, err := json.Marshal([]any{Seed{0xab}, token.Token{T: [32]byte{0xab}}, token.Voucher{Units: 171}, Redeem{Tokens: []byte{0xab}}})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %x %+v %s", Seed{0xab}, Seed{0xab}, Redeem{Tokens: []byte{0xab}}, asJSON); strings.Contains(s, "ab") || strings.Contains(s, "171") {
		t.Errorf("a secret prints as %s", s)
	}
}

func BenchmarkIssue16(b *testing.B) {
	m := newMint(b, 1, nil)
	blinds := newListener(b, m, map[uint8]int{0: 2, 1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2}).blinds.Append(nil)
	for b.Loop() {
		if _, err := m.Evaluate(blinds); err != nil {
			b.Fatal(err)
		}
	}
}
