package room

import (
	"slices"
	"time"
)

// PositionAt returns where the group is at the instant now: Position, and
// what has passed since if it plays.
func (g Group) PositionAt(now time.Time) time.Duration {
	p := g.Position
	if g.Transport == Playing && !g.At.IsZero() {
		p += max(0, now.Sub(g.At))
	}
	if t, ok := g.Track(); ok && t.Length > 0 {
		p = min(p, t.Length)
	}
	return p
}

func (g *Group) play() ([]Effect, error) {
	if len(g.Queue.Items) == 0 {
		return nil, &NotFoundError{"music in the queue", ""}
	}
	switch g.Transport {
	case Playing, Waiting:
		return nil, nil
	case Paused:
		g.Transport, g.Why = Waiting, ""
		return []Effect{Resume{g.ID}}, nil
	default:
		return g.load(0), nil
	}
}

// load starts the current track; it counts as playing only when a speaker
// says so, until then the group waits.
func (g *Group) load(from time.Duration) []Effect {
	hold := g.Transport == Paused
	g.Position, g.At, g.Why = from, time.Time{}, ""
	if !hold {
		g.Transport = Waiting
	}
	return []Effect{Load{g.ID, from, hold}}
}

func (g *Group) pause(now time.Time) ([]Effect, error) {
	if g.Transport != Playing && g.Transport != Waiting {
		return nil, nil
	}
	g.Position, g.At = g.PositionAt(now), time.Time{}
	g.Transport, g.Why = Paused, ""
	return []Effect{Halt{g.ID}}, nil
}

func (g *Group) skip(by int) ([]Effect, error) {
	to := g.Queue.Current + by
	if to >= len(g.Queue.Items) {
		g.Transport, g.Position, g.At, g.Why = Stopped, 0, time.Time{}, ""
		g.Queue.Current = 0
		return []Effect{Halt{g.ID}}, nil
	}
	g.Queue.Current = max(0, to)
	return g.load(0), nil
}

func (g *Group) seek(to time.Duration) ([]Effect, error) {
	t, ok := g.Track()
	if !ok {
		return nil, &NotFoundError{"music in the queue", ""}
	}
	if t.Live {
		return nil, &LiveError{t.Title}
	}
	to = max(0, to)
	if t.Length > 0 {
		to = min(to, t.Length)
	}
	if g.Transport == Stopped {
		g.Transport = Paused
	}
	return g.load(to), nil
}

func (g *Group) pick(i int) ([]Effect, error) {
	if i < 0 || i >= len(g.Queue.Items) {
		return nil, &RangeError{"place in the queue", i, len(g.Queue.Items) - 1}
	}
	g.Queue.Current = i
	g.Transport = Waiting
	return g.load(0), nil
}

func (h *House) enqueue(c Enqueue) ([]Effect, error) {
	g, err := h.group(c.Group)
	if err != nil {
		return nil, err
	}
	var tracks []Track
	for _, id := range c.Tracks {
		i := slices.IndexFunc(h.Library, func(t Track) bool { return t.ID == id })
		if i < 0 {
			return nil, &NotFoundError{"track", id}
		}
		tracks = append(tracks, h.Library[i])
	}
	if n := len(g.Queue.Items) + len(tracks); n > MaxQueue {
		return nil, &RangeError{"length of the queue", n, MaxQueue}
	}
	if len(tracks) == 0 {
		return nil, nil
	}
	at := len(g.Queue.Items)
	if (c.Next || c.Now) && at > 0 {
		at = g.Queue.Current + 1
	}
	g.Queue.Items = slices.Insert(g.Queue.Items, at, tracks...)
	if c.Now {
		return g.pick(at)
	}
	return []Effect{Requeue{g.ID}}, nil
}

func (g *Group) remember() {
	g.Left = &Queue{Items: slices.Clone(g.Queue.Items), Current: g.Queue.Current}
}

func (g *Group) remove(i int) ([]Effect, error) {
	if i < 0 || i >= len(g.Queue.Items) {
		return nil, &RangeError{"place in the queue", i, len(g.Queue.Items) - 1}
	}
	g.remember()
	g.Queue.Items = slices.Delete(g.Queue.Items, i, i+1)
	switch {
	case i < g.Queue.Current:
		g.Queue.Current--
	case i == g.Queue.Current && i >= len(g.Queue.Items):
		g.Queue.Current = 0
		g.Transport, g.Position, g.At = Stopped, 0, time.Time{}
		return []Effect{Halt{g.ID}}, nil
	case i == g.Queue.Current && g.Transport != Stopped:
		return g.load(0), nil
	}
	return []Effect{Requeue{g.ID}}, nil
}

func (g *Group) clear() []Effect {
	t, ok := g.Track()
	if !ok {
		return nil
	}
	g.remember()
	g.Queue = Queue{Items: []Track{t}}
	return []Effect{Requeue{g.ID}}
}

// undo brings the old queue back and keeps playing what plays, if it is in it.
func (g *Group) undo() ([]Effect, error) {
	if g.Left == nil {
		return nil, &NotFoundError{"earlier queue", ""}
	}
	playing, ok := g.Track()
	back := *g.Left
	g.Queue, g.Left = Queue{Items: slices.Clone(back.Items), Current: back.Current}, nil
	if !ok || g.Transport == Stopped {
		return []Effect{Requeue{g.ID}}, nil
	}
	if g.Queue.Items[g.Queue.Current].ID == playing.ID {
		return []Effect{Requeue{g.ID}}, nil
	}
	if i := slices.IndexFunc(g.Queue.Items, func(t Track) bool { return t.ID == playing.ID }); i >= 0 {
		g.Queue.Current = i
		return []Effect{Requeue{g.ID}}, nil
	}
	return g.load(0), nil
}
