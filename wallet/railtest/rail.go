package railtest

import (
	"errors"
	"testing"
	"time"

	"sonahub/wallet"
)

// Subject is a rail with money on it, and the other side of its purchases.
type Subject struct {
	Rail   wallet.Rail
	Store  wallet.Store
	Root   string
	Funds  wallet.Msat                  // what was put on it
	Reopen func(testing.TB) wallet.Rail // another rail on the same store, as after a crash
	// Show presents a paid proof to the other side.
	Show func(wallet.Proof, wallet.Msat) (wallet.Receipt, error)
}

// Intent is a purchase of five epochs that begins at first.
func (s *Subject) Intent(first uint64) wallet.Intent {
	return wallet.Intent{
		Goods: wallet.Goods{Root: s.Root, Broadcast: "b", Tier: 2, First: first, N: 5, Epoch: 2 * time.Second},
		Price: 4_950, // not a whole number of units of 100
	}
}

// Rail runs the suite; every test gets a new subject.
func Rail(t *testing.T, fresh func(*testing.T) *Subject) {
	for name, test := range map[string]func(*testing.T, *Subject){
		"Granted":         granted,
		"Refused":         refused,
		"Lost":            lost,
		"Faulty":          faulty,
		"RollbackIsWhole": rollback,
		"CrashThenShow":   crashThenShow,
		"CrashThenResume": crashThenResume,
		"ResumeAfterShow": resumeAfterShow,
		"Empty":           empty,
		"UntilEmpty":      untilEmpty,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func (s *Subject) balance(t *testing.T) wallet.Msat {
	t.Helper()
	var b, all wallet.Msat
	err := s.Store.View(t.Context(), func(tx wallet.Tx) (err error) {
		if b, err = s.Rail.Balance(t.Context(), tx, s.Root); err != nil {
			return err
		}
		all, err = s.Rail.Balance(t.Context(), tx, "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if all != b {
		t.Fatalf("%s at the only root, %s in all", b, all)
	}
	return b
}

// movement reads the audit and returns what it says of one purchase.
func (s *Subject) movement(t *testing.T, id string) wallet.Movement {
	t.Helper()
	var moves []wallet.Movement
	err := s.Store.View(t.Context(), func(tx wallet.Tx) (err error) {
		moves, err = s.Rail.Audit(t.Context(), tx)
		return err
	})
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	for _, m := range moves {
		if m.ID == id {
			return m
		}
	}
	return wallet.Movement{}
}

func (s *Subject) expect(t *testing.T, id string, q wallet.Quote, state wallet.MovementState, balance wallet.Msat) {
	t.Helper()
	if got := s.balance(t); got != balance {
		t.Errorf("balance %s, want %s", got, balance)
	}
	if m := s.movement(t, id); m.State != state || m.Cost != q.Cost {
		t.Errorf("movement %s at %s, want %s at %s", m.State, m.Cost, state, q.Cost)
	}
}

// buy sets money aside and pays, as a ledger does.
func (s *Subject) buy(t *testing.T, id string, i wallet.Intent) (wallet.Proof, wallet.Quote) {
	t.Helper()
	before := s.balance(t)
	q, err := s.Rail.Quote(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if q.Cost < i.Price || q.Fee < 0 {
		t.Fatalf("quote %+v for a price of %s", q, i.Price)
	}
	if after := s.balance(t); after != before {
		t.Fatalf("a quote moved %s", before-after)
	}
	p := wallet.Proof{ID: id, Rail: s.Rail.Number(), Goods: i.Goods, Amount: q.Cost}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) (err error) {
		p.Body, err = s.Rail.Prepare(t.Context(), tx, id, i, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := s.movement(t, id); m.State != wallet.MoneyHeld {
		t.Fatalf("money that was set aside is %q", m.State)
	}
	if p.Body, err = s.Rail.Pay(t.Context(), id, p.Body); err != nil {
		t.Fatal(err)
	}
	return p, q
}

func (s *Subject) settle(t *testing.T, id string, r wallet.Receipt) {
	t.Helper()
	err := s.Store.Update(t.Context(), func(tx wallet.Tx) error {
		fault, err := s.Rail.Settle(t.Context(), tx, id, r)
		if fault != "" {
			t.Errorf("fault %q in an honest answer", fault)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Subject) show(t *testing.T, p wallet.Proof, i wallet.Intent) wallet.Receipt {
	t.Helper()
	r, err := s.Show(p, i.Price)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func granted(t *testing.T, s *Subject) {
	i := s.Intent(0)
	p, q := s.buy(t, "one", i)
	r := s.show(t, p, i)
	if r.Outcome != wallet.Granted {
		t.Fatalf("outcome %d: %s", r.Outcome, r.Reason)
	}
	again := s.show(t, p, i)
	if again.Outcome != wallet.Granted {
		t.Fatalf("shown again: outcome %d: %s", again.Outcome, again.Reason)
	}
	s.settle(t, "one", r)
	s.expect(t, "one", q, wallet.MoneySpent, s.Funds-q.Cost)
	s.settle(t, "one", again)
	s.settle(t, "one", wallet.Receipt{Outcome: wallet.Refused})
	s.expect(t, "one", q, wallet.MoneySpent, s.Funds-q.Cost)
}

func refused(t *testing.T, s *Subject) {
	_, q := s.buy(t, "one", s.Intent(0))
	s.settle(t, "one", wallet.Receipt{Outcome: wallet.Refused})
	s.settle(t, "one", wallet.Receipt{Outcome: wallet.Refused})
	s.expect(t, "one", q, wallet.MoneyFreed, s.Funds)
	// What came back can be spent.
	p, q := s.buy(t, "two", s.Intent(5))
	r := s.show(t, p, s.Intent(5))
	s.settle(t, "two", r)
	s.expect(t, "two", q, wallet.MoneySpent, s.Funds-q.Cost)
}

func lost(t *testing.T, s *Subject) {
	_, q := s.buy(t, "one", s.Intent(0))
	s.settle(t, "one", wallet.Receipt{Outcome: wallet.Lost})
	if m := s.movement(t, "one"); m.State != wallet.MoneyLost || m.Cost != q.Cost {
		t.Fatalf("movement %+v", m)
	}
	if b := s.balance(t); b > s.Funds-q.Cost {
		t.Fatalf("balance %s after a loss of %s", b, q.Cost)
	}
	s.settle(t, "one", wallet.Receipt{Outcome: wallet.Refused}) // too late to give back
	if m := s.movement(t, "one"); m.State != wallet.MoneyLost {
		t.Fatalf("lost money came back as %s", m.State)
	}
}

func faulty(t *testing.T, s *Subject) {
	i := s.Intent(0)
	p, q := s.buy(t, "one", i)
	r := s.show(t, p, i)
	r.Outcome = wallet.Faulty
	s.settle(t, "one", r)
	s.expect(t, "one", q, wallet.MoneySpent, s.Funds-q.Cost)
}

func rollback(t *testing.T, s *Subject) {
	stop := errors.New("stop")
	i := s.Intent(0)
	q, err := s.Rail.Quote(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) error {
		if _, err := s.Rail.Prepare(t.Context(), tx, "one", i, q); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if m := s.movement(t, "one"); m != (wallet.Movement{}) || s.balance(t) != s.Funds {
		t.Fatalf("a transaction that failed left %+v and %s", m, s.balance(t))
	}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) error {
		_, err := s.Rail.Settle(t.Context(), tx, "one", wallet.Receipt{Outcome: wallet.Refused})
		return err
	})
	if err == nil {
		t.Fatal("a purchase that never was could be settled")
	}
}

func crashThenShow(t *testing.T, s *Subject) {
	i := s.Intent(0)
	p, q := s.buy(t, "one", i)
	s.show(t, p, i) // the answer gets lost
	s.Rail = s.Reopen(t)
	var err error
	if p.Body, err = s.Rail.Pay(t.Context(), "one", p.Body); err != nil {
		t.Fatal(err)
	}
	r := s.show(t, p, i)
	s.settle(t, "one", r)
	s.expect(t, "one", q, wallet.MoneySpent, s.Funds-q.Cost)
}

func crashThenResume(t *testing.T, s *Subject) {
	i := s.Intent(0)
	q, err := s.Rail.Quote(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) error {
		_, err := s.Rail.Prepare(t.Context(), tx, "one", i, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Dies before anything was sent; dies again after asking.
	s.Rail = s.Reopen(t)
	if r, err := s.Rail.Resume(t.Context(), "one"); err != nil || r.Outcome != wallet.Refused {
		t.Fatalf("outcome %d, %v", r.Outcome, err)
	}
	s.Rail = s.Reopen(t)
	r, err := s.Rail.Resume(t.Context(), "one")
	if err != nil || r.Outcome != wallet.Refused {
		t.Fatalf("outcome %d, %v", r.Outcome, err)
	}
	s.settle(t, "one", r)
	s.expect(t, "one", q, wallet.MoneyFreed, s.Funds)
}

func resumeAfterShow(t *testing.T, s *Subject) {
	i := s.Intent(0)
	p, q := s.buy(t, "one", i)
	s.show(t, p, i) // paid; the answer gets lost
	s.Rail = s.Reopen(t)
	r, err := s.Rail.Resume(t.Context(), "one")
	if err != nil || r.Outcome == wallet.Refused {
		t.Fatalf("paid money is said to be free: outcome %d, %v", r.Outcome, err)
	}
	s.settle(t, "one", r)
	if m := s.movement(t, "one"); m.Cost != q.Cost || (m.State != wallet.MoneyLost && m.State != wallet.MoneySpent) {
		t.Fatalf("movement %+v", m)
	}
}

func empty(t *testing.T, s *Subject) {
	i := s.Intent(0)
	i.Price = s.Funds + 1
	_, err := s.Rail.Quote(t.Context(), i)
	var e *wallet.EmptyError
	if !errors.As(err, &e) || e.Balance != s.Funds || e.Asked < i.Price {
		t.Fatalf("%v", err)
	}
}

// untilEmpty spends everything: no money may be stuck in the purse.
func untilEmpty(t *testing.T, s *Subject) {
	for n := uint64(0); ; n += 5 {
		i := s.Intent(n)
		left := s.balance(t)
		if left == 0 {
			return
		}
		i.Price = min(i.Price, left)
		id := "p" + time.Duration(n).String()
		p, q := s.buy(t, id, i)
		r := s.show(t, p, i)
		if r.Outcome != wallet.Granted {
			t.Fatalf("purchase %s: outcome %d: %s", id, r.Outcome, r.Reason)
		}
		s.settle(t, id, r)
		s.expect(t, id, q, wallet.MoneySpent, left-q.Cost)
	}
}
