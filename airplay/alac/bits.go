package alac

// bits collects a bit string, most significant bit first.
type bits struct {
	buf  []byte
	acc  uint64 // the last n bits, not yet in buf
	fill uint
}

func (b *bits) reset() { b.buf, b.acc, b.fill = b.buf[:0], 0, 0 }

// put appends the lowest n bits of v, n <= 32.
func (b *bits) put(v uint32, n uint) {
	b.acc = b.acc<<n | uint64(v)&(1<<n-1)
	b.fill += n
	for b.fill >= 8 {
		b.fill -= 8
		b.buf = append(b.buf, byte(b.acc>>b.fill))
	}
}

// end closes the packet with its end tag and returns it, filled up to a whole
// byte. The slice is good until the next reset.
func (b *bits) end() []byte {
	b.put(tagEnd, endBits)
	if b.fill > 0 {
		b.put(0, 8-b.fill)
	}
	return b.buf
}
