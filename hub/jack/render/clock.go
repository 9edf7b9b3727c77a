package render

import (
	"time"

	"sonahub/hub/audio"
)

// Clock learns when a card takes which frame, from the instants at which it
// was seen to have taken some. Every sighting is late, never early: the truth
// is the lower edge of what was seen. The slope of that edge over a minute is
// the card's crystal against the hub's.
type Clock struct {
	Rate audio.Rate // nominal, of the card

	begun   bool
	first   audio.Instant
	buckets []bucket
	slope   float64 // ns per ns: above 0, the card is slow

	settled bool
	best    time.Duration // the earliest sighting so far, until settled
	agree   int           // how many sightings confirm it
}

// bucket is the earliest sighting within some time.
type bucket struct {
	begin, at audio.Instant
	late      time.Duration // against a card that runs at its nominal rate since first
}

const (
	ramp       = 100 * time.Millisecond // the card fills its buffer at first: those sightings mean nothing
	settle     = 60 * time.Millisecond  // of sightings after that, at least
	patience   = time.Second            // and at most, if a busy machine makes them all differ
	near       = 2 * time.Millisecond   // sightings that agree
	enough     = 3                      // of them
	bucketLen  = 500 * time.Millisecond
	maxBuckets = 128
	recent     = 3               // buckets that tell where the edge is now
	minSpan    = 8 * time.Second // of sightings, before a slope is believed
	slip       = 5 * time.Millisecond
	maxSlope   = 1e-3
)

// Observe tells that at instant at the card had taken that many frames.
func (c *Clock) Observe(taken audio.Pos, at audio.Instant) {
	if !c.begun {
		c.begun, c.first = true, at
	}
	if at.Sub(c.first) < ramp {
		return
	}
	late := at.Sub(c.first) - taken.Duration(c.Rate)
	c.confirm(late, at.Sub(c.first))
	if n := len(c.buckets); n > 0 && at.Sub(c.buckets[n-1].begin) < bucketLen {
		b := &c.buckets[n-1]
		if late-c.drift(at) < b.late-c.drift(b.at) {
			b.at, b.late = at, late
		}
		return
	}
	c.finish()
	if len(c.buckets) == maxBuckets {
		c.buckets = append(c.buckets[:0], c.buckets[1:]...)
	}
	c.buckets = append(c.buckets, bucket{begin: at, at: at, late: late})
}

// drift is how much the card falls behind by its crystal from first to at.
func (c *Clock) drift(at audio.Instant) time.Duration {
	return time.Duration(c.slope * float64(at.Sub(c.first)))
}

// finish judges the bucket that is complete: a step away from the line means
// that the card stopped for a moment or its buffer ran dry, so that what was
// seen before says nothing about the edge any more.
func (c *Clock) finish() {
	n := len(c.buckets)
	if n < 2 {
		return
	}
	a, b := c.buckets[n-2], c.buckets[n-1]
	if step := (b.late - c.drift(b.at)) - (a.late - c.drift(a.at)); step.Abs() > slip {
		c.buckets = append(c.buckets[:0], b)
		return
	}
	c.fit()
}

// fit draws the least-squares line through the edge.
func (c *Clock) fit() {
	first, last := c.buckets[0], c.buckets[len(c.buckets)-1]
	if last.at.Sub(first.at) < minSpan {
		return
	}
	var t, y, tt, ty float64
	for _, b := range c.buckets {
		x, v := float64(b.at.Sub(first.at)), float64(b.late)
		t, y, tt, ty = t+x, y+v, tt+x*x, ty+x*v
	}
	n := float64(len(c.buckets))
	if d := n*tt - t*t; d > 0 {
		c.slope = max(-maxSlope, min(maxSlope, (n*ty-t*y)/d))
	}
}

// confirm settles the clock once several sightings agree about the edge.
func (c *Clock) confirm(late, since time.Duration) {
	if c.settled {
		return
	}
	switch {
	case c.agree == 0 || late < c.best-near:
		c.best, c.agree = late, 1
	case late < c.best+near:
		c.best = min(c.best, late)
		c.agree++
	}
	c.settled = c.agree >= enough && since >= ramp+settle || since >= patience
}

// Settled says whether the clock has seen enough to be asked.
func (c *Clock) Settled() bool { return c.settled }

// Instant returns when the card takes the frame, or took it. It is only good
// for frames near the last sighting, and only once Settled.
func (c *Clock) Instant(frame audio.Pos) audio.Instant {
	nominal := c.first.Add(frame.Duration(c.Rate))
	edge := time.Duration(0)
	for i, b := range c.buckets[max(0, len(c.buckets)-recent):] {
		if d := b.late - c.drift(b.at); i == 0 || d < edge {
			edge = d
		}
	}
	return nominal.Add(edge + c.drift(nominal.Add(edge)))
}

// PPM returns how much faster than the hub's clock the card's crystal is, in
// parts per million; 0 as long as it is not known.
func (c *Clock) PPM() float64 { return -c.slope * 1e6 }
