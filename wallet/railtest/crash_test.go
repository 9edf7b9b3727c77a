package railtest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ledger"
)

// life is one run of a hub's money, from start to death. It dies at a step by
// leaving its goroutine for ever, after the files were copied as they lay
// there: what a killed process leaves to the next one.
type life struct {
	t      *testing.T
	origin *ffxstest.Origin
	dir    string
	dieAt  int // number of the step; 0 = lives on
	heir   string
	steps  []string

	ledger *ledger.Ledger
	purse  *ffxs.Purse
}

func (f *life) step(name string) {
	f.steps = append(f.steps, name)
	if len(f.steps) != f.dieAt {
		return
	}
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(f.dir, "money.db"+suffix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			f.t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(f.heir, "money.db"+suffix), b, 0o600); err != nil {
			f.t.Error(err)
		}
	}
	runtime.Goexit()
}

// run lives: it opens the files, finishes what is open, plays, and says
// whether it came to its end.
func (f *life) run(play func(*life)) (finished bool) {
	done := make(chan struct{})
	go func() { // ends at the step where it dies, or with the play; waited for below
		defer close(done)
		f.purse = newPurse(f.t, f.origin, f.step)
		l, err := ledger.Open(f.t.Context(), ledger.Config{Path: filepath.Join(f.dir, "money.db"), Key: newKey(f.t), Rails: []wallet.Rail{f.purse}, Step: f.step})
		if err != nil {
			f.t.Error(err)
			return
		}
		f.ledger = l
		f.check(f.purse.Finish(f.t.Context(), root))
		_, err = l.Recover(f.t.Context(), f.show)
		f.check(err)
		play(f)
		finished = true
	}()
	<-done
	return finished
}

func (f *life) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Error(err)
		runtime.Goexit()
	}
}

const agreed = wallet.Msat(1_950)

// notForSale is an epoch that the origin refuses.
const notForSale = 100

func (f *life) show(_ context.Context, p wallet.Proof) (wallet.Receipt, error) {
	if p.First == notForSale {
		return wallet.Receipt{Outcome: wallet.Refused, Reason: "not for sale"}, nil
	}
	r, err := f.origin.Show(p, agreed)
	f.step("shown")
	return r, err
}

func (f *life) intent(first uint64) wallet.Intent {
	return wallet.Intent{Goods: wallet.Goods{Root: root, Broadcast: "b", Tier: 2, First: first, N: 2, Epoch: 2 * time.Second}, Price: agreed, Rooms: []string{"attic"}}
}

// listen hears two epochs, unless an earlier life did.
func (f *life) listen(first uint64) {
	entries, err := f.ledger.Entries(f.t.Context())
	f.check(err)
	if slices.ContainsFunc(entries, func(e ledger.Entry) bool { return e.First == first && e.State == ledger.Done }) {
		return
	}
	p, err := f.ledger.Buy(f.t.Context(), f.intent(first))
	f.check(err)
	r, err := f.show(f.t.Context(), p)
	f.check(err)
	if r.Outcome != wallet.Granted {
		f.t.Errorf("epoch %d: outcome %d: %s", first, r.Outcome, r.Reason)
	}
	f.check(f.ledger.Settle(f.t.Context(), p.ID, r))
	for n := 1; n <= 2; n++ {
		f.check(f.ledger.Heard(f.t.Context(), p.ID, n))
	}
}

func (f *life) topUp(code string) {
	if _, err := f.purse.TopUp(f.t.Context(), root, code); !errors.Is(err, ffxs.ErrVoucherUsed) {
		f.check(err)
	}
}

// TestCrashAtEveryStep kills the hub at each step in turn, and its heir at a
// random later one. Whatever happens: ledger, purse and origin agree, no
// epoch is paid twice, and every unit that is left can be spent.
func TestCrashAtEveryStep(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for at := 1; ; at++ {
		o := ffxstest.New(t)
		code, rotated := o.Voucher(t, 150), false
		play := func(f *life) {
			f.topUp(code)
			f.listen(0)
			f.listen(2)
			f.beRefused()
			if !rotated {
				rotated = true
				o.Rotate(t)
			}
			f.check(f.purse.Refresh(t.Context(), root))
			f.listen(4)
		}
		base := folder(t)
		f := &life{t: t, origin: o, dieAt: at}
		for n := 0; ; n++ {
			f.dir = filepath.Join(base, string(rune('a'+n)))
			f.heir = filepath.Join(base, string(rune('b'+n)))
			if err := errors.Join(os.MkdirAll(f.dir, 0o700), os.MkdirAll(f.heir, 0o700)); err != nil {
				t.Fatal(err)
			}
			if f.run(play) || t.Failed() {
				break
			}
			seen[f.steps[len(f.steps)-1]] = true
			f = &life{t: t, origin: o}
			if n == 0 {
				f.dieAt = 1 + rnd.IntN(12)
			}
		}
		if t.Failed() {
			t.Fatalf("killed at step %d; steps of the last life: %v", at, f.steps)
		}
		first := f.dieAt == at && f.dieAt > len(f.steps)
		f.dieAt = 0
		f.agree(o)
		if first {
			break // the first life came to its end: every step was tried
		}
	}
	for _, s := range append(append(ledger.Steps(), ffxs.Steps()...), "shown") {
		if !seen[s] && s != ledger.StepPaid { // no bearer rail comes to "paid"
			t.Errorf("nobody died at %q", s)
		}
	}
}

// beRefused buys what is not for sale: the money comes back.
func (f *life) beRefused() {
	p, err := f.ledger.Buy(f.t.Context(), f.intent(notForSale))
	f.check(err)
	r, err := f.show(f.t.Context(), p)
	f.check(err)
	f.check(f.ledger.Settle(f.t.Context(), p.ID, r))
}

// agree compares the three books, then spends what is left.
func (f *life) agree(o *ffxstest.Origin) {
	t := f.t
	t.Helper()
	if err := f.ledger.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	tot, err := f.ledger.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sums, err := f.purse.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := sums[root]
	if tot.Cost != wallet.Msat(o.Income())*100 || tot.InFlight != 0 || tot.Lost != 0 || tot.Faulty != 0 {
		t.Fatalf("ledger %+v, origin earned %d units", tot, o.Income())
	}
	if s.ToppedUp != o.Issued() || s.Spent != o.Income() || s.Free != o.Issued()-o.Income() || s.Held != 0 {
		t.Fatalf("purse %+v, origin issued %d and earned %d", s, o.Issued(), o.Income())
	}
	if twice := o.SoldTwice(); len(twice) != 0 {
		t.Fatalf("paid twice: %v", twice)
	}
	left := s.Free / 20 // purchases of 20 units
	for n := range left {
		p, err := f.ledger.Buy(t.Context(), f.intent(1000+2*n))
		if err != nil {
			t.Fatalf("with %d units left: %v", s.Free-20*n, err)
		}
		r, err := o.Show(p, agreed)
		if err != nil || r.Outcome != wallet.Granted {
			t.Fatalf("outcome %d, %v: %s", r.Outcome, err, r.Reason)
		}
		if err := f.ledger.Settle(t.Context(), p.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.ledger.Close(); err != nil {
		t.Fatal(err)
	}
}
