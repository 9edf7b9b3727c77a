package app_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/origin"
	"sonahub/hub/room"
	"sonahub/sne/bundle"
	"sonahub/sne/sale"
	"sonahub/sne/wire"
	"sonahub/wallet/ledger"
)

// kills is how many times a playing hub loses its power in the random test.
func kills() int {
	if soak() {
		return 200
	}
	return 20
}

// soak reports whether the long lengths and counts are asked for.
func soak() bool { return os.Getenv("SONAHUB_SOAK") != "" }

// tooFar is how far from where it was a hub may go on after a power cut.
const tooFar = time.Second

// crashConfig is the configuration of a hub that will lose its power.
func crashConfig(t *testing.T, o *origin.Origin) app.Config {
	return app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: o.URL(), Listen: "127.0.0.1:0",
		Virtual: 1, Rooms: []string{"all"}, Welcome: true, Play: true, HourCapSat: 1e6, DayCapSat: 1e6, RoomCapSat: 1e6,
	}
}

func playing(p place) bool { return p.transport == room.Playing }

// TestKillAtRandom cuts the power at random instants while music plays. After
// each restart it must go on where it was; in the end ledger and books agree
// to the msat, nothing was bought twice, and what is paid can still be had.
// To see it fail: let the stream choose a new body for an owned purchase, or
// take the place out of money.Heard.
func TestKillAtRandom(t *testing.T) {
	t.Parallel()
	o, _ := newPlatform(t, origin.Config{NoOpus: true, Welcome: origin.Welcome{Units: 100000}}, piece{cd, 200}, piece{dvd, 200})
	c := crashConfig(t, o)
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	worst := time.Duration(0)
	var before place
	for i := range kills() {
		x := startChild(t, c, "")
		now, ok := x.until(t, 30*time.Second, "music", playing)
		if !ok {
			t.Fatal("the hub ended by itself")
		}
		if i > 0 {
			d := distance(o, before, now)
			worst = max(worst, d)
			if d > tooFar {
				t.Errorf("kill %d: it was at %+v and went on at %+v", i, before, now)
			}
		}
		after := now.position + time.Duration(r.IntN(2500))*time.Millisecond
		x.until(t, 30*time.Second, "the next kill", func(p place) bool { return p.position >= after || p.index != now.index })
		before = x.kill()
	}
	t.Logf("%d kills, the farthest restart was %v off", kills(), worst)
	settle(t, o, c)
}

// distance is how far apart two places are; a new track begins at zero.
func distance(o *origin.Origin, a, b place) time.Duration {
	if a.index != b.index {
		return b.position
	}
	return (b.position - a.position).Abs()
}

// TestKillAtEachStep cuts the power exactly at each step of a purchase.
func TestKillAtEachStep(t *testing.T) {
	t.Parallel()
	o, _ := newPlatform(t, origin.Config{NoOpus: true, Welcome: origin.Welcome{Units: 100000}}, piece{cd, 120})
	c := crashConfig(t, o)
	for _, step := range ledger.Steps() {
		if step == ledger.StepPaid {
			continue // tokens are their own proof: this rail sends nothing
		}
		x := startChild(t, c, fmt.Sprintf("%s:%d", step, 2))
		if _, lives := x.until(t, 40*time.Second, "the end at "+step, func(place) bool { return false }); lives {
			t.Fatalf("step %s never came", step)
		}
		x.kill()
		x = startChild(t, c, "")
		if _, ok := x.until(t, 30*time.Second, "music after "+step, playing); !ok {
			t.Fatalf("after %s the hub does not start", step)
		}
		x.kill()
	}
	settle(t, o, c)
}

// settle lets a hub that was cut off find its end in peace, and compares.
func settle(t *testing.T, o *origin.Origin, c app.Config) {
	t.Helper()
	x := startChild(t, c, "")
	now, _ := x.until(t, 30*time.Second, "music", playing)
	x.until(t, 30*time.Second, "two more seconds", func(p place) bool { return p.position > now.position+2*time.Second || p.index != now.index })
	x.stop(t)
	c.Play = false
	h := &home{t: t, platform: o, config: c}
	hub, err := app.Open(t.Context(), c, app.Options{Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	h.Hub = hub
	defer func() {
		if err := hub.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	h.until(15*time.Second, "nothing in flight", func(room.House) bool {
		totals, err := hub.Ledger().Totals(t.Context())
		return err == nil && totals.InFlight == 0
	})
	h.agree()
	open := stillPlayable(t, h)
	totals, err := hub.Ledger().Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("paid %v, %d purchases still to be heard were granted again", totals.Granted, open)
}

// stillPlayable shows every paid, unheard purchase again and wants its keys.
func stillPlayable(t *testing.T, h *home) (open int) {
	t.Helper()
	u, err := bundle.ParseURL(h.platform.URL())
	if err != nil {
		t.Fatal(err)
	}
	client, err := sale.NewClient(sale.Config{URL: u, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // nothing to lose
	for _, track := range h.State().Library {
		owned, err := h.Ledger().Owned(t.Context(), u.Root.String(), track.ID, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range owned {
			b, _ := wire.ParseID(p.Broadcast)
			head, err := client.Head(t.Context(), b, p.Tier)
			if err != nil {
				t.Fatal(err)
			}
			records, err := client.Records(t.Context(), head, p.First, p.N)
			if err != nil {
				t.Fatal(err)
			}
			grant, err := client.Redeem(t.Context(), records, p.Body)
			if err != nil {
				t.Errorf("epochs %d..%d are paid and cannot be had: %v", p.First, p.First+uint64(p.N)-1, err)
				continue
			}
			grant.Erase()
			open++
		}
	}
	h.agree() // showing them again cost nothing
	return open
}
