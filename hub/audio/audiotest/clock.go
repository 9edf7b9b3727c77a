package audiotest

import (
	"sync"
	"time"

	"sonahub/hub/audio"
)

var (
	_ audio.Clock = Clock{}
	_ audio.Clock = (*Manual)(nil)
)

// Clock tells time.Now as an instant. Inside a testing/synctest bubble it
// therefore follows the bubble's own time.
type Clock struct{}

// Now returns nanoseconds since 1970.
func (Clock) Now() audio.Instant { return audio.Instant(time.Now().UnixNano()) }

// Manual is a clock that stands until it is moved. The zero value stands at
// zero. It is safe for concurrent use.
type Manual struct {
	mu  sync.Mutex
	now audio.Instant
}

// Now returns where the clock stands.
func (m *Manual) Now() audio.Instant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by d and returns where it stands then.
func (m *Manual) Advance(d time.Duration) audio.Instant {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	return m.now
}
