package outputtest

import (
	"context"
	"math"
	"time"

	"sonahub/hub/audio"
)

func startsAtInstant(s *stage) {
	id := s.join()
	t := s.soon(s.f)
	n := s.play(s.f, t, 1, 400*time.Millisecond)
	s.heard(id, want{take: 1, f: s.f, line: t, to: n})
}

func runFollowsRun(s *stage) {
	id := s.join()
	t := s.soon(s.f)
	n := s.play(s.f, t, 1, 200*time.Millisecond)
	u := audio.Timeline{Zero: t.Instant(n), Rate: s.f.Rate}
	m := s.play(s.f, u, 2, 200*time.Millisecond)
	s.heard(id, want{take: 1, f: s.f, line: t, to: n}, want{take: 2, f: s.f, line: u, to: m})
}

func changesFormat(s *stage) {
	if len(s.Formats) < 2 {
		s.Skip("the rig names one format only (Rig.Formats)")
	}
	id := s.join()
	t := s.soon(s.f)
	var wants []want
	for i, f := range s.Formats {
		t.Rate = f.Rate
		n := s.play(f, t, i, 300*time.Millisecond)
		wants = append(wants, want{take: i, f: f, line: t, to: n})
		t.Zero = t.Instant(n).Add(s.Between)
	}
	s.heard(id, wants...)
}

func lateJoin(s *stage) {
	var first string
	if s.Members != 1 {
		first = s.join()
	}
	t := s.soon(s.f)
	n := s.play(s.f, t, 1, s.Output.Lead()+s.Resume+600*time.Millisecond)
	s.until(t.Zero.Add(100 * time.Millisecond))
	joined := s.Clock.Now()
	second := s.join()
	s.heard(second, want{take: 1, f: s.f, line: t, to: n,
		from: t.Pos(joined.Add(-s.Start)), latest: t.Pos(joined.Add(s.Output.Lead() + s.Resume))})
	if first != "" {
		s.heard(first, want{take: 1, f: s.f, line: t, to: n})
	}
}

func leave(s *stage) {
	id := s.join()
	t := s.soon(s.f)
	lead := s.Output.Lead()
	n := s.play(s.f, t, 1, lead+s.Slack+600*time.Millisecond)
	s.until(t.Zero.Add(100 * time.Millisecond))
	s.must(s.Output.Leave(id))
	left := s.Clock.Now()
	if _, ok := s.status(id); ok {
		s.Error("who has left is still in the status")
	}
	s.until(t.Instant(n))
	got, err := spans(s.Heard(id))
	if err != nil {
		s.Fatal(err)
	}
	if len(got) != 1 || got[0].from != 0 || got[0].to > t.Pos(left.Add(lead+s.Drift+s.Slack)) {
		s.Errorf("left at position %d (lead %v), heard %v", t.Pos(left), lead, got)
	}
}

// flush plays take 1, takes back what is not yet on its way and goes on with
// take 2 on a timeline that moved makes of the old one.
func (s *stage) flush(moved func(old audio.Timeline, from audio.Pos) audio.Instant) {
	s.Helper()
	id := s.join()
	t := s.soon(s.f)
	n := s.play(s.f, t, 1, s.Output.Lead()+s.Slack+600*time.Millisecond)
	s.until(t.Zero.Add(100 * time.Millisecond))
	from := s.committed(t) + 13 // not on the edge of a block
	u := audio.Timeline{Zero: moved(t, from), At: from, Rate: s.f.Rate}
	s.must(s.Output.Flush(from, u))
	s.write(s.f, 2, from, n)
	s.heard(id, want{take: 1, f: s.f, line: t, to: from}, want{take: 2, f: s.f, line: u, from: from, to: n})
}

func pause(s *stage) {
	s.flush(func(old audio.Timeline, from audio.Pos) audio.Instant {
		return old.Instant(from).Add(300 * time.Millisecond)
	})
}

func skip(s *stage) {
	s.flush(func(old audio.Timeline, from audio.Pos) audio.Instant { return old.Instant(from) })
}

func reanchor(s *stage) {
	s.flush(func(old audio.Timeline, from audio.Pos) audio.Instant {
		return old.Instant(from).Add(37 * time.Millisecond)
	})
}

func flushEarly(s *stage) {
	id := s.join()
	t := s.soon(s.f)
	t.Zero = t.Zero.Add(s.Slack)
	n := s.play(s.f, t, 1, 300*time.Millisecond)
	for take := 2; take <= 3; take++ {
		t.Zero = t.Zero.Add(50 * time.Millisecond)
		s.must(s.Output.Flush(0, t))
		s.write(s.f, take, 0, n)
	}
	s.heard(id, want{take: 3, f: s.f, line: t, to: n})
}

// level is the mean magnitude of what was heard, in dB of full scale, silence
// left out; minus infinity if there was nothing else.
func level(heard []Heard) float64 {
	sum, n := 0.0, 0
	for _, h := range heard {
		for _, x := range h.PCM {
			if x != 0 {
				sum += math.Abs(float64(x)) / math.Ldexp(1, h.Format.Bits-1)
				n++
			}
		}
	}
	return 20 * math.Log10(sum/float64(max(n, 1)))
}

// tone is a square wave at -6 dB, so that a level is easily told.
func tone(f audio.Format, at, n audio.Pos) *audio.Block {
	b := &audio.Block{Format: f, At: at, PCM: make([]int32, n*2)}
	for i := range b.PCM {
		b.PCM[i] = 1 << (f.Bits - 2)
		if (i/100)%2 == 1 {
			b.PCM[i] = -b.PCM[i]
		}
	}
	return b
}

func gain(s *stage) {
	id := s.join()
	if err := s.Output.Join(context.Background(), audio.Member{ID: id, Gain: -20}); err != nil {
		s.Fatalf("joining who is present must set the gain: %v", err)
	}
	if s.Volume != nil {
		for _, g := range []audio.Gain{-20, -7, audio.Mute(), audio.Unity} {
			s.must(s.Output.Gain(id, g))
			if !s.eventually(func() bool { told, ok := s.Volume(id); return ok && volumeFits(told, g) }) {
				told, ok := s.Volume(id)
				s.Errorf("gain %v: the speaker was told %v (%v)", g, told, ok)
			}
		}
		return
	}
	t := s.soon(s.f)
	s.must(s.Output.Start(context.Background(), s.f, t))
	n := s.f.Rate.Frames(200 * time.Millisecond)
	s.must(s.Output.Write(tone(s.f, 0, n)))
	s.until(t.Instant(n))
	s.eventually(func() bool { return frames(s.Heard(id)) >= n })
	if got := level(s.Heard(id)); math.Abs(got+26.02) > 0.3 {
		s.Errorf("-20 dB of a -6 dB tone sounds at %.2f dB", got)
	}
	before := s.Heard(id)
	s.must(s.Output.Gain(id, audio.Mute()))
	u := audio.Timeline{Zero: s.Clock.Now().Add(s.Output.Lead() + s.Slack), At: n, Rate: s.f.Rate}
	s.must(s.Output.Flush(n, u))
	s.must(s.Output.Write(tone(s.f, n, n)))
	s.until(u.Instant(2 * n).Add(50 * time.Millisecond))
	if got := level(s.Heard(id)); got != level(before) {
		s.Errorf("muted, something sounds: the level went from %.2f to %.2f dB", level(before), got)
	}
}

func volumeFits(told, g audio.Gain) bool {
	if g.Factor() == 0 {
		return told.Factor() == 0 || told <= -90
	}
	return math.Abs(float64(told-g)) < 0.5
}

// frames counts the frames that are not silence.
func frames(heard []Heard) audio.Pos {
	var n audio.Pos
	for _, h := range heard {
		for i := 0; i+1 < len(h.PCM); i += 2 {
			if h.PCM[i] != 0 || h.PCM[i+1] != 0 {
				n++
			}
		}
	}
	return n
}

func status(s *stage) {
	a := s.join()
	t := s.soon(s.f)
	s.play(s.f, t, 1, s.Output.Lead()+800*time.Millisecond)
	s.until(t.Zero.Add(300 * time.Millisecond))
	ok := s.eventually(func() bool { st, _ := s.status(a); return st.State == audio.Playing })
	st, _ := s.status(a)
	if !ok {
		s.Errorf("300 ms into a run the member is %v (%s, %v)", st.State, st.Why, st.Err)
	}
	if off := t.Instant(st.Heard).Sub(s.Clock.Now()); off.Abs() > 300*time.Millisecond {
		s.Errorf("it claims to sound position %d, %v off the timeline", st.Heard, off)
	}
	if !st.BitExact && st.Why == "" {
		s.Error("not bit-exact, and no word why")
	}
}
