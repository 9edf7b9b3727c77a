// Package outputtest is the conformance suite of audio.Output: whoever claims
// to play sound runs it over a rig whose speakers can be listened to.
//
// The suite hands in frames that name their own position, so that what was
// heard tells which frames sounded, in which order and when: nothing missing,
// nothing doubled, nothing at a wrong instant. It knows no protocol.
package outputtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
)

// Rig is an output under test with its speakers. Fields left zero have the
// default that their comment gives.
type Rig struct {
	Output  audio.Output
	Clock   audio.Clock    // the hub's clock as the output sees it; nil = audio.System
	Formats []audio.Format // stereo formats carried bit for bit; the first is used everywhere, all in the format change

	Member  func() string                             // makes one more speaker that can join, returns its id
	Members int                                       // how many it can make; 0 = any number
	Stall   func(id string, stalled bool)             // holds a speaker up; nil = the rig cannot
	Heard   func(id string) []Heard                   // all that this speaker sounded so far, in order
	Volume  func(id string) (g audio.Gain, told bool) // for speakers that turn themselves down: the gain they were told; nil = gain is in the samples

	Start   time.Duration // how far the first frame may sound from its instant; 0 = 1 ms
	Drift   time.Duration // how far any later frame may sound from its instant; 0 = Start
	Resume  time.Duration // how long after a stall a speaker must sound again; 0 = 1 s
	Between time.Duration // pause that a change of rate needs to be exact; 0 = none
	Slack   time.Duration // how long the machine may keep test and output from running without a change in what is heard; 0 = 250 ms
	Wait    time.Duration // patience with network, device and a busy machine; 0 = 2 s
}

// Heard is a stretch of frames that sounded without a pause. Frames of zeros
// are silence and do not count.
type Heard struct {
	At     audio.Instant // when the first frame sounded, on Rig.Clock
	Format audio.Format
	PCM    []int32 // interleaved, right-justified to Format.Bits
}

// Open makes a fresh rig for one scenario. The suite closes the output; the
// rest is for t.Cleanup.
type Open func(t *testing.T) *Rig

// Run runs the suite in real time, its scenarios side by side.
func Run(t *testing.T, open Open) {
	before := goroutines()
	var wg sync.WaitGroup
	for _, s := range scenarios() {
		wg.Go(func() { t.Run(s.name, func(t *testing.T) { s.run(newStage(t, open)) }) })
	}
	wg.Wait()
	t.Run("no goroutine is left", func(t *testing.T) { checkGoroutines(t, before) })
}

// RunBubble runs every scenario inside a testing/synctest bubble. The clock of
// its rigs must follow time.Now.
func RunBubble(t *testing.T, open Open) {
	before := goroutines()
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { s.run(newStage(t, open)) })
		})
	}
	t.Run("no goroutine is left", func(t *testing.T) { checkGoroutines(t, before) })
}

type scenario struct {
	name string
	run  func(*stage)
}

func scenarios() []scenario {
	return []scenario{
		{"starts at its instant", startsAtInstant},
		{"a run follows a run without a gap", runFollowsRun},
		{"change of format", changesFormat},
		{"late join", lateJoin},
		{"leave", leave},
		{"pause", pause},
		{"skip", skip},
		{"re-anchor", reanchor},
		{"flush before the first sound", flushEarly},
		{"gain", gain},
		{"status", status},
		{"one stalled member among others", stalledMember},
		{"write never waits", writeNeverWaits},
		{"close at any moment", closeAnytime},
		{"unknown ids", unknownIDs},
		{"refusals", refusals},
	}
}

// stage is one rig on which a scenario plays.
type stage struct {
	*testing.T
	*Rig
	open Open
	f    audio.Format
}

func newStage(t *testing.T, open Open) *stage {
	s := &stage{T: t, Rig: open(t), open: open}
	if s.Clock == nil {
		s.Clock = audio.System{}
	}
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDefault(&s.Start, time.Millisecond)
	orDefault(&s.Drift, s.Start)
	orDefault(&s.Resume, time.Second)
	orDefault(&s.Slack, 250*time.Millisecond)
	orDefault(&s.Wait, 2*time.Second)
	s.f = s.Formats[0]
	t.Cleanup(func() {
		if err := s.Output.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// until waits for an instant of the hub's clock.
func (s *stage) until(i audio.Instant) {
	for {
		d := i.Sub(s.Clock.Now())
		if d <= 0 {
			return
		}
		<-time.After(d)
	}
}

// eventually waits for ok, at most Wait.
func (s *stage) eventually(ok func() bool) bool {
	deadline := time.After(s.Wait)
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !ok() {
		select {
		case <-t.C:
		case <-deadline:
			return ok()
		}
	}
	return true
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// join joins a fresh member and waits until it is there.
func (s *stage) join() string {
	s.Helper()
	id := s.Member()
	ctx, cancel := context.WithTimeout(context.Background(), s.Wait)
	defer cancel()
	s.must(s.Output.Join(ctx, audio.Member{ID: id}))
	if !s.eventually(func() bool {
		st, ok := s.status(id)
		return ok && (st.State == audio.Ready || st.State == audio.Playing)
	}) {
		st, _ := s.status(id)
		s.Fatalf("member %s is still %v (%s, %v)", id, st.State, st.Why, st.Err)
	}
	return id
}

func (s *stage) status(id string) (audio.Status, bool) {
	for _, st := range s.Output.Status() {
		if st.ID == id {
			return st, true
		}
	}
	return audio.Status{}, false
}

// soon returns a timeline that is far enough ahead for everybody.
func (s *stage) soon(f audio.Format) audio.Timeline {
	return audio.Timeline{Zero: s.Clock.Now().Add(s.Output.Lead() + s.Slack), Rate: f.Rate}
}

// play starts a run of f and writes frames [0, length) of it, marked take.
func (s *stage) play(f audio.Format, t audio.Timeline, take int, length time.Duration) audio.Pos {
	s.Helper()
	s.must(s.Output.Start(context.Background(), f, t))
	to := f.Rate.Frames(length)
	s.write(f, take, 0, to)
	return to
}

// write hands in frames [from, to) in blocks of 20 ms.
func (s *stage) write(f audio.Format, take int, from, to audio.Pos) {
	s.Helper()
	step := f.Rate.Frames(20 * time.Millisecond)
	for at := from; at < to; at += step {
		b := &audio.Block{Format: f, At: at, PCM: signal(f, take, at, min(at+step, to))}
		s.must(s.Output.Write(b))
	}
}

// committed is the first position that the output has certainly not yet sent
// on its way, with some room for a busy machine.
func (s *stage) committed(t audio.Timeline) audio.Pos {
	return max(t.At, t.Pos(s.Clock.Now().Add(s.Output.Lead()+s.Slack)))
}

// closed says whether every method refuses as it should after Close.
func closed(o audio.Output, f audio.Format) error {
	ctx := context.Background()
	t := audio.Timeline{Rate: f.Rate}
	for name, err := range map[string]error{
		"Start": o.Start(ctx, f, t),
		"Write": o.Write(&audio.Block{Format: f, PCM: make([]int32, f.Channels)}),
		"Flush": o.Flush(0, t),
		"Join":  o.Join(ctx, audio.Member{ID: "x"}),
		"Leave": o.Leave("x"),
		"Gain":  o.Gain("x", 0),
	} {
		if !errors.Is(err, audio.ErrClosed) {
			return errors.New(name + " after Close does not say ErrClosed")
		}
	}
	return nil
}
