package offer_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

const tier = 2

// begun is when every BUY of these tests was sent.
func begun() time.Time { return time.Unix(1_700_000_000, 0) }

// shop is an origin and what a hub knows of it after it asked for n epochs.
type shop struct {
	*snetest.Origin
	base kdf.Secret
	want offer.Want
}

func newShop(t testing.TB, n int) *shop {
	t.Helper()
	s := &shop{Origin: snetest.Start(t, snetest.Options{Epochs: 32}), base: kdf.Secret{1, 2, 3}}
	s.want = offer.Want{
		Bundle: parsed(t, s.Origin), Price: 2000 * uint64(n), Base: &s.base, Sent: begun(), Now: begun(),
		Records: s.Records[tier][1 : 1+n],
	}
	return s
}

// parsed is the Bundle as a hub reads it.
func parsed(t testing.TB, g *snetest.Origin) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Parse(g.Bundle().Signed, g.URL.Root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// make lets the origin answer; lie may be nil.
func (s *shop) make(t testing.TB, lie snetest.Lie) *message.Offer {
	t.Helper()
	h, plain, err := s.Epochs(rangeOf(s.want.Records))
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Offer(&s.base, h, plain, lie)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func rangeOf(records []*recordOf) message.Range {
	first := records[0].Epoch
	return message.Range{Broadcast: first.Broadcast, Tier: first.Tier, First: first.Number, N: uint8(len(records))}
}

// claim verifies an offer and pays it.
func (s *shop) claim(t testing.TB, o *message.Offer) *offer.Claim {
	t.Helper()
	c, err := offer.Verify(o, s.want)
	if err != nil {
		t.Fatal(err)
	}
	pay(t, s.Origin, c)
	return c
}

// pay checks the invoice and pays it.
func pay(t testing.TB, g *snetest.Origin, c *offer.Claim) {
	t.Helper()
	inv, err := snetest.Decode(context.Background(), c.Bolt11)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckInvoice(inv, g.Bundle().LightningNodes, "regtest"); err != nil {
		t.Fatal(err)
	}
	p, err := g.Till.Pay(c.Bolt11)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Pay(p); err != nil {
		t.Fatal(err)
	}
}

// patch changes bytes of an offer's tbs and signs it anew, as an origin could
// that does not use Build.
func (s *shop) patch(t testing.TB, o *message.Offer, at int, with ...byte) *message.Offer {
	t.Helper()
	tbs := append([]byte(nil), o.TBS...)
	copy(tbs[at:], with)
	return s.signed(t, tbs, o.Bolt11)
}

func (s *shop) signed(t testing.TB, tbs []byte, bolt11 string) *message.Offer {
	t.Helper()
	sig, err := s.Online.Sign(composite.ContextOffer, tbs)
	if err != nil {
		t.Fatal(err)
	}
	return &message.Offer{TBS: tbs, Sig: sig, Bolt11: bolt11}
}

// tokens is a shop that sells evaluations.
type tokens struct {
	*shop
	*snetest.Issuer
}

func newTokens(t testing.TB) *tokens {
	t.Helper()
	x := snetest.NewIssuer(t, 200)
	s := &shop{Origin: snetest.Start(t, snetest.Options{Epochs: 2, KeySet: x.KeySet}), base: kdf.Secret{4}}
	s.want = offer.Want{Bundle: parsed(t, s.Origin), Price: 1800, Base: &s.base, Sent: begun(), Now: begun(), KeySet: x.KeySet, Blinds: snetest.Blinds(t)}
	return &tokens{shop: s, Issuer: x}
}

func (x *tokens) offer(t testing.TB, lie snetest.Lie) *message.Offer {
	t.Helper()
	evals, err := x.Issuer.Evaluate(x.want.Blinds)
	if err != nil {
		t.Fatal(err)
	}
	id, err := x.want.Bundle.ID()
	if err != nil {
		t.Fatal(err)
	}
	h := &offer.Head{
		Goods: offer.GoodsTokens, Bundle: id, TTL: 60, AmountMsat: 1800, KeySet: message.KeySetID(x.Issuer.KeySet), Units: 9,
		BlindsHash: wire.ID(sha256.Sum256(x.want.Blinds)),
	}
	o, err := x.Offer(&x.base, h, evals, lie)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
