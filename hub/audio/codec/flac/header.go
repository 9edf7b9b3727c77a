package flac

import "sonahub/hub/audio"

// header appends the frame header (RFC 9639 section 9.1). The block size is
// always the 16-bit form, so that the header's length depends on nothing but
// the number and the rate.
func (e *Encoder) header(number uint64, n int, assignment uint64, start int) {
	w := &e.w
	w.put(0xFFF8, 16) // sync code, fixed block size
	code, extra, width := rateCode(e.Format.Rate)
	w.put(7, 4)
	w.put(code, 4)
	w.put(assignment, 4)
	w.put(bitsCode(e.Format.Bits)<<1, 4)
	w.putNumber(number)
	w.put(uint64(n-1), 16)
	w.put(extra, width)
	w.put(uint64(w.sum8(w.out[start:])), 8)
}

// rateCode returns the header's code for a rate, and the value and width in
// bits of the field that some codes add behind the block size. A rate that
// has no form at all is left to the stream header.
func rateCode(r audio.Rate) (code, extra uint64, width uint) {
	known := [...]audio.Rate{88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}
	for i, k := range known {
		if r == k {
			return uint64(i + 1), 0, 0
		}
	}
	switch {
	case r <= 65535:
		return 13, uint64(r), 16
	case r%10 == 0:
		return 14, uint64(r / 10), 16
	}
	return 0, 0, 0
}

// bitsCode returns the header's code for a depth, 0 if it has none.
func bitsCode(bits int) uint64 {
	switch bits {
	case 8:
		return 1
	case 12:
		return 2
	case 16:
		return 4
	case 20:
		return 5
	case 24:
		return 6
	}
	return 0
}

// VerbatimSize returns the bytes of one frame that an Encoder with Verbatim
// set makes of that many frames of sound.
func VerbatimSize(f audio.Format, number uint64, frames int) int {
	_, _, width := rateCode(f.Rate)
	head := 4 + int(numberBytes(number)) + 2 + int(width)/8 + 1
	bits := f.Channels * (8 + frames*f.Bits)
	return head + (bits+7)/8 + 2
}
