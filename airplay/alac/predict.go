package alac

// The predictor of Apple's dp_enc.c: a short filter over the samples so far
// that learns by the sign of its error.
const (
	order    = 8       // taps; with all of them written even silence is longer than MinSize
	denShift = 9       // taps are fixed point with so many fraction bits
	width    = 17      // bits of a stereo residual: 16 and one for the difference
	maxTap   = 1 << 12 // beyond it a predictor has run wild
	maxSum   = 1<<31 - 1<<denShift
)

// start returns the taps that a packet begins with: the given ones, or the
// reference's initial ones if these were never used or have run wild.
func start(taps [order]int16) [order]int16 {
	used := false
	for _, t := range taps {
		used = used || t != 0
		if t > maxTap || t < -maxTap {
			used = false
			break
		}
	}
	if used {
		return taps
	}
	return [order]int16{38 << denShift >> 4, -29 << denShift >> 4, -2 << denShift >> 4}
}

// predict fills res with what the predictor does not foresee of in, and leaves
// the learned taps. It reports false if a sum does not fit 32 bits, where
// decoders differ.
func predict(res, in []int32, taps *[order]int16) bool {
	res[0] = in[0]
	for j := 1; j <= order; j++ {
		res[j] = narrow(in[j] - in[j-1])
	}
	for j := order + 1; j < len(in); j++ {
		top, past := in[j-order-1], in[j-order:j]
		var sum int64
		for k, t := range taps {
			sum += int64(t) * int64(past[order-1-k]-top)
		}
		if sum > maxSum || sum < -maxSum {
			return false
		}
		res[j] = narrow(in[j] - top - int32((sum+1<<(denShift-1))>>denShift))
		adapt(taps, past, top, res[j])
	}
	return true
}

// adapt moves the taps against the error, oldest first, until the error would
// be used up.
func adapt(taps *[order]int16, past []int32, top, err int32) {
	s := sign(err)
	if s == 0 {
		return
	}
	for k := order - 1; k >= 0; k-- {
		d := top - past[order-1-k]
		sg := sign(d)
		taps[k] -= int16(s * sg)
		err -= int32(order-k) * ((s * sg * d) >> denShift)
		if err*s <= 0 {
			return
		}
	}
}

// narrow wraps v to the width of a residual, as decoders do.
func narrow(v int32) int32 { return v << (32 - width) >> (32 - width) }

func sign(v int32) int32 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
