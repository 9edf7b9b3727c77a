package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sonahub/hub/room"
)

// testHouse has one group with two tracks and the rooms a and b; what is
// carried out is kept in its order.
func testHouse(effect func(room.Effect)) *house {
	lib := []room.Track{{ID: "one", Length: time.Minute}, {ID: "two", Length: time.Minute}}
	return newHouse(room.House{
		Rooms:  []room.Room{{ID: "a", Name: "A", Volume: 25, Group: mainGroup}, {ID: "b", Name: "B", Volume: 25}},
		Groups: []room.Group{{ID: mainGroup, Queue: room.Queue{Items: lib}, Transport: room.Stopped}}, Library: lib, Version: 1,
	}, effect)
}

// TestDo wants a refused command to change and to carry out nothing.
func TestDo(t *testing.T) {
	var did []room.Effect
	h := testHouse(func(e room.Effect) { did = append(did, e) })
	ctx := t.Context()
	var unknown *room.NotFoundError
	if err := h.Do(ctx, room.Leave{Room: "cellar"}); !errors.As(err, &unknown) {
		t.Errorf("a room that is not there: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Do(ended, room.Play{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its caller left: %v", err)
	}
	if len(did) > 0 || h.State().Version != 1 {
		t.Errorf("refused commands did %v", did)
	}
	if err := h.Do(ctx, room.Join{Room: "b"}); err != nil {
		t.Fatal(err)
	}
	if len(did) != 2 || did[0] != (room.Loudness{Room: "b", Percent: 25}) || did[1] != (room.Attach{Room: "b", Group: mainGroup}) {
		t.Errorf("joining did %#v", did)
	}
}

// TestEffectsInOrder lets many people turn one knob: what the speaker was told
// last is what the house shows. To see it fail: call h.effect in Do after the
// unlock.
func TestEffectsInOrder(t *testing.T) {
	told := -1
	h := testHouse(func(e room.Effect) {
		if l, ok := e.(room.Loudness); ok {
			told = l.Percent
		}
	})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				if err := h.Do(t.Context(), room.SetVolume{Room: "a", Percent: (i*50 + n) % 101}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r, _ := h.State().Room("a")
	if told != r.Volume {
		t.Errorf("the speaker is at %d, the house shows %d", told, r.Volume)
	}
}

// TestWatchers lets several watchers follow while the house changes: none may
// miss the last version or wait for ever.
func TestWatchers(t *testing.T) {
	h := testHouse(func(room.Effect) {})
	const changes = 300
	last := h.State().Version + changes
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			end := time.After(10 * time.Second)
			for v := h.State().Version; v < last; v = h.State().Version {
				select {
				case <-h.Changed(v):
				case <-end:
					t.Errorf("a watcher waits at version %d of %d", v, last)
					return
				}
			}
		})
	}
	for i := range changes {
		switch i % 3 {
		case 0:
			h.touch()
		case 1:
			h.note(room.Stocked{Library: []room.Track{{ID: fmt.Sprint(i)}}})
		default:
			if err := h.Do(t.Context(), room.SetVolume{Room: "b", Percent: i % 101}); err != nil {
				t.Error(err)
			}
		}
	}
	all.Wait()
	select {
	case <-h.Changed(h.State().Version):
		t.Error("a change is told that did not come")
	default:
	}
	if before := h.State().Version; h.note(room.Noticed{}) || h.State().Version != before {
		t.Error("no news woke the watchers")
	}
}

// TestSilence takes a room out once, with the reason, and the speaker too.
func TestSilence(t *testing.T) {
	var did []room.Effect
	h := testHouse(func(e room.Effect) { did = append(did, e) })
	if !h.silence("a", "It had enough.") || h.silence("a", "Again.") || h.silence("b", "It was not in.") || h.silence("c", "Who?") {
		t.Error("silence does not tell whether it did anything")
	}
	r, _ := h.State().Room("a")
	if r.Group != "" || r.Silent != "It had enough." || len(did) != 1 || did[0] != (room.Detach{Room: "a", Group: mainGroup}) {
		t.Errorf("room %+v, effects %#v", r, did)
	}
	if got := h.listeners(mainGroup); len(got) != 0 {
		t.Errorf("a silent room still pays: %v", got)
	}
}

// TestNotices wants the sentences of several parts side by side.
func TestNotices(t *testing.T) {
	h := testHouse(func(room.Effect) {})
	for _, c := range []struct {
		kind       int
		text, want string
	}{
		{noticePlatform, "No platform.", "No platform."},
		{noticeDisk, "Disk full.", "Disk full. No platform."},
		{noticePlatform, "", "Disk full."},
		{noticeDisk, "", ""},
	} {
		h.notice(c.kind, c.text)
		if got := h.State().Notice; got != c.want {
			t.Errorf("people read %q, want %q", got, c.want)
		}
	}
}
