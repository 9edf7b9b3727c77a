package app

import (
	"context"
	"strings"
	"sync"
	"time"

	"sonahub/hub/room"
)

// house holds the one room.House of the hub: commands and events go in, and
// whoever watches is woken. Effects are carried out in the order of their
// commands.
type house struct {
	mu      sync.Mutex
	now     room.House
	changed chan struct{} // closed and replaced with every version
	notices [noticeKinds]string
	effect  func(room.Effect)
}

func newHouse(h room.House, effect func(room.Effect)) *house {
	return &house{now: h, changed: make(chan struct{}), effect: effect}
}

// State returns the house as it is.
func (h *house) State() room.House {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// Changed returns a channel that is closed once the version is another one.
func (h *house) Changed(version uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now.Version != version {
		c := make(chan struct{})
		close(c)
		return c
	}
	return h.changed
}

// Do carries out a command. An error says what is wrong, and nothing happened.
func (h *house) Do(ctx context.Context, c room.Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	next, effects, err := h.now.Apply(c, time.Now())
	if err != nil {
		return err
	}
	h.set(next)
	for _, e := range effects {
		h.effect(e)
	}
	return nil
}

// note takes in an event and reports whether it changed anything.
func (h *house) note(e room.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.now.Note(e)
	if next.Version == h.now.Version {
		return false
	}
	h.set(next)
	return true
}

// touch wakes watchers because something beside the house has changed, such
// as what was spent.
func (h *house) touch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.now
	next.Version++
	h.set(next)
}

// Who has something to say to everybody, in the order in which it is shown.
const (
	noticeFile     = iota // the house file was damaged
	noticeDisk            // nothing can be written
	noticePlatform        // it cannot be reached
	noticeKinds
)

// notice sets one part's sentence for everybody; empty clears it.
func (h *house) notice(kind int, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notices[kind] = text
	var said []string
	for _, s := range h.notices {
		if s != "" {
			said = append(said, s)
		}
	}
	next := h.now.Note(room.Noticed{Notice: strings.Join(said, " "), Loading: h.now.Loading})
	if next.Version != h.now.Version {
		h.set(next)
	}
}

func (h *house) set(next room.House) {
	h.now = next
	close(h.changed)
	h.changed = make(chan struct{})
}

// silence takes a room out of its group with a reason, and reports whether it
// was in one.
func (h *house) silence(id, why string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.now.Room(id)
	if !ok || r.Group == "" {
		return false
	}
	h.set(h.now.Note(room.Silenced{Room: id, Why: why}))
	h.effect(room.Detach{Room: id, Group: r.Group})
	return true
}

// listeners are the rooms that a group's purchases count for.
func (h *house) listeners(group string) []string {
	var ids []string
	for _, r := range h.State().Members(group) {
		ids = append(ids, r.ID)
	}
	return ids
}
