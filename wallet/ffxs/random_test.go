package ffxs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/railtest"
)

// TestRandomLife tops up, buys, gets refused, swaps and restarts in random
// order over a network that loses a fifth of everything. After every act
//
//	topped up = free + set aside + lost + spent
//
// and in the end nothing is lost and the origin's sums are the purse's.
func TestRandomLife(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomLife(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

// reopen is another purse on the same file.
func reopen(t *testing.T, s *railtest.Subject, o ffxs.Origin) *ffxs.Purse {
	t.Helper()
	p := newPurse(t, o)
	if err := p.Open(t.Context(), s.Store); err != nil {
		t.Fatal(err)
	}
	s.Rail = p
	return p
}

// affordable draws a price that the purse can pay at this moment.
func affordable(t *testing.T, s *railtest.Subject, i *wallet.Intent, rnd *rand.Rand) bool {
	t.Helper()
	i.Price = 1 + wallet.Msat(rnd.IntN(9_000))
	_, err := s.Rail.Quote(t.Context(), *i)
	return err == nil
}

func randomLife(t *testing.T, rnd *rand.Rand) {
	s, p, o := empty(t)
	lost, calm := errors.New("network"), false
	flaky := func(string) error {
		if !calm && rnd.IntN(5) == 0 {
			return lost
		}
		return nil
	}
	o.Before, o.After = flaky, flaky
	must := func(err error) {
		t.Helper()
		// A top-up that never arrived is refused once the key set has changed.
		if err != nil && !errors.Is(err, lost) && !errors.Is(err, ffxs.ErrRefused) {
			t.Fatal(err)
		}
	}
	var codes []string
	open := map[string]wallet.Intent{} // purchases whose end is not known
	bodies := map[string]wallet.Proof{}
	finish := func(id string) {
		i := open[id]
		r, err := o.Show(bodies[id], i.Price)
		if err != nil {
			return
		}
		if r.Outcome != wallet.Granted {
			t.Fatalf("%s: outcome %d: %s", id, r.Outcome, r.Reason)
		}
		fault, err := settle(t, s, id, r)
		if fault != "" || err != nil {
			t.Fatalf("%q, %v", fault, err)
		}
		delete(open, id)
	}
	for n := range 60 {
		switch rnd.IntN(8) {
		case 0:
			codes = append(codes, o.Voucher(t, 1+rnd.Uint64N(300)))
			_, err := p.TopUp(t.Context(), root, codes[len(codes)-1])
			must(err)
		case 1:
			if rnd.IntN(4) == 0 && n < 40 {
				o.Rotate(t)
			}
			must(p.Refresh(t.Context(), root))
		case 2:
			must(p.Finish(t.Context(), root))
			p = reopen(t, s, o)
		case 3: // refused without having been shown
			id := fmt.Sprint("r", n)
			if i := s.Intent(uint64(5 * n)); affordable(t, s, &i, rnd) {
				prepare(t, s, id, i)
				if _, err := settle(t, s, id, wallet.Receipt{Outcome: wallet.Refused}); err != nil {
					t.Fatal(err)
				}
			}
		default:
			id := fmt.Sprint("p", n)
			if i := s.Intent(uint64(5 * n)); affordable(t, s, &i, rnd) {
				bodies[id], open[id] = prepare(t, s, id, i), i
				finish(id)
			}
		}
		audit(t, s)
	}
	calm = true
	for _, code := range codes {
		if _, err := p.TopUp(t.Context(), root, code); err != nil && !errors.Is(err, ffxs.ErrVoucherUsed) {
			t.Fatal(err)
		}
	}
	if err := p.Finish(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	for id := range open {
		finish(id)
	}
	audit(t, s)
	got := sums(t, p)
	if want := (ffxs.Sums{ToppedUp: o.Issued(), Free: o.Issued() - o.Income(), Spent: o.Income()}); got != want {
		t.Fatalf("purse %+v, origin says %+v", got, want)
	}
	if twice := o.SoldTwice(); len(twice) > 0 {
		t.Fatalf("sold twice: %v", twice)
	}
}
