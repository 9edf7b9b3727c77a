package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sonahub/airplay/raoptest"
	"sonahub/hub/app"
	"sonahub/hub/audio"
	"sonahub/hub/room"
	"sonahub/hub/virtual"
)

// ear hears one virtual room and notes when sound begins that does not go on
// from what sounded before.
type ear struct {
	mu     sync.Mutex
	last   virtual.Played
	onsets []audio.Instant
}

// seam is how far two stretches may be apart that follow each other.
const seam = time.Millisecond

func (e *ear) capture(_ string, p virtual.Played) {
	if p.PCM == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	due := e.last.At.Add(e.last.Frames.Duration(p.Format.Rate))
	if e.last.PCM == nil || p.At.Sub(due).Abs() > seam {
		e.onsets = append(e.onsets, p.At)
	}
	e.last = p
}

func (e *ear) after(tap audio.Instant) (audio.Instant, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return firstAfter(e.onsets, tap)
}

func firstAfter(onsets []audio.Instant, tap audio.Instant) (audio.Instant, bool) {
	for _, at := range onsets {
		if at > tap {
			return at, true
		}
	}
	return 0, false
}

// taps are the times from a command to its first sample, by what was done.
type taps struct{ cold, resume, seek, next []time.Duration }

// tap measures a virtual room, which asks for as much lead as a sound card.
func (b *bench) tap(t *testing.T) {
	var all taps
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			e := &ear{}
			b.household(t, b.config(t.TempDir()+"/hub", 1), 1, app.Options{Captured: e.capture}, &all, e.after)
		})
	}
	if t.Failed() {
		return
	}
	b.tapped("a virtual room", "<= 300 ms (the jack's)", 300*time.Millisecond, 300*time.Millisecond, all,
		fmt.Sprintf("command to the instant of the first sample, of which the room's lead is %v", virtual.Lead), "")
}

// tapAirPlay measures four AirPlay rooms, by the one that sounds last.
func (b *bench) tapAirPlay(t *testing.T) {
	var all taps
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			const rooms = 4
			c := b.config(t.TempDir()+"/hub", 0)
			var receivers []*raoptest.Receiver
			for n := range rooms {
				r := raoptest.Start(t, raoptest.Options{})
				receivers = append(receivers, r)
				c.Speakers = append(c.Speakers, fmt.Sprintf("Room %d=%s", n+1, r.Addr))
			}
			b.household(t, c, rooms, app.Options{}, &all, func(tap audio.Instant) (last audio.Instant, ok bool) {
				for _, r := range receivers {
					var onsets []audio.Instant
					for _, h := range r.Heard() {
						onsets = append(onsets, h.At)
					}
					at, ok := firstAfter(onsets, tap)
					if !ok {
						return 0, false
					}
					last = max(last, at)
				}
				return last, true
			})
		})
	}
	if t.Failed() {
		return
	}
	b.tapped("4 AirPlay rooms", "<= 900 ms, cold 1500 ms", 900*time.Millisecond, 1500*time.Millisecond, all,
		"command to the last room's first sample, AirPlay 1, of which the rooms' lead is 1 s", "2.3 s: OwnTone (other run)")
}

func (b *bench) tapped(where, goal string, warm, cold time.Duration, x taps, on, beside string) {
	for _, row := range []struct {
		what  string
		times []time.Duration
		limit time.Duration
		on    string
	}{
		{"first play of a new hub", x.cold, cold, "new session, opening grant"},
		{"play after a pause", x.resume, warm, ""},
		{"seek to what was never bought", x.seek, warm, ""},
		{"next", x.next, warm, ""},
	} {
		if row.on != "" {
			row.on = "; " + row.on
		}
		b.table.Add(Figure{What: "tap to sound, " + where + ": " + row.what, Measured: spread(row.times), Goal: goal,
			Verdict: AtMost(median(row.times).Seconds(), row.limit.Seconds()), Beside: beside, On: on + row.on})
	}
}

// household opens a hub and taps: play, pause and play, seek, next. heard
// tells the first instant after a tap at which all rooms sound anew.
func (b *bench) household(t *testing.T, c app.Config, rooms int, o app.Options, all *taps, heard func(audio.Instant) (audio.Instant, bool)) {
	t.Helper()
	hub, err := app.Open(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := hub.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	err = poll(20*time.Millisecond, 20*time.Second, func() bool {
		s, err := hub.Spending(t.Context())
		house := hub.State()
		return err == nil && s.Balance > 0 && len(house.Groups[0].Queue.Items) == 2 && len(house.Rooms) == rooms
	})
	if err != nil {
		t.Fatalf("a queue and money: %v", err)
	}
	do := func(c room.Command) {
		if err := hub.Do(t.Context(), c); err != nil {
			t.Fatalf("%T: %v", c, err)
		}
	}
	tap := func(c room.Command) time.Duration {
		now := audio.System{}.Now()
		do(c)
		var at audio.Instant
		err := poll(5*time.Millisecond, 20*time.Second, func() (ok bool) { at, ok = heard(now); return ok })
		if err != nil {
			t.Fatalf("%T: no sound: %v", c, err)
		}
		return at.Sub(now)
	}
	pause := func() { <-time.After(700 * time.Millisecond) }
	all.cold = append(all.cold, tap(room.Play{}))
	pause()
	do(room.Pause{})
	pause()
	all.resume = append(all.resume, tap(room.Play{}))
	pause()
	all.seek = append(all.seek, tap(room.Seek{To: firstPiece / 2 * time.Second}))
	pause()
	all.next = append(all.next, tap(room.Next{}))
}
