package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/stream"
	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

// locksmith is a payer whose purchases end as paid offers: it buys the true
// keys with real money, and locks them anew as an origin of its own, which may
// lie.
type locksmith struct {
	wallet.Payer
	t      *testing.T
	client *sale.Client
	head   *manifest.Head
	root   *composite.SecretKey
	online *composite.SecretKey
	bundle *bundle.Bundle
	lie    func(first uint64, keys []kdf.Secret)

	sold     []wallet.Proof
	receipts []wallet.Receipt
}

func newLocksmith(s *shop, lie func(first uint64, keys []kdf.Secret)) *locksmith {
	s.t.Helper()
	l := &locksmith{Payer: s.ledger, t: s.t, client: s.client, lie: lie}
	var err error
	if l.head, err = s.client.Head(s.t.Context(), s.items[0].ID, s.items[0].Tiers[0].Tier); err != nil {
		s.t.Fatal(err)
	}
	if l.root, err = composite.Generate(nil); err != nil {
		s.t.Fatal(err)
	}
	if l.online, err = composite.Generate(nil); err != nil {
		s.t.Fatal(err)
	}
	l.bundle = &bundle.Bundle{NotAfter: 1, Host: "liar.example", Online: *l.online.Public()}
	if _, err := l.bundle.Sign(l.root); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// Buy turns what the ledger bought by tokens into a paid claim.
func (l *locksmith) Buy(ctx context.Context, i wallet.Intent) (wallet.Proof, error) {
	p, err := l.Payer.Buy(ctx, i)
	if err != nil {
		return p, err
	}
	recs, err := l.client.Records(ctx, l.head, p.First, p.N)
	if err != nil {
		return p, err
	}
	g, err := l.client.Redeem(ctx, recs, p.Body)
	if err != nil {
		return p, err
	}
	defer g.Erase()
	if err := l.Payer.Settle(ctx, p.ID, wallet.Receipt{Outcome: wallet.Granted, Amount: wallet.Msat(g.AmountMsat), Change: g.Evals}); err != nil {
		return p, err
	}
	p.Rail = byte(message.RailLightning)
	p.Body, err = l.claim(recs, g)
	l.sold = append(l.sold, p)
	return p, err
}

// claim is a paid offer of the keys of g.
func (l *locksmith) claim(recs []*manifest.Record, g *sale.Grant) ([]byte, error) {
	id, err := l.bundle.ID()
	if err != nil {
		return nil, err
	}
	h := &offer.Head{Goods: offer.GoodsEpochs, Bundle: id, TTL: 60, AmountMsat: max(g.AmountMsat, offer.MinAmount), Range: g.Range}
	h.Split = []message.Share{{Role: 1, Msat: h.AmountMsat}}
	keys := make([]kdf.Secret, len(recs))
	for i, rec := range recs {
		leaf, err := rec.Leaf()
		if err != nil {
			return nil, err
		}
		h.Leaves, keys[i] = append(h.Leaves, leaf), *g.Keys[i]
	}
	l.lie(g.Range.First, keys)
	var plain []byte
	for i := range keys {
		plain = append(plain, keys[i][:]...)
	}
	p, err := kdf.NewSecret(nil)
	if err != nil {
		return nil, err
	}
	base := &kdf.Secret{1}
	o, err := offer.Build(l.online, base, p, h, plain)
	if err != nil {
		return nil, err
	}
	c, err := offer.Verify(o, offer.Want{Bundle: l.bundle, Price: h.AmountMsat, Base: base, Records: recs})
	if err != nil {
		return nil, err
	}
	if err := c.Pay(p); err != nil {
		return nil, err
	}
	return c.Marshal()
}

// Settle notes what the stream says.
func (l *locksmith) Settle(ctx context.Context, id string, r wallet.Receipt) error {
	l.receipts = append(l.receipts, r)
	return l.Payer.Settle(ctx, id, r)
}

// TestLocks plays purchases by Lightning from beginning to end: the locks are
// opened here, with the ledger's bytes alone.
func TestLocks(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 7, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	l := newLocksmith(s, func(uint64, []kdf.Secret) {})
	src := s.open(0, func(c *stream.Config) {
		c.Payer = l
		c.Exhibit = func([]byte) { t.Error("an exhibit of an honest sale") }
		c.Shop = answering{c.Shop, func(context.Context, []*manifest.Record, []byte) (*sale.Grant, error) {
			return nil, errors.New("the platform was asked for keys that are locked in a claim")
		}}
	})
	pcm, err := listen(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, cd, pcm, tr.PCM())
}

// TestOneBadLock: one bad key among good ones in a purchase by Lightning. The
// good ones are played, the bad one becomes an exhibit that convinces a
// stranger, and no more money leaves. To see it fail: let open stop at the
// first fault, or buy go on after it.
func TestOneBadLock(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 20, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	bad := -1
	l := newLocksmith(s, func(first uint64, keys []kdf.Secret) {
		if len(keys) > 1 && bad < 0 {
			keys[0][7] ^= 1
			bad = int(first)
		}
	})
	var exhibits [][]byte
	src := s.open(0, func(c *stream.Config) {
		c.Payer = l
		c.Exhibit = func(raw []byte) { exhibits = append(exhibits, raw) }
	})
	pcm, err := listen(t.Context(), src)
	var blocked *wallet.BlockedError
	if !errors.As(err, &blocked) || bad < 0 {
		t.Fatalf("it ended with %v", err)
	}
	last := l.sold[len(l.sold)-1]
	if last.First != uint64(bad) {
		t.Errorf("bought %v after the fault at %d", last.Goods, bad)
	}
	const epoch = 88200 * 2
	want := slices.Clone(tr.PCM()[:(bad+last.N)*epoch])
	clear(want[bad*epoch : (bad+1)*epoch])
	equal(t, cd, pcm, want)
	if len(exhibits) != 1 {
		t.Fatalf("%d exhibits", len(exhibits))
	}
	root := l.root.Public().KeyID()
	if v, err := exhibit.Verify(exhibits[0], root); err != nil || v.Type != exhibit.TypeLock {
		t.Errorf("%v, %v", v, err)
	}
	if r := l.receipts[len(l.receipts)-1]; r.Outcome != wallet.Faulty {
		t.Errorf("settled as %+v", r)
	}
	sold := len(l.sold)
	if _, err := listen(t.Context(), s.open(0, func(c *stream.Config) { c.Payer = l; c.From = 1e9 })); !errors.As(err, &blocked) || len(l.sold) != sold {
		t.Errorf("more money for a platform that cheated: %v", err)
	}
}

// TestBadSegmentIsAnExhibit: the creator recorded what does not open. To see
// it fail: take the hash check for the whole check.
func TestBadSegmentIsAnExhibit(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 8, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	cheat := newCheat(s, 0)
	var exhibits [][]byte
	src := s.open(0, func(c *stream.Config) {
		cheat.Shop = c.Shop
		c.Shop, c.Item.ID = cheat, cheat.head.Broadcast
		c.Payer = cheat
		c.Exhibit = func(raw []byte) { exhibits = append(exhibits, raw) }
	})
	_, err := listen(t.Context(), src)
	var blocked *wallet.BlockedError
	if !errors.As(err, &blocked) || len(exhibits) != 1 {
		t.Fatalf("%d exhibits, %v", len(exhibits), err)
	}
	if v, err := exhibit.Verify(exhibits[0], cheat.key.Public().KeyID()); err != nil || v.Type != exhibit.TypeSegment {
		t.Errorf("%v, %v", v, err)
	}
}

// cheat is a creator who signs a manifest of four epochs, one of which does not
// open, and a platform and a purse for it.
type cheat struct {
	stream.Shop
	wallet.Payer
	key     *composite.SecretKey
	es      kdf.Secret
	head    *manifest.Head
	records []*manifest.Record
	objects [][]byte
}

func newCheat(s *shop, bad int) *cheat {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var err error
	c := &cheat{Payer: s.ledger, es: kdf.Secret{3}}
	c.key, err = composite.Generate(nil)
	must(err)
	h := &manifest.Head{Closed: true, Tier: s.items[0].Tiers[0].Tier, Rate: 44100, Channels: 2, Bits: 16, EpochMs: 2000, TreeSize: 4, TotalFrames: 4 * 88200}
	id := manifest.BroadcastID(c.key.Public().KeyID(), h.Nonce)
	for n := range uint64(4) {
		e := segment.Epoch{Broadcast: id, Tier: h.Tier, Number: n}
		p := &segment.Payload{Codec: segment.CodecFLAC, Channels: 2, Bits: 16, Rate: 44100, Frames: 88200, Packets: [][]byte{{1}}}
		plain, err := p.Marshal()
		must(err)
		if n == uint64(bad) {
			plain = plain[1:]
		}
		rendition := s.items[0].Tiers[0].Renditions[0].R
		object, err := segment.Seal(nil, &c.es, e, rendition, plain)
		must(err)
		commit, err := segment.Commit(&c.es, e)
		must(err)
		c.objects = append(c.objects, object)
		c.records = append(c.records, &manifest.Record{Epoch: e, Frames: 88200, Commit: commit, Renditions: []manifest.Rendition{
			{R: rendition, Codec: segment.CodecFLAC, ObjectLen: uint32(len(object)), SHA256: wire.ID(offer.DescriptionHash(object))},
		}})
	}
	tree, err := manifest.NewTree(c.records)
	must(err)
	h.Root = tree.Root()
	signed, err := h.Sign(c.key)
	must(err)
	c.head, err = manifest.OpenHead(signed, c.key.Public())
	must(err)
	page, err := tree.Page(0, 4)
	must(err)
	c.records, err = manifest.VerifyRecords(c.head, 0, 4, page)
	must(err)
	return c
}

func (c *cheat) Head(context.Context, wire.ID, uint16) (*manifest.Head, error) { return c.head, nil }

func (c *cheat) Records(_ context.Context, _ *manifest.Head, first uint64, n int) ([]*manifest.Record, error) {
	return c.records[first:min(first+uint64(n), 4)], nil
}

func (c *cheat) Segment(_ context.Context, r *manifest.Record, rendition uint16) ([]byte, error) {
	return c.objects[r.Number], sale.CheckObject(r, rendition, c.objects[r.Number])
}

func (c *cheat) Redeem(_ context.Context, records []*manifest.Record, _ []byte) (*sale.Grant, error) {
	g := &sale.Grant{AmountMsat: 1}
	for range records {
		k := c.es
		g.Keys = append(g.Keys, &k)
	}
	return g, nil
}
