package codec

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec/opus"
	"sonahub/hub/audio/dither"
)

func broadcasts() []audio.Format {
	return []audio.Format{
		{Rate: 44100, Bits: 16, Channels: 2}, {Rate: 48000, Bits: 24, Channels: 2},
		{Rate: 48000, Bits: 16, Channels: 1}, {Rate: 44100, Bits: 24, Channels: 1},
	}
}

// piece is one segment of a track, encoded.
type piece struct {
	at      audio.Pos
	frames  int
	bps     int // 0 is FLAC
	packets [][]byte
	preSkip int
}

// encode cuts pcm into segments of the given lengths and rungs.
func encode(t testing.TB, f audio.Format, pcm []int32, lengths, rungs []int) []piece {
	t.Helper()
	e, err := NewEncoder(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []piece
	from := 0
	for i, n := range lengths {
		p := piece{at: audio.Pos(from), frames: n, bps: rungs[i]}
		a, b := from*f.Channels, (from+n)*f.Channels
		if p.bps == 0 {
			p.packets, err = e.FLAC(pcm[a:b])
		} else {
			p.packets, p.preSkip, err = e.Opus(p.bps, pcm[:a], pcm[a:b], pcm[b:])
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
		from += n
	}
	return out
}

func (p piece) decode(d *Decoder) (*audio.Block, error) {
	if p.bps == 0 {
		return d.FLAC(p.at, p.packets, p.frames)
	}
	return d.Opus(p.at, p.packets, p.preSkip, p.frames)
}

// decode joins segments and checks that none gives a frame more or less.
func decode(t testing.TB, f audio.Format, pieces []piece) []int32 {
	t.Helper()
	d, err := NewDecoder(f)
	if err != nil {
		t.Fatal(err)
	}
	var pcm []int32
	for i, p := range pieces {
		b, err := p.decode(d)
		if err != nil {
			t.Fatal(err)
		}
		if b.At != p.at || b.Frames() != audio.Pos(p.frames) || b.Format != f {
			t.Fatalf("segment %d: %d frames at %d, want %d at %d", i, b.Frames(), b.At, p.frames, p.at)
		}
		pcm = append(pcm, b.PCM...)
	}
	return pcm
}

// sinad measures the first channel of a tone.
func sinad(f audio.Format, pcm []int32, hz float64) float64 {
	x := make([]float64, len(pcm))
	dither.Float(x, pcm, f.Bits)
	x = audiotest.Channel(x, f.Channels, 0)
	return audiotest.SINAD(x[:audiotest.WholePeriods(f.Rate, hz, len(x))], f.Rate, hz)
}

// TestRungChangesAreInaudible: a sine over 100 random changes, at segments of
// random length, is as clean as it is in the worst rung alone. A frame too
// many, too few or out of place would cost tens of dB.
func TestRungChangesAreInaudible(t *testing.T) {
	const hz, changes, slack = 997, 100, 3
	for _, f := range broadcasts()[:2] {
		grid := int(f.Rate) / 50
		alone := map[int]float64{}
		for _, rung := range []int{0, 256000, 160000, 96000} {
			lengths := slices.Repeat([]int{10 * grid}, 20)
			pcm := audiotest.Sine(f, hz, -6, 200*grid)
			alone[rung] = sinad(f, decode(t, f, encode(t, f, pcm, lengths, slices.Repeat([]int{rung}, 20))), hz)
			t.Logf("%v, rung %d alone: %.1f dB", f, rung, alone[rung])
		}
		for _, ladder := range [][]int{{0, 256000, 160000, 96000}, {0, 256000}, {256000, 96000}} {
			lengths, rungs, total := walk(ladder, changes, grid)
			pcm := audiotest.Sine(f, hz, -6, total)
			mixed := sinad(f, decode(t, f, encode(t, f, pcm, lengths, rungs)), hz)
			worst := math.Inf(1)
			for _, rung := range ladder {
				worst = min(worst, alone[rung])
			}
			t.Logf("%v, %v: %.1f dB over %d changes", f, ladder, mixed, changes)
			if mixed < worst-slack {
				t.Errorf("%v, %v: %.1f dB over %d changes, the worst rung alone has %.1f dB", f, ladder, mixed, changes, worst)
			}
		}
	}
}

// walk picks random lengths, in whole grids, and rungs of which no two
// neighbours are the same.
func walk(ladder []int, changes, grid int) (lengths, rungs []int, total int) {
	r := rand.New(rand.NewPCG(uint64(len(ladder)), uint64(grid)))
	last := -1
	for len(lengths) <= changes {
		i := r.IntN(len(ladder))
		if i == last {
			continue
		}
		n := grid * (3 + r.IntN(6))
		lengths, rungs, last, total = append(lengths, n), append(rungs, ladder[i]), i, total+n
	}
	return lengths, rungs, total
}

// TestSeamHidesAmongCodingNoise looks at the 5 ms on both sides of every seam
// alone, where the long average above would drown a small click.
func TestSeamHidesAmongCodingNoise(t *testing.T) {
	const hz, slack = 997, 3 // dB
	for _, f := range broadcasts()[:2] {
		grid := int(f.Rate) / 50
		lengths, rungs, total := walk([]int{256000, 96000, 0}, 60, grid)
		pcm := audiotest.Sine(f, hz, -6, total)
		got := decode(t, f, encode(t, f, pcm, lengths, rungs))
		near, all := 0.0, 0.0
		window := int(f.Rate.Frames(fadeTime))
		var seams []int
		for i, at := 0, 0; i < len(lengths)-1; i++ {
			at += lengths[i]
			seams = append(seams, at)
		}
		// The second difference of the error: a click is a step or a kink.
		kink := func(k int) float64 {
			e := func(j int) float64 { return float64(got[j*f.Channels] - pcm[j*f.Channels]) }
			return e(k-1) - 2*e(k) + e(k+1)
		}
		n := 0
		for _, s := range seams {
			for k := s - window; k < s+window; k++ {
				near += kink(k) * kink(k)
				n++
			}
		}
		for k := 1; k < total-1; k++ {
			all += kink(k) * kink(k)
		}
		dB := 10 * math.Log10(near/float64(n)/(all/float64(total-2)))
		t.Logf("%v: kinks of the error near seams are %+.1f dB of the average", f, dB)
		if dB > slack {
			t.Errorf("%v: kinks of the error near seams are %+.1f dB above the average", f, dB)
		}
	}
}

func TestLosslessIsBitExactOverSeamsAndSeeks(t *testing.T) {
	for _, f := range broadcasts() {
		pcm := audiotest.Plucks(f, 50001, 1)
		pieces := encode(t, f, pcm, []int{20000, 20000, 10001}, []int{0, 0, 0})
		if !slices.Equal(decode(t, f, pieces), pcm) {
			t.Errorf("%v: FLAC segments came back altered", f)
		}
		mixed := encode(t, f, pcm, []int{20000, 20000, 10001}, []int{0, 96000, 0})
		d, err := NewDecoder(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mixed[1].decode(d); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a seek back: nothing may be faded in
			b, err := mixed[0].decode(d)
			if err != nil || !slices.Equal(b.PCM, pcm[:len(b.PCM)]) {
				t.Errorf("%v: FLAC after a seek came back altered: %v", f, err)
			}
		}
		if _, err := mixed[1].decode(d); err != nil {
			t.Fatal(err)
		}
		b, err := mixed[2].decode(d)
		if err != nil {
			t.Fatal(err)
		}
		fade := int(f.Rate.Frames(fadeTime)) * f.Channels
		want := pcm[40000*f.Channels:]
		if slices.Equal(b.PCM[:fade], want[:fade]) || !slices.Equal(b.PCM[fade:], want[fade:]) {
			t.Errorf("%v: after Opus the first 5 ms of FLAC must be faded and no more", f)
		}
	}
}

func TestOpusFramesAreExactAndInPlace(t *testing.T) {
	for _, f := range broadcasts() {
		const total = 70000
		pcm := audiotest.Plucks(f, total, 2)
		lengths := []int{882, 17640, 1, 147, 30000, total - 882 - 17640 - 1 - 147 - 30000}
		rungs := slices.Repeat([]int{160000}, len(lengths))
		got := decode(t, f, encode(t, f, pcm, lengths, rungs))
		if len(got) != len(pcm) {
			t.Fatalf("%v: %d samples of %d", f, len(got), len(pcm))
		}
		best, at := math.Inf(-1), 0
		for lag := -5; lag <= 5; lag++ {
			var signal, noise float64
			for i := 10 * f.Channels; i < len(pcm)-10*f.Channels; i++ {
				w, d := float64(pcm[i]), float64(pcm[i]-got[i+lag*f.Channels])
				signal += w * w
				noise += d * d
			}
			if s := 10 * math.Log10(signal/noise); s > best {
				best, at = s, lag
			}
		}
		if at != 0 || best < 8 {
			t.Errorf("%v: matches best (%.1f dB) with a shift of %d frames", f, best, at)
		}
	}
}

func TestBadSegmentHarmsNoOther(t *testing.T) {
	f := broadcasts()[0]
	pcm := audiotest.Plucks(f, 3*17640, 3)
	for _, rung := range []int{0, 128000} {
		pieces := encode(t, f, pcm, []int{17640, 17640, 17640}, []int{128000, rung, 0})
		d, err := NewDecoder(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pieces[0].decode(d); err != nil {
			t.Fatal(err)
		}
		bad := pieces[1]
		bad.packets = bad.packets[:1]
		if b, err := bad.decode(d); !errors.Is(err, ErrSegment) || b != nil {
			t.Errorf("rung %d: a cut segment gave %v", rung, err)
		}
		// What is skipped is not joined to.
		b, err := pieces[2].decode(d)
		if err != nil || !slices.Equal(b.PCM, pcm[2*17640*2:]) {
			t.Errorf("rung %d: the segment behind a bad one suffered: %v", rung, err)
		}
	}
	// A second try for the same place joins as if there had been no first.
	pieces := encode(t, f, pcm[:2*2*17640], []int{17640, 17640}, []int{128000, 96000})
	want := decode(t, f, pieces)
	d, err := NewDecoder(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pieces[0].decode(d); err != nil {
		t.Fatal(err)
	}
	bad := pieces[1]
	bad.packets = bad.packets[:3]
	if _, err := bad.decode(d); !errors.Is(err, ErrSegment) {
		t.Errorf("a cut segment gave %v", err)
	}
	if b, err := pieces[1].decode(d); err != nil || !slices.Equal(b.PCM, want[2*17640:]) {
		t.Errorf("the second try differs: %v", err)
	}
	for _, frames := range []int{-1, 0, math.MaxInt} {
		if _, err := d.Opus(0, nil, opus.PreSkip, frames); !errors.Is(err, ErrSegment) {
			t.Errorf("%d Opus frames: %v", frames, err)
		}
		if _, err := d.FLAC(0, nil, frames); frames != 0 && !errors.Is(err, ErrSegment) {
			t.Errorf("%d FLAC frames: %v", frames, err)
		}
	}
}

func TestFormatsOfBroadcasts(t *testing.T) {
	for _, f := range []audio.Format{{}, {Rate: 96000, Bits: 24, Channels: 2}, {Rate: 44100, Bits: 20, Channels: 2}, {Rate: 44100, Bits: 16, Channels: 6}} {
		if _, err := NewEncoder(f); !errors.Is(err, audio.ErrFormat) {
			t.Errorf("encoder of %v: %v", f, err)
		}
		if _, err := NewDecoder(f); !errors.Is(err, audio.ErrFormat) {
			t.Errorf("decoder of %v: %v", f, err)
		}
	}
}

func TestCrossfade(t *testing.T) {
	head := []float64{1, -1, 1, -1, 1, -1, 1, -1}
	Crossfade([]float64{0, 0, 0, 0, 9}, head, 2, 100)
	want := []float64{0.25, -0.25, 0.75, -0.75, 1, -1, 1, -1}
	if !slices.Equal(head, want) {
		t.Errorf("%v", head)
	}
	Crossfade(nil, head, 2, 4)
	if !slices.Equal(head, want) {
		t.Errorf("nothing to fade from, but %v", head)
	}
}
