package sale_test

import (
	"errors"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
)

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

// A session opened under a Bundle that is dead by now is not used again, even
// if the origin would still answer in it.
func TestRevocationEndsTheSession(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil {
		t.Fatal(err)
	}
	b := g.Bundle()
	b.Seq, b.MinSeq = 2, 2
	g.SetBundle(b)
	if _, err := c.Swap(t.Context(), tokens(t, 0, 2, 2)); err != nil { // its handshake learns of the new Bundle
		t.Fatal(err)
	}
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 3)); err != nil || g.Sessions() != 3 {
		t.Fatalf("%v, %d sessions, want one for each message", err, g.Sessions())
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

func TestPinIsStoredBeforeUse(t *testing.T) {
	full := errors.New("disk full")
	_, c := start(t, snetest.Options{}, func(cfg *sale.Config) {
		cfg.SavePin = func(bundle.Pin) error { return full }
	})
	if err := c.Connect(t.Context()); !errors.Is(err, full) {
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
