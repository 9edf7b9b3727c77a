package alac

import mathbits "math/bits"

// Adaptive Rice coding of Apple's ag_enc.c, with the parameters that the SDP
// announces: 40 10 14.
const (
	riceFactor  = 4  // quarters of riceMult, written in the packet
	riceMult    = 40 // how fast the mean follows
	riceMean    = 10 // the mean that a channel starts with
	riceLimit   = 14 // largest parameter
	meanShift   = 9
	maxPrefix   = 9 // a longer unary part means: raw bits follow
	maxMeanStep = 0xffff
	runBits     = 16 // width of an escaped run length
	runMean     = 1 << (meanShift - 2)
)

// rice appends the residuals of one channel. It reports false in the one case
// where decoders disagree about the mean that follows.
func rice(out *bits, res []int32) bool {
	mean, afterRun := uint32(riceMean), uint32(0)
	for i := 0; i < len(res); {
		n := fold(res[i]) - afterRun
		i++
		k := min(uint(mathbits.Len32(mean>>meanShift+3)-1), riceLimit)
		code(out, n, k, width)
		switch {
		case n > maxMeanStep:
			mean = maxMeanStep
		case n+afterRun > maxMeanStep:
			return false
		default:
			mean += riceMult*(n+afterRun) - riceMult*mean>>meanShift
		}
		afterRun = 0
		if mean < runMean && i < len(res) {
			run := uint32(0)
			for ; i < len(res) && res[i] == 0; i++ {
				run++
			}
			k := uint(mathbits.LeadingZeros32(mean)) - 24 + uint(mean+16)>>6
			code(out, run, k, runBits)
			mean, afterRun = 0, 1
		}
	}
	return true
}

// fold maps 0 -1 1 -2 2 ... to 0 1 2 3 4 ...
func fold(v int32) uint32 {
	if v < 0 {
		return uint32(-v)<<1 - 1
	}
	return uint32(v) << 1
}

// code appends n with parameter k: n / (2^k - 1) in unary, then the rest in k
// bits, one bit less if the rest is zero; or raw in rawBits if that is long.
func code(out *bits, n uint32, k, rawBits uint) {
	m := uint32(1)<<k - 1
	div, mod := n/m, n%m
	if div >= maxPrefix {
		out.put(1<<maxPrefix-1, maxPrefix)
		out.put(n, rawBits)
		return
	}
	out.put((1<<div-1)<<1, uint(div)+1)
	if mod == 0 {
		out.put(0, k-1)
	} else {
		out.put(mod+1, k)
	}
}
