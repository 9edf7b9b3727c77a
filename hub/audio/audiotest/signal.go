package audiotest

import (
	"math"
	"math/rand/v2"

	"sonahub/hub/audio"
)

// amplitude turns decibels below full scale into a factor.
func amplitude(dBFS float64) float64 { return math.Pow(10, dBFS/20) }

// SineFloat returns frames of a sine with the peak dBFS, the same in every
// channel, interleaved. It begins at phase zero.
func SineFloat(rate audio.Rate, channels int, hz, dBFS float64, frames int) []float64 {
	out := make([]float64, 0, frames*channels)
	a := amplitude(dBFS)
	for i := range frames {
		// The cycle count is reduced before the sine, so that long signals
		// stay exact.
		_, turn := math.Modf(hz * float64(i) / float64(rate))
		v := a * math.Sin(2*math.Pi*turn)
		for range channels {
			out = append(out, v)
		}
	}
	return out
}

// Sine returns frames of a sine with the peak dBFS and TPDF dither, in every
// channel the same tone.
func Sine(f audio.Format, hz, dBFS float64, frames int) []int32 {
	return quantise(f, SineFloat(f.Rate, f.Channels, hz, dBFS, frames))
}

// Noise returns white noise of that RMS level, independent in every channel.
func Noise(f audio.Format, dBFS float64, frames int, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, frames*f.Channels)
	a := amplitude(dBFS)
	for i := range x {
		x[i] = a * r.NormFloat64()
	}
	return quantise(f, x)
}

// Plucks returns something like music: plucked strings (Karplus-Strong) at
// changing places between left and right over a bed of soft low noise. It is
// at most half of full scale.
func Plucks(f audio.Format, frames int, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 2))
	x := make([]float64, frames*f.Channels)
	bed := make([]float64, f.Channels)
	for i := range x {
		c := i % f.Channels
		bed[c] += 0.02 * (r.NormFloat64()*0.02 - bed[c])
		x[i] = bed[c]
	}
	every := int(f.Rate) / 6
	for at := 0; at < frames; at += every {
		hz := 110 * math.Pow(2, float64(r.IntN(30))/12)
		pluck(f, x[at*f.Channels:], hz, r)
	}
	return quantise(f, x)
}

// pluck adds one string that rings for up to two seconds.
func pluck(f audio.Format, x []float64, hz float64, r *rand.Rand) {
	line := make([]float64, max(2, int(float64(f.Rate)/hz)))
	for i := range line {
		line[i] = r.Float64()*2 - 1
	}
	pan := r.Float64()
	n := min(len(x)/f.Channels, 2*int(f.Rate))
	var last float64
	for i := range n {
		k := i % len(line)
		v := line[k]
		line[k] = 0.498 * (v + last)
		last = v
		for c := range f.Channels {
			side := pan
			if c == 1 {
				side = 1 - pan
			}
			x[i*f.Channels+c] += 0.08 * v * side
		}
	}
}

// quantise rounds with triangular dither and clips.
func quantise(f audio.Format, x []float64) []int32 {
	r := rand.New(rand.NewPCG(uint64(f.Bits), 3))
	full := math.Exp2(float64(f.Bits - 1))
	out := make([]int32, len(x))
	for i, v := range x {
		v = math.Round(v*full + r.Float64() - r.Float64())
		out[i] = int32(max(-full, min(full-1, v)))
	}
	return out
}
