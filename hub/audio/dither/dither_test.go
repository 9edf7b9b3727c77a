package dither

import (
	"math"
	"slices"
	"testing"

	"sonahub/hub/audio/audiotest"
)

func TestFloatIsExact(t *testing.T) {
	for _, bits := range []int{8, 16, 24} {
		lo, hi := int32(-1)<<(bits-1), int32(1)<<(bits-1)-1
		src := []int32{lo, -1, 0, 1, hi}
		x := make([]float64, len(src))
		Float(x, src, bits)
		for i, v := range x {
			if back := int32(v * math.Ldexp(1, bits-1)); back != src[i] {
				t.Errorf("%d bits: %d came back as %d", bits, src[i], back)
			}
		}
		if x[0] != -1 || x[4] >= 1 {
			t.Errorf("%d bits: full scale is %v to %v", bits, x[0], x[4])
		}
	}
}

func TestErrorIsNoiseWithoutDistortion(t *testing.T) {
	const n = 96000
	for _, bits := range []int{16, 24} {
		// A tone of one LSB: rounding alone would make a square wave of it.
		lsb := -20 * math.Log10(math.Ldexp(1, bits-1))
		x := audiotest.SineFloat(48000, 1, 1000, lsb, n)
		q := TPDF{Bits: bits, Seed: 7}
		y := make([]int32, n)
		q.Quantize(y, x)
		got := make([]float64, n)
		Float(got, y, bits)
		var third float64
		for i, v := range got {
			third += v * math.Sin(2*math.Pi*3000*float64(i)/48000)
		}
		amp := 2 * third / n / math.Ldexp(1, 1-bits)
		if math.Abs(amp) > 0.01 {
			t.Errorf("%d bits: third harmonic of %.4f LSB", bits, amp)
		}
		noise := math.Sqrt(audiotest.NoisePower(got, 48000, 1000)) * math.Ldexp(1, bits-1)
		if math.Abs(noise-0.5) > 0.01 { // sqrt(1/12 + 2/12)
			t.Errorf("%d bits: error of %.3f LSB RMS, want 0.5", bits, noise)
		}
	}
}

func TestClippingIsCounted(t *testing.T) {
	q := TPDF{Bits: 16}
	y := make([]int32, 4)
	q.Quantize(y, []float64{1.5, -1.5, math.NaN(), 0.25})
	if q.Clipped() != 3 || y[0] != 32767 || y[1] != -32768 || y[2] != 0 || y[3] < 8190 || y[3] > 8194 {
		t.Errorf("clipped %d, samples %v", q.Clipped(), y)
	}
}

func TestDeterministic(t *testing.T) {
	x := audiotest.SineFloat(48000, 2, 440, -3, 1000)
	run := func(seed uint64) []int32 {
		q := TPDF{Bits: 16, Seed: seed}
		y := make([]int32, len(x))
		q.Quantize(y[:700], x[:700])
		q.Quantize(y[700:], x[700:])
		return y
	}
	if !slices.Equal(run(1), run(1)) {
		t.Error("the same seed gave two results")
	}
	if slices.Equal(run(1), run(2)) {
		t.Error("two seeds gave the same result")
	}
}
