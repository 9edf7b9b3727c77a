package render

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sonahub/hub/audio"
)

// sightings feeds a clock with what a card that takes 30 ms at a time looks
// like: at its true instant plus a lateness that is mostly small.
func sightings(c *Clock, r *rand.Rand, zero audio.Instant, ppm float64, from, to int, late func() time.Duration) (truth func(audio.Pos) audio.Instant) {
	truth = func(p audio.Pos) audio.Instant {
		d := p.Duration(c.Rate)
		return zero.Add(d - time.Duration(float64(d)*ppm*1e-6))
	}
	for i := from; i < to; i++ {
		p := audio.Pos(i) * 1440
		c.Observe(p, truth(p).Add(late()))
	}
	return truth
}

func TestClockFollowsTheCard(t *testing.T) {
	for _, ppm := range []float64{0, 40, -150} {
		r := rand.New(rand.NewPCG(1, 2))
		c := Clock{Rate: 48000}
		jitter := func() time.Duration { return time.Duration(r.ExpFloat64() * 2e6) } // 2 ms in the mean
		truth := sightings(&c, r, 5000, ppm, 0, 4000, jitter)
		if got := c.PPM(); math.Abs(got-ppm) > 5 {
			t.Errorf("%v ppm: believes %.1f", ppm, got)
		}
		for _, ahead := range []audio.Pos{0, 4320} {
			p := 4000*1440 + ahead
			if off := c.Instant(p).Sub(truth(p)); off.Abs() > time.Millisecond {
				t.Errorf("%v ppm: off by %v", ppm, off)
			}
		}
	}
}

// At first the card only fills its buffer; the clock waits for that to end.
func TestClockSettles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := Clock{Rate: 48000}
	exact := func() time.Duration { return 0 }
	for i := range audio.Pos(3) { // the buffer fills at once, earlier than it ever will again
		c.Observe(i*1440, audio.Instant(i)*1000)
	}
	if c.Settled() {
		t.Error("settled by the filling of the buffer")
	}
	truth := sightings(&c, r, audio.Instant(-40*time.Millisecond), 0, 3, 9, exact)
	if !c.Settled() {
		t.Error("not settled after 180 ms")
	}
	if off := c.Instant(9 * 1440).Sub(truth(9 * 1440)); off.Abs() > 100*time.Microsecond {
		t.Errorf("off by %v", off)
	}
}

// A card that stops for 30 ms is believed within a second or so.
func TestClockSeesAStop(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := Clock{Rate: 48000}
	jitter := func() time.Duration { return time.Duration(r.ExpFloat64() * 1e6) }
	sightings(&c, r, 0, 20, 0, 1000, jitter)
	truth := sightings(&c, r, audio.Instant(30*time.Millisecond), 20, 1000, 1040, jitter)
	if off := c.Instant(1040 * 1440).Sub(truth(1040 * 1440)); off.Abs() > 2*time.Millisecond {
		t.Errorf("1.2 s after the stop off by %v", off)
	}
	if got := c.PPM(); math.Abs(got-20) > 10 {
		t.Errorf("the stop was taken for a crystal of %.1f ppm", got)
	}
}

// Sightings that differ do not settle the clock, until patience ends.
func TestClockWaitsForAgreement(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := Clock{Rate: 48000}
	busy := 100 * time.Millisecond
	less := func() time.Duration { busy -= 5 * time.Millisecond; return busy } // each is the earliest so far
	sightings(&c, r, 0, 0, 0, 15, less)
	if c.Settled() {
		t.Error("settled on sightings of which none confirms another")
	}
	exact := func() time.Duration { return 0 }
	sightings(&c, r, 0, 0, 15, 18, exact)
	if !c.Settled() {
		t.Error("not settled after three that agree")
	}
}
