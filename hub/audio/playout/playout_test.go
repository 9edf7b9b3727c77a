package playout

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sonahub/hub/audio"
)

const ms = audio.Instant(time.Millisecond)

// mono1k makes positions and milliseconds the same number of units: 8 kHz has
// 8 frames in a millisecond.
func mono() audio.Format { return audio.Format{Rate: 8000, Channels: 1, Bits: 16} }

func block(at, frames audio.Pos) *audio.Block {
	b := &audio.Block{Format: mono(), At: at, PCM: make([]int32, frames)}
	for i := range b.PCM {
		b.PCM[i] = int32(at) + int32(i)
	}
	return b
}

func line(zero audio.Instant, at audio.Pos) audio.Timeline {
	return audio.Timeline{Zero: zero, At: at, Rate: 8000}
}

// script runs steps like "start 0 @100", "write 0 80", "flush 40 @300",
// "join @0", "until @110", "skip @200", "trim @90" (instants in ms) and gives
// what the cursor told: "r1 0+80 @100", with a "gap " in front of missing ones.
func script(t *testing.T, steps ...string) []string {
	t.Helper()
	var p Playout
	c := NewCursor(0)
	var out []string
	for _, step := range steps {
		var err error
		var a, n audio.Pos
		var at audio.Instant
		verb, _, _ := strings.Cut(step, " ")
		switch verb {
		case "start":
			_, err = fmt.Sscanf(step, "start %d @%d", &a, &at)
			err = errors.Join(err, p.Start(mono(), line(at*ms, a)))
		case "write":
			_, err = fmt.Sscanf(step, "write %d %d", &a, &n)
			err = errors.Join(err, p.Write(block(a, n)))
		case "flush":
			_, err = fmt.Sscanf(step, "flush %d @%d", &a, &at)
			err = errors.Join(err, p.Flush(a, line(at*ms, a)))
		case "join":
			_, err = fmt.Sscanf(step, "join @%d", &at)
			c = NewCursor(at * ms)
		case "skip":
			_, err = fmt.Sscanf(step, "skip @%d", &at)
			c.Skip(at * ms)
		case "trim":
			_, err = fmt.Sscanf(step, "trim @%d", &at)
			p.Trim(at * ms)
		case "until":
			_, err = fmt.Sscanf(step, "until @%d", &at)
			for _, x := range c.Advance(&p, at*ms) {
				s := fmt.Sprintf("r%d %d+%d @%d", x.Run, x.Pos, x.Frames, x.At/ms)
				if x.PCM == nil {
					s = "gap " + s
				} else if audio.Pos(len(x.PCM)) != x.Frames || x.PCM[0] != int32(x.Pos) {
					t.Errorf("%s: %d samples beginning with %d", s, len(x.PCM), x.PCM[0])
				}
				out = append(out, s)
			}
		default:
			t.Fatalf("unknown step %q", step)
		}
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	return out
}

func TestCursor(t *testing.T) {
	tests := []struct {
		name  string
		steps []string
		want  []string
	}{
		{"begins at its instant", []string{"start 0 @100", "write 0 80", "until @100", "until @105", "until @200"},
			[]string{"r1 0+40 @100", "r1 40+40 @105"}},
		{"late join hears the rest", []string{"start 0 @100", "write 0 80", "join @105", "until @200"},
			[]string{"r1 40+40 @105"}},
		{"pause plays to its end and goes on", []string{"start 0 @100", "write 0 160", "until @102", "flush 40 @300", "until @200", "write 40 40", "until @400"},
			[]string{"r1 0+16 @100", "r1 16+24 @102", "r1 40+40 @300"}},
		{"two flushes in a row", []string{"start 0 @100", "write 0 160", "flush 40 @300", "flush 40 @350", "write 40 8", "until @400"},
			[]string{"r1 0+40 @100", "r1 40+8 @350"}},
		{"flush splits a block on the written edge", []string{"start 0 @100", "write 0 40", "write 40 40", "flush 60 @200", "write 60 4", "until @300"},
			[]string{"r1 0+40 @100", "r1 40+20 @105", "r1 60+4 @200"}},
		{"flush behind what had sounded repeats", []string{"start 0 @100", "write 0 160", "until @110", "flush 40 @120", "write 40 8", "until @200"},
			[]string{"r1 0+80 @100", "r1 40+8 @120"}},
		{"a run follows a run", []string{"start 0 @100", "write 0 80", "start 0 @110", "write 0 80", "until @200"},
			[]string{"r1 0+80 @100", "r2 0+80 @110"}},
		{"a run without sound leaves nothing", []string{"start 0 @100", "start 0 @110", "write 0 8", "until @200"},
			[]string{"r2 0+8 @110"}},
		{"silence at the end is no gap", []string{"start 0 @100", "write 0 80", "until @500", "start 0 @600", "write 0 8", "until @700"},
			[]string{"r1 0+80 @100", "r2 0+8 @600"}},
		{"what comes too late is a gap", []string{"start 0 @100", "write 0 8", "until @103", "write 8 40", "until @200"},
			[]string{"r1 0+8 @100", "gap r1 8+16 @101", "r1 24+24 @103"}},
		{"a hole is a gap", []string{"start 0 @100", "write 0 8", "write 16 8", "until @200"},
			[]string{"r1 0+8 @100", "gap r1 8+8 @101", "r1 16+8 @102"}},
		{"a stalled listener misses and comes back", []string{"start 0 @100", "write 0 80", "until @101", "skip @105", "until @110"},
			[]string{"r1 0+8 @100", "gap r1 8+32 @101", "r1 40+40 @105"}},
		{"trimmed sound is missed", []string{"start 0 @100", "write 0 40", "write 40 40", "until @101", "trim @106", "until @110"},
			[]string{"r1 0+8 @100", "gap r1 8+32 @101", "r1 40+40 @105"}},
		{"an earlier timeline cuts", []string{"start 0 @100", "write 0 80", "flush 40 @103", "write 40 40", "until @200"},
			[]string{"r1 0+40 @100", "r1 40+40 @103"}},
		{"positions may begin anywhere", []string{"start 1000 @100", "write 1000 8", "until @200"},
			[]string{"r1 1000+8 @100"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := script(t, tt.steps...); !slices.Equal(got, tt.want) {
				t.Errorf("heard\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

// Whatever the instants at which one looks, every frame is told exactly once.
func TestEveryFrameOnce(t *testing.T) {
	for _, step := range []audio.Instant{1, 7_777, 124_999, 125_000, 125_001, ms, 20*ms + 1} {
		var p Playout
		f := audio.Format{Rate: 44100, Channels: 1, Bits: 16}
		const zero = 12345
		if err := p.Start(f, audio.Timeline{Zero: zero, Rate: 44100}); err != nil {
			t.Fatal(err)
		}
		n := min(882, audio.Pos(3+200*step/ms*45))
		if err := p.Write(&audio.Block{Format: f, PCM: make([]int32, n)}); err != nil {
			t.Fatal(err)
		}
		c, next := NewCursor(0), audio.Pos(0)
		for now := audio.Instant(zero); next < n && now < zero+30*ms; now += step {
			for _, x := range c.Advance(&p, now) {
				if x.Pos != next || x.PCM == nil {
					t.Fatalf("step %d: got %d+%d (missing: %v), want %d", step, x.Pos, x.Frames, x.PCM == nil, next)
				}
				if x.At >= now {
					t.Fatalf("step %d: position %d was told at %d, before its instant %d", step, x.Pos, now, x.At)
				}
				next = x.Pos + x.Frames
			}
		}
		if next != n {
			t.Errorf("step %d: heard %d frames of %d", step, next, n)
		}
	}
}

func TestRefusals(t *testing.T) {
	var p Playout
	if err := p.Write(block(0, 8)); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Write before Start: %v", err)
	}
	if err := p.Flush(0, line(0, 0)); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Flush before Start: %v", err)
	}
	if err := p.Start(audio.Format{Rate: 1, Channels: 1, Bits: 16}, line(0, 0)); !errors.Is(err, audio.ErrFormat) {
		t.Errorf("Start at 1 Hz: %v", err)
	}
	if err := p.Start(mono(), audio.Timeline{Rate: 48000}); !errors.Is(err, audio.ErrFormat) {
		t.Errorf("Start on another rate: %v", err)
	}
	if err := p.Start(mono(), line(0, 0)); err != nil {
		t.Fatal(err)
	}
	other := block(0, 8)
	other.Rate = 44100
	for name, b := range map[string]*audio.Block{"other rate": other, "empty": block(0, 0), "before the run": block(-8, 8)} {
		if err := p.Write(b); !errors.Is(err, ErrMismatch) {
			t.Errorf("Write, %s: %v", name, err)
		}
	}
	if err := p.Flush(8, line(0, 0)); !errors.Is(err, ErrMismatch) {
		t.Errorf("Flush onto another position: %v", err)
	}
}

// The ring is bounded, refuses what does not fit, keeps what it has and takes
// more once the old has sounded.
func TestRing(t *testing.T) {
	p := Playout{Ring: 100 * time.Millisecond}
	if err := p.Start(mono(), line(0, 0)); err != nil {
		t.Fatal(err)
	}
	at := audio.Pos(0)
	for p.Write(block(at, 80)) == nil {
		at += 80
	}
	if at != 800 {
		t.Fatalf("ring of 100 ms took %d frames of 8 kHz", at)
	}
	p.Trim(10 * ms)
	if err := p.Write(block(at, 80)); err != nil {
		t.Errorf("after 10 ms sounded: %v", err)
	}
	if err := p.Write(block(at+80, 80)); !errors.Is(err, ErrFull) {
		t.Errorf("full ring: %v", err)
	}
	if err := p.Flush(80, line(10*ms, 80)); err != nil {
		t.Fatal(err)
	}
	if p.held != 0 || len(p.blocks) != 0 {
		t.Errorf("after the flush of everything %v in %d blocks is held", p.held, len(p.blocks))
	}
	for i := range 10 * maxSegments {
		from := audio.Pos(80 + i)
		if err := p.Flush(from, line(audio.Instant(i)*ms, from)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.segs) > maxSegments {
		t.Errorf("%d segments are remembered", len(p.segs))
	}
}

func TestSegmentBefore(t *testing.T) {
	s := Segment{Line: audio.Timeline{Zero: 1000, At: 10, Rate: 44100}, To: Open}
	for p := audio.Pos(10); p < 1000; p++ {
		i := s.Line.Instant(p)
		if a, b := s.Before(i), s.Before(i+1); a != p || b != p+1 {
			t.Fatalf("position %d: Before(its instant) = %d, a nanosecond later %d", p, a, b)
		}
	}
	if s.Before(math.MinInt32) != 10 {
		t.Error("before its beginning nothing sounds")
	}
}
