package sale_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

func TestTamperedContentIsRefused(t *testing.T) {
	var g *snetest.Origin
	head := func(tier uint16) resource.Resource {
		return resource.Resource{Kind: resource.Head, ID: g.URL.Broadcast, Tier: tier}
	}
	object := func(n uint64) resource.Resource {
		return resource.Resource{Kind: resource.Segment, ID: g.URL.Broadcast, Tier: tier, Epoch: n, Rendition: snetest.Rendition}
	}
	flip := func(r resource.Resource, at int) {
		b := bytes.Clone(g.File(r))
		b[(at+len(b))%len(b)] ^= 1
		g.SetFile(r, b)
	}
	for _, tc := range []struct {
		name   string
		tamper func()
		want   error
	}{
		{"bundle", func() { flip(resource.Resource{Kind: resource.Bundle}, 3000) }, composite.ErrSignature},
		{"head", func() { flip(head(tier), 150) }, composite.ErrSignature},
		{"head signature", func() { flip(head(tier), -1) }, composite.ErrSignature},
		{"head of another tier", func() { g.SetFile(head(tier), g.File(head(1))) }, manifest.ErrHead},
		{"head cut", func() { g.SetFile(head(tier), g.File(head(tier))[:200]) }, wire.ErrMalformed},
		{"creator key", func() { flip(resource.Resource{Kind: resource.Key, ID: g.Creator.Public().KeyID()}, 3) }, sale.ErrAnswer},
		{"segment", func() { flip(object(3), 80) }, sale.ErrObject},
		{"segment cut", func() { g.SetFile(object(3), g.File(object(3))[:100]) }, sale.ErrObject},
		{"segment of another epoch", func() { g.SetFile(object(3), g.File(object(4))) }, sale.ErrObject},
		{"nothing", func() {}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g = snetest.Start(t, snetest.Options{})
			tc.tamper()
			if err := listen(t, g); !errors.Is(err, tc.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// listen goes from the URL to the object of epoch 3.
func listen(t *testing.T, g *snetest.Origin) error {
	c := client(t, g)
	h, err := c.Head(t.Context(), g.URL.Broadcast, tier)
	if err != nil {
		return err
	}
	recs, err := c.Records(t.Context(), h, 3, 1)
	if err != nil {
		return err
	}
	_, err = c.Segment(t.Context(), recs[0], snetest.Rendition)
	return err
}

func TestOpenEpochRefusesForeignKey(t *testing.T) {
	g, c := start(t, snetest.Options{})
	h, recs := records(t, g, c, 0, 2)
	grant, err := c.Grant(t.Context(), recs)
	if err != nil {
		t.Fatal(err)
	}
	object, err := c.Segment(t.Context(), recs[0], snetest.Rendition)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sale.OpenEpoch(h, recs[0], snetest.Rendition, object, grant.Keys[1]); !errors.Is(err, sale.ErrCommit) {
		t.Fatalf("got %v", err)
	}
	object[100] ^= 1
	if _, err := sale.OpenEpoch(h, recs[0], snetest.Rendition, object, grant.Keys[0]); !errors.Is(err, segment.ErrSegment) {
		t.Fatalf("got %v", err)
	}
}

func TestDeadCreatorIsRefused(t *testing.T) {
	g, c := start(t, snetest.Options{})
	b := g.Bundle()
	b.Seq++
	b.DeadCreators = []wire.ID{g.Creator.Public().KeyID()}
	g.SetBundle(b)
	if _, err := c.Head(t.Context(), g.URL.Broadcast, tier); !errors.Is(err, manifest.ErrHead) {
		t.Fatalf("got %v", err)
	}
}

func TestCatalogPagesAndOrder(t *testing.T) {
	g, c := start(t, snetest.Options{Pages: 3})
	all, err := c.Catalog(t.Context())
	if err != nil || len(all.Items) != 3 || all.Items[2].Title != "Page 2" {
		t.Fatalf("%v, %v", all, err)
	}
	old := g.File(resource.Resource{Kind: resource.Catalog})
	g.PublishCatalog(5, 1)
	if all, err = c.Catalog(t.Context()); err != nil || len(all.Items) != 1 || c.Pin().Catalog != 5 {
		t.Fatalf("%v, %v", all, err)
	}
	g.SetFile(resource.Resource{Kind: resource.Catalog}, old)
	if all, err = c.Catalog(t.Context()); err != nil || len(all.Items) != 1 {
		t.Fatalf("a stale catalogue replaced a newer one: %v, %v", all, err)
	}
	late := client(t, g, func(cfg *sale.Config) { cfg.Pin = c.Pin() })
	if _, err := late.Catalog(t.Context()); !errors.Is(err, sale.ErrStaleCatalog) {
		t.Fatalf("got %v", err)
	}
}

func TestKeySetIsChecked(t *testing.T) {
	g, c := start(t, snetest.Options{})
	id := message.KeySetID(g.KeySet)
	raw, err := c.KeySet(t.Context(), id)
	if err != nil || !bytes.Equal(raw, g.KeySet) {
		t.Fatalf("%q, %v", raw, err)
	}
	if _, err := c.KeySet(t.Context(), wire.ID{1}); !errors.Is(err, sale.ErrRange) {
		t.Fatalf("unlisted: %v", err)
	}
	g.SetFile(resource.Resource{Kind: resource.KeySet, ID: id}, []byte("other"))
	if _, err := c.KeySet(t.Context(), id); !errors.Is(err, sale.ErrAnswer) {
		t.Fatalf("changed: %v", err)
	}
}

func TestEdgesServeSegmentsAndMayFail(t *testing.T) {
	g, c := start(t, snetest.Options{})
	var mu sync.Mutex
	hits, broken := 0, false
	edge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		hits++
		res, err := resource.Parse(r.URL.Path)
		body := g.File(res)
		if err != nil || broken {
			body = []byte("junk")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(body)
	}))
	defer edge.Close()
	g.SetEdges("http://203.0.113.1", edge.URL, "nonsense")
	h, recs := records(t, g, c, 0, 2)
	grant, err := c.Grant(t.Context(), recs)
	if err != nil {
		t.Fatal(err)
	}
	hear(t, c, h, recs[0], grant.Keys[0])
	mu.Lock()
	broken = true
	mu.Unlock()
	for range 3 { // the origin steps in, and the edge is not asked again
		hear(t, c, h, recs[1], grant.Keys[1])
	}
	g.ForgetSessions() // the next WELCOME names the liar once more
	if grant, err = c.Grant(t.Context(), recs); err != nil {
		t.Fatal(err)
	}
	hear(t, c, h, recs[1], grant.Keys[1])
	if got := c.Liars(); len(got) != 1 || got[0] != edge.URL {
		t.Errorf("liars: %v", got)
	}
	if hits != 2 {
		t.Fatalf("the edge was asked %d times", hits)
	}
}
