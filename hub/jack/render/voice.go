package render

import (
	"math"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/playout"
	"sonahub/hub/audio/resample"
)

// voice is the place at which the sound is: directly on the stored frames, or
// through a resampler.
type voice struct {
	seg playout.Segment // what sounds; Serial 0 = nothing does
	src float64         // position of the next frame in it

	stream *resample.Stream // nil = direct
	step   float64          // source frames for one of the card's, without drift
	drift  float64          // ppm
	ahead  playout.Segment  // what the stream is being fed from
	feed   audio.Pos        // position of the next frame to feed
	ended  bool             // silence was fed behind the last frame
	made   []float64        // stereo frames that came out and have not sounded yet
}

// chunk is how many frames the resampler is fed at a time: few, for what it
// holds cannot be taken back.
const chunk = 128

func (v *voice) on() bool { return v.seg.Serial != 0 }

// instant is when the next frame should sound.
func (v *voice) instant() audio.Instant {
	whole, frac := math.Modf(v.src)
	return v.seg.Line.Instant(audio.Pos(whole)) + audio.Instant(frac*1e9/float64(v.seg.Format.Rate))
}

// refresh looks whether what sounds is still meant to.
func (r *Renderer) refresh() {
	if !r.voice.on() {
		return
	}
	s, ok := r.play.Segment(r.voice.seg.Serial)
	if !ok || s.Serial != r.voice.seg.Serial {
		r.voice = voice{}
		return
	}
	r.voice.seg = s
}

// begin sounds segment s from pos on.
func (r *Renderer) begin(s playout.Segment, pos audio.Pos) {
	r.voice = voice{seg: s, src: float64(pos)}
	if s.Format.Rate != r.rate {
		r.bend()
	}
}

// bend sends the sound through a resampler from here on. The stream is given
// the frames before, so that there is no seam.
func (r *Renderer) bend() {
	v := &r.voice
	f := r.filters[v.seg.Format.Rate]
	num, den := reduce(v.seg.Format.Rate, r.rate)
	pos := audio.Pos(math.Round(v.src))
	back := (audio.Pos(f.Reach()) + num - 1) / num * num // a whole number of steps, so that a frame comes out at pos
	r.voice = voice{
		seg: v.seg, src: float64(pos), drift: v.drift,
		stream: f.Stream(Channels), step: float64(num) / float64(den),
		ahead: v.seg, feed: pos - back,
	}
	skip, missing := int(back/num*den*Channels), r.missing
	for len(r.voice.made) < skip {
		r.feed(back + audio.Pos(f.Reach()) + chunk)
	}
	r.missing = missing // what the history lacks had its time
	r.voice.made = r.voice.made[skip:]
	r.voice.stream.SetDrift(v.drift)
}

func reduce(in, out audio.Rate) (num, den audio.Pos) {
	a, b := in, out
	for b != 0 {
		a, b = b, a%b
	}
	return audio.Pos(in / a), audio.Pos(out / a)
}

// sound renders some frames into dst and returns how many; 0 means that the
// voice has moved on or fallen silent.
func (r *Renderer) sound(dst []float64) int {
	if r.voice.stream != nil {
		return r.bent(dst)
	}
	v := &r.voice
	pos, to := audio.Pos(v.src), min(v.seg.To, r.play.Written(v.seg))
	if pos >= to {
		r.follow(0)
		return 0
	}
	n := r.read(dst, v.seg, pos, min(to, pos+audio.Pos(len(dst)/Channels)))
	v.src += float64(n)
	return n
}

// read copies stored frames of [from, to) to dst as stereo and returns how
// many; missing ones are silence and counted.
func (r *Renderer) read(dst []float64, s playout.Segment, from, to audio.Pos) int {
	pcm, n := r.play.Read(s.Run, from, to)
	out := dst[:int(n)*Channels]
	switch {
	case pcm == nil:
		clear(out)
		r.missing += n
	case s.Format.Channels == 1:
		dither.Float(out[n:], pcm, s.Format.Bits)
		for i, x := range out[n:] {
			out[2*i], out[2*i+1] = x, x
		}
	default:
		dither.Float(out, pcm, s.Format.Bits)
	}
	return int(n)
}

// next returns the segment that follows s without a seam, if one does.
func (r *Renderer) next(s playout.Segment) (playout.Segment, bool) {
	n, ok := r.play.Segment(s.Serial + 1)
	if !ok || s.To == playout.Open || n.Format.Rate != s.Format.Rate {
		return n, false
	}
	return n, n.Line.Instant(n.Line.At).Sub(s.Line.Instant(s.To)).Abs() <= joinSlack
}

// follow goes on to what comes after the present segment: over frames into it
// if it follows without a seam, otherwise to silence until its instant.
func (r *Renderer) follow(over float64) {
	v := &r.voice
	n, ok := r.next(v.seg)
	if !ok {
		broke := v.seg.To == playout.Open
		r.stop()
		r.broke = broke
		return
	}
	v.seg, v.src = n, float64(n.Line.At)+over
}

// bent is sound through the resampler.
func (r *Renderer) bent(dst []float64) int {
	v := &r.voice
	step := v.step * (1 + v.drift*1e-6)
	left := math.Ceil((float64(min(v.seg.To, r.play.Written(v.seg))) - v.src) / step)
	if left <= 0 {
		over := v.src - float64(v.seg.To)
		r.follow(over)
		return 0
	}
	n := int(min(left, float64(len(dst)/Channels)))
	for len(v.made) < n*Channels && r.feed(chunk) {
	}
	n = min(n, len(v.made)/Channels)
	if n == 0 { // nothing more can come out: cannot be, unless the tail was cut short
		r.follow(0)
		return 0
	}
	copy(dst, v.made[:n*Channels])
	v.made = append(v.made[:0], v.made[n*Channels:]...)
	v.src += float64(n) * step
	return n
}

// feed gives the resampler up to n more frames; false means that there are
// none and that the silence behind them was fed already.
func (r *Renderer) feed(n audio.Pos) bool {
	v := &r.voice
	if s, ok := r.play.Segment(v.ahead.Serial); ok && s.Serial == v.ahead.Serial {
		v.ahead = s
	}
	to := min(v.ahead.To, r.play.Written(v.ahead))
	if v.feed >= to {
		if s, ok := r.next(v.ahead); ok {
			v.ahead, v.feed = s, s.Line.At
			return true
		}
		if v.ended {
			return false
		}
		v.ended = true
		v.made = v.stream.Process(v.made, make([]float64, Channels*r.filters[v.ahead.Format.Rate].Reach()))
		return true
	}
	x := make([]float64, Channels*n)
	if v.feed < v.seg.Line.At && v.ahead.Serial == v.seg.Serial { // before the beginning there is silence
		n = min(n, v.seg.Line.At-v.feed)
		x = x[:Channels*n]
	} else {
		got := r.read(x, v.ahead, v.feed, min(to, v.feed+n))
		n, x = audio.Pos(got), x[:Channels*got]
	}
	v.feed += n
	v.made = v.stream.Process(v.made, x)
	return true
}
