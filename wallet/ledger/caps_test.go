package ledger_test

import (
	"errors"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ledger"
	"sonahub/wallet/railtest"
)

func TestRollingHour(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) { c.Caps = wallet.Caps{Hour: 2500} })
	start := h.clock.now()
	h.mustPlay(0)
	h.clock.turn(20 * time.Minute)
	h.mustPlay(1)
	_, err := h.play(2)
	h.wantCap(err, wallet.CapHour, start.Add(time.Hour))
	h.clock.turn(40*time.Minute - time.Millisecond)
	_, err = h.play(2)
	h.wantCap(err, wallet.CapHour, start.Add(time.Hour))
	h.clock.turn(time.Millisecond)
	h.mustPlay(2)
	big := h.intent(9)
	big.Price, big.N = 3000, 3
	_, err = h.Buy(t.Context(), big)
	h.wantCap(err, wallet.CapHour, time.Time{}) // waiting does not help
}

// A day is the calendar's: on 29 March 2026 it has 23 hours in Berlin.
func TestCalendarDay(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) { c.Caps = wallet.Caps{Day: 1000} })
	h.mustPlay(0)
	_, err := h.play(1)
	midnight := time.Date(2026, 3, 28, 0, 0, 0, 0, h.conf.Zone)
	h.wantCap(err, wallet.CapDay, midnight)
	h.clock.turn(30 * time.Minute)
	h.mustPlay(1)
	h.clock.turn(24 * time.Hour) // 29 March 00:00
	h.mustPlay(2)
	_, err = h.play(3)
	h.wantCap(err, wallet.CapDay, time.Date(2026, 3, 30, 0, 0, 0, 0, h.conf.Zone))
	s, err := h.Spending(t.Context())
	if err != nil || s.DayBought != 1000 || s.TotalPaid != 3000 {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestClockSetBackFreesNothing(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) { c.Caps = wallet.Caps{Hour: 1000, Day: 1000, Room: 1000} })
	h.mustPlay(0)
	h.clock.turn(-72 * time.Hour)
	if _, err := h.play(1); err == nil {
		t.Fatal("a clock set back freed the caps")
	}
}

// Money whose end is not known counts whatever its age.
func TestInFlightStaysInTheHour(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) { c.Caps = wallet.Caps{Hour: 1500} })
	if _, err := h.buy(0); err != nil {
		t.Fatal(err)
	}
	h.clock.turn(30 * time.Hour)
	for _, caps := range []wallet.Caps{{Hour: 1500}, {Day: 1500}, {Room: 1500}} {
		if err := h.SetCaps(t.Context(), caps); err != nil {
			t.Fatal(err)
		}
		var c *wallet.CapError
		if _, err := h.buy(1); !errors.As(err, &c) || c.Spent != 1000 {
			t.Fatalf("%+v: %v", caps, err)
		}
	}
}

func TestCapsOutliveRestart(t *testing.T) {
	h := newHouse(t, nil)
	if c, err := h.Caps(t.Context()); err != nil || c != wallet.DefaultCaps() {
		t.Fatalf("%+v, %v", c, err)
	}
	want := wallet.Caps{Hour: 7000, Day: 0, Room: 9000}
	if err := h.SetCaps(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if c, err := h.Caps(t.Context()); err != nil || c != want {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := h.SetCaps(t.Context(), wallet.Caps{Hour: -1}); err == nil {
		t.Fatal("negative cap")
	}
}

func TestFeeCounts(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) {
		c.Rails = []wallet.Rail{&railtest.Coin{Funds: 10_000, Fee: 300, Network: &railtest.Network{}}}
	})
	p, err := h.buy(0)
	if err != nil || p.Amount != 1300 {
		t.Fatalf("%s, %v", p.Amount, err)
	}
	var e *wallet.ExposureError
	if _, err := h.buy(1); !errors.As(err, &e) || e.Exposed != 1300 || e.Asked != 1300 || e.Window != 2000 {
		t.Fatalf("%v", err)
	}
}
