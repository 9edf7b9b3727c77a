// Package dither goes between the integer samples of blocks and the float64
// in which sound is altered.
//
// Float is exact. The way back rounds with triangular dither (TPDF, +-1 LSB),
// so that the error is noise without relation to the signal: 4.8 dB above
// plain rounding, and no distortion. Whoever alters nothing must not come
// here: at unity gain and without resampling the integers pass untouched, or
// the lossless rung would not be lossless.
package dither

import "math"

// Float writes src, whose samples have that many bits, into dst with full
// scale +-1. dst must be at least as long as src.
func Float(dst []float64, src []int32, bits int) {
	scale := math.Ldexp(1, 1-bits)
	for i, s := range src {
		dst[i] = float64(s) * scale
	}
}

// TPDF rounds to integers of Bits bits. It is deterministic: the same Seed
// and the same calls give the same samples. One goroutine at a time.
type TPDF struct {
	Bits int    // depth of the result, 8 to 24
	Seed uint64 // where the noise begins; any value will do

	state   uint64
	started bool
	clipped int64
}

// Quantize writes src, full scale +-1, into dst as integers. What exceeds
// full scale is clipped and counted; a NaN becomes silence and counts too.
// dst must be at least as long as src.
func (t *TPDF) Quantize(dst []int32, src []float64) {
	if !t.started {
		t.state, t.started = t.Seed, true
	}
	full := math.Ldexp(1, t.Bits-1)
	for i, v := range src {
		v = math.Floor(v*full + t.noise() + 0.5)
		switch {
		case v >= full:
			v = full - 1
			t.clipped++
		case v < -full:
			v = -full
			t.clipped++
		case v != v:
			v = 0
			t.clipped++
		}
		dst[i] = int32(v)
	}
}

// Clipped returns how many samples did not fit so far.
func (t *TPDF) Clipped() int64 { return t.clipped }

// noise is the difference of two uniform numbers, in LSB: the halves of one
// output of SplitMix64.
func (t *TPDF) noise() float64 {
	t.state += 0x9E3779B97F4A7C15
	z := t.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	return (float64(z>>32) - float64(z&0xFFFFFFFF)) / (1 << 32)
}
