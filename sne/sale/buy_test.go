package sale_test

import (
	"errors"
	"strings"
	"testing"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

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
