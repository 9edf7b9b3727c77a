package player_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/player"
	"sonahub/hub/virtual"
)

var (
	cd  = audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	dvd = audio.Format{Rate: 48000, Channels: 2, Bits: 24}
)

// piece is a track of the fake playlist: PCM with an optional outage before a
// position.
type piece struct {
	format audio.Format
	pcm    []int32
	outage audio.Pos     // reading stalls here ...
	gone   time.Duration // ... for so long
}

func (p piece) frames() audio.Pos { return audio.Pos(len(p.pcm) / p.format.Channels) }

// tape is a playlist over pieces.
type tape struct {
	pieces []piece

	mu   sync.Mutex
	open []*track
}

func (t *tape) Why() string { return "" }

func (t *tape) Open(_ context.Context, index int, from time.Duration) (player.Track, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index >= len(t.pieces) {
		return nil, io.EOF
	}
	p := t.pieces[index]
	at := min(p.format.Rate.Frames(from), p.frames())
	tr := &track{piece: p, from: at, next: at}
	t.open = append(t.open, tr)
	return tr, nil
}

// leaks returns how many tracks are open still.
func (t *tape) leaks() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range t.open {
		tr.mu.Lock()
		if !tr.closed {
			n++
		}
		tr.mu.Unlock()
	}
	return n
}

type track struct {
	piece
	from, next audio.Pos

	mu     sync.Mutex
	heard  audio.Pos
	held   bool
	closed bool
}

func (t *track) Read(ctx context.Context) (*audio.Block, error) {
	if t.next >= t.frames() {
		return nil, io.EOF
	}
	end := min(t.next+2*audio.Pos(t.format.Rate), t.frames())
	if t.gone > 0 && t.next <= t.outage && t.outage < end {
		if t.next == t.outage {
			select {
			case <-time.After(t.gone):
				t.gone = 0
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			end = t.outage
		}
	}
	b := &audio.Block{Format: t.format, At: t.next, PCM: t.pcm[int(t.next)*2 : int(end)*2]}
	t.next = end
	return b, nil
}

func (t *track) ID() string           { return "" }
func (t *track) Format() audio.Format { return t.format }
func (t *track) From() audio.Pos      { return t.from }
func (t *track) Total() audio.Pos     { return t.frames() }
func (t *track) Why() string          { return "the cellar is locked" }
func (t *track) Quality() string      { return "test" }
func (t *track) Heard(p audio.Pos)    { t.mu.Lock(); defer t.mu.Unlock(); t.heard = max(t.heard, p) }
func (t *track) Hold(on bool)         { t.mu.Lock(); defer t.mu.Unlock(); t.held = on }
func (t *track) Close() error         { t.mu.Lock(); defer t.mu.Unlock(); t.closed = true; return nil }

// diary is a listener that writes down what it hears.
type diary struct {
	mu    sync.Mutex
	heard []player.Heard
	waits []string
	halts []error
	ended int
}

func (d *diary) Heard(h player.Heard) { d.mu.Lock(); defer d.mu.Unlock(); d.heard = append(d.heard, h) }
func (d *diary) Waits(why string)     { d.mu.Lock(); defer d.mu.Unlock(); d.waits = append(d.waits, why) }
func (d *diary) Halted(err error)     { d.mu.Lock(); defer d.mu.Unlock(); d.halts = append(d.halts, err) }
func (d *diary) Ended()               { d.mu.Lock(); defer d.mu.Unlock(); d.ended++ }

// stage is a player with one virtual output, inside a synctest bubble.
type stage struct {
	*player.Player
	tape *tape
	out  *virtual.Output
	rec  *virtual.Recorder
	diary
}

func newStage(t *testing.T, pieces ...piece) *stage {
	s := &stage{tape: &tape{pieces: pieces}, rec: &virtual.Recorder{}}
	clock := &audiotest.Clock{}
	s.out = virtual.New(virtual.Options{Clock: clock, Capture: s.rec.Capture})
	s.Player = &player.Player{Clock: clock, Playlist: s.tape, Listener: &s.diary}
	s.Start(t.Context())
	t.Cleanup(func() {
		s.Close()
		if err := s.out.Close(); err != nil {
			t.Error(err)
		}
		if n := s.tape.leaks(); n != 0 {
			t.Errorf("%d tracks were never closed", n)
		}
	})
	return s
}

func (s *stage) attach(id string) { s.Attach(s.out, audio.Member{ID: id}) }

// equals fails unless the member sounded exactly want, in one piece.
func (s *stage) equals(t *testing.T, id string, want []int32) {
	t.Helper()
	got := s.rec.PCM(id)
	if audiotest.SHA256(cd, got) == audiotest.SHA256(cd, want) {
		return
	}
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	t.Errorf("%s sounded %d samples, want %d; they differ from sample %d on", id, len(got), len(want), n)
}

func noise(f audio.Format, seconds float64, seed uint64) piece {
	return piece{format: f, pcm: audiotest.Noise(f, -12, int(seconds*float64(f.Rate)), seed)}
}

func wait(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestGapless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := noise(cd, 5.3, 1), noise(cd, 4.1, 2)
		s := newStage(t, a, b)
		s.attach("r")
		s.Load(0, 0, false)
		wait(12 * time.Second)
		s.equals(t, "r", append(append([]int32{}, a.pcm...), b.pcm...))
		if s.ended != 1 {
			t.Errorf("ended %d times", s.ended)
		}
		for i, tr := range s.tape.open {
			if tr.heard != tr.frames() {
				t.Errorf("track %d: heard %d of %d frames", i, tr.heard, tr.frames())
			}
		}
	})
}

func TestPauseLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 8, 1)
		s := newStage(t, a)
		s.attach("r")
		s.Load(0, 0, false)
		wait(3337 * time.Millisecond)
		s.Halt()
		wait(time.Second)
		before := len(s.rec.PCM("r"))
		if !s.tape.open[0].held {
			t.Error("a paused track may still buy")
		}
		wait(5 * time.Second)
		if after := len(s.rec.PCM("r")); after != before {
			t.Errorf("a paused room sounded %d samples", after-before)
		}
		s.Resume()
		wait(10 * time.Second)
		s.equals(t, "r", a.pcm)
	})
}

func TestSeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 10, 1)
		s := newStage(t, a)
		s.attach("r")
		s.Load(0, 0, false)
		wait(3 * time.Second)
		s.Load(0, 7*time.Second, false)
		wait(6 * time.Second)
		got := s.rec.PCM("r")
		tail := a.pcm[7*44100*2:]
		if len(got) < len(tail) {
			t.Fatalf("only %d samples", len(got))
		}
		head := got[:len(got)-len(tail)]
		if audiotest.SHA256(cd, got[len(head):]) != audiotest.SHA256(cd, tail) || audiotest.SHA256(cd, head) != audiotest.SHA256(cd, a.pcm[:len(head)]) {
			t.Error("a seek did not join the two parts of the track frame by frame")
		}
		if sec := float64(len(head)) / 2 / 44100; sec < 2.5 || sec > 3.2 {
			t.Errorf("%.2f s sounded before the seek at 3 s", sec)
		}
	})
}

func TestLateJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 10, 1)
		s := newStage(t, a)
		s.attach("r")
		s.Load(0, 0, false)
		wait(4 * time.Second)
		s.attach("late")
		wait(8 * time.Second)
		s.equals(t, "r", a.pcm)
		late := s.rec.PCM("late")
		s.equals(t, "late", a.pcm[len(a.pcm)-len(late):])
		if sec := float64(len(late)) / 2 / 44100; sec < 5.5 {
			t.Errorf("the late room sounded only %.2f s", sec)
		}
	})
}

func TestFormatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := noise(cd, 4, 1), noise(dvd, 3, 2)
		s := newStage(t, a, b)
		s.attach("r")
		s.Load(0, 0, false)
		wait(12 * time.Second)
		s.equals(t, "r", append(append([]int32{}, a.pcm...), b.pcm...))
		var end audio.Instant
		for _, p := range s.rec.Played("r") {
			if p.PCM == nil {
				t.Errorf("%d frames are missing at %d", p.Frames, p.Pos)
			}
			if end != 0 && (p.At.Sub(end) > time.Millisecond || end.Sub(p.At) > time.Millisecond) {
				t.Errorf("run %d, position %d comes %v after the frame before it", p.Run, p.Pos, p.At.Sub(end))
			}
			end = p.At.Add(p.Frames.Duration(p.Format.Rate))
		}
	})
}

func TestOutageFadesAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 12, 1)
		a.outage, a.gone = 6*44100, 7*time.Second
		s := newStage(t, a)
		s.attach("r")
		s.Load(0, 0, false)
		wait(22 * time.Second)
		got := s.rec.PCM("r")
		if len(got) != len(a.pcm) {
			t.Fatalf("sounded %d samples of %d", len(got), len(a.pcm))
		}
		edge := 6 * 44100 * 2
		if d := got[edge-2] - a.pcm[edge-2]; d == 0 && got[edge-2] > 50 {
			t.Error("the sound broke off at full level before the outage")
		}
		if got[edge-2] > 200 || got[edge] > 200 {
			t.Errorf("levels at the outage: %d before, %d after", got[edge-2], got[edge])
		}
		if audiotest.SHA256(cd, got[edge+44100:]) != audiotest.SHA256(cd, a.pcm[edge+44100:]) {
			t.Error("after the outage the samples differ")
		}
		if len(s.waits) == 0 || s.waits[0] != "the cellar is locked" {
			t.Errorf("people were told %q", s.waits)
		}
		if s.ended != 1 {
			t.Error("it did not go on to the end by itself")
		}
	})
}

func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, noise(cd, 60, 1))
		s.Load(0, 0, false)
		wait(30 * time.Second)
		if len(s.halts) != 1 {
			t.Fatalf("halted %d times with no speaker at all", len(s.halts))
		}
		if h := s.tape.open[0].heard; h != 0 {
			t.Errorf("%d frames count as heard", h)
		}
		s.attach("r")
		s.Resume()
		wait(10 * time.Second)
		if len(s.rec.PCM("r")) == 0 {
			t.Error("it did not go on when a room came")
		}
	})
}

// TestRequeue changes what follows at many moments: before the next track is
// opened, opened ahead, read, written to the speaker. To see it fail: drop the
// pending block in reread.
func TestRequeue(t *testing.T) {
	a, b, c := noise(cd, 6, 1), noise(cd, 3, 2), noise(cd, 3, 3)
	for at := 500 * time.Millisecond; at < 5900*time.Millisecond; at += 270 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, b, a, b)
			s.attach("r")
			s.Load(1, 0, false)
			wait(at)
			s.tape.mu.Lock()
			s.tape.pieces = []piece{a, c}
			s.tape.mu.Unlock()
			s.Requeue(0)
			wait(12*time.Second - at)
			s.equals(t, "r", append(append([]int32{}, a.pcm...), c.pcm...))
			if last := s.heard[len(s.heard)-1]; last.Index != 1 {
				t.Errorf("changed at %v: the last track is said to be at place %d", at, last.Index)
			}
		})
	}
}

// failing opens nothing.
type failing struct{ err error }

func (f failing) Why() string { return "" }
func (f failing) Open(context.Context, int, time.Duration) (player.Track, error) {
	return nil, f.err
}

func TestFailureHalts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Player.Playlist = failing{errors.New("not for sale")}
		s.attach("r")
		s.Load(0, 0, false)
		wait(time.Second)
		if len(s.halts) != 1 || s.halts[0].Error() != "not for sale" {
			t.Errorf("halted with %v", s.halts)
		}
	})
}
