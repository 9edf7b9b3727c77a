package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/room"
	"sonahub/hub/store"
)

// carryOut does what a command made necessary. It is called with the house
// locked and must not wait: the player only takes notes.
func (h *Hub) carryOut(e room.Effect) {
	switch e.(type) {
	case room.Load, room.Resume, room.Halt:
		h.command()
	}
	switch e := e.(type) {
	case room.Load:
		g, _ := h.now.Group(e.Group)
		h.player.Load(g.Queue.Current, e.From, e.Hold)
	case room.Resume:
		h.player.Resume()
	case room.Halt:
		h.player.Halt()
	case room.Requeue:
		g, _ := h.now.Group(e.Group)
		h.player.Requeue(g.Queue.Current)
	case room.Attach:
		r, _ := h.now.Room(e.Room)
		if out := h.speakers.of(r.Speaker.Kind); out != nil {
			h.player.Attach(out, audio.Member{ID: r.ID, Gain: gainOf(r.Volume, r.Muted)})
		}
	case room.Detach:
		r, _ := h.now.Room(e.Room)
		if out := h.speakers.of(r.Speaker.Kind); out != nil {
			h.player.Detach(out, r.ID)
		}
	case room.Loudness:
		r, _ := h.now.Room(e.Room)
		out := h.speakers.of(r.Speaker.Kind)
		if out == nil {
			return
		}
		if err := out.Gain(r.ID, gainOf(e.Percent, e.Muted)); err != nil && !errors.Is(err, audio.ErrUnknownMember) {
			h.log.Warn("volume", "room", r.ID, "err", err)
		}
	}
}

// resumeWithin is how old a place may be for the music to go on by itself
// after a crash or a power cut.
const resumeWithin = 15 * time.Minute

// restore builds the house of the last time. resume says that it was playing
// when it was cut off.
func (h *Hub) restore(ctx context.Context) (first room.House, resume bool, err error) {
	items, place, err := h.store.Group(ctx, mainGroup)
	if err != nil {
		return room.House{}, false, err
	}
	g := room.Group{ID: mainGroup, Transport: room.Stopped, Queue: room.Queue{Items: items, Current: place.Current}, Position: place.Position}
	if len(items) > 0 && place.Position > 0 {
		g.Transport = room.Paused
	}
	age := time.Since(place.At)
	resume = place.Playing && len(items) > 0 && age >= 0 && age < resumeWithin
	return room.House{Name: h.cfg.Name, Groups: []room.Group{g}, Version: 1}, resume, nil
}

// resume goes on where the hub was cut off.
func (h *Hub) resume(g room.Group) {
	h.house.mu.Lock()
	defer h.house.mu.Unlock()
	next := h.house.now
	next.Groups = []room.Group{g}
	next.Groups[0].Transport = room.Waiting
	next.Version++
	h.house.set(next)
	h.command()
	h.player.Load(g.Queue.Current, g.Position, false)
}

// fillQueue puts the whole library, but for what never ends, into a queue that
// nobody has touched yet, also what the platform lists later, and starts it if
// the owner wants music from the start.
func (h *Hub) fillQueue(ctx context.Context) error {
	house := h.house.State()
	g, _ := house.Group(mainGroup)
	var have []string
	for _, t := range g.Queue.Items {
		have = append(have, t.ID)
	}
	if !slices.Equal(have, h.filled) || g.Left != nil {
		return nil
	}
	var more []string
	for _, t := range house.Library {
		if !t.Live && !slices.Contains(have, t.ID) && len(have)+len(more) < room.MaxQueue {
			more = append(more, t.ID)
		}
	}
	if len(more) == 0 {
		return nil
	}
	if err := h.house.Do(ctx, room.Enqueue{Tracks: more}); err != nil {
		return err
	}
	h.filled = append(have, more...)
	if h.cfg.Play && len(have) == 0 {
		h.money.awaitGift(ctx)
		return h.house.Do(ctx, room.Play{})
	}
	return nil
}

// save keeps the state of the house on disk, at most saveEvery behind.
func (h *Hub) save(ctx context.Context) error {
	for {
		version := h.house.State().Version
		if err := h.saveNow(ctx, true); err != nil && ctx.Err() == nil {
			h.notice(noticeDisk, unwritten)
			return fmt.Errorf("%s: %w", h.cfg.State, err)
		}
		h.notice(noticeDisk, "")
		select {
		case <-h.house.Changed(version):
		case <-ctx.Done():
			return ctx.Err()
		}
		if !wait(ctx.Done(), saveEvery) {
			return ctx.Err()
		}
	}
}

const unwritten = "The hub cannot write to its disk: see whether it is full. Music that is paid for plays on; what is set now will not outlast a restart."

// saveNow writes what differs from what was written last. running is false
// for the last word of a hub that is closed on purpose: it does not start to
// play by itself.
func (h *Hub) saveNow(ctx context.Context, running bool) error {
	h.saved.mu.Lock()
	defer h.saved.mu.Unlock()
	now := h.house.State()
	g, _ := now.Group(mainGroup)
	for _, r := range now.Rooms {
		kept := r
		kept.Speaker, kept.Silent = room.Speaker{}, ""
		if h.saved.rooms[r.ID] == kept {
			continue
		}
		if err := h.store.SaveRoom(ctx, kept); err != nil {
			return err
		}
		h.saved.rooms[r.ID] = kept
	}
	if !sameLibrary(h.saved.queue, g.Queue.Items) {
		if err := h.store.SaveQueue(ctx, g.ID, g.Queue.Items); err != nil {
			return err
		}
		h.saved.queue = g.Queue.Items
	}
	playing := running && (g.Transport == room.Playing || g.Transport == room.Waiting)
	return h.store.SavePlace(ctx, g.ID, store.Place{Current: g.Queue.Current, Position: g.PositionAt(time.Now()), Playing: playing, At: time.Now()})
}

// savePlace writes down where the running group is, and the queue that the
// place is in.
func (h *Hub) savePlace(ctx context.Context) error { return h.saveNow(ctx, true) }

// saved is what the house file holds, so that only changes are written.
type saved struct {
	mu    sync.Mutex
	rooms map[string]room.Room
	queue []room.Track
}
