package flac

// bitWriter collects bits, the most significant first, into bytes.
type bitWriter struct {
	out  []byte
	acc  uint64 // the low n bits are not yet in out
	n    uint   // 0 to 7 between calls
	crc  [256]uint16
	crc8 [256]uint8
}

// init builds the checksum tables once.
func (w *bitWriter) init() {
	if w.crc[1] != 0 {
		return
	}
	for i := range 256 {
		c16, c8 := uint16(i)<<8, uint8(i)
		for range 8 {
			c16 = c16<<1 ^ 0x8005&-(c16>>15)
			c8 = c8<<1 ^ 0x07&-(c8>>7)
		}
		w.crc[i], w.crc8[i] = c16, c8
	}
}

// put appends the low n bits of v; n is at most 32.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.n += n
	for w.n >= 8 {
		w.n -= 8
		w.out = append(w.out, byte(w.acc>>w.n))
	}
}

// putSigned appends v as an n-bit two's complement number.
func (w *bitWriter) putSigned(v int32, n uint) { w.put(uint64(int64(v)), n) }

// putRice appends u by the Rice code of parameter k: u>>k in unary (zeros
// closed by a one), then the low k bits.
func (w *bitWriter) putRice(u uint32, k uint) {
	q := uint(u >> k)
	for ; q >= 24; q -= 24 {
		w.put(0, 24)
	}
	if q+1+k <= 32 {
		w.put(1<<k|uint64(u)&(1<<k-1), q+1+k)
		return
	}
	w.put(1, q+1)
	w.put(uint64(u), k)
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// putNumber appends a frame number in the extended UTF-8 form of RFC 9639
// section 9.1.5; the writer must be aligned.
func (w *bitWriter) putNumber(v uint64) {
	if v < 0x80 {
		w.put(v, 8)
		return
	}
	follow := numberBytes(v) - 1
	lead := uint64(0xFF) << (7 - follow) & 0xFF
	w.put(lead|v>>(6*follow), 8)
	for i := range follow {
		w.put(0x80|v>>(6*(follow-1-i))&0x3F, 8)
	}
}

// numberBytes is the length of putNumber's output.
func numberBytes(v uint64) uint {
	n := uint(1)
	for limit := uint64(1) << 7; v >= limit && n < 7; n++ {
		// Two bytes carry 11 bits, and every further one 5 more.
		limit = 1 << (5*(n+1) + 1)
	}
	return n
}

// sum8 and sum16 are the frame header's and the frame's checksum.
func (w *bitWriter) sum8(p []byte) (c uint8) {
	for _, b := range p {
		c = w.crc8[c^b]
	}
	return c
}

func (w *bitWriter) sum16(p []byte) (c uint16) {
	for _, b := range p {
		c = c<<8 ^ w.crc[byte(c>>8)^b]
	}
	return c
}
