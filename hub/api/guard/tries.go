package guard

import (
	"net/netip"
	"time"
)

// Wrong codes: how many are free, and how long the wait is after that. The
// wait doubles with every further wrong code. At these rates guessing 40 bits
// takes longer than the house will stand, even from a thousand addresses.
const (
	freeTries  = 5                // per address
	freeGlobal = 50               // of all addresses together
	firstWait  = 30 * time.Second // after the free ones
	longest    = time.Hour        // for an address
	longestAll = 5 * time.Minute  // for all: a stranger must not lock the owner out for long
	forgetting = time.Hour        // without a wrong code, after which an address starts anew
	maxKnown   = 1024             // addresses counted apart; beyond that only the global count holds
)

// count is the record of one address or of all.
type count struct {
	wrong int
	last  time.Time
	until time.Time
}

func (c *count) add(free int, longest time.Duration, now time.Time) {
	c.wrong++
	c.last = now
	if over := c.wrong - free; over >= 0 {
		c.until = now.Add(min(longest, firstWait<<min(over, 8)))
	}
}

// stale says that the record may be dropped.
func (c *count) stale(now time.Time) bool {
	return now.Sub(c.last) > forgetting && !c.until.After(now)
}

// tries counts wrong codes. The guard's lock guards it.
type tries struct {
	now    func() time.Time
	global count
	per    map[netip.Addr]*count
}

// blocked returns until when an address must wait, zero if it need not.
func (t *tries) blocked(from netip.Addr) time.Time {
	now := t.now()
	var until time.Time
	if t.global.until.After(now) {
		until = t.global.until
	}
	if c := t.per[from]; c != nil && c.until.After(now) && c.until.After(until) {
		until = c.until
	}
	return until
}

func (t *tries) failed(from netip.Addr) {
	now := t.now()
	for a, c := range t.per {
		if c.stale(now) {
			delete(t.per, a)
		}
	}
	if t.global.stale(now) {
		t.global = count{}
	}
	t.global.add(freeGlobal, longestAll, now)
	c := t.per[from]
	if c == nil {
		if len(t.per) >= maxKnown {
			return
		}
		if t.per == nil {
			t.per = map[netip.Addr]*count{}
		}
		c = &count{}
		t.per[from] = c
	}
	c.add(freeTries, longest, now)
}

func (t *tries) passed(from netip.Addr) {
	delete(t.per, from)
	t.global = count{}
}
