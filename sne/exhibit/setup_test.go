package exhibit_test

import (
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

const tier = 2

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// deal is a paid sale with an origin that may lie.
type deal struct {
	*snetest.Origin
	claim *offer.Claim
}

func newClient(t testing.TB, g *snetest.Origin) *sale.Client {
	t.Helper()
	c := must(sale.NewClient(sale.Config{URL: g.URL, Plain: true, Invoice: snetest.Decode, Network: "regtest"}))(t)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func pay(t testing.TB, g *snetest.Origin, c *offer.Claim) {
	t.Helper()
	if err := c.Pay(must(g.Till.Pay(c.Bolt11))(t)); err != nil {
		t.Fatal(err)
	}
}

func buyEpochs(t testing.TB, n int, lie snetest.Lie) *deal {
	t.Helper()
	g := snetest.Start(t, snetest.Options{Epochs: 31})
	g.Lie(lie)
	c := newClient(t, g)
	h := must(c.Head(t.Context(), g.URL.Broadcast, tier))(t)
	recs := must(c.Records(t.Context(), h, 0, n))(t)
	d := &deal{g, must(c.Offer(t.Context(), recs, 100000))(t)}
	pay(t, g, d.claim)
	return d
}

func buyTokens(t testing.TB, lie snetest.Lie) *deal {
	t.Helper()
	x := snetest.NewIssuer(t, 200)
	g := snetest.Start(t, snetest.Options{Epochs: 2, KeySet: x.KeySet})
	g.Evaluate = x.Evaluate
	g.Lie(lie)
	set := g.Bundle().KeySets[0]
	d := &deal{g, must(newClient(t, g).OfferTokens(t.Context(), set, snetest.Blinds(t), 1800))(t)}
	pay(t, g, d.claim)
	return d
}

// creator is a creator's keys and a small broadcast of one tier.
type creator struct {
	key  *composite.SecretKey
	es   kdf.Secret
	head manifest.Head
}

func newCreator(t testing.TB) *creator {
	t.Helper()
	return &creator{
		key: must(composite.Generate(nil))(t), es: kdf.Secret{5},
		head: manifest.Head{Tier: 1, OriginRoot: wire.ID{1}, Rate: 8000, Channels: 1, Bits: 16, EpochMs: 1000},
	}
}

func (c *creator) id() wire.ID { return c.key.Public().KeyID() }

func (c *creator) epoch(n uint64) segment.Epoch {
	return segment.Epoch{Broadcast: manifest.BroadcastID(c.id(), c.head.Nonce), Tier: c.head.Tier, Number: n}
}

// record fixes an object as epoch n of rendition 3.
func (c *creator) record(t testing.TB, n uint64, codec segment.Codec, object []byte) *manifest.Record {
	t.Helper()
	e := c.epoch(n)
	return &manifest.Record{
		Epoch: e, Frames: 8000, Commit: must(segment.Commit(&c.es, e))(t),
		Renditions: []manifest.Rendition{{R: 3, Codec: codec, ObjectLen: uint32(len(object)), SHA256: sum(object)}},
	}
}

// signed signs a manifest of records, as a hub would read it.
func (c *creator) signed(t testing.TB, change func(h *manifest.Head), records ...*manifest.Record) (*manifest.Head, *manifest.Tree) {
	t.Helper()
	tree := must(manifest.NewTree(records))(t)
	h := c.head
	h.TreeSize, h.Root, h.TotalFrames = tree.Size(), tree.Root(), tree.Size()*8000
	if change != nil {
		change(&h)
	}
	return must(manifest.OpenHead(must(h.Sign(c.key))(t), c.key.Public()))(t), tree
}

// verified reads record n as a hub does.
func verified(t testing.TB, h *manifest.Head, tree *manifest.Tree, n uint64) *manifest.Record {
	t.Helper()
	return must(manifest.VerifyRecords(h, n, 1, must(tree.Page(n, 1))(t)))(t)[0]
}

// plain is an epoch of silence, shorter than its frames say: nobody decodes it.
func plain(t testing.TB, change func(p *segment.Payload)) []byte {
	t.Helper()
	p := &segment.Payload{Codec: segment.CodecPCM, Channels: 1, Bits: 16, Rate: 8000, Frames: 8000, Packets: [][]byte{{1, 2}}}
	if change != nil {
		change(p)
	}
	return must(p.Marshal())(t)
}

// bundles signs Bundles of one root.
func bundles(t testing.TB, root *composite.SecretKey, change ...func(b *bundle.Bundle)) [][]byte {
	t.Helper()
	var out [][]byte
	for _, f := range change {
		b := &bundle.Bundle{Seq: 7, NotBefore: 1, NotAfter: 2, Host: "sona.example"}
		f(b)
		out = append(out, must(b.Sign(root))(t))
	}
	return out
}
