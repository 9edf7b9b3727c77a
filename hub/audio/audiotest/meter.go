package audiotest

import (
	"math"

	"sonahub/hub/audio"
)

// WholePeriods returns the longest run of at most frames that holds a whole
// number of periods of a tone, as nearly as frames allow. A meter over
// anything else measures its own window: some 80 dB are all it can show.
func WholePeriods(rate audio.Rate, hz float64, frames int) int {
	best, off := frames, math.Inf(1)
	for n := frames; n > 0 && n > frames-frames/4; n-- {
		turns := hz * float64(n) / float64(rate)
		if d := math.Abs(turns - math.Round(turns)); d < off-1e-12 {
			best, off = n, d
		}
	}
	return best
}

// SINAD returns the level of the tone over everything else, in dB: noise,
// distortion, clicks, gaps and steps of phase all count. x is one channel of
// some length that WholePeriods gave. The tone and an offset are fitted by
// least squares.
func SINAD(x []float64, rate audio.Rate, hz float64) float64 {
	tone, rest := fit(x, rate, hz)
	if rest == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(tone/rest)
}

// NoisePower returns the mean square of all
// that is not the tone, for comparing parts of one signal.
func NoisePower(x []float64, rate audio.Rate, hz float64) float64 {
	_, rest := fit(x, rate, hz)
	return rest
}

// fit returns the mean squares of the fitted tone and of the remainder. It
// solves the full 3x3 normal equations, so that a run that is not quite
// whole periods costs nothing.
func fit(x []float64, rate audio.Rate, hz float64) (tone, rest float64) {
	n := float64(len(x))
	if n == 0 {
		return 0, 0
	}
	basis := func(i int) [3]float64 {
		_, turn := math.Modf(hz * float64(i) / float64(rate))
		s, c := math.Sincos(2 * math.Pi * turn)
		return [3]float64{1, c, s}
	}
	var m [3][4]float64
	for i, v := range x {
		b := basis(i)
		for r := range 3 {
			for c := range 3 {
				m[r][c] += b[r] * b[c]
			}
			m[r][3] += b[r] * v
		}
	}
	w := solve(m)
	for i, v := range x {
		b := basis(i)
		t := w[1]*b[1] + w[2]*b[2]
		d := v - t - w[0]
		tone += t * t
		rest += d * d
	}
	return tone / n, rest / n
}

// solve is Gaussian elimination on a symmetric positive system.
func solve(m [3][4]float64) (w [3]float64) {
	for p := range 3 {
		for r := p + 1; r < 3; r++ {
			k := m[r][p] / m[p][p]
			for c := p; c < 4; c++ {
				m[r][c] -= k * m[p][c]
			}
		}
	}
	for p := 2; p >= 0; p-- {
		w[p] = m[p][3]
		for c := p + 1; c < 3; c++ {
			w[p] -= m[p][c] * w[c]
		}
		w[p] /= m[p][p]
	}
	return w
}

// Channel returns every sample of one channel of interleaved sound.
func Channel(x []float64, channels, i int) []float64 {
	out := make([]float64, 0, len(x)/channels)
	for ; i < len(x); i += channels {
		out = append(out, x[i])
	}
	return out
}
