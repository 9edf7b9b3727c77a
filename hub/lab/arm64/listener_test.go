//go:build lab && linux

package arm64

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/manifest"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/token"
)

// urlVar tells TestListener whom to buy from.
const urlVar = "SONA_LAB_URL"

// TestListener is the hub's part of a sale in a process of its own: this test
// starts it on the other architecture.
func TestListener(t *testing.T) {
	url := os.Getenv(urlVar)
	if url == "" {
		t.Skip("the hub's part of TestLab; it needs an origin")
	}
	fmt.Println("heard", listen(t, url)) //nolint:forbidigo // read by the process that started this one
}

// listen buys the first track whole: the opening grant, then by tokens. It
// returns what was heard, as a hash over all packets.
func listen(t *testing.T, address string) string {
	t.Helper()
	ctx := t.Context()
	u := must(bundle.ParseURL(address))(t)
	c := must(sale.NewClient(sale.Config{URL: u, Plain: true}))(t)
	defer c.Close() //nolint:errcheck // it has no error to give
	item := must(c.Catalog(ctx))(t).Items[0]
	tier := lossless(item)
	if tier == nil {
		t.Fatal("no lossless tier")
	}
	h := must(c.Head(ctx, item.ID, tier.Tier))(t)
	records := must(c.Records(ctx, h, 0, int(min(h.TreeSize, 256))))(t)
	sum := sha256.New()
	grant := must(c.Grant(ctx, records[:1]))(t)
	hear(t, c, h, records[:1], tier.Renditions[0].R, grant, sum)
	p := newPurse(t, c, u)
	for rest := records[1:]; len(rest) > 0; {
		n := min(5, len(rest))
		var frames int64
		for _, rec := range rest[:n] {
			frames += int64(rec.Frames)
		}
		price := (tier.PriceMsatS*frames + int64(h.Rate) - 1) / int64(h.Rate)
		body := p.pay(t, uint64(price+99)/100)
		grant := must(c.Redeem(ctx, rest[:n], body))(t)
		again := must(c.Redeem(ctx, rest[:n], body))(t) // the same body acts once
		if grant.AmountMsat != uint64(price) || *again.Keys[0] != *grant.Keys[0] {
			t.Fatalf("amount %d, want %d", grant.AmountMsat, price)
		}
		hear(t, c, h, rest[:n], tier.Renditions[0].R, grant, sum)
		rest = rest[n:]
	}
	return fmt.Sprintf("%d epochs %x", len(records), sum.Sum(nil)[:8])
}

func hear(t *testing.T, c *sale.Client, h *manifest.Head, records []*manifest.Record, rendition uint16, g *sale.Grant, sum io.Writer) {
	t.Helper()
	for i, rec := range records {
		object := must(c.Segment(t.Context(), rec, rendition))(t)
		p := must(sale.OpenEpoch(h, rec, rendition, object, g.Keys[i]))(t)
		for _, pkt := range p.Packets {
			_, _ = sum.Write(pkt)
		}
	}
	g.Erase()
}

// purse has tokens of one unit and pays exactly: this is no wallet.
type purse struct {
	set    [32]byte
	tokens []token.Token
}

// newPurse takes the welcome voucher as tokens, each denomination at most once,
// and changes one of them.
func newPurse(t *testing.T, c *sale.Client, u bundle.URL) *purse {
	t.Helper()
	code, units := welcome(t.Context(), t, u)
	b := must(c.Bundle(t.Context()))(t)
	raw := must(c.KeySet(t.Context(), b.KeySets[0]))(t)
	set := must(token.ParseKeySet(raw))(t)
	p := &purse{set: [32]byte(b.KeySets[0])}
	var blinds token.Blinds
	var finish []func(token.EvalGroup) []token.Token
	for d := range uint8(20) { // binary: each denomination at most once
		if units>>d&1 == 0 {
			continue
		}
		key, ok := set.Key(d)
		if !ok {
			t.Fatalf("no denomination %d", d)
		}
		g, f := blind(t, d, key, 1)
		blinds, finish = append(blinds, g), append(finish, f)
	}
	evals := must(c.TopUp(t.Context(), wire.ID(p.set), blinds.Append(nil), code))(t)
	var have token.Spend
	have.KeySet = p.set
	for i, g := range must(token.ParseEvals(evals))(t) {
		have.Groups = append(have.Groups, token.Group{Denom: g.Denom, Tokens: finish[i](g)})
	}
	p.change(t, c, set, have)
	return p
}

// change swaps one token of at least 64 units for 32 of one unit and the rest.
func (p *purse) change(t *testing.T, c *sale.Client, set token.KeySet, have token.Spend) {
	t.Helper()
	one, _ := set.Key(0)
	for _, g := range have.Groups {
		if g.Denom < 6 || len(p.tokens) > 0 {
			continue
		}
		var blinds token.Blinds
		small, finish := blind(t, 0, one, 32)
		blinds = append(blinds, small)
		var rest []func(token.EvalGroup) []token.Token
		for left := uint64(1)<<g.Denom - 32; left > 0; left &= left - 1 {
			d := uint8(0)
			for left>>d&1 == 0 {
				d++
			}
			key, _ := set.Key(d)
			group, f := blind(t, d, key, 1)
			blinds, rest = append(blinds, group), append(rest, f)
		}
		body := token.Redeem{Spend: token.Spend{KeySet: p.set, Groups: []token.Group{g}}, KeySet: p.set, Blinds: blinds}.Append(nil)
		evals := must(token.ParseEvals(must(c.Swap(t.Context(), body))(t)))(t)
		p.tokens = finish(evals[0])
		for i, f := range rest {
			f(evals[1+i]) // checked, and given away
		}
	}
}

// pay is the body of a redemption of exactly so many units.
func (p *purse) pay(t *testing.T, units uint64) []byte {
	t.Helper()
	if units > uint64(len(p.tokens)) || units > token.MaxTokens {
		t.Fatalf("%d units asked for, %d there", units, len(p.tokens))
	}
	s := token.Spend{KeySet: p.set, Groups: []token.Group{{Tokens: p.tokens[:units]}}}
	p.tokens = p.tokens[units:]
	return token.Redeem{Spend: s, KeySet: p.set}.Append(nil)
}

// blind makes n blinds of a denomination and what turns them into tokens.
func blind(t *testing.T, denom uint8, key token.Point, n int) (token.PointGroup, func(token.EvalGroup) []token.Token) {
	t.Helper()
	pk := new(oprf.PublicKey)
	if err := pk.UnmarshalBinary(oprf.SuiteRistretto255, key[:]); err != nil {
		t.Fatal(err)
	}
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = make([]byte, 32)
		_, _ = rand.Read(inputs[i]) // never fails
	}
	client := oprf.NewVerifiableClient(oprf.SuiteRistretto255, pk)
	data, req, err := client.Blind(inputs)
	if err != nil {
		t.Fatal(err)
	}
	g := token.PointGroup{Denom: denom}
	for _, e := range req.Elements {
		g.Points = append(g.Points, token.Point(must(e.MarshalBinaryCompress())(t)))
	}
	return g, func(e token.EvalGroup) []token.Token {
		ev := &oprf.Evaluation{Proof: new(dleq.Proof)}
		for _, p := range e.Points {
			el := group.Ristretto255.NewElement()
			if err := el.UnmarshalBinary(p[:]); err != nil {
				t.Fatal(err)
			}
			ev.Elements = append(ev.Elements, el)
		}
		if err := ev.Proof.UnmarshalBinary(group.Ristretto255, e.Proof[:]); err != nil {
			t.Fatal(err)
		}
		var out []token.Token
		for i, y := range must(client.Finalize(data, ev))(t) {
			out = append(out, token.Token{T: [32]byte(inputs[i]), Y: [64]byte(y)})
		}
		return out
	}
}

// welcome asks the platform for the voucher that it gives to new hubs.
func welcome(ctx context.Context, t *testing.T, u bundle.URL) (code string, units uint64) {
	t.Helper()
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, "http://"+u.HostPort()+"/welcome", bytes.NewReader(nil)))(t)
	resp := must(http.DefaultClient.Do(req))(t)
	defer resp.Body.Close()
	var v struct {
		Voucher string
		Units   uint64
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1000)).Decode(&v); err != nil || !strings.Contains(v.Voucher, "-") {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return v.Voucher, v.Units
}

// ready reports whether the first track can be bought.
func ready(t *testing.T, address string) bool {
	t.Helper()
	u := must(bundle.ParseURL(address))(t)
	c := must(sale.NewClient(sale.Config{URL: u, Plain: true}))(t)
	defer c.Close() //nolint:errcheck // it has no error to give
	all, err := c.Catalog(t.Context())
	if err != nil || len(all.Items) == 0 {
		return false
	}
	tier := lossless(all.Items[0])
	if tier == nil {
		return false
	}
	_, err = c.Head(t.Context(), all.Items[0].ID, tier.Tier)
	return err == nil
}

// lossless is the tier that is there first; others come in beside it.
func lossless(item catalog.Item) *catalog.Tier {
	for i, tier := range item.Tiers {
		if len(tier.Renditions) > 0 && tier.Renditions[0].Codec == segment.CodecFLAC.String() {
			return &item.Tiers[i]
		}
	}
	return nil
}
