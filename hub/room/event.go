package room

import (
	"slices"
	"strings"
	"time"
)

// Event is something that happened in the world and that people should see.
type Event interface{ isEvent() }

type (
	// Found adds a room or renews what is known of it (name, speaker). A
	// known room keeps its volume and its group.
	Found struct{ Room Room }
	// Heard says what a group's speakers play: the queue's item at Index, the
	// position in it, since when.
	Heard struct {
		Group    string
		Index    int
		Track    string // id of the item, so that news older than a change of the queue are told apart
		Position time.Duration
		At       time.Time
		Rung     string
	}
	// Waits says that a group cannot play at present, and why.
	Waits struct {
		Group, Why string
	}
	// Halted says that a group gave up playing; Why is for people. The place
	// is kept and Play tries again.
	Halted struct {
		Group, Why string
	}
	// Ended says that the queue was played to its end.
	Ended struct{ Group string }
	// Silenced takes a room out of its group for a reason that people read.
	Silenced struct{ Room, Why string }
	// Stocked replaces the library.
	Stocked struct{ Library []Track }
	// Noticed sets the sentences for everybody; empty clears.
	Noticed struct{ Notice, Loading string }
)

func (Found) isEvent()    {}
func (Heard) isEvent()    {}
func (Waits) isEvent()    {}
func (Halted) isEvent()   {}
func (Ended) isEvent()    {}
func (Silenced) isEvent() {}
func (Stocked) isEvent()  {}
func (Noticed) isEvent()  {}

// Note takes in an event. An event about something that is not there, or that
// a command has overtaken (a group that was paused meanwhile), changes
// nothing; then the same house comes back.
func (h House) Note(e Event) House {
	next := h.clone()
	if !next.note(e) {
		return h
	}
	next.Version++
	return next
}

func (h *House) note(e Event) bool {
	switch e := e.(type) {
	case Found:
		return h.found(e.Room)
	case Stocked:
		h.stock(e.Library)
		return true
	case Noticed:
		same := h.Notice == e.Notice && h.Loading == e.Loading
		h.Notice, h.Loading = e.Notice, e.Loading
		return !same
	case Silenced:
		r, err := h.room(e.Room)
		if err != nil {
			return false
		}
		r.Group, r.Silent = "", e.Why
		return true
	case Heard:
		return h.heard(e)
	case Waits:
		g, err := h.group(e.Group)
		if err != nil || (g.Transport != Playing && g.Transport != Waiting) {
			return false
		}
		if g.Transport == Waiting && g.Why == e.Why {
			return false
		}
		g.Transport, g.Why, g.At = Waiting, e.Why, time.Time{}
		return true
	case Halted:
		g, err := h.group(e.Group)
		if err != nil {
			return false
		}
		g.Transport, g.Why, g.At = Paused, e.Why, time.Time{}
		return true
	case Ended:
		g, err := h.group(e.Group)
		if err != nil || g.Transport == Paused {
			return false
		}
		g.Transport, g.Position, g.At, g.Queue.Current, g.Why = Stopped, 0, time.Time{}, 0, ""
		return true
	}
	return false
}

// stock takes a new library and what it now knows of tracks that are queued
// already, such as a length that was unknown before.
func (h *House) stock(library []Track) {
	h.Library = slices.Clone(library)
	known := make(map[string]Track, len(library))
	for _, t := range library {
		known[t.ID] = t
	}
	for _, g := range h.Groups {
		for i, t := range g.Queue.Items {
			if now, ok := known[t.ID]; ok {
				g.Queue.Items[i] = now
			}
		}
	}
}

func (h *House) found(r Room) bool {
	if old, err := h.room(r.ID); err == nil {
		before := *old
		old.Name, old.Speaker = r.Name, r.Speaker
		h.sortRooms()
		return before.Name != r.Name || before.Speaker != r.Speaker
	}
	h.Rooms = append(h.Rooms, r)
	h.sortRooms()
	return true
}

func (h *House) sortRooms() {
	slices.SortStableFunc(h.Rooms, func(a, b Room) int {
		if c := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func (h *House) heard(e Heard) bool {
	g, err := h.group(e.Group)
	if err != nil || e.Index < 0 || e.Index >= len(g.Queue.Items) {
		return false
	}
	if g.Transport != Playing && g.Transport != Waiting || g.Queue.Items[e.Index].ID != e.Track {
		return false
	}
	g.Transport, g.Why = Playing, ""
	g.Queue.Current, g.Position, g.At, g.Rung = e.Index, e.Position, e.At, e.Rung
	return true
}
