package sale_test

import (
	"bytes"
	"testing"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

const tier = 2

func start(t testing.TB, o snetest.Options, change ...func(*sale.Config)) (*snetest.Origin, *sale.Client) {
	t.Helper()
	g := snetest.Start(t, o)
	return g, client(t, g, change...)
}

func client(t testing.TB, g *snetest.Origin, change ...func(*sale.Config)) *sale.Client {
	t.Helper()
	cfg := sale.Config{URL: g.URL, Plain: true}
	for _, f := range change {
		f(&cfg)
	}
	c, err := sale.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// records fetches the Head and n records from first on.
func records(t testing.TB, g *snetest.Origin, c *sale.Client, first uint64, n int) (*manifest.Head, []*manifest.Record) {
	t.Helper()
	h, err := c.Head(t.Context(), g.URL.Broadcast, tier)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := c.Records(t.Context(), h, first, n)
	if err != nil {
		t.Fatal(err)
	}
	return h, recs
}

// tokens makes a well-shaped body that pays units and asks for change.
func tokens(t testing.TB, units, change uint64, mark byte) []byte {
	t.Helper()
	r := message.Redeem{Spend: message.Spend{KeySet: wire.ID{1}}, KeySet: wire.ID{1}}
	for d := uint8(0); d < 20; d++ {
		if (units+change)>>d&1 == 1 {
			r.Spend.Groups = append(r.Spend.Groups, message.TokenGroup{Denom: d, Tokens: []message.Token{{T: [32]byte{mark, d}}}})
		}
		if change>>d&1 == 1 {
			r.Change = append(r.Change, message.PointGroup{Denom: d, Points: []message.Point{{mark, d + 1}}})
		}
	}
	body, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// hear fetches, opens and compares one epoch.
func hear(t *testing.T, c *sale.Client, h *manifest.Head, rec *manifest.Record, key *sale.Key) {
	t.Helper()
	object, err := c.Segment(t.Context(), rec, snetest.Rendition)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sale.OpenEpoch(h, rec, snetest.Rendition, object, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Join(p.Packets, nil); !bytes.Equal(got, snetest.PCM(rec.Tier, rec.Number, rec.Frames)) {
		t.Fatalf("epoch %d sounds different", rec.Number)
	}
}
