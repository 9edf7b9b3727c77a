package stream

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"sonahub/sne/catalog"
)

// Rung is one rendition that the listener may get.
type Rung struct {
	Tier     uint16
	R        uint16
	Codec    string // "flac" or "opus"
	Bps      int    // bits per second, about
	MsatPerS int64  // price of the tier
	Name     string // for people: "FLAC lossless", "Opus 160 kbit/s"
}

// Lossless reports whether the rung is the source's own samples.
func (r Rung) Lossless() bool { return r.Codec == "flac" }

// Ladder lists an item's rungs that this hub can play, best first.
func Ladder(item catalog.Item) []Rung {
	var out []Rung
	for _, t := range item.Tiers {
		if t.PriceMsatS <= 0 { // tokens have no zero; what is free comes as an opening grant
			continue
		}
		for _, r := range t.Renditions {
			rung := Rung{Tier: t.Tier, R: r.R, Codec: r.Codec, Bps: r.Bps, MsatPerS: t.PriceMsatS}
			switch r.Codec {
			case "flac":
				rung.Name = fmt.Sprintf("FLAC lossless %d bit", r.Bits)
			case "opus":
				rung.Name = fmt.Sprintf("Opus %d kbit/s", r.Bps/1000)
			default:
				continue
			}
			out = append(out, rung)
		}
	}
	slices.SortStableFunc(out, func(a, b Rung) int {
		if a.Lossless() != b.Lossless() {
			if a.Lossless() {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Bps, a.Bps)
	})
	return out
}

// headroom is how much faster than its bit rate a rung must arrive.
const headroom = 1.5

// Meter measures how fast the platform delivers. One is shared by all streams
// of a hub. The zero value knows nothing yet and then everything fits.
type Meter struct {
	mu   sync.Mutex
	rate float64 // bits per second, smoothed
}

// Add takes in one transfer of n bytes that took d.
func (m *Meter) Add(n int, d time.Duration) {
	if n == 0 || d <= 0 {
		return
	}
	now := float64(n*8) / d.Seconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rate == 0 {
		m.rate = now
		return
	}
	// Falls fast and rises slowly: a stall is worse than a modest rung.
	weight := 0.2
	if now < m.rate {
		weight = 0.5
	}
	m.rate += weight * (now - m.rate)
}

// Fits reports whether bps can be expected to arrive in time.
func (m *Meter) Fits(bps int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rate == 0 || m.rate >= headroom*float64(bps)
}

// choose returns the best rung that fits, or the smallest one.
func choose(ladder []Rung, m *Meter) Rung {
	for _, r := range ladder {
		if m.Fits(r.Bps) {
			return r
		}
	}
	return ladder[len(ladder)-1]
}
