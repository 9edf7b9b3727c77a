package outputtest

import (
	"fmt"
	"time"

	"sonahub/hub/audio"
)

// period is how many positions the left channel can tell apart.
const period = 32000

// frame makes the stereo frame of a position: the left channel counts
// positions, the right one says which take it is and which lap of the left.
// No frame is all zeros, and all bits of the format are in use.
func frame(f audio.Format, take int, pos audio.Pos) (left, right int32) {
	low := f.Bits - 16
	left = int32(1+pos%period) << low
	right = -int32(1+take*100+int(pos/period)) << low
	if low > 0 {
		left |= int32(pos*7) & (1<<low - 1)
	}
	return left, right
}

// signal makes the samples of [from, to).
func signal(f audio.Format, take int, from, to audio.Pos) []int32 {
	pcm := make([]int32, 0, 2*(to-from))
	for p := from; p < to; p++ {
		l, r := frame(f, take, p)
		pcm = append(pcm, l, r)
	}
	return pcm
}

// read is the inverse of frame; ok is false for samples that are none.
func read(f audio.Format, left, right int32) (take int, pos audio.Pos, ok bool) {
	low := f.Bits - 16
	n := int(-right>>low) - 1
	take = n / 100
	pos = audio.Pos(n%100)*period + audio.Pos(left>>low) - 1
	l, r := frame(f, take, pos)
	return take, pos, n >= 0 && pos >= 0 && l == left && r == right
}

// span is a stretch of consecutive positions of one take.
type span struct {
	take     int
	f        audio.Format
	from, to audio.Pos
	pieces   []piece // when parts of it sounded
}

type piece struct {
	pos audio.Pos
	at  audio.Instant
}

func (s span) String() string {
	return fmt.Sprintf("take %d [%d, %d) at %d Hz", s.take, s.from, s.to, s.f.Rate)
}

// spans reads what was heard. It reports the first frame that is none of ours.
func spans(heard []Heard) ([]span, error) {
	var out []span
	for _, h := range heard {
		fresh := true // begin a new piece: the recording or the silence has an edge here
		for i := 0; i+1 < len(h.PCM); i += 2 {
			if h.PCM[i] == 0 && h.PCM[i+1] == 0 {
				fresh = true
				continue
			}
			take, pos, ok := read(h.Format, h.PCM[i], h.PCM[i+1])
			at := h.At.Add(audio.Pos(i / 2).Duration(h.Format.Rate))
			if !ok {
				return out, fmt.Errorf("a frame that nobody wrote: %d, %d at %d, after %v", h.PCM[i], h.PCM[i+1], at, out)
			}
			if n := len(out); n == 0 || out[n-1].to != pos || out[n-1].take != take || out[n-1].f != h.Format {
				out = append(out, span{take: take, f: h.Format, from: pos, to: pos})
				fresh = true
			}
			last := &out[len(out)-1]
			if fresh {
				last.pieces = append(last.pieces, piece{pos, at})
				fresh = false
			}
			last.to = pos + 1
		}
	}
	return out, nil
}

// want is what should have been heard.
type want struct {
	take     int
	f        audio.Format
	line     audio.Timeline
	from, to audio.Pos
	latest   audio.Pos // if not 0, it may begin anywhere in [from, latest]
}

func (w want) String() string {
	if w.latest != 0 {
		return fmt.Sprintf("take %d [%d..%d, %d) at %d Hz", w.take, w.from, w.latest, w.to, w.f.Rate)
	}
	return span{take: w.take, f: w.f, from: w.from, to: w.to}.String()
}

func (w want) fits(s span) bool {
	latest := max(w.from, w.latest)
	return s.take == w.take && s.f == w.f && s.to == w.to && s.from >= w.from && s.from <= latest
}

// complete says whether the last wanted frame was heard, so that there is
// nothing to wait for.
func complete(got []span, wants []want) bool {
	if len(got) == 0 || len(wants) == 0 {
		return len(wants) == 0
	}
	last, w := got[len(got)-1], wants[len(wants)-1]
	return last.take == w.take && last.to >= w.to
}

// check compares; start is the tolerance of each first frame, drift that of
// the others.
func check(got []span, wants []want, start, drift time.Duration) error {
	same := len(got) == len(wants)
	for i := 0; same && i < len(got); i++ {
		same = wants[i].fits(got[i])
	}
	if !same {
		return fmt.Errorf("heard %v, want %v", got, wants)
	}
	for i, s := range got {
		for j, p := range s.pieces {
			tolerance := drift
			if j == 0 {
				tolerance = start
			}
			if off := p.at.Sub(wants[i].line.Instant(p.pos)); off.Abs() > tolerance {
				return fmt.Errorf("%v: position %d sounded %v off its instant (tolerance %v)", s, p.pos, off, tolerance)
			}
		}
	}
	return nil
}

// heard waits until member id has heard the last of wants and compares.
func (s *stage) heard(id string, wants ...want) {
	s.Helper()
	if len(wants) > 0 {
		last := wants[len(wants)-1]
		s.until(last.line.Instant(last.to))
	}
	s.eventually(func() bool {
		got, err := spans(s.Heard(id))
		return err == nil && complete(got, wants)
	})
	got, err := spans(s.Heard(id))
	if err == nil {
		err = check(got, wants, s.Start, s.Drift)
	}
	if err != nil {
		s.Errorf("member %s: %v", id, err)
	}
}
