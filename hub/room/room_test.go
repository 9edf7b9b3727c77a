package room

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// house is three tracks in the queue of the main group, one room in it and
// one idle.
func house() House {
	lib := []Track{{ID: "a", Length: time.Minute}, {ID: "b", Length: time.Minute}, {ID: "c", Length: time.Minute}}
	return House{
		Rooms:   []Room{{ID: "k", Name: "Kitchen", Volume: 25, Group: "main"}, {ID: "l", Name: "Lounge", Volume: 25}},
		Groups:  []Group{{ID: "main", Queue: Queue{Items: lib}, Transport: Stopped}},
		Library: lib,
	}
}

func TestApply(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	playing := func(index int, at time.Duration) func(*House) {
		return func(h *House) {
			g := &h.Groups[0]
			g.Transport, g.Queue.Current, g.Position, g.At = Playing, index, at, now
		}
	}
	paused := func(h *House) { h.Groups[0].Transport, h.Groups[0].Position = Paused, 7*time.Second }
	for _, c := range []struct {
		name  string
		from  func(*House)
		do    Command
		want  []Effect
		check func(House) bool
	}{
		{"play starts the first track and only waits", nil, Play{}, []Effect{Load{"main", 0, false}},
			func(h House) bool { return h.Groups[0].Transport == Waiting }},
		{"play while playing does nothing", playing(0, 0), Play{}, nil, nil},
		{"play after pause resumes", paused, Play{}, []Effect{Resume{"main"}}, nil},
		{"pause keeps the place", playing(1, 5*time.Second), Pause{}, []Effect{Halt{"main"}},
			func(h House) bool { return h.Groups[0].Position == 5*time.Second && h.Groups[0].Transport == Paused }},
		{"next loads", playing(0, 0), Next{}, []Effect{Load{"main", 0, false}},
			func(h House) bool { return h.Groups[0].Queue.Current == 1 }},
		{"next while paused only prepares", paused, Next{}, []Effect{Load{"main", 0, true}},
			func(h House) bool { return h.Groups[0].Transport == Paused }},
		{"next after the last stops", playing(2, 0), Next{}, []Effect{Halt{"main"}},
			func(h House) bool { return h.Groups[0].Transport == Stopped && h.Groups[0].Queue.Current == 0 }},
		{"previous soon goes back", playing(1, time.Second), Previous{}, []Effect{Load{"main", 0, false}},
			func(h House) bool { return h.Groups[0].Queue.Current == 0 }},
		{"previous late restarts", playing(1, 4*time.Second), Previous{}, []Effect{Load{"main", 0, false}},
			func(h House) bool { return h.Groups[0].Queue.Current == 1 }},
		{"seek is clamped", playing(0, 0), Seek{To: time.Hour}, []Effect{Load{"main", time.Minute, false}}, nil},
		{"seek while paused stays paused", paused, Seek{To: time.Second}, []Effect{Load{"main", time.Second, true}},
			func(h House) bool { return h.Groups[0].Transport == Paused }},
		{"select plays", nil, Select{Index: 2}, []Effect{Load{"main", 0, false}}, nil},
		{"volume unmutes", func(h *House) { h.Rooms[0].Muted = true }, SetVolume{"k", 40}, []Effect{Loudness{"k", 40, false}}, nil},
		{"mute keeps the volume", nil, SetMute{"k", true}, []Effect{Loudness{"k", 25, true}},
			func(h House) bool { return h.Rooms[0].Volume == 25 }},
		{"join sets the loudness first", nil, Join{"l", ""}, []Effect{Loudness{"l", 25, false}, Attach{"l", "main"}}, nil},
		{"join all takes the missing rooms", nil, Join{Room: "all"}, []Effect{Loudness{"l", 25, false}, Attach{"l", "main"}}, nil},
		{"leave detaches", nil, Leave{"k"}, []Effect{Detach{"k", "main"}}, nil},
		{"leave when idle is nothing", nil, Leave{"l"}, nil, nil},
		{"enqueue now plays next in line", playing(0, 0), Enqueue{Tracks: []string{"c"}, Now: true}, []Effect{Load{"main", 0, false}},
			func(h House) bool {
				return len(h.Groups[0].Queue.Items) == 4 && h.Groups[0].Queue.Current == 1 && h.Groups[0].Queue.Items[1].ID == "c"
			}},
		{"remove what plays loads the next", playing(1, 0), Remove{Index: 1}, []Effect{Load{"main", 0, false}},
			func(h House) bool { return h.Groups[0].Queue.Items[1].ID == "c" }},
		{"remove before keeps what plays", playing(1, 0), Remove{Index: 0}, []Effect{Requeue{"main"}},
			func(h House) bool {
				return h.Groups[0].Queue.Current == 0 && h.Groups[0].Queue.Items[0].ID == "b"
			}},
		{"clear keeps what plays", playing(1, 0), Clear{}, []Effect{Requeue{"main"}},
			func(h House) bool { return len(h.Groups[0].Queue.Items) == 1 && h.Groups[0].Left != nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := house()
			if c.from != nil {
				c.from(&h)
			}
			before := h.clone()
			next, effects, err := h.Apply(c.do, now)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(effects, c.want) {
				t.Errorf("effects %#v, want %#v", effects, c.want)
			}
			if c.check != nil && !c.check(next) {
				t.Errorf("house afterwards: %+v", next.Groups[0])
			}
			if !reflect.DeepEqual(h, before) {
				t.Error("Apply changed the house it was called on")
			}
		})
	}
}

func TestUndo(t *testing.T) {
	h := house()
	now := time.Now()
	for _, c := range []Command{Remove{Index: 1}, Undo{}} {
		var err error
		if h, _, err = h.Apply(c, now); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(h.Groups[0].Queue.Items); got != 3 || h.Groups[0].Queue.Items[1].ID != "b" {
		t.Fatalf("after undo the queue is %v", h.Groups[0].Queue)
	}
	if _, _, err := h.Apply(Undo{}, now); err == nil {
		t.Fatal("a second undo found something")
	}
}

func TestRefusals(t *testing.T) {
	var notFound *NotFoundError
	var outOfRange *RangeError
	for _, c := range []struct {
		do Command
		as any
	}{
		{SetVolume{"x", 10}, &notFound}, {SetVolume{"k", 101}, &outOfRange}, {SetVolume{"k", -1}, &outOfRange},
		{Play{"other"}, &notFound}, {Select{Index: 3}, &outOfRange}, {Remove{Index: -1}, &outOfRange},
		{Enqueue{Tracks: []string{"zz"}}, &notFound}, {Join{"x", ""}, &notFound},
	} {
		h := house()
		next, effects, err := h.Apply(c.do, time.Now())
		if !errors.As(err, c.as) || effects != nil || next.Version != h.Version {
			t.Errorf("%#v: err %v, effects %v", c.do, err, effects)
		}
	}
}

// TestOvertakenNews skips twice, while the news of what played before the
// first skip are still on their way: the second skip goes one further.
func TestOvertakenNews(t *testing.T) {
	h, now := house(), time.Now()
	h.Groups[0].Transport = Playing
	late := Heard{Group: "main", Index: 0, Track: "a", Position: time.Second, At: now.Add(-time.Millisecond)}
	for i, want := range []int{1, 2} {
		next, _, err := h.Apply(Next{}, now)
		if err != nil {
			t.Fatal(err)
		}
		h = next.Note(late)
		if g := h.Groups[0]; g.Queue.Current != want || g.Transport != Waiting {
			t.Errorf("after skip %d the house shows place %d, %v", i+1, g.Queue.Current, g.Transport)
		}
	}
	late.At, late.Index, late.Track = now.Add(time.Millisecond), 2, "c"
	if h = h.Note(late); h.Groups[0].Transport != Playing {
		t.Error("news from after the skip were not believed")
	}
}

func TestNote(t *testing.T) {
	h, now := house(), time.Now()
	if got := h.Note(Heard{Group: "main", Index: 1, Track: "b", At: now}); got.Version != h.Version {
		t.Error("a stopped group was shown as playing")
	}
	h, _, _ = h.Apply(Play{}, now)
	h = h.Note(Heard{Group: "main", Index: 1, Track: "b", Position: time.Second, At: now, Rung: "FLAC"})
	if g := h.Groups[0]; g.Transport != Playing || g.Queue.Current != 1 || g.PositionAt(now.Add(time.Second)) != 2*time.Second {
		t.Errorf("after Heard: %+v", g)
	}
	if got := h.Note(Heard{Group: "main", Index: 1, Track: "c", At: now}); got.Version != h.Version {
		t.Error("news from before a change of the queue were believed")
	}
	h = h.Note(Waits{"main", "platform does not answer"})
	if g := h.Groups[0]; g.Transport != Waiting || g.Why == "" {
		t.Errorf("after Waits: %+v", g)
	}
	h = h.Note(Silenced{"k", "at its cap"})
	if r, _ := h.Room("k"); r.Group != "" || r.Silent == "" {
		t.Errorf("after Silenced: %+v", r)
	}
	h = h.Note(Found{Room{ID: "l", Name: "Living", Volume: 90, Group: "main", Speaker: Speaker{State: "ready"}}})
	if r, _ := h.Room("l"); r.Volume != 25 || r.Group != "" || r.Name != "Living" {
		t.Errorf("news of a known room changed more than its name and speaker: %+v", r)
	}
	before := h
	h = h.Note(Stocked{[]Track{{ID: "b", Length: time.Hour}}})
	if h.Groups[0].Queue.Items[1].Length != time.Hour || before.Groups[0].Queue.Items[1].Length != time.Minute {
		t.Errorf("after Stocked: %+v", h.Groups[0].Queue.Items)
	}
	h = h.Note(Ended{"main"})
	if h.Groups[0].Transport != Stopped {
		t.Errorf("after Ended: %+v", h.Groups[0])
	}
}

// TestLiveHasNoPlaces wants a live piece to refuse a seek and to change nothing
// by it, and to have a position all the same.
func TestLiveHasNoPlaces(t *testing.T) {
	now := time.Now()
	h := House{Groups: []Group{{ID: "g", Transport: Playing, Position: time.Minute, At: now.Add(-time.Second), Queue: Queue{Items: []Track{{ID: "a", Title: "Radio", Live: true}}}}}}
	next, effects, err := h.Apply(Seek{To: time.Second}, now)
	var live *LiveError
	if !errors.As(err, &live) || len(effects) > 0 || next.Version != h.Version || next.Groups[0].Position != time.Minute {
		t.Errorf("%+v, %v, %v", next, effects, err)
	}
	if p := h.Groups[0].PositionAt(now); p != time.Minute+time.Second {
		t.Errorf("position %v", p)
	}
}
