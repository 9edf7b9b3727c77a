// Package uitest drives the page in a real browser: Debian's Chromium through
// the DevTools protocol, and axe-core for accessibility. It also holds a hub
// whose speakers obey at once, and houses worth looking at.
//
// The drivers (Drive, DriveForms, DriveStranger) know nothing of that hub.
// They press what people press and wait until the rooms' own state follows,
// so that the same functions test the page over a fake and over the product.
package uitest

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// Hub is a house whose speakers obey at once. It satisfies ui.Hub and
// api.Hub, and is safe for concurrent use.
type Hub struct {
	mu      sync.Mutex
	house   room.House
	money   wallet.Spending
	covers  map[string][]byte
	changed chan struct{}
	done    []room.Command
	refuse  error
}

// NewHub opens a house.
func NewHub(house room.House, money wallet.Spending) *Hub {
	house.Version++
	return &Hub{house: house, money: money, covers: Covers(), changed: make(chan struct{})}
}

// State is the house now.
func (h *Hub) State() room.House {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.house
}

// Changed is closed when the version differs.
func (h *Hub) Changed(version uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.house.Version == version {
		return h.changed
	}
	now := make(chan struct{})
	close(now)
	return now
}

// Do applies the command, and the speakers do what follows from it.
func (h *Hub) Do(_ context.Context, c room.Command) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	next, effects, err := h.house.Apply(c, time.Now())
	if err != nil {
		return err
	}
	for _, e := range effects {
		next = obey(next, e)
	}
	h.done = append(h.done, c)
	h.set(next)
	return nil
}

// Set shows another house.
func (h *Hub) Set(house room.House) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(house)
}

// Note lets something happen in the house.
func (h *Hub) Note(e room.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(h.house.Note(e))
}

// Refuse makes every command fail; nil ends that.
func (h *Hub) Refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}

// Done lists the commands that were carried out.
func (h *Hub) Done() []room.Command {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]room.Command(nil), h.done...)
}

func (h *Hub) set(house room.House) {
	house.Version = h.house.Version + 1
	h.house = house
	close(h.changed)
	h.changed = make(chan struct{})
}

// Spending is what the household spent.
func (h *Hub) Spending(context.Context) (wallet.Spending, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.money, nil
}

// Art returns a cover.
func (h *Hub) Art(_ context.Context, hash string) ([]byte, string, error) {
	data, ok := h.covers[hash]
	if !ok {
		return nil, "", fmt.Errorf("cover %s: %w", hash, fs.ErrNotExist)
	}
	return data, "image/png", nil
}

// obey is the world: it does what an effect asks and says so.
func obey(h room.House, e room.Effect) room.House {
	switch e := e.(type) {
	case room.Load:
		if e.Hold {
			return h
		}
		return plays(h, e.Group, e.From)
	case room.Resume:
		g, _ := h.Group(e.Group)
		return plays(h, e.Group, g.Position)
	case room.Halt:
		return speak(h, e.Group, "ready")
	case room.Attach:
		g, _ := h.Group(e.Group)
		if g.Transport == room.Playing {
			return speak(h, e.Group, "playing")
		}
		return speak(h, e.Group, "ready")
	case room.Detach:
		r, _ := h.Room(e.Room)
		r.Speaker.State, r.Speaker.Evidence, r.Speaker.BitExact = "idle", "measured", false
		return h.Note(room.Found{Room: r})
	}
	return h
}

func plays(h room.House, group string, from time.Duration) room.House {
	g, _ := h.Group(group)
	track, _ := g.Track()
	h = h.Note(room.Heard{Group: g.ID, Index: g.Queue.Current, Track: track.ID, Position: from, At: time.Now(), Rung: "FLAC lossless"})
	return speak(h, g.ID, "playing")
}

// speak lets the speakers of a group say what they do.
func speak(h room.House, group, state string) room.House {
	for _, r := range h.Members(group) {
		r.Speaker.State, r.Speaker.Evidence = state, "measured"
		r.Speaker.BitExact = state == "playing" && r.Speaker.Kind != "airplay"
		h = h.Note(room.Found{Room: r})
	}
	return h
}
