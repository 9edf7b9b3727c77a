package origin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/hub/origin"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
)

// payer is a hub that pays by Lightning.
type payer struct {
	*hub
	till  *origintest.Till
	state string
	item  catalog.Item
}

func newPayer(tb testing.TB, c origin.Config) *payer {
	tb.Helper()
	till := &origintest.Till{}
	till.Till.Node = [33]byte{3, 1, 4}
	c.Till, c.Music, c.NoOpus, c.FreeEpochs = till, tb.TempDir(), true, -1
	if c.State == "" {
		c.State = tb.TempDir()
	}
	origintest.Music(tb, c.Music, origintest.Track{Title: "Song", Frames: 44100*15 + 7})
	o := origintest.Start(tb, c)
	ready(tb, o.Done)
	p := &payer{hub: newHub(tb, o), till: till, state: c.State}
	p.Client = p.client()
	p.item = p.hub.item("Song")
	return p
}

// client is another session's worth of the same hub.
func (p *payer) client() *sale.Client {
	p.tb.Helper()
	u, err := bundle.ParseURL(p.o.URL())
	if err != nil {
		p.tb.Fatal(err)
	}
	c, err := sale.NewClient(sale.Config{URL: u, Plain: true, Invoice: snetest.Decode, Network: "regtest"})
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (p *payer) pay(c *offer.Claim) {
	p.tb.Helper()
	pre, err := p.till.Pay(c.Bolt11)
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := c.Pay(pre); err != nil {
		p.tb.Fatal(err)
	}
}

func fast() origin.Config {
	return origin.Config{Limits: origin.Limits{Offers: 1e6, Handshakes: 1e6, Burst: 1e6}}
}

// TestLightningSale buys a whole track by Lightning and compares every sample;
// platform, till and claims agree about the money.
func TestLightningSale(t *testing.T) {
	p := newPayer(t, fast())
	tier := p.item.Tiers[0]
	head, records := p.records(p.item.ID, tier.Tier)
	f := audio.Format{Rate: audio.Rate(head.Rate), Channels: int(head.Channels), Bits: int(head.Bits)}
	dec, err := codec.NewDecoder(f)
	if err != nil {
		t.Fatal(err)
	}
	var pcm []int32
	var paid uint64
	for first := 0; first < len(records); {
		recs := records[first:min(first+3, len(records))]
		var frames uint64
		for _, r := range recs {
			frames += uint64(r.Frames)
		}
		price := (uint64(tier.PriceMsatS)*frames + uint64(head.Rate) - 1) / uint64(head.Rate)
		claim, err := p.Offer(t.Context(), recs, price)
		if err != nil {
			t.Fatal(err)
		}
		if claim.AmountMsat != price {
			t.Errorf("offered for %d msat, the price is %d", claim.AmountMsat, price)
		}
		p.pay(claim)
		raw, err := claim.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		g, err := sale.Unlock(recs, raw)
		if err != nil {
			t.Fatal(err)
		}
		paid += price
		for i, rec := range recs {
			object, err := p.Segment(t.Context(), rec, tier.Renditions[0].R)
			if err != nil {
				t.Fatal(err)
			}
			s, err := sale.OpenEpoch(head, rec, tier.Renditions[0].R, object, g.Keys[i])
			if err != nil {
				t.Fatal(err)
			}
			pcm = append(pcm, decode(t, dec, s, audio.Pos(len(pcm)/f.Channels), int(rec.Frames))...)
		}
		first += len(recs)
	}
	want := origintest.Track{Frames: 44100*15 + 7}
	if hash(f, pcm) != want.SHA256() {
		t.Error("it sounds different")
	}
	if err := p.o.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := p.o.Books().Audit(t.Context())
	if err != nil || a.AmountMsat != int64(paid) || a.OfferMsat != int64(paid) || a.OpenOffers != 0 || a.EpochsTwice != 0 || a.Epochs != int64(len(records)) || a.PaidUnits != 0 {
		t.Errorf("paid %d; %+v, %v", paid, a, err)
	}
}

// TestOfferIsRepeated: the same offer for the same Range in a session, another
// in another session, and one after it was paid.
func TestOfferIsRepeated(t *testing.T) {
	p := newPayer(t, fast())
	_, records := p.records(p.item.ID, p.item.Tiers[0].Tier)
	ask := func(c *sale.Client, from, to int) *offer.Claim {
		t.Helper()
		claim, err := c.Offer(t.Context(), records[from:to], 60000)
		if err != nil {
			t.Fatal(err)
		}
		return claim
	}
	a, b, other := ask(p.Client, 0, 2), ask(p.Client, 0, 2), ask(p.Client, 0, 1)
	if !bytes.Equal(a.TBS, b.TBS) || !bytes.Equal(a.Sig, b.Sig) || a.Bolt11 != b.Bolt11 || a.Salt != b.Salt || !a.Deadline.Equal(b.Deadline) {
		t.Error("the repeat is another offer")
	}
	stranger := ask(p.client(), 0, 2)
	if other.PaymentHash == a.PaymentHash || stranger.PaymentHash == a.PaymentHash || stranger.Salt == a.Salt {
		t.Error("two offers have a half in common")
	}
	p.pay(b)
	if _, err := b.Unlock(); err != nil {
		t.Errorf("the repeat does not open: %v", err)
	}
	if err := p.o.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := ask(p.Client, 0, 2); after.PaymentHash == a.PaymentHash {
		t.Error("an offer that was paid is offered again")
	}
}

// TestOfferLimits: what a platform refuses to offer, and when.
func TestOfferLimits(t *testing.T) {
	p := newPayer(t, origin.Config{})
	tier := p.item.Tiers[0].Tier
	_, records := p.records(p.item.ID, tier)
	want := func(name string, err error, code message.ErrorCode) {
		t.Helper()
		var e *message.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Offer(t.Context(), records[:1], 60000); err != nil {
		t.Fatal(err)
	}
	_, err := p.Offer(t.Context(), records[1:2], 60000)
	want("two in a second", err, message.CodeRate)
	if _, err := p.Offer(t.Context(), records[:1], 60000); err != nil {
		t.Errorf("a repeat within the second: %v", err)
	}
	_, err = p.client().Offer(t.Context(), records[len(records)-1:], 60000)
	want("less than 1000 msat", err, message.CodePrice)
	b, err := p.Bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(b.LightningNodes) != 1 || b.LightningNodes[0] != p.till.Till.Node {
		t.Errorf("the bundle names %x", b.LightningNodes)
	}
	none := newHub(t, origintest.Start(t, origin.Config{Music: t.TempDir()}))
	nb, err := none.Bundle(t.Context())
	if err != nil || len(nb.LightningNodes) != 0 {
		t.Errorf("a platform without a till names %x, %v", nb.LightningNodes, err)
	}
}

// TestLightningTopUp buys units that buy music.
func TestLightningTopUp(t *testing.T) {
	p := newPayer(t, fast())
	b := p.blind(5000)
	if _, err := p.OfferTokens(t.Context(), p.set, b.bytes(t), 499999); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("over the prepaid limit: %v", err)
	}
	claim, err := p.OfferTokens(t.Context(), p.set, b.bytes(t), 500000)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := claim.Unlock(); u != nil || !errors.Is(err, offer.ErrPreimage) {
		t.Errorf("before paying: %v", err)
	}
	p.pay(claim)
	u, err := claim.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	p.finish(b, u.Evals)
	_, records := p.records(p.item.ID, p.item.Tiers[0].Tier)
	body, change := p.body(10)
	g, err := p.Redeem(t.Context(), records[:1], body)
	if err != nil {
		t.Fatal(err)
	}
	p.finish(change, g.Evals)
	if err := p.o.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := p.o.Books().Audit(t.Context())
	if err != nil || a.OfferUnits != 5000 || a.OfferMsat != 500000 || a.Outstanding != 4990 || a.Unbalanced != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestUnpaidOffersAreCollected: invoices of offers that nobody paid are
// cancelled, their rows go, and what was paid in the last moment is booked.
func TestUnpaidOffersAreCollected(t *testing.T) {
	now := time.Now()
	c := fast()
	c.Clock = func() time.Time { return now }
	p := newPayer(t, c)
	_, records := p.records(p.item.ID, p.item.Tiers[0].Tier)
	var claims []*offer.Claim
	sizes := func() (n int, bytes int64) {
		t.Helper()
		open, err := p.o.Books().OpenOffers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(open), bookSize(t, p)
	}
	var peak int64
	for round := range 4 {
		for n := range 200 {
			client := p.Client
			if n%4 == 0 { // four a session
				client = p.client()
				p.Client = client
			}
			claim, err := client.Offer(t.Context(), records[n%4:n%4+1], 60000)
			if err != nil {
				t.Fatal(err)
			}
			claims = append(claims, claim)
		}
		n, size := sizes()
		if n != 200 {
			t.Fatalf("%d open offers", n)
		}
		if round <= 1 { // SQLite's log settles in the first rounds
			peak = size
		} else if size > peak+64<<10 {
			t.Errorf("round %d: the books grew from %d to %d kB though everything was collected", round, peak>>10, size>>10)
		}
		t.Logf("200 unpaid offers: books of %d kB", size>>10)
		if err := p.o.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := sizes(); n != 200 || p.till.Open() != 200 {
			t.Fatalf("%d rows and %d invoices while they may be paid", n, p.till.Open())
		}
		p.pay(claims[len(claims)-1])
		now = now.Add(91 * time.Second)
		if err := p.o.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := sizes(); n != 0 || p.till.Open() != 0 {
			t.Fatalf("%d rows and %d invoices are left", n, p.till.Open())
		}
		if _, err := p.till.Pay(claims[0].Bolt11); !errors.Is(err, snetest.ErrClosed) {
			t.Errorf("an invoice that was collected: %v", err)
		}
	}
	a, err := p.o.Books().Audit(t.Context())
	if err != nil || a.Grants != 4 || a.AmountMsat != 4000 {
		t.Errorf("%+v, %v", a, err)
	}
}

func bookSize(t *testing.T, p *payer) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(p.state, "books.db"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// brittle is a till that loses its connection.
type brittle struct {
	*origintest.Till
	down bool
}

var errDown = errors.New("no node")

func (b *brittle) Settled(ctx context.Context, hash [32]byte) (bool, error) {
	if b.down {
		return false, errDown
	}
	return b.Till.Settled(ctx, hash)
}

func (b *brittle) Cancel(ctx context.Context, hash [32]byte) (bool, error) {
	if b.down {
		return false, errDown
	}
	return b.Till.Cancel(ctx, hash)
}

// TestTillIsAway: while the till does not answer, nothing is dropped and
// nothing is booked; after a restart of the platform a paid offer is found.
func TestTillIsAway(t *testing.T) {
	now := time.Now()
	c := fast()
	c.State = t.TempDir()
	c.Clock = func() time.Time { return now }
	p := newPayer(t, c)
	_, records := p.records(p.item.ID, p.item.Tiers[0].Tier)
	claim, err := p.Offer(t.Context(), records[:2], 60000)
	if err != nil {
		t.Fatal(err)
	}
	p.pay(claim)
	origintest.Close(t, p.o)
	away := &brittle{Till: p.till, down: true}
	c.Till, c.Music, c.NoOpus = away, t.TempDir(), true
	o := origintest.Start(t, c)
	now = now.Add(time.Hour)
	if err := o.Collect(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
	if open, err := o.Books().OpenOffers(t.Context()); err != nil || len(open) != 1 {
		t.Fatalf("%d open offers, %v", len(open), err)
	}
	away.down = false
	for range 2 {
		if err := o.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := o.Books().Audit(t.Context()); err != nil || a.Grants != 1 || a.AmountMsat != int64(claim.AmountMsat) || a.OpenOffers != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestTwoHonestPartsAtThePlatform plays a listener who never pays and a routing
// node that forwards somebody's payment, against a real platform.
func TestTwoHonestPartsAtThePlatform(t *testing.T) {
	p := newPayer(t, fast())
	_, records := p.records(p.item.ID, p.item.Tiers[0].Tier)
	listener, err := p.Offer(t.Context(), records[:2], 60000)
	if err != nil {
		t.Fatal(err)
	}
	buyer, err := p.client().Offer(t.Context(), records[:2], 60000)
	if err != nil {
		t.Fatal(err)
	}
	p.pay(buyer)
	seen := p.till.Routed()
	if len(seen) != 1 {
		t.Fatalf("%d payments were routed", len(seen))
	}
	// The listener colludes with the routing node: somebody else's preimage of
	// the same goods is of no use to him.
	if err := listener.Pay(&seen[0]); !errors.Is(err, offer.ErrPreimage) {
		t.Errorf("another's preimage was taken: %v", err)
	}
	listener.Preimage = seen[0]
	if u, err := listener.Unlock(); u != nil || err == nil {
		t.Error("the listener has keys and did not pay")
	}
	// The routing node has the preimage, and even the public offer.
	node := *buyer
	node.Preimage = seen[0]
	for _, guess := range []kdf.Secret{{}, seen[0], listener.Salt} {
		node.Salt = guess
		if u, err := node.Unlock(); u != nil || err == nil {
			t.Error("the routing node has keys")
		}
	}
	if _, err := buyer.Unlock(); err != nil {
		t.Errorf("the control: %v", err)
	}
}

// TestLightningSaleOfAStation buys live epochs by Lightning; their locks open
// after the sale window too, when the platform has erased the keys.
func TestLightningSaleOfAStation(t *testing.T) {
	c := fast()
	c.Stations = []live.Plan{{Name: "Radio", EpochMs: 1000, Window: 4 * time.Second}}
	p := newPayer(t, c)
	it := find(t, p.hub, "Radio")
	var e *sale.Edge
	await(t, "three epochs", func() bool {
		var err error
		e, err = p.Live(t.Context(), it.ID, live.Tier)
		return err == nil && e.Head.TreeSize >= 3
	})
	first := e.Head.TreeSize - 2
	recs, err := p.Records(t.Context(), e.Head, first, 2)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := p.Offer(t.Context(), recs, 1000)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the sale window", func() bool {
		_, err := p.client().Offer(t.Context(), recs, 1000)
		var e *message.Error
		return errors.As(err, &e) && (e.Code == message.CodeGone || e.Code == message.CodeNotFound)
	})
	p.pay(claim)
	if _, err := claim.Unlock(); err != nil {
		t.Error(err)
	}
}
