package render

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/playout"
)

const (
	ms     = audio.Instant(time.Millisecond)
	period = 1440
)

var (
	cd   = audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	hi   = audio.Format{Rate: 48000, Channels: 2, Bits: 24}
	mono = audio.Format{Rate: 48000, Channels: 1, Bits: 16}
)

// card pulls frames from a renderer and keeps what it got.
type card struct {
	*testing.T
	*Renderer
	rate  audio.Rate
	out   []float64
	zero  audio.Instant // of out's first frame
	extra time.Duration // what the card is behind its crystal
	ppm   float64
	told  float64 // ppm that the renderer is told
}

func newCard(t *testing.T, rate audio.Rate, bits int) *card {
	t.Helper()
	r, err := New(rate, bits)
	if err != nil {
		t.Fatal(err)
	}
	return &card{T: t, Renderer: r, rate: rate, zero: 1000 * ms}
}

// now is the instant of the next frame.
func (c *card) now() audio.Instant {
	d := audio.Pos(len(c.out) / 2).Duration(c.rate)
	return c.zero.Add(c.extra + d - time.Duration(float64(d)*c.ppm*1e-6))
}

// run pulls that much sound.
func (c *card) run(d time.Duration) {
	for n := int(c.rate.Frames(d)); n > 0; {
		k := min(n, period)
		at := c.now()
		c.out = append(c.out, make([]float64, 2*k)...)
		c.Render(c.out[len(c.out)-2*k:], at, c.told)
		n -= k
	}
}

func (c *card) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// play starts a run and writes pcm.
func (c *card) play(f audio.Format, zero audio.Instant, pcm []int32) audio.Timeline {
	c.Helper()
	t := audio.Timeline{Zero: zero, Rate: f.Rate}
	filter, err := c.Filter(f.Rate)
	c.must(err)
	c.must(c.Start(1, f, t, filter))
	c.write(f, 0, pcm)
	return t
}

func (c *card) write(f audio.Format, at audio.Pos, pcm []int32) {
	c.Helper()
	step := f.Channels * int(f.Rate.Frames(20*time.Millisecond))
	for b := range slices.Chunk(pcm, step) {
		c.must(c.Write(at, b))
		at += audio.Pos(len(b) / f.Channels)
	}
}

// ints returns frames [from, to) of what came out, at a depth.
func (c *card) ints(bits, from, to int) []int32 {
	pcm := make([]int32, 0, 2*(to-from))
	for _, x := range c.out[2*from : 2*to] {
		v := x * math.Ldexp(1, bits-1)
		if v != math.Trunc(v) {
			c.Fatalf("%v is no sample of %d bits", x, bits)
		}
		pcm = append(pcm, int32(v))
	}
	return pcm
}

func (c *card) silent(from, to int) {
	c.Helper()
	for i, x := range c.out[2*from : 2*to] {
		if x != 0 {
			c.Fatalf("frame %d is not silent", from+i/2)
		}
	}
}

// At the card's own rate every sample passes untouched, at its frame.
func TestUntouchedAndInTime(t *testing.T) {
	for _, f := range []audio.Format{cd, hi, {Rate: 48000, Channels: 2, Bits: 16}} {
		c := newCard(t, f.Rate, 0)
		pcm := audiotest.Noise(f, -6, int(f.Rate)/2, 1)
		c.play(f, 1100*ms, pcm)
		c.run(time.Second)
		at, n := int(f.Rate)/10, len(pcm)/2
		c.silent(0, at)
		if !slices.Equal(c.ints(f.Bits, at, at+n), pcm) {
			t.Errorf("%v was altered", f)
		}
		c.silent(at+n, len(c.out)/2)
		if rep := c.Report(1300 * ms); !rep.Playing || rep.Run != 1 || rep.Heard != f.Rate.Frames(200*time.Millisecond) || rep.Inexact != "" {
			t.Errorf("%v: report %+v", f, rep)
		}
		if rep := c.Report(1900 * ms); rep.Playing || rep.Missing != 0 || rep.Slips != 0 {
			t.Errorf("%v: after the end the report is %+v", f, rep)
		}
	}
}

func TestMonoSoundsFromBoth(t *testing.T) {
	c := newCard(t, 48000, 0)
	pcm := audiotest.Noise(mono, -6, 4800, 1)
	c.play(mono, 1000*ms, pcm)
	c.run(100 * time.Millisecond)
	got := c.ints(16, 0, 4800)
	for i, x := range pcm {
		if got[2*i] != x || got[2*i+1] != x {
			t.Fatalf("frame %d: %d became %d, %d", i, x, got[2*i], got[2*i+1])
		}
	}
}

func TestRunsFollowWithoutASeam(t *testing.T) {
	c := newCard(t, 48000, 0)
	a, b := audiotest.Noise(hi, -6, 10001, 1), audiotest.Noise(hi, -6, 10000, 2)
	line := c.play(hi, 1000*ms+7777, a) // between two frames
	c.play(hi, line.Instant(10001), b)
	c.run(500 * time.Millisecond)
	if !slices.Equal(c.ints(24, 0, 20001), slices.Concat(a, b)) {
		t.Error("the runs do not follow each other")
	}
}

// A pause: what lies before the flush sounds, then silence, then what was
// written anew.
func TestFlush(t *testing.T) {
	c := newCard(t, 48000, 0)
	a, b := audiotest.Noise(hi, -6, 48000, 1), audiotest.Noise(hi, -6, 9600, 2)
	line := c.play(hi, 1000*ms, a)
	c.run(90 * time.Millisecond)
	c.must(c.Flush(audio.Timeline{Zero: line.Instant(9601) + 100*ms, At: 9601, Rate: 48000}))
	c.write(hi, 9601, b)
	c.run(time.Second)
	if !slices.Equal(c.ints(24, 0, 9601), a[:2*9601]) {
		t.Error("what lies before the flush was altered")
	}
	c.silent(9601, 9601+4800)
	if !slices.Equal(c.ints(24, 9601+4800, 9601+4800+9600), b) {
		t.Error("what lies behind the flush was altered")
	}
	c.silent(9601+4800+9600, len(c.out)/2)
}

// Sound that comes too late is silence, counted, and what follows is in time.
func TestMissing(t *testing.T) {
	c := newCard(t, 48000, 0)
	pcm := audiotest.Noise(hi, -6, 24000, 1)
	c.play(hi, 1000*ms, pcm[:2*4800])
	c.run(150 * time.Millisecond)
	c.write(hi, 4800, pcm[2*4800:2*9600])
	c.write(hi, 9700, pcm[2*9700:])
	c.run(350 * time.Millisecond)
	want := slices.Clone(pcm)
	clear(want[2*4800 : 2*7200])
	clear(want[2*9600 : 2*9700])
	if !slices.Equal(c.ints(24, 0, 24000), want) {
		t.Error("what was there did not sound at its instant")
	}
	if rep := c.Report(1400 * ms); rep.Missing != 2400+100 || rep.Slips != 0 {
		t.Errorf("report %+v", rep)
	}
}

// smooth fails if a step between two frames is larger than a sine of that
// frequency and amplitude can make: a click.
func (c *card) smooth(from, to int, hz, amplitude float64) {
	c.Helper()
	most := amplitude*2*math.Pi*hz/float64(c.rate)*1.01 + 1e-4
	for i := from + 1; i < to; i++ {
		if d := c.out[2*i] - c.out[2*i-2]; math.Abs(d) > most {
			c.Fatalf("a click at frame %d: %v after %v", i, c.out[2*i], c.out[2*i-2])
		}
	}
}

// Another rate is resampled well, and the sound is still at its instant.
func TestOtherRate(t *testing.T) {
	c := newCard(t, 48000, 0)
	pcm := audiotest.Sine(audio.Format{Rate: 44100, Channels: 2, Bits: 24}, 1000, -6, 88200)
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 24}
	line := c.play(f, 1100*ms, pcm[:88200])
	c.play(f, line.Instant(44100), pcm[88200:]) // without a seam
	c.run(2500 * time.Millisecond)
	c.silent(0, 4800-1)
	x := audiotest.Channel(c.out[2*4800:2*(4800+96000)], 2, 0)
	mid := x[4800 : 4800+audiotest.WholePeriods(48000, 1000, 86400)]
	if dB := audiotest.SINAD(mid, 48000, 1000); dB < 110 {
		t.Errorf("SINAD %.1f dB", dB)
	}
	var worst float64
	for i := range mid {
		want := math.Pow(10, -6.0/20) * math.Sin(2*math.Pi*1000*float64(i)/48000)
		worst = max(worst, math.Abs(mid[i]-want))
	}
	if worst > 1e-4 {
		t.Errorf("the sine is off its place by %v", worst)
	}
	c.smooth(4900, 4800+95990, 1000, 0.5012)
	if rep := c.Report(1500 * ms); rep.Inexact != "44100 Hz is resampled to the card's 48000 Hz" && rep.Inexact != "" {
		t.Errorf("report %+v", rep)
	}
}

// A card with another crystal is followed without a click, within a few
// milliseconds, and only once it is needed.
func TestDrift(t *testing.T) {
	for _, ppm := range []float64{300, -300} {
		c := newCard(t, 48000, 0)
		c.ppm, c.told = ppm, ppm
		pcm := audiotest.Sine(hi, 1000, -6, 48000)
		c.must(c.Start(1, hi, audio.Timeline{Zero: 1000 * ms, Rate: 48000}, nil))
		c.write(hi, 0, pcm)
		at := audio.Pos(48000) // the source is always a second ahead
		for range 60 {
			c.write(hi, at, pcm)
			at += 48000
			c.run(time.Second)
			rep := c.Report(c.now() - 200*ms)
			if rep.Late.Abs() > 6*time.Millisecond || rep.Slips != 0 {
				t.Fatalf("%v ppm: %v into the run the report is %+v", ppm, c.now()-1000*ms, rep)
			}
			if (rep.Inexact != "") != (c.voice.stream != nil) {
				t.Fatalf("report %+v", rep)
			}
			if at < 11*48000 && rep.Inexact != "" {
				t.Fatalf("%v ppm: bent without need: %+v", ppm, rep)
			}
		}
		rep := c.Report(c.now() - 200*ms)
		if rep.Late.Abs() > time.Millisecond || rep.Inexact == "" {
			t.Errorf("%v ppm: after a minute the report is %+v", ppm, rep)
		}
		c.smooth(100, 59*48000, 1000, 0.5012)
	}
}

// A card that stops for a moment makes the sound jump once, and be in time.
func TestJump(t *testing.T) {
	c := newCard(t, 48000, 0)
	pcm := audiotest.Noise(hi, -6, 48000, 1)
	c.play(hi, 1000*ms, pcm)
	c.run(210 * time.Millisecond)
	c.extra += 50 * time.Millisecond
	c.run(210 * time.Millisecond)
	want := slices.Concat(pcm[:2*10080], pcm[2*(10080+2400):2*(20160+2400)])
	if !slices.Equal(c.ints(24, 0, 20160), want) {
		t.Error("the sound is not in time after the card had stopped for 50 ms")
	}
	if rep := c.Report(1400 * ms); rep.Slips != 1 {
		t.Errorf("report %+v", rep)
	}
}

// A clock that thinks better of it makes nothing sound twice: not at the end
// of what was written, nor when the sound is found to be early.
func TestNothingSoundsTwice(t *testing.T) {
	c := newCard(t, 48000, 0)
	pcm := audiotest.Noise(hi, -6, 24000, 1)
	c.play(hi, 1000*ms, pcm[:2*4800])
	c.run(120 * time.Millisecond)
	c.extra -= 30 * time.Millisecond
	c.run(60 * time.Millisecond) // 30 ms of what is written should sound now, and has
	c.silent(4800, 4800+960+2880)
	c.write(hi, 4800, pcm[2*4800:])
	c.run(100 * time.Millisecond) // the next frame that sounds now is number 7200
	if n := 4800 + 960 + 2880; !slices.Equal(c.ints(24, n, n+4800), pcm[2*7200:2*12000]) {
		t.Error("after the end the sound went on elsewhere")
	}
	n := len(c.out) / 2
	c.extra -= 50 * time.Millisecond
	c.run(100 * time.Millisecond)
	c.silent(n, n+2400)
	if !slices.Equal(c.ints(24, n+2400, n+4800), pcm[2*12000:2*14400]) {
		t.Error("50 ms early, the sound did not wait where it was")
	}
}

// Skipping while bent takes back what the resampler has looked ahead into.
func TestFlushWhileBent(t *testing.T) {
	for i := range time.Duration(6) {
		c := newCard(t, 48000, 0)
		f := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
		line := c.play(f, 1000*ms, audiotest.Sine(f, 1000, -6, 44100))
		c.run(210*time.Millisecond + i*time.Millisecond)
		from := line.Pos(c.now()) + 3
		c.must(c.Flush(audio.Timeline{Zero: line.Instant(from), At: from, Rate: 44100}))
		c.write(f, from, make([]int32, 2*22050))
		n := len(c.out) / 2
		c.run(300 * time.Millisecond)
		for i, x := range c.out[2*(n+70) : 2*(n+10000)] {
			if math.Abs(x) > 0.01 {
				t.Fatalf("frame %d behind the flush: %v of what was taken back", 70+i/2, x)
			}
		}
	}
}

func TestGain(t *testing.T) {
	c := newCard(t, 48000, 16)
	pcm := audiotest.Sine(hi, 1000, -6, 3*48000)
	c.play(hi, 1000*ms, pcm)
	c.run(time.Second)
	if rep := c.Report(1900 * ms); rep.Inexact != "24 bit is reduced to the card's 16" {
		t.Errorf("report %+v", rep)
	}
	c.ints(16, 0, 48000) // fails if the samples have more bits
	c.SetGain(-20)
	c.run(time.Second)
	if rep := c.Report(2900 * ms); rep.Inexact != "volume is -20.0 dB" {
		t.Errorf("report %+v", rep)
	}
	c.SetGain(audio.Mute())
	c.run(900 * time.Millisecond)
	c.smooth(0, len(c.out)/2, 1000, 0.51)
	x := audiotest.Channel(c.out, 2, 1)
	loud := x[4800 : 4800+audiotest.WholePeriods(48000, 1000, 38400)]
	soft := x[52800 : 52800+audiotest.WholePeriods(48000, 1000, 38400)]
	if d := level(loud) - level(soft); math.Abs(d-20) > 0.01 {
		t.Errorf("-20 dB is %.3f dB", -d)
	}
	if dB := audiotest.SINAD(soft, 48000, 1000); dB < 66 { // -29 dB over the noise of 16 dithered bits at -96.3 dB
		t.Errorf("SINAD %.1f dB at -20 dB", dB)
	}
	c.silent(96000+960, len(c.out)/2)
}

func level(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return 10 * math.Log10(sum/float64(len(x)))
}

func TestRefusals(t *testing.T) {
	c := newCard(t, 48000, 0)
	if err := c.Write(0, []int32{1, 2}); !errors.Is(err, playout.ErrNotStarted) {
		t.Errorf("Write before Start: %v", err)
	}
	surround := audio.Format{Rate: 48000, Channels: 6, Bits: 16}
	if err := c.Start(1, surround, audio.Timeline{Rate: 48000}, nil); !errors.Is(err, audio.ErrFormat) {
		t.Errorf("six channels: %v", err)
	}
	if err := c.Start(1, cd, audio.Timeline{Rate: 44100}, nil); !errors.Is(err, audio.ErrFormat) {
		t.Errorf("a rate without a filter: %v", err)
	}
}
