// Package alac encodes Apple Lossless packets as AirPlay wants them: 16 bit,
// stereo, 352 frames a packet.
//
// The bit stream is the one of Apple's published reference code
// (ALACEncoder.cpp, dp_enc.c, ag_enc.c; parameters of the SDP line
// "352 0 16 40 10 14 2 255 0 0 44100"). Invariants: every packet decodes alone
// to exactly the samples that went in, is never longer than MaxSize, and never
// shorter than MinSize, because receivers throw very short packets away.
package alac

// FrameLength is the number of frames (stereo sample pairs) in every packet.
const FrameLength = 352

// Limits on the length of a packet in bytes.
const (
	MaxSize = (headerBits + FrameLength*32 + endBits + 7) / 8 // an uncompressed packet
	MinSize = 16                                              // below it shairport-sync takes a packet for noise
)

// Fields of the bit stream that never change here.
const (
	tagPair    = 1 // channel pair element
	tagEnd     = 7
	headerBits = 3 + 4 + 12 + 4 // tag, instance, unused, flags
	endBits    = 3
	escapeFlag = 1
)

// Frame is one packet's samples, left and right in turn.
type Frame [2 * FrameLength]int16

// Encoder turns frames into packets. It carries the predictors from packet to
// packet, which only helps compression: each packet states its own. The zero
// value is ready; it is for one goroutine.
type Encoder struct {
	layouts [2]layout // left/right as they are, and mid/side
	out     bits
}

// layout is one way to lay a pair of channels out, with its predictors and the
// scratch to try it.
type layout struct {
	taps     [2][order]int16 // predictors that the next packet starts from
	signal   [2][FrameLength]int32
	residual [2][FrameLength]int32
	out      bits
}

// Encode appends one packet holding f to dst and returns the longer slice.
func (e *Encoder) Encode(dst []byte, f *Frame) []byte {
	best := e.escape(f)
	for mixRes := range e.layouts {
		l := &e.layouts[mixRes]
		l.mix(f, mixRes)
		if packet, ok := l.encode(mixRes); ok && len(packet) < len(best) {
			best = packet
		}
	}
	return append(dst, best...)
}

// escape writes the samples as they are.
func (e *Encoder) escape(f *Frame) []byte {
	e.out.reset()
	e.out.put(tagPair, 3)
	e.out.put(0, 16)
	e.out.put(escapeFlag, 4)
	for _, s := range f {
		e.out.put(uint32(uint16(s)), 16)
	}
	return e.out.end()
}

// mix fills the two signals: as they are for mixRes 0, else the mean and the
// difference (mixBits 1, mixRes 1).
func (l *layout) mix(f *Frame, mixRes int) {
	for i := range FrameLength {
		left, right := int32(f[2*i]), int32(f[2*i+1])
		if mixRes == 0 {
			l.signal[0][i], l.signal[1][i] = left, right
		} else {
			l.signal[0][i], l.signal[1][i] = (left+right)>>1, left-right
		}
	}
}

// encode writes a compressed packet, or reports that this layout cannot carry
// these samples in a way that all decoders read alike.
func (l *layout) encode(mixRes int) (packet []byte, ok bool) {
	l.out.reset()
	l.out.put(tagPair, 3)
	l.out.put(0, 16)
	l.out.put(0, 4)
	l.out.put(uint32(mixRes), 8) // mixBits: 0 and 1 like mixRes
	l.out.put(uint32(mixRes), 8)
	ok = true
	for c := range l.signal {
		taps := start(l.taps[c])
		l.out.put(denShift, 8) // mode 0 in the upper half
		l.out.put(riceFactor<<5|order, 8)
		for _, t := range taps {
			l.out.put(uint32(uint16(t)), 16)
		}
		ok = predict(l.residual[c][:], l.signal[c][:], &taps) && ok
		l.taps[c] = taps
	}
	for c := range l.residual {
		ok = ok && rice(&l.out, l.residual[c][:])
	}
	return l.out.end(), ok
}
