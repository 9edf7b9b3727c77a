package raoptest

import (
	"errors"
	mathbits "math/bits"
)

// frameLength is the number of frames in a packet.
const frameLength = 352

// ErrPacket is returned for packets that no encoder should make.
var ErrPacket = errors.New("raoptest: bad ALAC packet")

// reader reads a bit string; beyond the end it gives zeros and remembers it.
type reader struct {
	data []byte
	at   int
	over bool
}

func (r *reader) bits(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if r.at/8 >= len(r.data) {
			r.over = true
		} else {
			v |= uint32(r.data[r.at/8]>>(7-r.at%8)) & 1
		}
		r.at++
	}
	return v
}

// Decode turns an ALAC packet of 352 stereo frames of 16 bit into samples. It
// is written from the description of the format, in the way of a decoder and
// not as the encoder backwards.
func Decode(packet []byte) ([2 * frameLength]int16, error) {
	var f [2 * frameLength]int16
	r := &reader{data: packet}
	if r.bits(3) != 1 || r.bits(4) != 0 || r.bits(12) != 0 || r.bits(3) != 0 {
		return f, ErrPacket
	}
	if r.bits(1) == 1 {
		for i := range f {
			f[i] = int16(r.bits(16))
		}
		return f, r.finish()
	}
	mixBits, mixRes := r.bits(8), int32(r.bits(8))
	var den, rate [2]uint32
	var taps [2][]int32
	for c := range 2 {
		den[c] = r.bits(8)
		b := r.bits(8)
		rate[c] = b >> 5 * 40 / 4
		taps[c] = make([]int32, b&31)
		for i := range taps[c] {
			taps[c][i] = int32(int16(r.bits(16)))
		}
	}
	var out [2][]int32
	for c := range 2 {
		out[c] = synthesize(r.residuals(rate[c]), taps[c], den[c])
	}
	for i := range frameLength {
		u, v := out[0][i], out[1][i]
		if mixRes != 0 {
			u += v - mixRes*v>>mixBits
			v = u - v
		}
		f[2*i], f[2*i+1] = int16(u), int16(v)
	}
	return f, r.finish()
}

func (r *reader) finish() error {
	if r.bits(3) != 7 || r.over || len(r.data) != (r.at+7)/8 {
		return ErrPacket
	}
	return nil
}

func (r *reader) scalar(k, raw int) uint32 {
	ones := uint32(0)
	for ones < 9 && r.bits(1) == 1 {
		ones++
	}
	if ones == 9 {
		return r.bits(raw)
	}
	v := ones * (1<<k - 1)
	if k > 1 {
		if x := r.bits(k - 1); x != 0 {
			v += x<<1 | r.bits(1)
			v--
		}
	}
	return v
}

func (r *reader) residuals(rate uint32) []int32 {
	out := make([]int32, 0, frameLength)
	history, sign := uint32(10), uint32(0)
	for len(out) < frameLength && !r.over {
		k := min(31-mathbits.LeadingZeros32(history>>9+3), 14)
		x := r.scalar(k, 17) + sign
		sign = 0
		if x&1 == 1 {
			out = append(out, -int32(x>>1)-1)
		} else {
			out = append(out, int32(x>>1))
		}
		if x > 0xffff {
			history = 0xffff
		} else {
			history += x*rate - history*rate>>9
		}
		if history < 128 && len(out) < frameLength {
			k := mathbits.LeadingZeros32(history) - 24 + int((history+16)>>6)
			for n := r.scalar(k, 16); n > 0 && len(out) < frameLength; n-- {
				out = append(out, 0)
			}
			history, sign = 0, 1
		}
	}
	for len(out) < frameLength {
		out = append(out, 0)
	}
	return out
}

func synthesize(res, taps []int32, den uint32) []int32 {
	n := len(taps)
	out := make([]int32, len(res))
	out[0] = res[0]
	for i := 1; i < len(res); i++ {
		if i <= n {
			out[i] = (out[i-1] + res[i]) << 15 >> 15
			continue
		}
		base, sum := out[i-n-1], int32(0)
		for j, t := range taps {
			sum += (out[i-1-j] - base) * t
		}
		e := res[i]
		out[i] = (base + e + (sum+1<<(den-1))>>den) << 15 >> 15
		for j := n - 1; j >= 0 && e != 0; j-- {
			d := base - out[i-1-j]
			step := int32(0)
			if d > 0 {
				step = 1
			} else if d < 0 {
				step = -1
			}
			if e > 0 {
				taps[j] -= step
				if e -= d * step >> den * int32(n-j); e <= 0 {
					break
				}
			} else {
				taps[j] += step
				if e -= -d * step >> den * int32(n-j); e >= 0 {
					break
				}
			}
		}
	}
	return out
}
