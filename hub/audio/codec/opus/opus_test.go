package opus

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/dither"
)

// music returns float sound of n frames.
func music(channels, n int, seed uint64) []float64 {
	pcm := audiotest.Plucks(audio.Format{Rate: Rate, Bits: 24, Channels: channels}, n, seed)
	x := make([]float64, len(pcm))
	dither.Float(x, pcm, 24)
	return x
}

// cut takes a segment out of a longer signal.
func cut(x []float64, channels, from, frames int) Segment {
	a, b := from*channels, (from+frames)*channels
	return Segment{Channels: channels, Left: x[max(0, a-LeftContext*channels):a], Body: x[a:b],
		Right: x[b:min(len(x), b+RightContext*channels)]}
}

// snr compares got with the part of x that begins at frame from.
func snr(x, got []float64, from, channels int) float64 {
	var signal, noise float64
	for i, v := range got {
		w := x[from*channels+i]
		signal += w * w
		noise += (w - v) * (w - v)
	}
	return 10 * math.Log10(signal/noise)
}

func TestFramesAreExactAndInPlace(t *testing.T) {
	for _, channels := range []int{1, 2} {
		x := music(channels, 130000, 1)
		for _, frames := range []int{1, 959, 960, 961, 48000, 96000} {
			const from = 20000
			packets, preSkip, err := Encode(160000, cut(x, channels, from, frames))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Decode(channels, packets, preSkip, frames)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Body) != frames*channels || len(s.Left) != LeftContext*channels || len(s.Right) < (RightContext-Delay)*channels {
				t.Fatalf("%d ch, %d frames: left %d, body %d, right %d samples", channels, frames, len(s.Left), len(s.Body), len(s.Right))
			}
			whole := slices.Concat(s.Left, s.Body, s.Right[:(RightContext-Delay)*channels])
			if got := snr(x, whole, from-LeftContext, channels); got < 8 {
				t.Errorf("%d ch, %d frames: %.1f dB: the segment is not where it should be", channels, frames, got)
			}
		}
	}
}

func TestBeginningAndEndOfTrack(t *testing.T) {
	x := music(2, 5000, 2)
	packets, preSkip, err := Encode(96000, Segment{Channels: 2, Body: x})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Decode(2, packets, preSkip, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if got := snr(x, s.Body, 0, 2); got < 8 {
		t.Errorf("%.1f dB", got)
	}
}

func TestSeamIsNoWorseThanTheMiddle(t *testing.T) {
	const from = 45000 // not where a string is struck
	x := music(2, 150000, 3)
	for _, bps := range []int{96000, 160000, 256000} {
		packets, preSkip, err := Encode(bps, cut(x, 2, from, 96000))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode(2, packets, preSkip, 96000)
		if err != nil {
			t.Fatal(err)
		}
		first := snr(x, s.Body[:2*240], from, 2)
		middle := snr(x, s.Body[2*48000:2*67200], from+48000, 2)
		tail := snr(x, s.Right[:2*240], from+96000, 2)
		size := 0
		for _, p := range packets {
			size += len(p)
		}
		t.Logf("%d bit/s: first 5 ms %.1f dB, middle %.1f dB, tail %.1f dB, %d packets, %.0f bit/s", bps, first, middle, tail,
			len(packets), float64(8*size)*48000/96000)
		if first < middle-6 || tail < middle-6 {
			t.Errorf("%d bit/s: the seam stands out: %.1f and %.1f dB against %.1f dB", bps, first, tail, middle)
		}
		if rate := float64(8*size) / float64(len(packets)) * 50; math.Abs(rate/float64(bps)-1) > 0.02 {
			t.Errorf("%d bit/s asked, %.0f got", bps, rate)
		}
	}
}

// TestExtremeSound: whatever a file holds, the encoder takes it.
func TestExtremeSound(t *testing.T) {
	const n = 9600
	r := rand.New(rand.NewPCG(1, 1))
	for name, at := range map[string]func(i int) float64{
		"silence": func(int) float64 { return 0 },
		"offset":  func(int) float64 { return -1 },
		"square":  func(i int) float64 { return float64(i/37%2*2 - 1) },
		"nyquist": func(i int) float64 { return float64(i/2%2*2 - 1) },
		"noise":   func(int) float64 { return r.Float64()*2 - 1 },
		"clicks":  func(i int) float64 { return float64(1 - min(i%1917, 1)) },
		"faint":   func(i int) float64 { return float64(i%2) / (1 << 23) },
		"burst":   func(i int) float64 { return float64(i/4800) * (r.Float64()*2 - 1) },
		"loud":    func(i int) float64 { return 4 * math.Sin(float64(i)) },
	} {
		for _, channels := range []int{1, 2} {
			x := make([]float64, n*channels)
			for i := range x {
				x[i] = at(i)
			}
			for _, bps := range []int{24000, 96000, 160000, 256000, 510000} {
				packets, preSkip, err := Encode(bps, Segment{Channels: channels, Body: x})
				if err != nil {
					t.Fatalf("%s at %d bit/s: %v", name, bps, err)
				}
				s, err := Decode(channels, packets, preSkip, n)
				if err != nil {
					t.Fatalf("%s at %d bit/s: %v", name, bps, err)
				}
				if name == "silence" && slices.ContainsFunc(s.Body, func(v float64) bool { return math.Abs(v) > 1e-6 }) {
					t.Errorf("silence at %d bit/s sounds", bps)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	x := music(2, 20000, 4)
	good, preSkip, err := Encode(96000, Segment{Channels: 2, Body: x})
	if err != nil {
		t.Fatal(err)
	}
	other := func(i int, p []byte) [][]byte {
		c := slices.Clone(good)
		c[i] = p
		return c
	}
	toc10ms := bytes.Clone(good[2])
	toc10ms[0] = toc10ms[0]&^0x18 | 2<<3
	for name, c := range map[string]struct {
		channels, preSkip, frames int
		packets                   [][]byte
	}{
		"too few packets":  {2, preSkip, 20000, good[:21]},
		"too many packets": {2, preSkip, 20000, slices.Concat(good, good)},
		"more frames":      {2, preSkip, 30000, good},
		"no frames":        {2, preSkip, 0, good},
		"pre-skip below 0": {2, -1, 20000, good},
		"six channels":     {6, preSkip, 20000, good},
		"an empty packet":  {2, preSkip, 20000, other(3, nil)},
		"a long packet":    {2, preSkip, 20000, other(3, make([]byte, 1276))},
		"a 10 ms packet":   {2, preSkip, 20000, other(2, toc10ms)},
	} {
		if s, err := Decode(c.channels, c.packets, c.preSkip, c.frames); !errors.Is(err, ErrCorrupt) || s.Body != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]Segment{"no body": {Channels: 2}, "half a frame": {Channels: 2, Body: x[:7]}, "no channels": {Body: x}} {
		if _, _, err := Encode(96000, s); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
	if _, _, err := Encode(100, Segment{Channels: 2, Body: x}); err == nil {
		t.Error("100 bit/s were accepted")
	}
}

func FuzzDecode(f *testing.F) {
	x := music(2, 960, 5)
	for _, bps := range []int{16000, 96000, 256000} {
		packets, _, err := Encode(bps, Segment{Channels: 2, Body: x})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packets[0], packets[1], packets[2], 300)
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte, preSkip int) {
		s, err := Decode(2, [][]byte{a, b, c}, preSkip, 960)
		if err != nil {
			return
		}
		if len(s.Body) != 2*960 {
			t.Errorf("%d samples", len(s.Body))
		}
		for _, v := range s.Body {
			if v != v {
				t.Fatal("NaN came through")
			}
		}
	})
}

func BenchmarkEncode160(b *testing.B) {
	x := music(2, 96000, 1)
	for b.Loop() {
		if _, _, err := Encode(160000, Segment{Channels: 2, Body: x}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2*time.Second)*float64(b.N)/float64(b.Elapsed()), "x-realtime")
}

func BenchmarkDecode160(b *testing.B) {
	packets, preSkip, err := Encode(160000, Segment{Channels: 2, Body: music(2, 96000, 1)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Decode(2, packets, preSkip, 96000); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2*time.Second)*float64(b.N)/float64(b.Elapsed()), "x-realtime")
}
