package sale_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/fetch"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
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

func TestOpeningGrantIsHeard(t *testing.T) {
	g, c := start(t, snetest.Options{})
	h, recs := records(t, g, c, 0, 2)
	grant, err := c.Grant(t.Context(), recs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range recs {
		hear(t, c, h, recs[i], grant.Keys[i])
	}
	if grant.AmountMsat != 0 || len(grant.Split) != 0 {
		t.Fatalf("a free grant costs %d", grant.AmountMsat)
	}
	grant.Erase()
	if !grant.Keys[0].IsZero() {
		t.Fatal("Erase left a key")
	}
}

func TestRedeemWithChangeIsHeard(t *testing.T) {
	g, c := start(t, snetest.Options{})
	h, recs := records(t, g, c, 15, 5) // the last epoch is short: 9 s cost 9 units
	grant, err := c.Redeem(t.Context(), recs, tokens(t, 9, 7, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range recs {
		hear(t, c, h, recs[i], grant.Keys[i])
	}
	evals, err := message.ParseEvals(grant.Evals)
	if err != nil || len(evals) != 3 {
		t.Fatalf("change %v, %v", evals, err)
	}
	if grant.AmountMsat != 900 || len(grant.Split) != 1 {
		t.Fatalf("amount %d, split %v", grant.AmountMsat, grant.Split)
	}
}

func TestRefusalIsTyped(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 5, 1)
	var refused *message.Error
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 1, 0, 1)); !errors.As(err, &refused) || refused.Code != message.CodePrice {
		t.Fatalf("too few tokens: %v", err)
	}
	if _, err := c.Grant(t.Context(), recs); !errors.As(err, &refused) {
		t.Fatalf("not a free epoch: %v", err)
	}
	// The session lives on after a refusal.
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil || g.Sessions() != 1 {
		t.Fatalf("after a refusal: %v, %d sessions", err, g.Sessions())
	}
}

func TestTopUpAndSwapUseSessionsOfTheirOwn(t *testing.T) {
	g, c := start(t, snetest.Options{})
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	blinds, err := message.Blinds{{Denom: 3, Points: []message.Point{{9}, {8}}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.TopUp(t.Context(), wire.ID{1}, blinds, "16-"+strings.Repeat("a", 26))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := message.ParseEvals(raw); err != nil || len(e) != 1 || e[0].Points[1] != (message.Point{8}) {
		t.Fatalf("%v, %v", e, err)
	}
	if _, err := c.Swap(t.Context(), tokens(t, 0, 6, 2)); err != nil {
		t.Fatal(err)
	}
	if g.Sessions() != 3 {
		t.Fatalf("%d sessions were opened, want one for each", g.Sessions())
	}
}

// lossy drops the first n answers to exchanges after the origin acted.
func lossy(n int) func(http.ResponseWriter, *http.Request, http.Handler) {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		drop := n > 0 && strings.HasPrefix(r.URL.Path, "/sne/1/session/")
		if drop {
			n--
		}
		mu.Unlock()
		if !drop {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

func TestLostAnswersAreRepeatedAndActOnce(t *testing.T) {
	for _, tc := range []struct {
		name     string
		lost     int
		sessions int
	}{
		{"one", 1, 1}, {"two", 2, 1}, {"three: a new session", 3, 2}, {"five", 5, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, c := start(t, snetest.Options{})
			_, recs := records(t, g, c, 4, 1)
			g.Intercept(lossy(tc.lost))
			if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil {
				t.Fatal(err)
			}
			if g.Acts() != 1 || g.Sessions() != tc.sessions {
				t.Fatalf("acted %d times in %d sessions", g.Acts(), g.Sessions())
			}
		})
	}
	t.Run("six: an error", func(t *testing.T) {
		g, c := start(t, snetest.Options{})
		_, recs := records(t, g, c, 4, 1)
		g.Intercept(lossy(6))
		body := tokens(t, 2, 0, 1)
		if _, err := c.Redeem(t.Context(), recs, body); !errors.Is(err, fetch.ErrUnreachable) {
			t.Fatalf("got %v", err)
		}
		// A crash later, in another client: the same body is the same grant.
		grant, err := client(t, g).Redeem(t.Context(), recs, body)
		if err != nil || g.Acts() != 1 || grant.Keys[0] == nil {
			t.Fatalf("%v, acted %d times", err, g.Acts())
		}
	})
}

func TestGarbledAnswerIsRepeated(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	first := true
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !first || !strings.HasPrefix(r.URL.Path, "/sne/1/session/") {
			next.ServeHTTP(w, r)
			return
		}
		first = false
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		body[len(body)-1] ^= 1
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(body)
	})
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil || g.Acts() != 1 || g.Sessions() != 1 {
		t.Fatalf("%v, acted %d times in %d sessions", err, g.Acts(), g.Sessions())
	}
}

func TestOriginRestartIsSurvived(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 2)
	for i := range recs {
		if _, err := c.Redeem(t.Context(), recs[i:i+1], tokens(t, 2, 0, byte(i))); err != nil {
			t.Fatal(err)
		}
		g.ForgetSessions()
	}
}

func TestBadKeysAreNamedAndGoodOnesKept(t *testing.T) {
	g, c := start(t, snetest.Options{})
	h, recs := records(t, g, c, 4, 3)
	g.CorruptGrants(func(m *message.Grant) { m.Keys[1][5] ^= 1 })
	grant, err := c.Redeem(t.Context(), recs, tokens(t, 6, 0, 1))
	var bad *sale.BadKeysError
	if !errors.As(err, &bad) || len(bad.Epochs) != 1 || bad.Epochs[0] != 5 || !errors.Is(err, sale.ErrCommit) {
		t.Fatalf("got %v", err)
	}
	if grant.Keys[1] != nil {
		t.Fatal("a bad key was handed on")
	}
	hear(t, c, h, recs[0], grant.Keys[0])
	hear(t, c, h, recs[2], grant.Keys[2])
}

func TestWrongChangeIsTold(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	g.CorruptGrants(func(m *message.Grant) { m.Evals = nil })
	grant, err := c.Redeem(t.Context(), recs, tokens(t, 2, 3, 1))
	if !errors.Is(err, sale.ErrChange) || grant == nil || grant.Keys[0] == nil {
		t.Fatalf("got %v, %v", grant, err)
	}
}

func TestForeignRangeIsRefused(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	g.CorruptGrants(func(m *message.Grant) { m.Range.First++ })
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); !errors.Is(err, sale.ErrAnswer) {
		t.Fatalf("got %v", err)
	}
	for _, recs := range [][]*manifest.Record{nil, {recs[0], recs[0]}, make([]*manifest.Record, 31)} {
		if _, err := c.Grant(t.Context(), recs); !errors.Is(err, sale.ErrRange) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestTamperedContentIsRefused(t *testing.T) {
	id := func(g *snetest.Origin, k resource.Kind) resource.Resource {
		return resource.Resource{Kind: k, ID: g.URL.Broadcast, Tier: tier}
	}
	epoch := func(g *snetest.Origin, n uint64) resource.Resource {
		return resource.Resource{Kind: resource.Segment, ID: g.URL.Broadcast, Tier: tier, Epoch: n, Rendition: snetest.Rendition}
	}
	flip := func(g *snetest.Origin, r resource.Resource, at int) {
		b := bytes.Clone(g.File(r))
		b[(at+len(b))%len(b)] ^= 1
		g.SetFile(r, b)
	}
	for _, tc := range []struct {
		name   string
		tamper func(g *snetest.Origin)
	}{
		{"bundle", func(g *snetest.Origin) { flip(g, resource.Resource{Kind: resource.Bundle}, 300) }},
		{"head", func(g *snetest.Origin) { flip(g, id(g, resource.Head), 150) }},
		{"head signature", func(g *snetest.Origin) { flip(g, id(g, resource.Head), -1) }},
		{"head of another tier", func(g *snetest.Origin) {
			other := id(g, resource.Head)
			other.Tier = 1
			g.SetFile(id(g, resource.Head), g.File(other))
		}},
		{"creator key", func(g *snetest.Origin) {
			flip(g, resource.Resource{Kind: resource.Key, ID: g.Creator.Public().KeyID()}, 3)
		}},
		{"segment", func(g *snetest.Origin) { flip(g, epoch(g, 3), 80) }},
		{"segment cut", func(g *snetest.Origin) {
			r := epoch(g, 3)
			g.SetFile(r, g.File(r)[:100])
		}},
		{"segment of another epoch", func(g *snetest.Origin) {
			g.SetFile(epoch(g, 3), g.File(epoch(g, 4)))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, c := start(t, snetest.Options{})
			tc.tamper(g)
			h, err := c.Head(t.Context(), g.URL.Broadcast, tier)
			if err != nil {
				return
			}
			recs, err := c.Records(t.Context(), h, 3, 1)
			if err != nil {
				return
			}
			if _, err = c.Segment(t.Context(), recs[0], snetest.Rendition); !errors.Is(err, sale.ErrObject) {
				t.Fatalf("got %v", err)
			}
		})
	}
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

func TestBundleRenewalAndRevocation(t *testing.T) {
	var saved []bundle.Pin
	g, c := start(t, snetest.Options{}, func(cfg *sale.Config) {
		cfg.SavePin = func(p bundle.Pin) error { saved = append(saved, p); return nil }
	})
	_, recs := records(t, g, c, 4, 1)
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil {
		t.Fatal(err)
	}
	b := g.Bundle()
	b.Seq, b.MinSeq = 2, 2
	g.SetBundle(b)
	g.ForgetSessions() // the next handshake names the old bundle and gets 410
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if c.Pin().Seq != 2 || c.Pin().MinSeq != 2 || len(saved) != 2 || saved[1] != c.Pin() {
		t.Fatalf("pin %+v, saved %+v", c.Pin(), saved)
	}
	b.Seq, b.MinSeq = 1, 0
	g.SetBundle(b) // the revoked one again: a client with the stored pin refuses
	late := client(t, g, func(cfg *sale.Config) { cfg.Pin = saved[1] })
	if _, err := late.Bundle(t.Context()); !errors.Is(err, bundle.ErrDead) {
		t.Fatalf("got %v", err)
	}
}

func TestSplitViewStopsForGood(t *testing.T) {
	g, c := start(t, snetest.Options{})
	if _, err := c.Bundle(t.Context()); err != nil {
		t.Fatal(err)
	}
	pin := c.Pin()
	b := g.Bundle()
	b.NotBefore--
	g.SetBundle(b)
	late := client(t, g, func(cfg *sale.Config) { cfg.Pin = pin })
	var split *bundle.SplitViewError
	for range 2 {
		if _, err := late.Bundle(t.Context()); !errors.As(err, &split) {
			t.Fatalf("got %v", err)
		}
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

func TestPinIsStoredBeforeUse(t *testing.T) {
	full := errors.New("disk full")
	_, c := start(t, snetest.Options{}, func(cfg *sale.Config) {
		cfg.SavePin = func(bundle.Pin) error { return full }
	})
	if err := c.Connect(t.Context()); !errors.Is(err, full) {
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

func TestCatalogOfThePreviousBundle(t *testing.T) {
	g, c := start(t, snetest.Options{})
	b := g.Bundle()
	b.Seq = 2
	g.SetBundle(b)
	if _, err := c.Catalog(t.Context()); err != nil {
		t.Fatalf("signed under the previous bundle: %v", err)
	}
	b.Seq, b.MinSeq = 3, 3
	g.SetBundle(b)
	if _, err := client(t, g).Catalog(t.Context()); !errors.Is(err, bundle.ErrDead) {
		t.Fatalf("signed under a revoked bundle: %v", err)
	}
}

func TestKeySetIsChecked(t *testing.T) {
	g, c := start(t, snetest.Options{})
	id := snetest.KeySetID(g.KeySet)
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
	hear(t, c, h, recs[1], grant.Keys[1])
	if hits != 2 {
		t.Fatalf("the edge was asked %d times", hits)
	}
}

func TestCallersQueueAndMayLeave(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		once.Do(func() { close(entered); <-release })
		next.ServeHTTP(w, r)
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.Redeem(context.Background(), recs, tokens(t, 2, 0, 1))
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Redeem(ctx, recs, tokens(t, 2, 0, 2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the one in the queue: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if g.Acts() != 1 {
		t.Fatalf("acted %d times", g.Acts())
	}
}

// A caller that gives up leaves a request outstanding; the next one must not
// build another under the same root.
func TestAbandonedExchangeEndsItsSession(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Redeem(ctx, recs, tokens(t, 2, 0, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	g.Intercept(nil)
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 2)); err != nil || g.Sessions() != 2 {
		t.Fatalf("%v, %d sessions", err, g.Sessions())
	}
}
