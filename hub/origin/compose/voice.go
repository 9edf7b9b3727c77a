package compose

import (
	"context"
	"math"
	"math/rand/v2"
)

// hertz returns the frequency of a MIDI key; 69 is A4 = 440 Hz.
func hertz(key int) float64 { return 440 * math.Pow(2, float64(key-69)/12) }

// synth makes single mono notes, full scale about 1, at one rate.
type synth struct {
	ctx  context.Context // when it ends, notes become silence and the piece is thrown away
	rate float64
	rand *rand.Rand // noise of plucks and drums; seeded per piece
}

func newSynth(ctx context.Context, rate int, seed uint64) *synth {
	return &synth{ctx: ctx, rate: float64(rate), rand: rand.New(rand.NewPCG(seed, 0x50ea))}
}

func (s *synth) buffer(seconds float64) []float64 {
	if s.ctx.Err() != nil {
		return nil
	}
	return make([]float64, int(seconds*s.rate))
}

// pluck is a string after Karplus and Strong (1983) with a fractional delay
// (Jaffe and Smith 1983), so that high notes are in tune. bright is 0..1,
// ring the time to -60 dB in seconds.
func (s *synth) pluck(key int, bright, ring float64) []float64 {
	hz := hertz(key)
	out := s.buffer(ring * 0.9)
	const damp = 0.5 // weight of the older sample in the loop's two-point mean: half a sample of delay
	period := s.rate/hz - damp
	n := int(period - 0.3)
	frac := period - float64(n)
	ap := (1 - frac) / (1 + frac)
	loss := math.Pow(10, -3/(hz*ring))
	line := s.excite(n, bright)
	var last, apIn, apOut float64
	for i := range out {
		x := line[i%n]
		out[i] = x
		y := loss * ((1-damp)*x + damp*last)
		last = x
		apOut = ap*(y-apOut) + apIn
		apIn = y
		line[i%n] = apOut
	}
	s.fade(out, 0.002, 0.1)
	return out
}

// excite fills a string with noise, darkened towards bright = 0 and notched
// at a fifth of its length, where a finger would pluck it.
func (s *synth) excite(n int, bright float64) []float64 {
	noise := make([]float64, n)
	var low float64
	for i := range noise {
		low += (0.08 + 0.9*bright) * (2*s.rand.Float64() - 1 - low)
		noise[i] = low
	}
	pick, peak := max(1, n/5), 1e-9
	line := make([]float64, n)
	for i := range line {
		line[i] = noise[i] - 0.8*noise[(i+n-pick)%n]
		peak = max(peak, math.Abs(line[i]))
	}
	for i := range line {
		line[i] /= peak
	}
	return line
}

// partial is one sine of a sound: its frequency over the note's, its level
// and its time to -60 dB in seconds (0 = it does not decay by itself).
type partial struct{ ratio, level, ring float64 }

// additive sums decaying sines. Each is a rotating phasor: two multiplies and
// two adds a sample instead of a call of math.Sin.
func (s *synth) additive(hz, seconds float64, parts []partial) []float64 {
	out := s.buffer(seconds)
	for i, p := range parts {
		w := 2 * math.Pi * hz * p.ratio / s.rate
		if w > 0.9*math.Pi {
			continue // would fold back
		}
		decay := 1.0
		if p.ring > 0 {
			decay = math.Pow(10, -3/(p.ring*s.rate))
		}
		c, d := decay*math.Cos(w), decay*math.Sin(w)
		phase := float64(i) * 1.7
		re, im := p.level*math.Cos(phase), p.level*math.Sin(phase)
		for j := range out {
			out[j] += im
			re, im = re*c-im*d, re*d+im*c
		}
	}
	return out
}

// bell is a struck bar: slightly inharmonic, the high partials die first.
func (s *synth) bell(key int, ring float64) []float64 {
	out := s.additive(hertz(key), ring, []partial{
		{1, 0.60, ring}, {2.003, 0.22, ring * 0.7}, {3.01, 0.12, ring * 0.45},
		{4.17, 0.08, ring * 0.3}, {5.43, 0.05, ring * 0.2}, {9.1, 0.03, ring * 0.06},
	})
	s.fade(out, 0.0015, 0.1)
	return out
}

// pad is a soft chord tone of three detuned voices that swells and ebbs.
func (s *synth) pad(key int, seconds float64) []float64 {
	var parts []partial
	for _, detune := range []float64{0.9971, 1, 1.0033} {
		for k := 1.0; k <= 6; k++ {
			parts = append(parts, partial{k * detune, 0.22 / math.Pow(k, 1.9), 0})
		}
	}
	out := s.additive(hertz(key), seconds, parts)
	s.fade(out, min(1.4, seconds*0.4), min(1.9, seconds*0.5))
	return out
}

// bass is a round low string.
func (s *synth) bass(key int, seconds float64) []float64 {
	out := s.additive(hertz(key), seconds, []partial{
		{1, 0.72, 2.8}, {2, 0.22, 1.4}, {3, 0.08, 0.7}, {4, 0.03, 0.3},
	})
	s.fade(out, 0.008, min(0.12, seconds/3))
	return out
}

// keys is an electric piano by frequency modulation: a body at 1:1 and a
// quiet tine at 1:11 that is gone after a blink.
func (s *synth) keys(key int, seconds, vel float64) []float64 {
	out := s.buffer(seconds)
	w := 2 * math.Pi * hertz(key) / s.rate
	body, tine := 1.0, 1.0
	bodyDecay := math.Pow(10, -3/(4.5*s.rate))
	tineDecay := math.Pow(10, -3/(0.25*s.rate))
	for i := range out {
		ph := w * float64(i)
		out[i] = 0.7 * body * math.Sin(ph+(0.35+1.1*vel)*body*body*math.Sin(ph))
		if tine > 1e-3 {
			out[i] += 0.12 * tine * vel * math.Sin(11*ph)
		}
		body *= bodyDecay
		tine *= tineDecay
	}
	s.fade(out, 0.004, min(0.25, seconds/2))
	return out
}

// kick is a sine that falls from 118 to 46 Hz.
func (s *synth) kick() []float64 {
	out := s.buffer(0.42)
	var phase float64
	for i := range out {
		t := float64(i) / s.rate
		phase += 2 * math.Pi * (46 + 72*math.Exp(-t*34)) / s.rate
		out[i] = math.Sin(phase) * math.Exp(-t*9)
	}
	s.fade(out, 0.002, 0.05)
	return out
}

// brush is a short band of noise around hz: a shaker when high, a brushed
// snare when low. rise and ring are in seconds.
func (s *synth) brush(hz, rise, ring float64) []float64 {
	out := s.buffer(rise + ring)
	// state-variable filter (Chamberlin), stable below a sixth of the rate
	f := 2 * math.Sin(math.Pi*min(hz, s.rate/7)/s.rate)
	var low, band float64
	for i := range out {
		low += f * band
		high := 2*s.rand.Float64() - 1 - low - 0.9*band
		band += f * high
		out[i] = 0.6 * band * math.Exp(-4*max(0, float64(i)/s.rate-rise)/ring)
	}
	s.fade(out, rise, ring*0.3)
	return out
}

// fade applies raised-cosine edges of in and out seconds.
func (s *synth) fade(x []float64, in, out float64) {
	edge := func(n, at int) float64 { return 0.5 - 0.5*math.Cos(math.Pi*float64(at)/float64(n)) }
	a, b := min(len(x), int(in*s.rate)), min(len(x), int(out*s.rate))
	for i := range a {
		x[i] *= edge(a, i)
	}
	for i := range b {
		x[len(x)-1-i] *= edge(b, i)
	}
}
