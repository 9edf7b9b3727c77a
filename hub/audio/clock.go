package audio

import (
	"time"

	"golang.org/x/sys/unix"
)

// Instant is a point in time in nanoseconds on the hub's monotonic clock
// (CLOCK_MONOTONIC). All processes of one machine share it, so a child
// process and its parent mean the same moment by the same number.
type Instant int64

// Add returns the instant d after i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Clock tells the time of the hub. Only tests have another one than System.
type Clock interface{ Now() Instant }

// System is the machine's CLOCK_MONOTONIC.
type System struct{}

// Now reads the clock. The kernel cannot refuse this clock, hence no error.
func (System) Now() Instant {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return Instant(ts.Nano())
}

// Timeline ties positions to instants: position At sounds at instant Zero,
// and the rest follows by the rate. It is a value: replaced, never mutated.
type Timeline struct {
	Zero Instant
	At   Pos
	Rate Rate
}

// Instant returns when position p sounds.
func (t Timeline) Instant(p Pos) Instant {
	if d := p - t.At; d < 0 {
		return t.Zero.Add(-(-d).Duration(t.Rate))
	}
	return t.Zero.Add((p - t.At).Duration(t.Rate))
}

// Pos returns the position that sounds at instant i, rounded towards At.
func (t Timeline) Pos(i Instant) Pos {
	if d := i.Sub(t.Zero); d < 0 {
		return t.At - t.Rate.Frames(-d)
	}
	return t.At + t.Rate.Frames(i.Sub(t.Zero))
}
