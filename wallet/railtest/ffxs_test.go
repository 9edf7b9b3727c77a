package railtest_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ledger"
)

// hub is a ledger over a purse over one origin.
type hub struct {
	*ledger.Ledger
	purse  *ffxs.Purse
	origin *ffxstest.Origin
	now    *atomic.Int64 // ms since 1970
}

func newHub(t testing.TB, units uint64, caps wallet.Caps) *hub {
	t.Helper()
	h := &hub{origin: ffxstest.New(t), now: &atomic.Int64{}}
	h.now.Store(1_800_000_000_000)
	h.purse = newPurse(t, h.origin, nil)
	h.Ledger = open(t, ledger.Config{
		Path: filepath.Join(folder(t), "money.db"), Rails: []wallet.Rail{h.purse}, Caps: caps,
		Now: func() time.Time { return time.UnixMilli(h.now.Load()) },
	})
	if _, err := h.purse.TopUp(t.Context(), root, h.origin.Voucher(t, units)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hub) intent(first uint64, tier uint16) wallet.Intent {
	return wallet.Intent{Goods: wallet.Goods{Root: root, Broadcast: "b", Tier: tier, First: first, N: 1, Epoch: 2 * time.Second}, Price: 1000}
}

func (h *hub) state(t *testing.T, id string) ledger.State {
	t.Helper()
	entries, err := h.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.ID == id {
			return e.State
		}
	}
	return ""
}

// Purchases nobody came back to: the one that was never shown gives its money
// back, the one that was shown is paid, and what the network hides stays in
// flight.
func TestAbandonedPurchasesEnd(t *testing.T) {
	h := newHub(t, 500, wallet.Caps{Hour: 1_000_000})
	unshown, err := h.Buy(t.Context(), h.intent(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := h.Buy(t.Context(), h.intent(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.origin.Show(shown, 1000); err != nil {
		t.Fatal(err)
	}
	h.now.Add((25 * time.Hour).Milliseconds())
	away := errors.New("away")
	h.origin.After = func(string) error { return away } // the exchanges arrive, their answers do not
	if err := h.Expire(t.Context()); !errors.Is(err, away) {
		t.Fatal(err)
	}
	if a, b := h.state(t, unshown.ID), h.state(t, shown.ID); a != ledger.Redeeming || b != ledger.Redeeming {
		t.Fatalf("%s and %s while the origin is away", a, b)
	}
	h.origin.After = nil
	// Shown now, the first body is called spent, by its own exchange: not lost.
	left, err := h.Recover(t.Context(), func(_ context.Context, p wallet.Proof) (wallet.Receipt, error) {
		if p.ID != unshown.ID {
			return wallet.Receipt{}, away
		}
		return h.origin.Show(p, 1000)
	})
	if left != 2 || err == nil {
		t.Fatalf("%d left, %v", left, err)
	}
	if err := h.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := h.state(t, unshown.ID), h.state(t, shown.ID); a != ledger.Failed || b != ledger.Lost {
		t.Fatalf("%s and %s", a, b)
	}
	if err := h.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := h.Spending(t.Context())
	if err != nil || s.InFlight != 0 || s.TotalPaid != 1000 || s.TotalPaid != wallet.Msat(h.origin.Income())*100 {
		t.Fatalf("%+v, %v, origin earned %d", s, err, h.origin.Income())
	}
}

// Change that lies makes the purchase faulty and blocks the origin.
func TestLyingChangeBlocks(t *testing.T) {
	h := newHub(t, 64, wallet.Caps{})
	h.origin.Rotate(t)
	if err := h.purse.Refresh(t.Context(), root); err != nil { // one token of 64: change is certain
		t.Fatal(err)
	}
	h.origin.Tamper = func(_ string, b []byte) []byte { b[len(b)-1] ^= 1; return b }
	p, err := h.Buy(t.Context(), h.intent(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.origin.Show(p, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(t.Context(), p.ID, r); err != nil {
		t.Fatal(err)
	}
	var b *wallet.BlockedError
	if _, err := h.Buy(t.Context(), h.intent(1, 1)); h.state(t, p.ID) != ledger.Faulty || !errors.As(err, &b) {
		t.Fatalf("%s, %v", h.state(t, p.ID), err)
	}
	if err := h.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Many rooms play at once: every buyer gets his own tokens, and goods that
// two want at the same time are bought once.
func TestConcurrentBuyers(t *testing.T) {
	h := newHub(t, 3_000, wallet.Caps{})
	var wg sync.WaitGroup
	for tier := range uint16(8) {
		wg.Go(func() {
			for n := range uint64(6) {
				h.playWhenItFits(t, h.intent(n, tier/2)) // two buyers a tier
			}
		})
	}
	wg.Wait()
	if err := h.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	tot, err := h.Totals(t.Context())
	if err != nil || tot.Cost != 4*6*1000 || tot.Cost != wallet.Msat(h.origin.Income())*100 || tot.InFlight != 0 || len(h.origin.SoldTwice()) != 0 {
		t.Fatalf("%+v, %v, origin earned %d, sold twice %v", tot, err, h.origin.Income(), h.origin.SoldTwice())
	}
}

// playWhenItFits buys an epoch, and tries again while the exposure window is full.
func (h *hub) playWhenItFits(t *testing.T, i wallet.Intent) {
	for {
		p, err := h.Buy(t.Context(), i)
		var full *wallet.ExposureError
		if errors.As(err, &full) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		r, err := h.origin.Show(p, i.Price)
		if err == nil {
			err = h.Settle(t.Context(), p.ID, r)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
}

// BenchmarkBuySettle is one purchase from Buy to Heard, with the origin's own
// work (verify, evaluate) told apart.
func BenchmarkBuySettle(b *testing.B) {
	h := newHub(b, 100_000, wallet.Caps{})
	var origin time.Duration
	n := uint64(0)
	for b.Loop() {
		n++
		h.now.Add(2000) // as it is heard: the caps are not what is measured
		i := h.intent(n, 1)
		p, err := h.Buy(b.Context(), i)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		r, err := h.origin.Show(p, i.Price)
		origin += time.Since(start)
		if err != nil || r.Outcome != wallet.Granted {
			b.Fatal(err, r)
		}
		if err := h.Settle(b.Context(), p.ID, r); err != nil {
			b.Fatal(err)
		}
		if err := h.Heard(b.Context(), p.ID, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(origin.Microseconds())/float64(n), "origin-us/op")
	b.ReportMetric(float64((b.Elapsed()-origin).Microseconds())/float64(n), "hub-us/op")
}
