package railtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sonahub/wallet"
)

// Books is a Payer with what the suite needs to look into it.
type Books interface {
	wallet.Payer
	Spending(ctx context.Context) (wallet.Spending, error)
	SetCaps(ctx context.Context, c wallet.Caps) error
	Unblock(ctx context.Context, root string) error
	Verify(ctx context.Context) error
	Close() error
}

// PayerSubject is a payer with money on one rail.
type PayerSubject struct {
	Payer  Books
	Root   string
	Funds  wallet.Msat
	Show   func(wallet.Proof, wallet.Msat) (wallet.Receipt, error)
	Reopen func(testing.TB) Books // the same files, as after a crash
}

const price = wallet.Msat(2_000) // of four seconds at 500 msat/s: the whole window at the start

// Intent is a purchase of two epochs.
func (s *PayerSubject) Intent(first uint64, rooms ...string) wallet.Intent {
	return wallet.Intent{
		Goods: wallet.Goods{Root: s.Root, Broadcast: "b", Tier: 2, First: first, N: 2, Epoch: 2 * time.Second},
		Price: price, Rooms: rooms,
	}
}

// Payer runs the suite; every test gets a new subject.
func Payer(t *testing.T, fresh func(*testing.T) *PayerSubject) {
	for name, test := range map[string]func(*testing.T, *PayerSubject){
		"BoughtOnce":       boughtOnce,
		"RestartKeepsAll":  restartKeepsAll,
		"Overlap":          overlap,
		"RefusedIsBack":    refusedIsBack,
		"FaultyBlocks":     faultyBlocks,
		"LostIsFinal":      lostIsFinal,
		"WindowGrows":      windowGrows,
		"CapsTogether":     capsTogether,
		"RoomCap":          roomCap,
		"BadIntents":       badIntents,
		"HeardEndsIt":      heardEndsIt,
		"SettledThenFault": settledThenFault,
		"Overcharged":      overcharged,
	} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t)
			test(t, s)
			if err := s.Payer.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func (s *PayerSubject) buy(t *testing.T, i wallet.Intent) wallet.Proof {
	t.Helper()
	p, err := s.Payer.Buy(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if p.Amount < i.Price || len(p.Body) == 0 {
		t.Fatalf("proof of %s with %d bytes", p.Amount, len(p.Body))
	}
	return p
}

func (s *PayerSubject) settle(t *testing.T, id string, r wallet.Receipt) {
	t.Helper()
	if err := s.Payer.Settle(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

// grant buys, shows and settles.
func (s *PayerSubject) grant(t *testing.T, i wallet.Intent) wallet.Proof {
	t.Helper()
	p := s.buy(t, i)
	r, err := s.Show(p, i.Price)
	if err != nil || r.Outcome != wallet.Granted {
		t.Fatalf("outcome %d, %v: %s", r.Outcome, err, r.Reason)
	}
	s.settle(t, p.ID, r)
	return p
}

func (s *PayerSubject) spending(t *testing.T) wallet.Spending {
	t.Helper()
	sp, err := s.Payer.Spending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func (s *PayerSubject) owned(t *testing.T) []wallet.Proof {
	t.Helper()
	out, err := s.Payer.Owned(t.Context(), s.Root, "b", 2)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func boughtOnce(t *testing.T, s *PayerSubject) {
	a := s.buy(t, s.Intent(0))
	if sp := s.spending(t); sp.InFlight != a.Amount || sp.HourSpent != a.Amount || sp.Balance > s.Funds-a.Amount || sp.TotalPaid != 0 {
		t.Fatalf("in flight: %+v", sp)
	}
	for _, first := range []uint64{0, 1} {
		b := s.buy(t, s.Intent(first))
		if b.ID != a.ID || string(b.Body) != string(a.Body) || b.First != 0 || b.N != 2 {
			t.Fatalf("epoch %d was bought again", first)
		}
	}
	r, err := s.Show(a, price)
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t, a.ID, r)
	s.settle(t, a.ID, r)
	if b := s.buy(t, s.Intent(1)); b.ID != a.ID || string(b.Body) != string(a.Body) {
		t.Fatal("a paid epoch was bought again")
	}
	sp := s.spending(t)
	if sp.InFlight != 0 || sp.DayBought != a.Amount || sp.TotalPaid != a.Amount || sp.DayHeard != 0 || sp.Balance != s.Funds-a.Amount {
		t.Fatalf("settled: %+v", sp)
	}
}

func restartKeepsAll(t *testing.T, s *PayerSubject) {
	a := s.grant(t, s.Intent(0))
	b := s.buy(t, s.Intent(2))
	if err := s.Payer.Heard(t.Context(), a.ID, 1); err != nil {
		t.Fatal(err)
	}
	s.Payer = s.Reopen(t)
	have := s.owned(t)
	if len(have) != 2 || have[0].ID != a.ID || have[1].ID != b.ID || have[0].Heard != 1 || string(have[1].Body) != string(b.Body) {
		t.Fatalf("owned after a restart: %v", have)
	}
	for _, p := range have { // both still open, at no cost
		r, err := s.Show(p, price)
		if err != nil || r.Outcome != wallet.Granted {
			t.Fatalf("outcome %d, %v", r.Outcome, err)
		}
		s.settle(t, p.ID, r)
	}
	if sp := s.spending(t); sp.Balance != s.Funds-a.Amount-b.Amount {
		t.Fatalf("balance %s", sp.Balance)
	}
}

func overlap(t *testing.T, s *PayerSubject) {
	s.grant(t, s.Intent(3))
	_, err := s.Payer.Buy(t.Context(), s.Intent(2))
	var o *wallet.OverlapError
	if !errors.As(err, &o) || o.Next != 3 {
		t.Fatalf("%v", err)
	}
	i := s.Intent(2)
	i.N, i.Price = 1, price/2
	s.grant(t, i)
	other := s.Intent(3)
	other.Tier = 1
	s.grant(t, other) // another tier is other goods
}

func refusedIsBack(t *testing.T, s *PayerSubject) {
	p := s.buy(t, s.Intent(0))
	r := wallet.Receipt{Outcome: wallet.Refused, Reason: "not for sale"}
	s.settle(t, p.ID, r)
	s.settle(t, p.ID, r)
	sp := s.spending(t)
	if sp.Balance != s.Funds || sp.HourSpent != 0 || sp.InFlight != 0 || len(s.owned(t)) != 0 {
		t.Fatalf("after a refusal: %+v", sp)
	}
	if err := s.Payer.Settle(t.Context(), p.ID, wallet.Receipt{Outcome: wallet.Granted, Amount: price}); err == nil {
		t.Fatal("money that is back was spent")
	}
	if q := s.grant(t, s.Intent(0)); q.ID == p.ID {
		t.Fatal("a refused purchase came back to life")
	}
}

func faultyBlocks(t *testing.T, s *PayerSubject) {
	p := s.buy(t, s.Intent(0))
	r, err := s.Show(p, price)
	if err != nil {
		t.Fatal(err)
	}
	r.Outcome, r.Reason = wallet.Faulty, "key of epoch 1 does not fit"
	s.settle(t, p.ID, r)
	s.settle(t, p.ID, r)
	var b *wallet.BlockedError
	if _, err := s.Payer.Buy(t.Context(), s.Intent(4)); !errors.As(err, &b) || b.Root != s.Root || b.Reason != r.Reason {
		t.Fatalf("%v", err)
	}
	if sp := s.spending(t); sp.TotalPaid != p.Amount || sp.HourSpent != p.Amount {
		t.Fatalf("money for bad goods: %+v", sp)
	}
	if err := s.Payer.Unblock(t.Context(), s.Root); err != nil {
		t.Fatal(err)
	}
	s.grant(t, s.Intent(4))
}

func lostIsFinal(t *testing.T, s *PayerSubject) {
	p := s.buy(t, s.Intent(0))
	s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Lost, Reason: "spent"})
	if len(s.owned(t)) != 0 {
		t.Fatal("a lost purchase is still owned")
	}
	if sp := s.spending(t); sp.TotalPaid != p.Amount || sp.InFlight != 0 {
		t.Fatalf("%+v", sp)
	}
	if err := s.Payer.Settle(t.Context(), p.ID, wallet.Receipt{Outcome: wallet.Refused}); err == nil {
		t.Fatal("lost money came back")
	}
	// An origin that goes on losing money is stopped.
	var b *wallet.BlockedError
	for n := uint64(2); n < 20; n += 2 {
		p, err := s.Payer.Buy(t.Context(), s.Intent(n))
		if errors.As(err, &b) {
			if n != 6 {
				t.Fatalf("blocked after %d losses", n/2)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Lost})
	}
	t.Fatal("never blocked")
}

func windowGrows(t *testing.T, s *PayerSubject) {
	window := func() wallet.Msat {
		w, err := s.Payer.Window(t.Context(), s.Root, 500)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := window(); w < 2000 || w > 2100 {
		t.Fatalf("window %s at the start, want 4 s", w)
	}
	p := s.buy(t, s.Intent(0))
	var e *wallet.ExposureError
	if _, err := s.Payer.Buy(t.Context(), s.Intent(2)); !errors.As(err, &e) || e.Exposed < price {
		t.Fatalf("%v", err)
	}
	if w := window(); w >= price {
		t.Fatalf("window %s with all of it exposed", w)
	}
	r, err := s.Show(p, price)
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t, p.ID, r)
	s.grant(t, s.Intent(2))
	s.settle(t, p.ID, r) // a repeat is no new purchase
	if w := window(); w > 2100 {
		t.Fatalf("window %s after two clean purchases", w)
	}
	s.grant(t, s.Intent(4))
	if w := window(); w < 4000 || w > 4100 {
		t.Fatalf("window %s after three clean purchases, want 8 s", w)
	}
	p = s.buy(t, s.Intent(6))
	s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Lost})
	if w := window(); w > 2100 {
		t.Fatalf("window %s after a loss, want 4 s", w)
	}
}

// capsTogether lets many buyers run at one cap; the window is wide open.
func capsTogether(t *testing.T, s *PayerSubject) {
	for n := range uint64(12) { // 60 s
		s.grant(t, s.Intent(2*n))
	}
	before := s.spending(t)
	one := before.HourSpent / 12
	limit := before.HourSpent + 5*one + one/2
	if err := s.Payer.SetCaps(t.Context(), wallet.Caps{Hour: limit * 100, Day: limit}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	bought, capped := 0, 0
	for n := range uint64(12) {
		wg.Go(func() {
			_, err := s.Payer.Buy(t.Context(), s.Intent(1000+2*n))
			mu.Lock()
			defer mu.Unlock()
			var c *wallet.CapError
			switch {
			case err == nil:
				bought++
			case errors.As(err, &c) && c.Cap == wallet.CapDay && c.Limit == limit && c.Spent+c.Asked > limit && !c.Until.IsZero():
				capped++
			default:
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if bought != 5 || capped != 7 {
		t.Errorf("%d bought, %d refused; five fit under the cap", bought, capped)
	}
	if sp := s.spending(t); sp.HourSpent > limit || sp.InFlight != sp.HourSpent-before.HourSpent {
		t.Errorf("%+v over a cap of %s", sp, limit)
	}
}

func roomCap(t *testing.T, s *PayerSubject) {
	if err := s.Payer.SetCaps(t.Context(), wallet.Caps{Room: 2*price + 500}); err != nil {
		t.Fatal(err)
	}
	s.grant(t, s.Intent(0, "kitchen", "bath", "kitchen"))
	s.grant(t, s.Intent(2, "kitchen"))
	_, err := s.Payer.Buy(t.Context(), s.Intent(4, "bath", "kitchen"))
	var c *wallet.CapError
	if !errors.As(err, &c) || c.Cap != wallet.CapRoom || c.Room != "kitchen" {
		t.Fatalf("%v", err)
	}
	p := s.grant(t, s.Intent(4, "bath")) // the others play on
	sp := s.spending(t)
	if sp.RoomSpent["bath"] != 2*p.Amount || sp.RoomSpent["kitchen"] != 2*p.Amount || sp.RoomCap != 2*price+500 || sp.HourCap != 0 {
		t.Fatalf("%+v", sp)
	}
}

func badIntents(t *testing.T, s *PayerSubject) {
	for name, change := range map[string]func(*wallet.Intent){
		"no epochs":    func(i *wallet.Intent) { i.N = 0 },
		"31 epochs":    func(i *wallet.Intent) { i.N = 31 },
		"negative":     func(i *wallet.Intent) { i.Price = -1 },
		"free":         func(i *wallet.Intent) { i.Price = 0 },
		"absurd":       func(i *wallet.Intent) { i.Price = 1 << 60 },
		"no root":      func(i *wallet.Intent) { i.Root = "" },
		"no length":    func(i *wallet.Intent) { i.Epoch = 0 },
		"far epoch":    func(i *wallet.Intent) { i.First = 1<<64 - 1 },
		"no good":      func(i *wallet.Intent) { i.Broadcast = "" },
		"unaffordable": func(i *wallet.Intent) { i.Price = s.Funds + 1; i.N = 30; i.Epoch = 10 * time.Second },
	} {
		i := s.Intent(0)
		change(&i)
		if _, err := s.Payer.Buy(t.Context(), i); err == nil {
			t.Errorf("%s: bought", name)
		}
	}
	if err := s.Payer.Settle(t.Context(), "nobody", wallet.Receipt{Outcome: wallet.Granted}); err == nil {
		t.Error("settled a purchase that never was")
	}
	if err := s.Payer.Heard(t.Context(), "nobody", 1); err == nil {
		t.Error("heard a purchase that never was")
	}
	if sp := s.spending(t); sp.Balance != s.Funds || sp.HourSpent != 0 {
		t.Errorf("%+v", sp)
	}
}

func heardEndsIt(t *testing.T, s *PayerSubject) {
	p := s.grant(t, s.Intent(0))
	for _, n := range []int{1, 1, 0} {
		if err := s.Payer.Heard(t.Context(), p.ID, n); err != nil {
			t.Fatal(err)
		}
	}
	if sp := s.spending(t); sp.DayHeard != p.Amount/2 {
		t.Fatalf("half heard: %+v", sp)
	}
	if err := s.Payer.Heard(t.Context(), p.ID, 3); err == nil {
		t.Fatal("heard more than was bought")
	}
	for range 2 {
		if err := s.Payer.Heard(t.Context(), p.ID, 2); err != nil {
			t.Fatal(err)
		}
	}
	if sp := s.spending(t); sp.DayHeard != p.Amount || len(s.owned(t)) != 0 {
		t.Fatalf("all heard: %+v, %d owned", sp, len(s.owned(t)))
	}
	s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Granted, Amount: price}) // late repeat
	// Heard before the answer was booked: done as soon as it is.
	q := s.buy(t, s.Intent(2))
	r, err := s.Show(q, price)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Payer.Heard(t.Context(), q.ID, 2); err != nil {
		t.Fatal(err)
	}
	if have := s.owned(t); len(have) != 1 || len(have[0].Body) == 0 {
		t.Fatal("a purchase in flight was dropped because it was heard")
	}
	s.settle(t, q.ID, r)
	if len(s.owned(t)) != 0 {
		t.Fatal("heard and paid, and still open")
	}
}

func settledThenFault(t *testing.T, s *PayerSubject) {
	p := s.grant(t, s.Intent(0))
	s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Faulty, Reason: "segment does not open"})
	var b *wallet.BlockedError
	if _, err := s.Payer.Buy(t.Context(), s.Intent(2)); !errors.As(err, &b) {
		t.Fatalf("%v", err)
	}
	if err := s.Payer.Unblock(t.Context(), s.Root); err != nil {
		t.Fatal(err)
	}
	p = s.grant(t, s.Intent(2))
	s.settle(t, p.ID, wallet.Receipt{Outcome: wallet.Refused, Reason: "gone"})
	if q := s.grant(t, s.Intent(2)); q.ID == p.ID {
		t.Fatal("goods that are no longer given cannot be bought anew")
	}
	if sp := s.spending(t); sp.TotalPaid != 3*p.Amount {
		t.Fatalf("paid money came back: %+v", sp)
	}
}

func overcharged(t *testing.T, s *PayerSubject) {
	p := s.buy(t, s.Intent(0))
	r, err := s.Show(p, price)
	if err != nil {
		t.Fatal(err)
	}
	r.Amount = price + 1
	s.settle(t, p.ID, r)
	var b *wallet.BlockedError
	if _, err := s.Payer.Buy(t.Context(), s.Intent(2)); !errors.As(err, &b) {
		t.Fatalf("%v", err)
	}
}
