package room

import (
	"fmt"
	"slices"
	"time"
)

// restartAfter is how far into a track Previous means "from the start".
const restartAfter = 3 * time.Second

// NotFoundError names something that is not in the house.
type NotFoundError struct{ What, ID string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no %s %q", e.What, e.ID) }

// RangeError says that a number is out of its range.
type RangeError struct {
	What     string
	Got, Max int // allowed are 0..Max
}

func (e *RangeError) Error() string {
	if e.Max < 0 {
		return fmt.Sprintf("%s: there is none", e.What)
	}
	return fmt.Sprintf("%s must lie between 0 and %d, not %d", e.What, e.Max, e.Got)
}

// LiveError refuses to go to another place of a live broadcast.
type LiveError struct{ Title string }

func (e *LiveError) Error() string {
	return fmt.Sprintf("%q is live: it has no other place to go to", e.Title)
}

// Apply carries out a command on the house as people see it. It returns the
// next house and what the world must do. On an error the house is unchanged
// and there is nothing to do.
func (h House) Apply(c Command, now time.Time) (House, []Effect, error) {
	next := h.clone()
	effects, err := next.apply(c, now)
	if err != nil {
		return h, nil, err
	}
	next.asked(effects, now)
	next.Version++
	return next, effects, nil
}

// asked notes when a group's player was told something else than it reports.
func (h *House) asked(effects []Effect, now time.Time) {
	for _, e := range effects {
		var id string
		switch e := e.(type) {
		case Load:
			id = e.Group
		case Resume:
			id = e.Group
		case Halt:
			id = e.Group
		default:
			continue
		}
		if g, err := h.group(id); err == nil {
			g.Asked = now
		}
	}
}

func (h *House) apply(c Command, now time.Time) ([]Effect, error) {
	switch c := c.(type) {
	case SetVolume:
		return h.volume(c)
	case SetMute:
		return h.mute(c)
	case Join:
		return h.join(c)
	case Leave:
		return h.leave(c.Room)
	case Play:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.play() })
	case Pause:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.pause(now) })
	case Next:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.skip(1) })
	case Previous:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) {
			if g.PositionAt(now) > restartAfter || g.Queue.Current == 0 {
				return g.load(0), nil
			}
			return g.skip(-1)
		})
	case Seek:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.seek(c.To) })
	case Select:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.pick(c.Index) })
	case Enqueue:
		return h.enqueue(c)
	case Remove:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.remove(c.Index) })
	case Clear:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.clear(), nil })
	case Undo:
		return h.onGroup(c.Group, func(g *Group) ([]Effect, error) { return g.undo() })
	}
	return nil, fmt.Errorf("unknown command %T", c)
}

// clone copies what a command may change, so that a handed-on House stays.
func (h House) clone() House {
	h.Rooms = slices.Clone(h.Rooms)
	h.Groups = slices.Clone(h.Groups)
	for i := range h.Groups {
		h.Groups[i].Queue.Items = slices.Clone(h.Groups[i].Queue.Items)
	}
	return h
}

func (h *House) room(id string) (*Room, error) {
	for i := range h.Rooms {
		if h.Rooms[i].ID == id {
			return &h.Rooms[i], nil
		}
	}
	return nil, &NotFoundError{"room", id}
}

func (h *House) group(id string) (*Group, error) {
	for i := range h.Groups {
		if h.Groups[i].ID == id || (id == "" && i == 0) {
			return &h.Groups[i], nil
		}
	}
	return nil, &NotFoundError{"group", id}
}

func (h *House) onGroup(id string, do func(*Group) ([]Effect, error)) ([]Effect, error) {
	g, err := h.group(id)
	if err != nil {
		return nil, err
	}
	return do(g)
}

func (h *House) volume(c SetVolume) ([]Effect, error) {
	r, err := h.room(c.Room)
	if err != nil {
		return nil, err
	}
	if c.Percent < 0 || c.Percent > 100 {
		return nil, &RangeError{"volume", c.Percent, 100}
	}
	r.Volume, r.Muted = c.Percent, false
	return []Effect{Loudness{r.ID, r.Volume, r.Muted}}, nil
}

func (h *House) mute(c SetMute) ([]Effect, error) {
	r, err := h.room(c.Room)
	if err != nil {
		return nil, err
	}
	r.Muted = c.On
	return []Effect{Loudness{r.ID, r.Volume, r.Muted}}, nil
}

func (h *House) join(c Join) ([]Effect, error) {
	g, err := h.group(c.Group)
	if err != nil {
		return nil, err
	}
	if c.Room != "all" {
		r, err := h.room(c.Room)
		if err != nil {
			return nil, err
		}
		return r.join(g.ID), nil
	}
	var out []Effect
	for i := range h.Rooms {
		out = append(out, h.Rooms[i].join(g.ID)...)
	}
	return out, nil
}

func (r *Room) join(group string) []Effect {
	r.Silent = ""
	if r.Group == group {
		return nil
	}
	var out []Effect
	if r.Group != "" {
		out = append(out, Detach{r.ID, r.Group})
	}
	r.Group = group
	return append(out, Loudness{r.ID, r.Volume, r.Muted}, Attach{r.ID, group})
}

func (h *House) leave(id string) ([]Effect, error) {
	r, err := h.room(id)
	if err != nil {
		return nil, err
	}
	if r.Group == "" {
		return nil, nil
	}
	from := r.Group
	r.Group, r.Silent = "", ""
	return []Effect{Detach{id, from}}, nil
}
