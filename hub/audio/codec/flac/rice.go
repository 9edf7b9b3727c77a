package flac

import "math/bits"

const (
	maxPartOrder = 6 // finer partitions cost more headers than they save in blocks of 4,800
	maxRice      = 30
	// maxRiceShort is the largest parameter of method 0, whose parameters
	// have 4 bits; the all-ones value is an escape.
	maxRiceShort = 14
)

// ricePlan says how a residual is to be written.
type ricePlan struct {
	order  int                      // 1<<order partitions
	params [1 << maxPartOrder]uint8 // one a partition
	long   bool                     // method 1: 5-bit parameters
	bits   int                      // estimated size
}

// zigzag folds the sign into the lowest bit: 0, -1, 1, -2 become 0, 1, 2, 3.
func zigzag(r int32) uint32 { return uint32(r)<<1 ^ uint32(r>>31) }

// riceParam returns the best parameter for n values that sum to sum, and the
// bits they take by the usual estimate sum>>k for the unary parts (which is
// at most n/2 above the truth).
func riceParam(sum uint64, n int) (k uint8, size int) {
	if n == 0 {
		return 0, 0
	}
	// The optimum of a geometric distribution lies near log2(mean*ln 2).
	guess := 0
	if mean := sum * 710 / 1024 / uint64(n); mean > 0 {
		guess = min(bits.Len64(mean)-1, maxRice)
	}
	cost := func(k int) int { return n*(k+1) + int(sum>>k) - n>>1*min(k, 1) }
	best := guess
	if up := min(guess+1, maxRice); cost(up) < cost(best) {
		best = up
	}
	return uint8(best), cost(best)
}

// planRice chooses partitions for the residual of a block whose first
// predOrder samples are warm-up and not in res. sums is scratch.
func planRice(p *ricePlan, res []int32, predOrder int, sums *[1 << maxPartOrder]uint64) {
	block := len(res) + predOrder
	finest := min(bits.TrailingZeros(uint(block)), maxPartOrder)
	for finest > 0 && block>>finest <= predOrder {
		finest--
	}
	parts, size := 1<<finest, block>>finest
	at := 0
	for i := range parts {
		end := (i+1)*size - predOrder
		var sum uint64
		for _, r := range res[at:end] {
			sum += uint64(zigzag(r))
		}
		sums[i], at = sum, end
	}
	p.bits = -1
	for order := finest; order >= 0; order-- {
		var q ricePlan
		q.order = order
		n := block >> order
		for i := range 1 << order {
			m := n
			if i == 0 {
				m -= predOrder
			}
			k, b := riceParam(sums[i], m)
			q.params[i] = k
			q.long = q.long || k > maxRiceShort
			q.bits += b
		}
		q.bits += 6 + q.paramBits()<<order
		if p.bits < 0 || q.bits < p.bits {
			*p = q
		}
		for i := range 1 << order >> 1 {
			sums[i] = sums[2*i] + sums[2*i+1]
		}
	}
}

// paramBits is the width of one parameter.
func (p *ricePlan) paramBits() int {
	if p.long {
		return 5
	}
	return 4
}

// write appends the residual by the plan.
func (p *ricePlan) write(w *bitWriter, res []int32, predOrder int) {
	method := uint64(0)
	if p.long {
		method = 1
	}
	w.put(method, 2)
	w.put(uint64(p.order), 4)
	size, at := (len(res)+predOrder)>>p.order, 0
	for i := range 1 << p.order {
		k := uint(p.params[i])
		w.put(uint64(k), uint(p.paramBits()))
		end := (i+1)*size - predOrder
		for _, r := range res[at:end] {
			w.putRice(zigzag(r), k)
		}
		at = end
	}
}
