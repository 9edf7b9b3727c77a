package outputtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/hub/audio"
)

func stalledMember(s *stage) {
	switch {
	case s.Stall == nil:
		s.Skip("the rig cannot hold a speaker up (Rig.Stall)")
	case s.Members == 1:
		s.Skip("the output has one member only")
	}
	count := 4
	if s.Members > 0 {
		count = min(count, s.Members)
	}
	ids := make([]string, count)
	for i := range ids {
		ids[i] = s.join()
	}
	t := s.soon(s.f)
	n := s.play(s.f, t, 1, s.Output.Lead()+s.Resume+800*time.Millisecond)
	s.until(t.Zero.Add(100 * time.Millisecond))
	s.Stall(ids[0], true)
	s.until(t.Zero.Add(350 * time.Millisecond))
	s.Stall(ids[0], false)
	back := s.Clock.Now()
	for _, id := range ids[1:] {
		s.heard(id, want{take: 1, f: s.f, line: t, to: n})
	}
	got, err := spans(s.Heard(ids[0]))
	if err != nil {
		s.Fatal(err)
	}
	if len(got) == 0 || got[len(got)-1].to != n || got[len(got)-1].from > t.Pos(back.Add(s.Output.Lead()+s.Resume)) {
		s.Errorf("the stalled member came back at position %d and heard %v of %d", t.Pos(back), got, n)
	}
}

func writeNeverWaits(s *stage) {
	id := s.join()
	if s.Stall != nil {
		s.Stall(id, true)
		defer s.Stall(id, false)
	}
	s.must(s.Output.Start(context.Background(), s.f, s.soon(s.f)))
	const length = 60 * time.Second // more than any ring
	step := s.f.Rate.Frames(20 * time.Millisecond)
	pcm := signal(s.f, 1, 0, step)
	begin := time.Now()
	for at := audio.Pos(0); at < s.f.Rate.Frames(length); at += step {
		// A full ring may refuse; it must not wait.
		_ = s.Output.Write(&audio.Block{Format: s.f, At: at, PCM: pcm})
	}
	if took := time.Since(begin); took > s.Wait {
		s.Errorf("writing %v ahead took %v", length, took)
	}
}

// busy uses the output from several sides until it is closed.
func busy(s *stage, ids []string) *sync.WaitGroup {
	var wg sync.WaitGroup
	ctx := context.Background()
	again := func(f func() error) {
		wg.Go(func() {
			for i := 0; i < 1000 && !errors.Is(f(), audio.ErrClosed); i++ {
				<-time.After(time.Millisecond)
			}
		})
	}
	again(func() error { return s.Output.Start(ctx, s.f, s.soon(s.f)) })
	again(func() error {
		return s.Output.Write(&audio.Block{Format: s.f, PCM: signal(s.f, 1, 0, s.f.Rate.Frames(20*time.Millisecond))})
	})
	again(func() error { return s.Output.Flush(0, s.soon(s.f)) })
	again(func() error { s.Output.Status(); return s.Output.Gain(ids[0], -3) })
	for _, id := range ids {
		again(func() error {
			err := s.Output.Join(ctx, audio.Member{ID: id})
			if errors.Is(err, audio.ErrClosed) {
				return err
			}
			return s.Output.Leave(id)
		})
	}
	return &wg
}

func closeAnytime(s *stage) {
	for _, after := range []time.Duration{0, time.Millisecond, 7 * time.Millisecond, 60 * time.Millisecond} {
		x := newStage(s.T, s.open)
		ids := []string{x.Member()}
		if x.Members != 1 {
			ids = append(ids, x.Member())
		}
		wg := busy(x, ids)
		<-time.After(after)
		begin := time.Now()
		if err := x.Output.Close(); err != nil {
			s.Errorf("Close after %v: %v", after, err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			s.Errorf("Close after %v took %v", after, took)
		}
		wg.Wait()
		if err := errors.Join(closed(x.Output, x.f), x.Output.Close()); err != nil {
			s.Error(err)
		}
		if left := x.Output.Status(); len(left) != 0 {
			s.Errorf("after Close there are members: %v", left)
		}
	}
}

func unknownIDs(s *stage) {
	s.join()
	if err := s.Output.Leave("nobody"); err != nil {
		s.Errorf("Leave of an unknown id: %v", err)
	}
	if err := s.Output.Gain("nobody", -3); !errors.Is(err, audio.ErrUnknownMember) {
		s.Errorf("Gain of an unknown id: %v", err)
	}
}

func refusals(s *stage) {
	id := s.Member()
	b := &audio.Block{Format: s.f, PCM: signal(s.f, 1, 0, 100)}
	if s.Output.Write(b) == nil {
		s.Error("Write before Start was taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s.Output.Join(ctx, audio.Member{ID: id}) == nil {
		s.Error("Join under a context that has ended was taken")
	}
	bad := audio.Format{Rate: 1, Channels: 2, Bits: 16}
	if err := s.Output.Start(context.Background(), bad, audio.Timeline{Rate: 1}); !errors.Is(err, audio.ErrFormat) {
		s.Errorf("Start at 1 Hz: %v", err)
	}
	s.must(s.Output.Start(context.Background(), s.f, s.soon(s.f)))
	s.must(s.Output.Write(b))
	if s.Output.Write(b) == nil {
		s.Error("the same block was taken twice")
	}
	other := s.f
	other.Rate = 96000
	if s.Output.Write(&audio.Block{Format: other, At: 100, PCM: b.PCM}) == nil {
		s.Error("a block of another format was taken")
	}
	if s.Output.Flush(50, audio.Timeline{At: 60, Rate: s.f.Rate}) == nil {
		s.Error("Flush onto a timeline that begins elsewhere was taken")
	}
}

// goroutines returns the stacks of all goroutines by number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := map[string]string{}
	for _, g := range strings.Split(string(buf), "\n\n") {
		var id int
		if _, err := fmt.Sscanf(g, "goroutine %d ", &id); err == nil {
			all[fmt.Sprint(id)] = g
		}
	}
	return all
}

// checkGoroutines waits until no goroutine is left that was not there before.
// The test's own are not counted.
func checkGoroutines(t *testing.T, before map[string]string) {
	deadline := time.After(3 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var left []string
		for id, stack := range goroutines() {
			if _, old := before[id]; !old && !strings.Contains(stack, "testing.tRunner") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
		}
	}
}
