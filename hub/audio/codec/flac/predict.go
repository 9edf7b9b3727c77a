package flac

import "math"

const (
	maxFixed = 4
	maxLPC   = 12
	// lpcPrecision is the width of a quantised coefficient; more gains
	// nothing measurable at our block sizes.
	lpcPrecision = 15
	maxLPCShift  = 15
)

// fixedOrder returns the fixed predictor with the smallest residual by sum
// of magnitudes. The residual of order n is the n-th difference.
func fixedOrder(x []int32) int {
	if len(x) <= maxFixed {
		return 0
	}
	var sum [maxFixed + 1]uint64
	var last [maxFixed]int64
	for i, s := range x {
		d := int64(s)
		for o := range maxFixed {
			if i >= maxFixed {
				sum[o] += uint64(max(d, -d))
			}
			last[o], d = d, d-last[o]
		}
		if i >= maxFixed {
			sum[maxFixed] += uint64(max(d, -d))
		}
	}
	best := 0
	for o := range sum {
		if sum[o] < sum[best] {
			best = o
		}
	}
	return best
}

// fixedResidual writes the residual of the fixed predictor into res. It says
// whether all of it fits 32 bits.
func fixedResidual(res, x []int32, order int) bool {
	switch order {
	case 0:
		copy(res, x)
		return true
	case 1:
		return predict(res, x, []int64{1}, 0)
	case 2:
		return predict(res, x, []int64{2, -1}, 0)
	case 3:
		return predict(res, x, []int64{3, -3, 1}, 0)
	default:
		return predict(res, x, []int64{4, -6, 4, -1}, 0)
	}
}

// predict writes x[i] minus its prediction from the len(coef) samples before
// it into res, which begins after the warm-up. It says whether all of it fits
// into what a decoder must take (RFC 9639 section 9.2.7.3).
func predict(res, x []int32, coef []int64, shift uint) bool {
	order := len(coef)
	var over int64
	for i := range res {
		past := x[i : i+order]
		var sum int64
		for j, c := range coef {
			sum += c * int64(past[order-1-j])
		}
		r := int64(x[i+order]) - sum>>shift
		over |= r ^ r>>63
		res[i] = int32(r)
	}
	return over < 1<<31-1
}

// lpc holds the scratch of linear prediction.
type lpc struct {
	window []float64
	data   []float64
	coef   [maxLPC][maxLPC]float64 // coef[o-1][:o] predicts with order o
	err    [maxLPC]float64         // energy that order o+1 leaves
}

// analyse fits predictors of all orders to x. It returns how many orders are
// usable: 0 for silence and for blocks too short to be worth it.
func (l *lpc) analyse(x []int32) int {
	if len(x) < 4*maxLPC {
		return 0
	}
	l.setWindow(len(x))
	l.data = l.data[:0]
	for i, s := range x {
		l.data = append(l.data, float64(s)*l.window[i])
	}
	var auto [maxLPC + 1]float64
	for lag := range auto {
		a, b := l.data[lag:], l.data[:len(l.data)-lag]
		var s0, s1 float64
		i := 0
		for ; i+1 < len(b); i += 2 {
			s0 += a[i] * b[i]
			s1 += a[i+1] * b[i+1]
		}
		if i < len(b) {
			s0 += a[i] * b[i]
		}
		auto[lag] = s0 + s1
	}
	if auto[0] <= 0 {
		return 0
	}
	return l.levinson(&auto)
}

// setWindow prepares a Tukey window whose tapers take half of the block.
func (l *lpc) setWindow(n int) {
	if len(l.window) == n {
		return
	}
	l.window = make([]float64, n)
	taper := n / 4
	for i := range l.window {
		l.window[i] = 1
		if d := min(i, n-1-i); d < taper {
			l.window[i] = 0.5 - 0.5*math.Cos(math.Pi*(float64(d)+0.5)/float64(taper))
		}
	}
}

// levinson solves the normal equations for every order up to maxLPC.
func (l *lpc) levinson(auto *[maxLPC + 1]float64) int {
	var a [maxLPC]float64
	e := auto[0]
	for o := range maxLPC {
		k := auto[o+1]
		for j := range o {
			k -= a[j] * auto[o-j]
		}
		k /= e
		for j := 0; j < o/2; j++ {
			a[j], a[o-1-j] = a[j]-k*a[o-1-j], a[o-1-j]-k*a[j]
		}
		if o%2 == 1 {
			a[o/2] -= k * a[o/2]
		}
		a[o] = k
		e *= 1 - k*k
		if !(e > 0) {
			return o
		}
		copy(l.coef[o][:], a[:o+1])
		l.err[o] = e
	}
	return maxLPC
}

// bestOrder returns the order whose residual and coefficients are expected
// to take the fewest bits.
func (l *lpc) bestOrder(orders, n, bps int) int {
	best, least := 0, math.Inf(1)
	for o := 1; o <= orders; o++ {
		// Expected bits of a Laplacian residual of this energy.
		per := 0.5 * math.Log2(0.5*math.Ln2*math.Ln2*l.err[o-1]/float64(n))
		total := max(per, 0)*float64(n-o) + float64(o*(lpcPrecision+bps))
		if total < least {
			best, least = o, total
		}
	}
	return best
}

// quantise turns the predictor of an order into integers scaled by 1<<shift,
// handing each rounding error on to the next coefficient.
func (l *lpc) quantise(order int, coef *[maxLPC]int64) (shift uint, ok bool) {
	c := l.coef[order-1][:order]
	var peak float64
	for _, v := range c {
		peak = max(peak, math.Abs(v))
	}
	if !(peak > 0) || math.IsInf(peak, 0) {
		return 0, false
	}
	_, exp := math.Frexp(peak)
	s := min(lpcPrecision-1-exp, maxLPCShift)
	if s < 0 {
		return 0, false
	}
	const limit = 1<<(lpcPrecision-1) - 1
	var carry float64
	for i, v := range c {
		v = v*float64(int64(1)<<s) + carry
		q := math.Max(-limit-1, math.Min(limit, math.RoundToEven(v)))
		carry = v - q
		coef[i] = int64(q)
	}
	return uint(s), true
}
