package player_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/player"
)

// TestPauseAtTheVeryEnd pauses within the last moments of the queue, where
// nothing is left to take back, and resumes: the queue ends.
func TestPauseAtTheVeryEnd(t *testing.T) {
	for before := 10 * time.Millisecond; before < 300*time.Millisecond; before += 30 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			a := noise(cd, 4, 1)
			s := newStage(t, a)
			s.attach("r")
			s.Load(0, 0, false)
			wait(time.Second)
			s.mu.Lock()
			last := s.heard[len(s.heard)-1]
			s.mu.Unlock()
			now := audioNow(s)
			end := last.At.Add(4*time.Second - last.Position)
			wait(end.Sub(now) - before)
			s.Halt()
			wait(time.Second)
			s.Resume()
			wait(2 * time.Second)
			s.equals(t, "r", a.pcm)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.ended != 1 {
				t.Errorf("paused %v before the end: ended %d times after the resume", before, s.ended)
			}
		})
	}
}

func audioNow(s *stage) audio.Instant { return s.Player.Clock.Now() }

// TestTinyTracks plays tracks of one frame and of less than a block between
// longer ones, of one and of two formats, without a frame lost.
func TestTinyTracks(t *testing.T) {
	tiny := func(f audio.Format, n int, seed uint64) piece {
		p := noise(f, 1, seed)
		p.pcm = p.pcm[:n*2]
		return p
	}
	for name, pieces := range map[string][]piece{
		"one format":  {noise(cd, 4, 1), tiny(cd, 1, 2), tiny(cd, 100, 3), noise(cd, 3, 4), tiny(cd, 1, 5)},
		"two formats": {noise(cd, 4, 1), tiny(dvd, 1, 2), noise(cd, 3, 4), tiny(dvd, 500, 5), tiny(cd, 1, 6)},
		"tiny first":  {tiny(cd, 1, 2), noise(cd, 3, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, pieces...)
				s.attach("r")
				s.Load(0, 0, false)
				wait(15 * time.Second)
				var want []int32
				for _, p := range pieces {
					want = append(want, p.pcm...)
				}
				s.equals(t, "r", want)
				s.mu.Lock()
				defer s.mu.Unlock()
				if s.ended != 1 {
					t.Errorf("ended %d times", s.ended)
				}
				for i, tr := range s.tape.open {
					if tr.heard != tr.frames() {
						t.Errorf("track %d: heard %d of %d frames", i, tr.heard, tr.frames())
					}
				}
			})
		})
	}
}

// slow is a tape whose Open takes a while: it looks at the queue first, as a
// network would have it, and gives what was there then.
type slow struct {
	*tape
	takes time.Duration
}

func (s slow) Open(ctx context.Context, index int, from time.Duration) (player.Track, error) {
	t, err := s.tape.Open(ctx, index, from)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(s.takes):
		return t, nil
	case <-ctx.Done():
		_ = t.Close()
		return nil, ctx.Err()
	}
}

// TestRequeueWhileOpening changes the queue at many moments of a piece, also
// while the next one is being opened, when the end of the queue was read
// already, and when a piece of another format is written. What follows is what
// the queue says; a piece that was not there in time makes a pause and a fade.
func TestRequeueWhileOpening(t *testing.T) {
	a := noise(cd, 6, 1)
	before := map[string][]piece{"end": {a}, "same format": {a, noise(cd, 3, 2)}, "other format": {a, noise(dvd, 3, 2)}}
	for _, takes := range []time.Duration{0, 300 * time.Millisecond, 1700 * time.Millisecond} {
		for name, queue := range before {
			for _, c := range []piece{noise(cd, 3, 3), noise(dvd, 3, 3)} {
				for at := 50 * time.Millisecond; at < 5800*time.Millisecond; at += 370 * time.Millisecond {
					synctest.Test(t, func(t *testing.T) {
						s := newStage(t, queue...)
						s.Player.Playlist = slow{s.tape, takes}
						s.attach("r")
						s.Load(0, 0, false)
						wait(takes + at)
						s.tape.mu.Lock()
						s.tape.pieces = []piece{a, c}
						s.tape.mu.Unlock()
						s.Requeue(0)
						wait(14 * time.Second)
						got, want := s.rec.PCM("r"), append(append([]int32{}, a.pcm...), c.pcm...)
						if len(got) != len(want) {
							t.Fatalf("%v, %s, changed at %v: %d samples, want %d", takes, name, at, len(got), len(want))
						}
						seam, soft := len(a.pcm), 2*48000/10
						for i := range got {
							if got[i] != want[i] && (takes == 0 || i < seam-soft || i > seam+soft) {
								t.Fatalf("%v, %s, changed at %v: another sample at %d", takes, name, at, i)
							}
						}
					})
				}
			}
		}
	}
}

// TestRequeueWhileLoading moves the piece in the queue before it is open.
func TestRequeueWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := noise(cd, 3, 1), noise(cd, 3, 2), noise(cd, 3, 3)
		s := newStage(t, a, b, c)
		s.Player.Playlist = slow{s.tape, time.Second}
		s.attach("r")
		s.Load(1, time.Second, false)
		wait(500 * time.Millisecond)
		s.tape.mu.Lock()
		s.tape.pieces = []piece{b, c}
		s.tape.mu.Unlock()
		s.Requeue(0)
		wait(12 * time.Second)
		s.equals(t, "r", append(append([]int32{}, b.pcm[44100*2:]...), c.pcm...))
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.heard); n == 0 || s.heard[0].Index != 0 || s.heard[n-1].Index != 1 {
			t.Errorf("people are told of other places in the queue")
		}
	})
}

// sticky is a track whose Close takes long: a purchase finds its end first.
type sticky struct{ *track }

func (s sticky) Close() error { <-time.After(5 * time.Second); return s.track.Close() }

type stickyTape struct{ *tape }

func (s stickyTape) Open(ctx context.Context, index int, from time.Duration) (player.Track, error) {
	t, err := s.tape.Open(ctx, index, from)
	if err != nil {
		return nil, err
	}
	return sticky{t.(*track)}, nil
}

// TestRequeueDoesNotWait lets the closing of the track that was opened ahead
// take five seconds: nobody hears of it.
func TestRequeueDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := noise(cd, 12, 1), noise(cd, 3, 2)
		s := newStage(t, a, b)
		s.Player.Playlist = stickyTape{s.tape}
		s.attach("r")
		s.Load(0, 0, false)
		wait(3 * time.Second)
		s.Requeue(0)
		wait(20 * time.Second)
		s.equals(t, "r", append(append([]int32{}, a.pcm...), b.pcm...))
		for _, p := range s.rec.Played("r") {
			if p.PCM == nil {
				t.Errorf("%d frames are missing at %d", p.Frames, p.Pos)
			}
		}
	})
}

// TestUnheardIsNotHeard lets a group without a speaker give up: the place
// stays where somebody heard it last, and nothing counts as heard.
func TestUnheardIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 60, 1)
		s := newStage(t, a)
		s.Load(0, 0, false)
		wait(30 * time.Second)
		s.attach("r")
		s.Resume()
		wait(5 * time.Second)
		got := s.rec.PCM("r")
		s.equals(t, "r", a.pcm[:len(got)])
		s.tape.mu.Lock()
		defer s.tape.mu.Unlock()
		if h := s.tape.open[0].heard; h != 0 {
			t.Errorf("%d frames count as heard and nobody heard them", h)
		}
	})
}
