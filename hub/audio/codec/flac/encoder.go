package flac

import (
	"fmt"
	"math/bits"

	"sonahub/hub/audio"
)

// maxBlock bounds a frame; the block size field has 16 bits.
const maxBlock = 65535

// Encoder makes FLAC frames of one format. It holds scratch memory: one
// goroutine at a time.
type Encoder struct {
	Format audio.Format // 1 or 2 channels; 8, 12, 16, 20 or 24 bit
	// Verbatim stores samples as they are, so that every frame's size is
	// known beforehand (VerbatimSize). Default false.
	Verbatim bool

	w    bitWriter
	lpc  lpc
	sub  [4]subframe // left, right, mid, side
	sums [1 << maxPartOrder]uint64
}

// kind is the type of a subframe.
type kind int

const (
	constant kind = iota
	verbatim
	fixed
	linear
)

// subframe is one channel's samples and the plan to write them.
type subframe struct {
	x      []int32 // shifted down by wasted
	wasted uint    // low bits that are zero in the whole block
	bps    uint    // width of x
	kind   kind
	order  int
	res    []int32
	rice   ricePlan
	coef   [maxLPC]int64
	shift  uint
	bits   int // estimated size

	spare []int32 // the residual of the plan that is on trial
}

// Frame appends one frame to dst. pcm is interleaved, at most 65,535 frames
// of sound. In a stream of fixed block size number counts frames from 0.
func (e *Encoder) Frame(dst []byte, number uint64, pcm []int32) ([]byte, error) {
	if err := checkFormat(e.Format); err != nil {
		return dst, err
	}
	ch := e.Format.Channels
	n := len(pcm) / ch
	if n == 0 || n*ch != len(pcm) || n > maxBlock {
		return dst, fmt.Errorf("flac: a block of %d samples in %d channels", len(pcm), ch)
	}
	if number >= 1<<31 {
		return dst, fmt.Errorf("flac: frame number %d", number)
	}
	limit := int32(1) << (e.Format.Bits - 1)
	for _, s := range pcm {
		if s < -limit || s >= limit {
			return dst, fmt.Errorf("flac: sample %d exceeds %d bits", s, e.Format.Bits)
		}
	}
	e.w.init()
	assignment, subs := e.plan(pcm, n)
	e.w.out, e.w.acc, e.w.n = dst, 0, 0
	start := len(dst)
	e.header(number, n, assignment, start)
	for _, i := range subs[:ch] {
		e.sub[i].write(&e.w)
	}
	e.w.align()
	e.w.put(uint64(e.w.sum16(e.w.out[start:])), 16)
	out := e.w.out
	e.w.out = nil
	return out, nil
}

// plan splits pcm into channels and decides how to write them. It returns
// the channel assignment of the header and which subframes it stands for.
func (e *Encoder) plan(pcm []int32, n int) (assignment uint64, subs [2]int) {
	bps := uint(e.Format.Bits)
	ch := e.Format.Channels
	for c := range ch {
		x := e.sub[c].reset(n, bps)
		for i := range x {
			x[i] = pcm[i*ch+c]
		}
	}
	if e.Verbatim {
		for c := range ch {
			e.sub[c].kind = verbatim
		}
		return uint64(ch - 1), [2]int{0, 1}
	}
	if ch == 1 {
		e.choose(&e.sub[0])
		return 0, subs
	}
	mid, side := e.sub[2].reset(n, bps), e.sub[3].reset(n, bps+1)
	for i := range mid {
		l, r := pcm[2*i], pcm[2*i+1]
		mid[i], side[i] = (l+r)>>1, l-r
	}
	for i := range e.sub {
		e.choose(&e.sub[i])
	}
	l, r, m, s := e.sub[0].bits, e.sub[1].bits, e.sub[2].bits, e.sub[3].bits
	assignment, subs = 1, [2]int{0, 1}
	least := l + r
	if l+s < least {
		assignment, subs, least = 8, [2]int{0, 3}, l+s
	}
	if s+r < least {
		assignment, subs, least = 9, [2]int{3, 1}, s+r
	}
	if m+s < least {
		assignment, subs = 10, [2]int{2, 3}
	}
	return assignment, subs
}

// reset gives the subframe room for n samples of bps bits.
func (s *subframe) reset(n int, bps uint) []int32 {
	if cap(s.x) < n {
		s.x, s.res, s.spare = make([]int32, n), make([]int32, n), make([]int32, n)
	}
	s.x, s.bps, s.wasted = s.x[:n], bps, 0
	return s.x
}

// choose plans the subframe's smallest form.
func (e *Encoder) choose(s *subframe) {
	var or, differ int32
	for _, v := range s.x {
		or |= v
		differ |= v ^ s.x[0]
	}
	if differ == 0 {
		s.kind, s.bits = constant, 8+int(s.bps)
		return
	}
	if s.wasted = uint(bits.TrailingZeros32(uint32(or))); s.wasted > 0 {
		s.bps -= s.wasted
		for i := range s.x {
			s.x[i] >>= s.wasted
		}
	}
	head := 8 + int(s.wasted)
	s.kind, s.bits = verbatim, head+int(s.bps)*len(s.x)
	order := fixedOrder(s.x)
	if fixedResidual(s.spare[:len(s.x)-order], s.x, order) {
		e.try(s, fixed, order, head+order*int(s.bps))
	}
	orders := e.lpc.analyse(s.x)
	if orders == 0 {
		return
	}
	// The expected best order is mostly right; for pure tones the quantised
	// predictor behaves otherwise than the exact one, so two more are tried.
	guess := e.lpc.bestOrder(orders, len(s.x), int(s.bps))
	e.tryLPC(s, guess, head)
	for _, o := range [...]int{2, orders} {
		if o != guess && o <= orders {
			e.tryLPC(s, o, head)
		}
	}
}

// tryLPC tries linear prediction of one order.
func (e *Encoder) tryLPC(s *subframe, order, head int) {
	var coef [maxLPC]int64
	shift, ok := e.lpc.quantise(order, &coef)
	if !ok || !predict(s.spare[:len(s.x)-order], s.x, coef[:order], shift) {
		return
	}
	if e.try(s, linear, order, head+9+order*(lpcPrecision+int(s.bps))) {
		s.coef, s.shift = coef, shift
	}
}

// try takes the residual in spare as the plan if it is the smallest so far.
func (e *Encoder) try(s *subframe, k kind, order, head int) bool {
	var p ricePlan
	planRice(&p, s.spare[:len(s.x)-order], order, &e.sums)
	if head+p.bits >= s.bits {
		return false
	}
	s.kind, s.order, s.rice, s.bits = k, order, p, head+p.bits
	s.res, s.spare = s.spare, s.res
	return true
}

// write appends the subframe by its plan (RFC 9639 section 9.2).
func (s *subframe) write(w *bitWriter) {
	switch s.kind {
	case constant:
		w.put(0, 7)
	case verbatim:
		w.put(1, 7)
	case fixed:
		w.put(8+uint64(s.order), 7)
	case linear:
		w.put(31+uint64(s.order), 7)
	}
	if s.wasted > 0 {
		w.put(1, 1)
		w.put(1, s.wasted) // unary: wasted-1 zeros and a one
	} else {
		w.put(0, 1)
	}
	switch s.kind {
	case constant:
		w.putSigned(s.x[0], s.bps)
	case verbatim:
		for _, v := range s.x {
			w.putSigned(v, s.bps)
		}
	case fixed, linear:
		for _, v := range s.x[:s.order] {
			w.putSigned(v, s.bps)
		}
		if s.kind == linear {
			w.put(lpcPrecision-1, 4)
			w.put(uint64(s.shift), 5)
			for _, c := range s.coef[:s.order] {
				w.putSigned(int32(c), lpcPrecision)
			}
		}
		s.rice.write(w, s.res[:len(s.x)-s.order], s.order)
	}
}
