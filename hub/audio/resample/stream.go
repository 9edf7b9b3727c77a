package resample

import (
	"slices"

	"sonahub/hub/audio"
)

// Stream resamples a long signal that comes in pieces. One goroutine at a
// time.
type Stream struct {
	f        *Filter
	channels int
	buf      []float64 // the last half-1 frames before i, then what is not yet used up
	i        int       // frame of buf behind which the next output frame lies
	num      int       // how far behind: num/den, exact
	extra    float64   // and what drift adds to it
	drift    float64   // input frames that an output frame takes beyond num/den

	silence [audio.MaxChannels]float64 // room for one output frame
}

// Stream begins a signal, with silence before it. The first output frame lies
// on the first input frame.
func (f *Filter) Stream(channels int) *Stream {
	s := &Stream{f: f, channels: channels}
	s.restart()
	return s
}

// restart puts silence where the history is not yet known.
func (s *Stream) restart() {
	s.buf = make([]float64, (s.f.half-1)*s.channels, 8192*s.channels)
	s.i, s.num, s.extra = s.f.half-1, 0, 0
}

// SetDrift makes the stream use up its input faster by that many parts per
// million (slower if negative), from the next output frame on; at most 10,000
// either way. Phase is continuous.
func (s *Stream) SetDrift(ppm float64) {
	ppm = max(-10000, min(10000, ppm))
	s.drift = ppm * 1e-6 * float64(s.f.num) / float64(s.f.den)
}

// Process takes src in, appends to dst what can be made of it, and returns
// the extended slice. Reach frames of input stay behind.
func (s *Stream) Process(dst, src []float64) []float64 {
	s.buf = append(s.buf, src...)
	return s.run(dst)
}

// Flush appends the rest, as if silence followed, and begins a new signal.
// Without drift n input frames have made exactly Frames(n).
func (s *Stream) Flush(dst []float64) []float64 {
	s.buf = append(s.buf, make([]float64, s.f.half*s.channels)...)
	dst = s.run(dst)
	s.restart()
	return dst
}

// run makes every output frame whose right side is there, and drops what no
// later one looks back to.
func (s *Stream) run(dst []float64) []float64 {
	f, ch := s.f, s.channels
	frames := len(s.buf) / ch
	dst = slices.Grow(dst, (int(f.Frames(audio.Pos(frames)))+1)*ch)
	for s.i+f.half < frames {
		dst = append(dst, s.silence[:ch]...)
		f.at(dst[len(dst)-ch:], s.buf, ch, s.i, float64(s.num)/float64(f.den)+s.extra)
		s.num += f.num
		s.i += s.num / f.den
		s.num %= f.den
		s.extra += s.drift
		// The position must stay within one frame behind i.
		if t := float64(s.num)/float64(f.den) + s.extra; t >= 1 {
			s.i, s.extra = s.i+1, s.extra-1
		} else if t < 0 {
			s.i, s.extra = s.i-1, s.extra+1
		}
	}
	if drop := min(s.i-f.half, frames); drop > 0 { // one more than needed: drift may step back
		s.buf = s.buf[:copy(s.buf, s.buf[drop*ch:])]
		s.i -= drop
	}
	return dst
}

// Segment resamples a piece of a longer signal by itself: n output frames,
// the first on body's first frame, interleaved. left and right are what
// stands before and after it in the signal, Reach frames or more; what is
// missing is silence. n may reach into right. Two neighbours that were given
// their true context join without a seam.
func (f *Filter) Segment(channels int, left, body, right []float64, n int) []float64 {
	before, last := f.half-1, (n-1)*f.num/f.den+f.half
	x := make([]float64, (before+last+1)*channels)
	left = left[max(0, len(left)-before*channels):]
	copy(x[before*channels-len(left):], left)
	at := before*channels + copy(x[before*channels:], body)
	copy(x[at:], right) // nothing, if body fills x
	out := make([]float64, n*channels)
	for k := range n {
		p := k * f.num
		f.at(out[k*channels:(k+1)*channels], x, channels, before+p/f.den, float64(p%f.den)/float64(f.den))
	}
	return out
}
