package vectors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/sne/message"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/mint"
	"sonahub/wallet/ffxs/token"
)

type ffxsFile struct {
	About  string        `json:"about"`
	KeySet keySetVector  `json:"keyset"`
	Issues []issueVector `json:"issues"`
	Books  []bookVector  `json:"books"`
}

type keySetVector struct {
	UnitMsat    uint16      `json:"unit_msat"`
	IssueUntil  uint64      `json:"issue_until"`
	RedeemUntil uint64      `json:"redeem_until"`
	Keys        []keyVector `json:"keys"`
	Bytes       hx          `json:"bytes"`
	ID          hx          `json:"keyset_id"`
}

type keyVector struct {
	Denom uint8 `json:"denom"`
	SK    hx    `json:"sk"` // scalar
	PK    hx    `json:"pk"`
}

// issueVector is one TOPUP: Tokens stand in the order of the Blinds.
type issueVector struct {
	Blinds hx            `json:"blinds"`
	Evals  hx            `json:"evals"` // the proofs are randomised
	Tokens []tokenVector `json:"tokens"`
}

type tokenVector struct {
	Denom     uint8 `json:"denom"`
	T         hx    `json:"t"`
	Blind     hx    `json:"blind"` // scalar
	Y         hx    `json:"y"`
	Nullifier hx    `json:"nullifier"`
}

// bookVector is one BUY (rail 2) or SWAP, in order, before one origin.
type bookVector struct {
	Why        string `json:"why"`
	Kind       uint8  `json:"kind"` // 3 BUY, 5 SWAP
	Body       hx     `json:"body"`
	PriceUnits uint64 `json:"price_units"` // of the goods; 0 for a SWAP
	BodyHash   hx     `json:"body_hash"`
	Expect     string `json:"expect"`          // ok, repeat, or the number of the ERROR
	Evals      hx     `json:"evals,omitempty"` // of ok: a repeat gives the same points under another proof
}

func ffxsTerms() mint.Terms {
	at := time.UnixMilli(int64(noon))
	return mint.Terms{IssueUntil: at, RedeemUntil: at.Add(mint.MinRedeem), Denoms: 6}
}

func newMint(t testing.TB) *mint.Mint {
	t.Helper()
	return must(mint.New(mint.Seed(draw(32, "mint")), ffxsTerms()))(t)
}

func makeKeySet(t *testing.T, m *mint.Mint) keySetVector {
	t.Helper()
	tm := m.Terms()
	setID := m.ID()
	v := keySetVector{UnitMsat: tm.UnitMsat, IssueUntil: uint64(tm.IssueUntil.UnixMilli()), RedeemUntil: uint64(tm.RedeemUntil.UnixMilli()), Bytes: m.KeySet(), ID: setID[:]}
	set := must(token.ParseKeySet(m.KeySet()))(t)
	info := binary.BigEndian.AppendUint16([]byte("sne1 ffxs key"), tm.UnitMsat)
	info = binary.BigEndian.AppendUint64(info, v.IssueUntil)
	info = append(binary.BigEndian.AppendUint64(info, v.RedeemUntil), byte(tm.Denoms))
	for _, k := range set.Keys {
		sk := must(oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, draw(32, "mint"), append(bytes.Clone(info), k.Denom)))(t)
		v.Keys = append(v.Keys, keyVector{k.Denom, must(sk.MarshalBinary())(t), bytes.Clone(k.Key[:])})
	}
	return v
}

// purse is a listener's half, on circl's own client.
type purse struct {
	m    *mint.Mint
	set  token.KeySet
	name string
	n    int
}

// want is blinds for a number of tokens of each denomination, and what turns
// their evaluation into tokens.
type want struct {
	blinds  token.Blinds
	data    []*oprf.FinalizeData
	clients []oprf.VerifiableClient
	tokens  []tokenVector
}

func (p *purse) want(t testing.TB, shape ...int) *want {
	t.Helper()
	w := &want{}
	for d, n := range shape {
		if n == 0 {
			continue
		}
		key, ok := p.set.Key(uint8(d))
		if !ok {
			t.Fatalf("no denomination %d", d)
		}
		pk := new(oprf.PublicKey)
		check(t, pk.UnmarshalBinary(oprf.SuiteRistretto255, key[:]))
		var inputs [][]byte
		var blinds []oprf.Blind
		for range n {
			p.n++
			in := draw(32, fmt.Sprint(p.name, " token ", p.n))
			r := group.Ristretto255.HashToScalar(draw(64, fmt.Sprint(p.name, " blind ", p.n)), nil)
			inputs, blinds = append(inputs, in), append(blinds, r)
			w.tokens = append(w.tokens, tokenVector{Denom: uint8(d), T: in, Blind: must(r.MarshalBinary())(t)})
		}
		client := oprf.NewVerifiableClient(oprf.SuiteRistretto255, pk)
		data, req, err := client.DeterministicBlind(inputs, blinds)
		check(t, err)
		g := token.PointGroup{Denom: uint8(d)}
		for _, e := range req.Elements {
			g.Points = append(g.Points, token.Point(must(e.MarshalBinaryCompress())(t)))
		}
		w.blinds, w.data, w.clients = append(w.blinds, g), append(w.data, data), append(w.clients, client)
	}
	return w
}

// finish checks the proofs and fills in the tokens.
func (w *want) finish(t testing.TB, set [32]byte, evals []byte) {
	t.Helper()
	at := 0
	for i, g := range must(token.ParseEvals(evals))(t) {
		e := &oprf.Evaluation{Proof: new(dleq.Proof)}
		for _, p := range g.Points {
			el := group.Ristretto255.NewElement()
			check(t, el.UnmarshalBinary(p[:]))
			e.Elements = append(e.Elements, el)
		}
		check(t, e.Proof.UnmarshalBinary(group.Ristretto255, g.Proof[:]))
		for _, y := range must(w.clients[i].Finalize(w.data[i], e))(t) {
			v := &w.tokens[at]
			n := token.Nullifier(set, v.Denom, [32]byte(v.T))
			v.Y, v.Nullifier = y, n[:]
			at++
		}
	}
}

func spend(set [32]byte, tokens ...tokenVector) token.Spend {
	s := token.Spend{KeySet: set}
	for _, v := range tokens {
		if n := len(s.Groups); n == 0 || s.Groups[n-1].Denom != v.Denom {
			s.Groups = append(s.Groups, token.Group{Denom: v.Denom})
		}
		g := &s.Groups[len(s.Groups)-1]
		g.Tokens = append(g.Tokens, token.Token{T: [32]byte(v.T), Y: [64]byte(v.Y)})
	}
	return s
}

func makeFFXS(t *testing.T) any {
	m := newMint(t)
	f := &ffxsFile{
		About:  "Section 8: a key set with its secrets, two issues, and an origin's books over BUY (rail 2) and SWAP in order. Expect is ok, repeat (acts no second time), or the ERROR: 1 bad_request, 4 price, 9 token, 10 keyset. Two of the tokens' proofs of one issue are never equal: check them, do not compare them.",
		KeySet: makeKeySet(t, m),
	}
	p := &purse{m: m, set: must(token.ParseKeySet(m.KeySet()))(t), name: "ffxs"}
	for _, shape := range [][]int{{2, 2, 2, 1}, {0, 0, 0, 0, 1, 3}} {
		w := p.want(t, shape...)
		v := issueVector{Blinds: w.blinds.Append(nil)}
		v.Evals = must(m.Evaluate(v.Blinds))(t)
		w.finish(t, m.ID(), v.Evals)
		v.Tokens = w.tokens
		f.Issues = append(f.Issues, v)
	}
	f.makeBooks(t, m, p)
	return f
}

func (f *ffxsFile) makeBooks(t *testing.T, m *mint.Mint, p *purse) {
	t.Helper()
	tok, big := f.Issues[0].Tokens, f.Issues[1].Tokens // worth 1 1 2 2 4 4 8, and 16 32 32 32
	rng := message.Range{Broadcast: id("ffxs broadcast"), Tier: 1, First: 10, N: 5}
	set := m.ID()
	add := func(why string, kind message.Kind, price uint64, redeem []byte) {
		v := bookVector{Why: why, Kind: uint8(kind), PriceUnits: price, Body: redeem}
		if kind == message.KindBuy {
			v.Body = must((&message.Buy{Rail: message.RailFFXS, Range: rng, Body: redeem}).Marshal())(t)
		}
		h := message.BodyHash(kind, v.Body)
		v.BodyHash = h[:]
		f.Books = append(f.Books, v)
	}
	body := func(change token.Blinds, tokens ...tokenVector) []byte {
		return token.Redeem{Spend: spend(set, tokens...), KeySet: set, Blinds: change}.Append(nil)
	}
	change := p.want(t, 1, 1).blinds // 3 units
	exact := body(nil, tok[0], tok[2], tok[4])
	withChange := body(change, tok[6])
	forged := tok[1]
	forged.Y = flip(forged.Y, 0)
	foreign := token.Redeem{Spend: spend([32]byte{1}, tok[1]), KeySet: set}.Append(nil)
	identity := body(token.Blinds{{Denom: 0, Points: []token.Point{change[0].Points[0]}}}, tok[1])
	clear(identity[len(identity)-32:])
	noPoint := bytes.Clone(identity)
	for i := range 32 {
		noPoint[len(noPoint)-32+i] = 0xff
	}
	const buy, swap = message.KindBuy, message.KindSwap
	add("tokens fall short of the price", buy, 8, exact)
	add("tokens exceed the price, no change asked", buy, 6, exact)
	add("exact, after two refusals spent nothing", buy, 7, exact)
	add("the same body again", buy, 7, exact)
	add("spent tokens in another body", buy, 1, body(nil, tok[0]))
	add("spent and fresh tokens in one body", buy, 2, body(nil, tok[0], tok[1]))
	add("too much change asked", buy, 6, withChange)
	add("with change", buy, 5, withChange)
	add("with change, again", buy, 5, withChange)
	add("forged token", buy, 1, body(nil, forged))
	add("one token twice in one body", buy, 2, body(nil, tok[1], tok[1]))
	add("token of another denomination", buy, 2, body(nil, tokenVector{Denom: 1, T: tok[1].T, Y: tok[1].Y}))
	add("unknown key set", buy, 1, foreign)
	add("identity element among the blinds", swap, 0, identity)
	add("blind that is no point", swap, 0, noPoint)
	add("no tokens", swap, 0, body(nil))
	add("swap whose sums differ", swap, 0, body(p.want(t, 1).blinds, tok[3]))
	add("swap", swap, 0, body(p.want(t, 0, 1).blinds, tok[3]))
	add("swap of many into one", swap, 0, body(p.want(t, 0, 0, 0, 0, 1, 2).blinds, big[0], big[1], big[2]))
	add("swap body as a purchase", buy, 2, f.Books[17].Body)
	add("denominations out of order", buy, 3, token.Redeem{Spend: token.Spend{KeySet: set, Groups: []token.Group{spend(set, tok[2]).Groups[0], spend(set, tok[1]).Groups[0]}}, KeySet: set}.Append(nil))
	add("the token that all refusals left", buy, 1, body(nil, tok[1]))
	books := map[[32]byte]wire.ID{}
	for i := range f.Books {
		v := &f.Books[i]
		v.Expect, v.Evals = serve(t, m, books, v)
	}
}

// serve is an origin's books in a few lines around the mint.
func serve(t testing.TB, m *mint.Mint, books map[[32]byte]wire.ID, v *bookVector) (string, hx) {
	t.Helper()
	redeem := []byte(v.Body)
	if v.Kind == uint8(message.KindBuy) {
		redeem = must(message.ParseBuy(v.Body))(t).Body
	}
	r, err := token.ParseRedeem(redeem)
	if err != nil {
		return "1", nil
	}
	if r.Spend.Units() != v.PriceUnits+r.Blinds.Units() {
		return "4", nil
	}
	s, err := m.Verify(r.Spend.Append(nil))
	switch {
	case errors.Is(err, mint.ErrKeySet):
		return "10", nil
	case errors.Is(err, mint.ErrMalformed):
		return "1", nil
	case err != nil:
		return "9", nil
	}
	evals, err := m.Evaluate(r.Blinds.Append(nil))
	if err != nil {
		return "1", nil
	}
	known := 0
	for _, n := range s.Nullifiers {
		if h, ok := books[n]; ok {
			if h != wire.ID(v.BodyHash) {
				return "9", nil
			}
			known++
		}
	}
	switch known {
	case len(s.Nullifiers):
		return "repeat", nil
	case 0:
		for _, n := range s.Nullifiers {
			books[n] = wire.ID(v.BodyHash)
		}
		return "ok", evals
	}
	return "9", nil
}

func TestFFXS(t *testing.T) {
	f := load[ffxsFile](t, "ffxs.json")
	m := newMint(t)
	same(t, "key set", m.KeySet(), f.KeySet.Bytes)
	setID := token.KeySetID(f.KeySet.Bytes)
	same(t, "keyset_id", setID[:], f.KeySet.ID)
	points := func(evals []byte) (out []byte) {
		for _, g := range must(token.ParseEvals(evals))(t) {
			for _, p := range g.Points {
				out = append(out, p[:]...)
			}
		}
		return out
	}
	for _, v := range f.Issues {
		same(t, "evaluation", points(must(m.Evaluate(v.Blinds))(t)), points(v.Evals))
		s := must(m.Verify(spend(setID, v.Tokens...).Append(nil)))(t)
		for i, n := range s.Nullifiers {
			same(t, "nullifier", n[:], v.Tokens[i].Nullifier)
		}
	}
	books := map[[32]byte]wire.ID{}
	for i := range f.Books {
		v := &f.Books[i]
		got, evals := serve(t, m, books, v)
		if got != v.Expect {
			t.Errorf("%s: %s, want %s", v.Why, got, v.Expect)
		}
		if got == "ok" {
			same(t, v.Why, points(evals), points(v.Evals))
		}
		h := message.BodyHash(message.Kind(v.Kind), v.Body)
		same(t, "body_hash", h[:], v.BodyHash)
	}
}
