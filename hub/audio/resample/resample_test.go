package resample

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

func filter(t testing.TB, in, out audio.Rate) *Filter {
	t.Helper()
	f, err := NewFilter(in, out)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sinad resamples a sine and measures what comes out, without the
// ends, where the silence around the signal counts.
func sinad(f *Filter, in, out audio.Rate, hz, ppm float64) (dB, gain float64) {
	x := audiotest.SineFloat(in, 1, hz, -6, int(in))
	s := f.Stream(1)
	s.SetDrift(ppm)
	var y []float64
	for len(x) > 0 {
		n := min(441, len(x))
		y = s.Process(y, x[:n])
		x = x[n:]
	}
	y = y[2000:]
	hz *= 1 + ppm*1e-6
	y = y[:audiotest.WholePeriods(out, hz, len(y)*9/10)]
	var power float64
	for _, v := range y {
		power += v * v
	}
	return audiotest.SINAD(y, out, hz), 10*math.Log10(2*power/float64(len(y))) + 6
}

func TestSINAD(t *testing.T) {
	for _, c := range []struct {
		in, out audio.Rate
		ppm     float64
		least   float64
		hz      []float64
	}{
		{44100, 48000, 0, 110, []float64{997, 10007, 18001, 19501}},
		{48000, 44100, 0, 110, []float64{997, 10007, 18001, 19501}},
		{44100, 44100, 50, 110, []float64{997, 10007, 18001, 19501}},
		{48000, 48000, -237.5, 110, []float64{997, 10007, 18001, 19501}},
		{48000, 44100, 100, 110, []float64{997, 10007, 18001, 19501}},
		{88200, 44100, 0, 110, []float64{997, 18001}},
		{96000, 48000, 0, 110, []float64{997, 18001}},
		{96000, 44100, 0, 110, []float64{997, 18001}},
		{176400, 44100, 0, 110, []float64{997, 18001}},
		{192000, 48000, 0, 110, []float64{997, 18001}},
		{192000, 44100, 0, 110, []float64{997, 18001}},
		{88200, 48000, 0, 110, []float64{997, 18001}},
		{8000, 48000, 0, 110, []float64{997, 3000}},
		{11025, 44100, 0, 110, []float64{997, 4300}},
		{22050, 44100, 0, 110, []float64{997, 8000}},
		{32000, 48000, 0, 110, []float64{997, 12000}},
		{37800, 44100, 0, 110, []float64{997, 14000}},
	} {
		f := filter(t, c.in, c.out)
		line := ""
		for _, hz := range c.hz {
			dB, gain := sinad(f, c.in, c.out, hz, c.ppm)
			line += fmt.Sprintf("  %.0f Hz %.1f dB (%+.4f dB)", hz, dB, gain)
			if dB < c.least {
				t.Errorf("%d to %d Hz, %v ppm: %.1f dB at %v Hz", c.in, c.out, c.ppm, dB, hz)
			}
			if math.Abs(gain) > 0.01 {
				t.Errorf("%d to %d Hz: gain of %+.4f dB at %v Hz", c.in, c.out, gain, hz)
			}
		}
		t.Logf("%6d to %d Hz %+v ppm:%s", c.in, c.out, c.ppm, line)
	}
}

func TestAliasesAreGone(t *testing.T) {
	for _, c := range []struct {
		in, out audio.Rate
		hz      float64
	}{{96000, 44100, 25000}, {192000, 48000, 30000}, {192000, 44100, 80000}, {48000, 44100, 22500}, {88200, 44100, 26100}} {
		f := filter(t, c.in, c.out)
		y := f.Segment(1, nil, audiotest.SineFloat(c.in, 1, c.hz, 0, int(c.in)), nil, int(c.out))
		var peak float64
		for _, v := range y[1000 : len(y)-1000] {
			peak = max(peak, math.Abs(v))
		}
		if dB := 20 * math.Log10(peak); dB > -110 {
			t.Errorf("%d to %d Hz: %v Hz comes through with %.1f dB", c.in, c.out, c.hz, dB)
		}
	}
}

func TestFramesAreExact(t *testing.T) {
	for _, c := range []struct{ in, out audio.Rate }{{44100, 48000}, {48000, 44100}, {96000, 44100}, {8000, 48000}, {44100, 44100}} {
		f := filter(t, c.in, c.out)
		for _, n := range []int{0, 1, 2, 146, 147, 160, 882, 88200, 12345} {
			want := (int64(n)*int64(c.out) + int64(c.in) - 1) / int64(c.in)
			if got := int64(f.Frames(audio.Pos(n))); got != want {
				t.Errorf("%d to %d Hz: Frames(%d) = %d, want %d", c.in, c.out, n, got, want)
			}
			s := f.Stream(2)
			for range 2 { // a flushed stream begins anew
				y := s.Process(nil, make([]float64, 2*(n/3)))
				y = s.Process(y, make([]float64, 2*(n-n/3)))
				if y = s.Flush(y); int64(len(y)) != 2*want {
					t.Errorf("%d to %d Hz: %d frames made %d, want %d", c.in, c.out, n, len(y)/2, want)
				}
			}
		}
	}
	if n := filter(t, 44100, 48000).Frames(88200); n != 96000 {
		t.Errorf("88,200 frames at 44.1 kHz are %d at 48 kHz", n)
	}
}

func TestDriftChangesLength(t *testing.T) {
	s := filter(t, 48000, 48000).Stream(1)
	s.SetDrift(1000)
	y := s.Flush(s.Process(nil, make([]float64, 480000)))
	if d := 480000 - len(y); d < 478 || d > 481 {
		t.Errorf("1000 ppm over 480,000 frames took %d away", d)
	}
}

func TestStreamAndSegmentsAgree(t *testing.T) {
	const channels = 2
	for _, c := range []struct{ in, out audio.Rate }{{44100, 48000}, {48000, 44100}} {
		f := filter(t, c.in, c.out)
		seg := int(c.in) / 5
		x := audiotest.SineFloat(c.in, channels, 12345, -3, 5*seg)
		for i := range x {
			x[i] += float64(i%17) * 0.001 // so that the channels differ
		}
		s := f.Stream(channels)
		whole := s.Flush(s.Process(nil, x))
		reach := f.Reach() * channels
		var joined []float64
		for a := 0; a < len(x); a += seg * channels {
			b := a + seg*channels
			joined = append(joined, f.Segment(channels, x[max(0, a-reach):a], x[a:b], x[b:min(len(x), b+reach)], int(c.out)/5)...)
		}
		if len(joined) != len(whole) {
			t.Fatalf("%d and %d samples", len(joined), len(whole))
		}
		for i := range whole {
			if d := math.Abs(whole[i] - joined[i]); d > 1e-9 {
				t.Fatalf("%d to %d Hz: sample %d differs by %g at a seam of %d", c.in, c.out, i, d, int(c.out)/5*channels)
			}
		}
	}
}

func TestSegmentReachesIntoRight(t *testing.T) {
	f := filter(t, 48000, 44100)
	x := audiotest.SineFloat(48000, 1, 1000, -6, 3000)
	long := f.Segment(1, nil, x[:2000], x[2000:], 1837+200)
	whole := f.Segment(1, nil, x, nil, 1837+200)
	for i := range long {
		if long[i] != whole[i] {
			t.Fatalf("frame %d differs", i)
		}
	}
	if n := len(f.Segment(1, nil, x[:10], nil, 5000)); n != 5000 {
		t.Errorf("%d frames", n)
	}
}

func TestRatesAreBounded(t *testing.T) {
	for _, r := range []audio.Rate{0, -1, 7999, 192001} {
		if _, err := NewFilter(r, 48000); !errors.Is(err, audio.ErrFormat) {
			t.Errorf("%d Hz in: %v", r, err)
		}
		if _, err := NewFilter(48000, r); !errors.Is(err, audio.ErrFormat) {
			t.Errorf("%d Hz out: %v", r, err)
		}
	}
}

func benchmark(b *testing.B, in, out audio.Rate, ppm float64) {
	s := filter(b, in, out).Stream(2)
	s.SetDrift(ppm)
	x := make([]float64, 2*int(in)/100)
	var y []float64
	for b.Loop() {
		y = s.Process(y[:0], x)
	}
	b.ReportMetric(float64(10*time.Millisecond)*float64(b.N)/float64(b.Elapsed()), "x-realtime")
}

func Benchmark441To48(b *testing.B)  { benchmark(b, 44100, 48000, 0) }
func Benchmark48To441(b *testing.B)  { benchmark(b, 48000, 44100, 0) }
func BenchmarkDrift48(b *testing.B)  { benchmark(b, 48000, 48000, 30) }
func Benchmark192To441(b *testing.B) { benchmark(b, 192000, 44100, 0) }
func BenchmarkNewFilter(b *testing.B) {
	for b.Loop() {
		if _, err := NewFilter(44100, 48000); err != nil {
			b.Fatal(err)
		}
	}
}
