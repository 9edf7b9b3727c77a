package app_test

import (
	"strings"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
	"sonahub/wallet"
)

// TestFiveSkips skips five pieces after three seconds each: what is bought
// and not heard is at most what was heard plus two epochs, each time. To see
// it fail: raise leastAhead in stream.Plan.
func TestFiveSkips(t *testing.T) {
	t.Parallel()
	p := piece{cd, 20}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true, FreeEpochs: -1}, p, p, p, p, p, p)
	h.do(room.Play{})
	for i := range 5 {
		h.at(i, 3*time.Second)
		h.do(room.Next{})
	}
	h.at(5, 500*time.Millisecond)
	h.do(room.Pause{})
	var s wallet.Spending
	h.until(10*time.Second, "the ledger to know what was heard", func(room.House) bool {
		next, err := h.Spending(t.Context())
		same := err == nil && next.DayHeard == s.DayHeard && next.InFlight == 0 && next.DayHeard > 0
		s = next
		return same
	})
	const perSecond, heard, epoch = 500, 3, 2
	// In each of the five: at most the heard seconds again and two epochs, and
	// a second for the test's own slowness. The sixth: its opening.
	allowed := wallet.Msat(5*perSecond*(heard+1+2*epoch) + perSecond*2*epoch)
	waste := s.DayBought - wallet.Msat(5*perSecond*heard)
	t.Logf("bought %v, heard %v, wasted %v of at most %v", s.DayBought, s.DayHeard, waste, allowed)
	if waste > allowed {
		t.Errorf("five skips wasted %v, at most %v is fair", waste, allowed)
	}
	h.agree()
}

// TestRoomAtItsCap lets the room that listened from the start come to its cap
// while another one, which joined later, has not: the first falls silent with
// the reason, the other does not miss a frame. The house's own cap then stops
// the rest with its reason.
func TestRoomAtItsCap(t *testing.T) {
	t.Parallel()
	p := piece{cd, 30}
	h := newHome(t, 2, func(c *app.Config) { c.RoomCapSat = 5; c.HourCapSat, c.DayCapSat = 400, 400 },
		origin.Config{NoOpus: true, FreeEpochs: -1}, p)
	h.do(room.Leave{Room: "virtual-2"})
	h.do(room.Play{})
	h.at(0, 2500*time.Millisecond)
	h.do(room.Join{Room: "virtual-2"})
	s := h.until(25*time.Second, "the first room to fall silent", func(s room.House) bool {
		r, _ := s.Room("virtual-1")
		return r.Group == "" && r.Silent != ""
	})
	r, _ := s.Room("virtual-1")
	if !strings.Contains(r.Silent, "5 sat") {
		t.Errorf("people read %q", r.Silent)
	}
	h.until(30*time.Second, "the second room to come to its cap", func(s room.House) bool {
		r, _ := s.Room("virtual-2")
		return r.Silent != ""
	})
	first, second := h.rec.PCM("virtual-1"), h.rec.PCM("virtual-2")
	pcm := p.pcm(0)
	if hash(first) != hash(pcm[:len(first)]) {
		t.Error("the first room did not sound the piece as it is")
	}
	start := len(pcm)
	for i := 0; i < len(pcm); i += 2 {
		if pcm[i] == second[0] && hash(pcm[i:min(i+2000, len(pcm))]) == hash(second[:min(2000, len(pcm)-i)]) {
			start = i
			break
		}
	}
	if start+len(second) > len(pcm) || hash(pcm[start:start+len(second)]) != hash(second) {
		t.Errorf("the second room missed something when the first fell silent (%d samples from %d)", len(second), start)
	}
	if len(second) < len(first)/2 {
		t.Errorf("the second room played only %d samples after the first's %d", len(second), len(first))
	}
	h.agree()
}

// TestOutage takes the platform away for twelve seconds after twenty-two (in
// the soak: thirty seconds after a minute): no frame is missing. Then for
// longer than what is in hand: a fade, a reason, and it goes on by itself. To
// see it fail: set largestLot to 5 in stream and run the soak.
func TestOutage(t *testing.T) {
	t.Parallel()
	p, heard, away := piece{cd, 58}, 22*time.Second, 12*time.Second
	if soak() {
		p, heard, away = piece{cd, 130}, time.Minute, 30*time.Second
	}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, p)
	h.do(room.Play{})
	h.at(0, heard)
	h.faults.Set(origintest.Die)
	<-time.After(away)
	h.faults.Set(origintest.Pass)
	for _, x := range h.rec.Played("virtual-1") {
		if x.PCM == nil {
			t.Errorf("the outage was heard: %d frames are missing at %d", x.Frames, x.Pos)
		}
	}
	pcm := p.pcm(0)
	if got := h.rec.PCM("virtual-1"); hash(got) != hash(pcm[:len(got)]) {
		t.Error("in the outage the samples differ")
	}
	late := h.State().Library[0].Length - 18*time.Second
	h.do(room.Seek{To: late})
	h.at(0, late+2*time.Second)
	h.faults.Set(origintest.Stall)
	s := h.until(40*time.Second, "the music to wait", func(s room.House) bool {
		return s.Groups[0].Transport == room.Waiting && s.Groups[0].Why != ""
	})
	t.Logf("people read %q", s.Groups[0].Why)
	h.faults.Set(origintest.Pass)
	h.until(20*time.Second, "the music to go on by itself", transport(room.Playing))
	h.agree()
}
