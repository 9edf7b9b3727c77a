package sale_test

import (
	"errors"
	"net/http"
	"testing"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
)

// TestLiveIsFollowed walks with a broadcast that grows and meets every way in
// which what a cache, the origin and the session say may disagree.
// To see it fail: let Live pass over continues.
func TestLiveIsFollowed(t *testing.T) {
	g, c := start(t, snetest.Options{})
	l := g.Live(12, 0)
	look := func(head, said int) (*sale.Edge, error) {
		l.Show(head, said)
		return c.Live(t.Context(), g.URL.Broadcast, snetest.LiveTier)
	}
	for _, n := range []int{1, 2, 3, 7, 8} {
		l.FirstForSale = uint64(n / 2)
		e, err := look(n, n)
		if err != nil || e.Head.TreeSize != uint64(n) || e.FirstForSale != uint64(n/2) {
			t.Fatalf("size %d: %+v, %v", n, e, err)
		}
	}
	if e, err := look(10, 9); err != nil || e.Head.TreeSize != 10 {
		t.Errorf("a head that came after the session's word: %+v, %v", e, err)
	}
	if _, err := look(9, 11); !errors.Is(err, manifest.ErrStaleHead) {
		t.Errorf("a head that a cache held back: %v", err)
	}
	if e, err := look(9, 10); err != nil || e.Head.TreeSize != 10 {
		t.Errorf("a stale cache, and the head is in hand: %+v, %v", e, err)
	}
	if h, err := c.Head(t.Context(), g.URL.Broadcast, snetest.LiveTier); err != nil || h.TreeSize != 10 {
		t.Errorf("a stale head took the place of a newer one: %v", err)
	}
	if _, err := c.Live(t.Context(), g.URL.Broadcast, 1); !refused(err, message.CodeNotFound) {
		t.Errorf("a broadcast that is not live: %v", err)
	}
}

// TestHeldBackByACache wants the origin to be asked past its caches.
func TestHeldBackByACache(t *testing.T) {
	g, c := start(t, snetest.Options{})
	l := g.Live(5, 0)
	l.Show(4, 4)
	old := l.Heads[1]
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		res, err := resource.Parse(r.URL.Path)
		if err == nil && res.Kind == resource.Head && r.Header.Get("Cache-Control") == "" {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(old)
			return
		}
		next.ServeHTTP(w, r)
	})
	if e, err := c.Live(t.Context(), g.URL.Broadcast, snetest.LiveTier); err != nil || e.Head.TreeSize != 4 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestTwoStories wants play to stop where a broadcast contradicts itself: the
// session against the Head, or two Heads, of which the second case is an
// exhibit.
func TestTwoStories(t *testing.T) {
	exhibits := 0
	g, c := start(t, snetest.Options{}, func(c *sale.Config) { c.Exhibit = func([]byte) { exhibits++ } })
	l := g.Live(8, 0)
	l.Show(4, 4)
	if _, err := c.Live(t.Context(), g.URL.Broadcast, snetest.LiveTier); err != nil {
		t.Fatal(err)
	}
	other := g.Live(8, 2)
	other.Show(4, 4)
	if _, err := c.Live(t.Context(), g.URL.Broadcast, snetest.LiveTier); !errors.Is(err, manifest.ErrHead) {
		t.Errorf("another root of the same size: %v", err)
	}
	if exhibits != 1 {
		t.Errorf("%d exhibits", exhibits)
	}
	other.Show(6, 6)
	if _, err := c.Head(t.Context(), g.URL.Broadcast, snetest.LiveTier); !errors.Is(err, manifest.ErrHead) {
		t.Errorf("a longer head that does not continue: %v", err)
	}
	late := client(t, g)
	l.Show(6, 6)
	g.SetFile(resource.Resource{Kind: resource.Head, ID: g.URL.Broadcast, Tier: snetest.LiveTier}, other.Heads[6])
	if _, err := late.Live(t.Context(), g.URL.Broadcast, snetest.LiveTier); !errors.Is(err, manifest.ErrHead) {
		t.Errorf("a head that does not continue what the session says: %v", err)
	}
}

// TestRevokedInTheMiddle stops a listener who holds a verified Head, and still
// lets him learn how his purchase ended.
func TestRevokedInTheMiddle(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 2, 2)
	body := tokens(t, 4, 3, 1)
	if _, err := c.Redeem(t.Context(), recs, body); err != nil {
		t.Fatal(err)
	}
	b := g.Bundle()
	b.Seq, b.MinSeq = 2, 2
	b.DeadCreators = append(b.DeadCreators, g.Creator.Public().KeyID())
	g.SetBundle(b)
	g.ForgetSessions()
	rng := message.Range{Broadcast: g.URL.Broadcast, Tier: tier, First: 2, N: 2}
	grant, err := c.Follow(t.Context(), rng, body) // its handshake finds the new Bundle
	if err != nil || grant.AmountMsat != 400 || len(grant.Keys) != 0 || len(grant.Evals) == 0 || g.Acts() != 1 {
		t.Errorf("%+v, %v, %d acts", grant, err, g.Acts())
	}
	if _, err := c.Head(t.Context(), g.URL.Broadcast, tier); !errors.Is(err, manifest.ErrRevoked) {
		t.Errorf("a head by a dead creator: %v", err)
	}
}

func refused(err error, code message.ErrorCode) bool {
	var e *message.Error
	return errors.As(err, &e) && e.Code == code
}
