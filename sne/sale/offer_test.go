package sale_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sonahub/sne/exhibit"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

// lightning is a client that pays.
func lightning(c *sale.Config) { c.Invoice, c.Network = snetest.Decode, "regtest" }

const price = 60000 // msat: above every range of these tests

// buy pays an offer and brings its claim into the ledger's form.
func buy(t testing.TB, g *snetest.Origin, c *offer.Claim) []byte {
	t.Helper()
	p, err := g.Till.Pay(c.Bolt11)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Pay(p); err != nil {
		t.Fatal(err)
	}
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestOffer buys by Lightning, from the BUY to the sound, and needs no origin
// after the payment.
func TestOffer(t *testing.T) {
	for _, n := range []int{1, 5, 20} {
		g, c := start(t, snetest.Options{}, lightning)
		h, recs := records(t, g, c, 0, n)
		claim, err := c.Offer(t.Context(), recs, price)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(claim.Deadline); left > snetest.TTL*time.Second || left < (snetest.TTL-5)*time.Second {
			t.Errorf("%v left", left)
		}
		body := buy(t, g, claim)
		g.ForgetSessions()
		grant, err := sale.Unlock(recs, body)
		if err != nil || grant.AmountMsat != claim.AmountMsat || len(grant.Split) != 2 {
			t.Fatalf("%+v, %v", grant, err)
		}
		for i, rec := range recs {
			hear(t, c, h, rec, grant.Keys[i])
		}
	}
}

func TestOfferIsRefused(t *testing.T) {
	g, c := start(t, snetest.Options{}, lightning)
	_, recs := records(t, g, c, 0, 2)
	if _, err := c.Offer(t.Context(), recs, 3999); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("dearer than the catalogue: %v", err)
	}
	for name, lie := range map[string]snetest.Lie{
		"another bundle": func(h *offer.Head, p []byte) []byte { h.Bundle[0]++; return p },
		"other leaves":   func(h *offer.Head, p []byte) []byte { h.Leaves[1][0]++; return p },
		"other range":    func(h *offer.Head, p []byte) []byte { h.Range.First++; return p },
		"short lock":     func(_ *offer.Head, p []byte) []byte { return p[1:] },
	} {
		g.Lie(lie)
		if claim, err := c.Offer(t.Context(), recs, price); claim != nil || !errors.Is(err, offer.ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.Lie(nil)
	g.Till.Node[5]++
	if _, err := c.Offer(t.Context(), recs, price); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("invoice of a stranger's node: %v", err)
	}
	plain := client(t, g)
	if _, err := plain.Offer(t.Context(), recs, price); !errors.Is(err, sale.ErrNoInvoices) {
		t.Errorf("a hub that cannot read invoices: %v", err)
	}
}

// TestOffersInOneSession asks twice for the same: the second exchange has
// another lock base, and each offer opens with its own salt.
func TestOffersInOneSession(t *testing.T) {
	g, c := start(t, snetest.Options{}, lightning)
	_, recs := records(t, g, c, 0, 2)
	var claims []*offer.Claim
	for range 3 {
		claim, err := c.Offer(t.Context(), recs, price)
		if err != nil {
			t.Fatal(err)
		}
		claims = append(claims, claim)
	}
	if g.Sessions() != 1 {
		t.Fatalf("%d sessions", g.Sessions())
	}
	for i, claim := range claims {
		if slices.ContainsFunc(claims[:i], func(o *offer.Claim) bool { return o.Salt == claim.Salt || o.PaymentHash == claim.PaymentHash }) {
			t.Error("two offers have a half in common")
		}
		if _, err := sale.Unlock(recs, buy(t, g, claim)); err != nil {
			t.Error(err)
		}
	}
}

func TestLostOfferIsRepeated(t *testing.T) {
	g, c := start(t, snetest.Options{}, lightning)
	_, recs := records(t, g, c, 0, 1)
	g.Intercept(lossy(2))
	claim, err := c.Offer(t.Context(), recs, price)
	if err != nil || g.Acts() != 1 || g.Till.Open() != 1 {
		t.Fatalf("%v, %d acts", err, g.Acts())
	}
	if _, err := sale.Unlock(recs, buy(t, g, claim)); err != nil {
		t.Error(err)
	}
}

func TestOfferOfTokens(t *testing.T) {
	x := snetest.NewIssuer(t, 200)
	g, c := start(t, snetest.Options{KeySet: x.KeySet}, lightning)
	g.Evaluate = x.Evaluate
	set := message.KeySetID(x.KeySet)
	if _, err := c.OfferTokens(t.Context(), set, snetest.Blinds(t), 1799); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("over the limit: %v", err)
	}
	claim, err := c.OfferTokens(t.Context(), set, snetest.Blinds(t), 1800)
	if err != nil {
		t.Fatal(err)
	}
	buy(t, g, claim)
	if u, err := claim.Unlock(); err != nil || len(u.Evals) == 0 {
		t.Fatalf("%v", err)
	}
	if _, err := c.OfferTokens(t.Context(), wire.ID{1}, snetest.Blinds(t), 1800); !errors.Is(err, sale.ErrRange) {
		t.Errorf("a keyset that the bundle does not list: %v", err)
	}
}

// TestOneBadKeyAmongGoodOnes: the good keys come out, the bad one is named, and
// the claim is the proof.
func TestOneBadKeyAmongGoodOnes(t *testing.T) {
	g, c := start(t, snetest.Options{}, lightning)
	h, recs := records(t, g, c, 0, 5)
	g.Lie(func(_ *offer.Head, p []byte) []byte { p[2*32] ^= 1; return p })
	claim, err := c.Offer(t.Context(), recs, price)
	if err != nil {
		t.Fatal(err)
	}
	body := buy(t, g, claim)
	grant, err := sale.Unlock(recs, body)
	var bad *sale.BadKeysError
	if !errors.As(err, &bad) || !errors.Is(err, sale.ErrCommit) || !slices.Equal(bad.Epochs, []uint64{2}) || grant == nil {
		t.Fatalf("%v", err)
	}
	for i, rec := range recs {
		if i == 2 {
			if grant.Keys[i] != nil {
				t.Error("a key that does not fit was handed out")
			}
			continue
		}
		hear(t, c, h, rec, grant.Keys[i])
	}
	back, err := offer.ParseClaim(body)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := exhibit.Lock(back)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := exhibit.Verify(proof, g.URL.Root); err != nil || v.Type != exhibit.TypeLock {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := sale.Unlock(recs[:4], body); !errors.Is(err, sale.ErrRange) {
		t.Errorf("other epochs: %v", err)
	}
}

// TestEvidence: a split view and a manifest that changed are handed on as
// exhibits.
func TestEvidence(t *testing.T) {
	var got [][]byte
	g, c := start(t, snetest.Options{Epochs: 6}, func(cfg *sale.Config) { cfg.Exhibit = func(raw []byte) { got = append(got, raw) } })
	if _, err := c.Head(t.Context(), g.URL.Broadcast, tier); err != nil {
		t.Fatal(err)
	}
	// The creator signs the same tree as one of another format. The hub asks
	// again only for an open broadcast, so the first Head it had is made open.
	live := *g.Head[1]
	live.Closed, live.TreeSize, live.TotalFrames = false, 5, 5*uint64(live.EpochMs)*uint64(live.Rate)/1000
	tree, err := manifest.NewTree(g.Records[1][:5])
	if err != nil {
		t.Fatal(err)
	}
	live.Root = tree.Root()
	changed := live
	changed.Bits = 24
	for _, h := range []*manifest.Head{&live, &changed} {
		raw, err := h.Sign(g.Creator)
		if err != nil {
			t.Fatal(err)
		}
		g.SetFile(resource.Resource{Kind: resource.Head, ID: g.URL.Broadcast, Tier: 1}, raw)
		_, err = c.Head(t.Context(), g.URL.Broadcast, 1)
		if (err == nil) != (h == &live) {
			t.Fatalf("%v", err)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%d exhibits", len(got))
	}
	if v, err := exhibit.Verify(got[0], g.Creator.Public().KeyID()); err != nil || v.Type != exhibit.TypeManifest {
		t.Errorf("%v, %v", v, err)
	}
}

func TestEvidenceOfASplitView(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		var got [][]byte
		keep := func(cfg *sale.Config) { cfg.Exhibit = func(raw []byte) { got = append(got, raw) } }
		g, c := start(t, snetest.Options{Epochs: 2}, keep)
		if _, err := c.Bundle(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := g.Bundle()
		b.NotAfter++
		g.SetBundle(b)
		if restarted { // only the pin is left of the first Bundle
			pin := c.Pin()
			c = client(t, g, keep, func(cfg *sale.Config) { cfg.Pin = pin })
		} // otherwise the handshake finds the first Bundle gone, and asks again
		if err := c.Connect(t.Context()); err == nil {
			t.Error("went on under another bundle of that number")
		}
		if len(got) != 1 {
			t.Fatalf("restarted %v: %d exhibits", restarted, len(got))
		}
		if v, err := exhibit.Verify(got[0], g.URL.Root); err != nil || v.Type != exhibit.TypeBundle {
			t.Errorf("%v, %v", v, err)
		}
	}
}
