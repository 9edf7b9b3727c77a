package keyring

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/wire"
)

// TestRevoke revokes a creator and then the keys, and wants both to hold over
// renewals and restarts.
// To see it fail: leave MinSeq or DeadCreators out of the next Bundle.
func TestRevoke(t *testing.T) {
	dir, now := folder(t), start()
	r := open(t, dir, now)
	first := r.Current()
	one, two := wire.ID{1}, wire.ID{2}
	if err := r.Revoke(now, Revocation{Creators: []wire.ID{one}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.ByID(first.ID); !ok || !r.Dead(one) || r.Dead(two) {
		t.Error("a revoked creator kills no keys, and no other creator")
	}
	second := r.Current()
	if err := r.Revoke(now, Revocation{Creators: []wire.ID{one, two}, Keys: true}); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Generation{first, second} {
		if _, ok := r.ByID(g.ID); ok {
			t.Errorf("bundle %d is accepted after its keys were revoked", g.Bundle.Seq)
		}
	}
	if n := len(r.chain.Keys()); n != 2+2+1 {
		t.Errorf("%d keys are left, want root, creator, one bundle's and one key set's", n)
	}
	check := func(r *Ring, when string) {
		t.Helper()
		b, err := bundle.Parse(r.Current().Signed, r.Root())
		if err != nil {
			t.Fatal(err)
		}
		if b.MinSeq != 3 || !slices.Equal(b.DeadCreators, []wire.ID{one, two}) || !r.Dead(two) {
			t.Errorf("%s: min_seq %d, dead %v", when, b.MinSeq, b.DeadCreators)
		}
		pin := bundle.NewPin(bundle.URL{Host: "example.org", Root: r.Root()})
		if pin, err = pin.Accept(b, bundle.Clock{Now: now, Trusted: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := pin.Accept(second.Bundle, bundle.Clock{Now: now, Trusted: true}); !errors.Is(err, bundle.ErrDead) {
			t.Errorf("%s: a hub takes the dead bundle: %v", when, err)
		}
	}
	check(r, "at once")
	r = open(t, dir, now)
	check(r, "after a restart")
	now = now.Add(6 * 24 * time.Hour)
	if changed, err := r.Renew(now); err != nil || !changed {
		t.Fatal(changed, err)
	}
	check(r, "after a renewal")
	many := make([]wire.ID, maxDead)
	for i := range many {
		many[i] = wire.ID{9, byte(i)}
	}
	before := r.Current().ID
	if err := r.Revoke(now, Revocation{Creators: many}); err == nil || r.Current().ID != before || r.Dead(many[0]) {
		t.Errorf("more creators than a bundle can name: %v", err)
	}
}
