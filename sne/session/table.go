package session

import (
	"errors"
	"sync"
	"time"

	"sonahub/sne/wire"
)

// ErrFull means that an origin holds as many sessions as it may: HTTP 503.
var ErrFull = errors.New("sne: too many sessions")

// sweepEvery is how often Add and Get look for sessions that are over.
const sweepEvery = 5 * time.Second

// Table holds the sessions of an origin in memory, about 10 kB each. It is
// safe for concurrent use and has no goroutine: it tidies up when it is used.
type Table struct {
	Max int // sessions; default 10000

	mu    sync.Mutex
	all   map[wire.SessionID]*Server
	swept time.Time
}

// Add stores a new session, or gives ErrFull.
func (t *Table) Add(s *Server, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.Max
	if limit <= 0 {
		limit = 10000
	}
	t.sweep(now)
	if len(t.all) >= limit {
		return ErrFull
	}
	if t.all == nil {
		t.all = make(map[wire.SessionID]*Server)
	}
	t.all[s.Session()] = s
	return nil
}

// Get finds a session, or gives ErrGone.
func (t *Table) Get(id wire.SessionID, now time.Time) (*Server, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	if s, ok := t.all[id]; ok {
		return s, nil
	}
	return nil, ErrGone
}

// Remove erases a session.
func (t *Table) Remove(id wire.SessionID) {
	t.mu.Lock()
	s := t.all[id]
	delete(t.all, id)
	t.mu.Unlock()
	if s != nil {
		s.Erase()
	}
}

// Len returns how many sessions there are.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// Close erases all sessions. It waits for exchanges that are being answered.
func (t *Table) Close() {
	t.mu.Lock()
	all := t.all
	t.all = nil
	t.mu.Unlock()
	for _, s := range all {
		s.Erase()
	}
}

// sweep drops what is over. A session that is busy answering is looked at next
// time, so that one slow answer does not hold up the others.
func (t *Table) sweep(now time.Time) {
	if now.Sub(t.swept) < sweepEvery {
		return
	}
	t.swept = now
	for id, s := range t.all {
		if !s.mu.TryLock() {
			continue
		}
		s.trim(now)
		if s.expired(now) {
			s.end()
			delete(t.all, id)
		}
		s.mu.Unlock()
	}
}
