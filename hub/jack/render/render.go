// Package render decides which frames a sound card gets next, so that every
// frame sounds at its instant: it holds what was written (package playout),
// the card's clock, the loudness, and the resampler for cards whose rate or
// crystal is another.
//
// Invariants: frames that need no alteration are not altered; what is altered
// is float64 and ends in TPDF dither at the card's depth; sound that is a few
// milliseconds off is bent back by some parts per million, sound that is
// further off jumps, once; a frame that was not there in time is silence and
// is counted.
package render

import (
	"fmt"
	"math"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/playout"
	"sonahub/hub/audio/resample"
)

// Channels that every card is opened with; mono sounds from both.
const Channels = 2

const (
	bendLimit = 5 * time.Millisecond   // further off, the sound is bent
	bendAfter = time.Second            // of that: a crystal is slow, a busy machine is not
	jumpLimit = 20 * time.Millisecond  // further off, it jumps
	joinSlack = time.Millisecond       // runs that meet this closely follow without a seam
	bendTime  = 10 * time.Second       // in which an offset is bent away
	maxBend   = 1000.0                 // ppm; half of that is not heard as pitch
	glide     = 10 * time.Millisecond  // from silence to unity when the loudness changes
	history   = 200 * time.Millisecond // of sound kept for the resampler and for reports
)

// Renderer makes the card's frames. One goroutine at a time.
type Renderer struct {
	rate    audio.Rate
	bits    int
	play    playout.Playout
	filters map[audio.Rate]*resample.Filter
	runs    map[int]int64 // the caller's numbers of runs

	voice  voice
	gain   audio.Gain
	factor float64 // as it was at the end of the last piece
	tpdf   dither.TPDF

	from, until audio.Instant // between them sound was rendered without a pause
	late        time.Duration
	off         audio.Instant // since when the sound is further off than bendLimit; 0 = it is not
	missing     audio.Pos
	slips       int64
	left        int       // segment in which the sound stopped last
	leftAt      audio.Pos // and where: it never sounds again from before
	broke       bool      // because there was none
}

// New returns a renderer for a card of that rate and depth (0 = unknown).
func New(rate audio.Rate, bits int) (*Renderer, error) {
	if bits < 16 || bits > audio.MaxBits {
		bits = audio.MaxBits
	}
	r := &Renderer{rate: rate, bits: bits, filters: map[audio.Rate]*resample.Filter{}, runs: map[int]int64{}, factor: 1}
	r.play.Ring = 30 * time.Second // the caller bounds what it sends
	r.tpdf.Bits = bits
	f, err := r.Filter(rate)
	r.filters[rate] = f
	return r, err
}

// Filter makes what Start needs for runs of that rate. It takes milliseconds,
// which a card does not wait for: hence apart, and safe beside a Render.
func (r *Renderer) Filter(in audio.Rate) (*resample.Filter, error) {
	f, err := resample.NewFilter(in, r.rate)
	if err != nil {
		return nil, fmt.Errorf("jack/render: %w", err)
	}
	return f, nil
}

// Start begins a run that the caller calls run. The filter must be that of
// f.Rate; it is remembered, so that nil will do for a rate that was had.
func (r *Renderer) Start(run int64, f audio.Format, t audio.Timeline, filter *resample.Filter) error {
	if f.Channels > Channels {
		return fmt.Errorf("%w: %d channels for a stereo card", audio.ErrFormat, f.Channels)
	}
	if filter != nil {
		r.filters[f.Rate] = filter
	}
	if r.filters[f.Rate] == nil {
		return fmt.Errorf("%w: no filter for %d Hz", audio.ErrFormat, f.Rate)
	}
	if err := r.play.Start(f, t); err != nil {
		return err
	}
	if s, ok := r.play.Current(); ok {
		r.runs[s.Run] = run
		delete(r.runs, s.Run-16)
	}
	return nil
}

// Write stores samples of the present run.
func (r *Renderer) Write(at audio.Pos, pcm []int32) error {
	s, ok := r.play.Current()
	if !ok {
		return playout.ErrNotStarted
	}
	return r.play.Write(&audio.Block{Format: s.Format, At: at, PCM: pcm})
}

// Flush takes back what lies at or after t.At.
func (r *Renderer) Flush(t audio.Timeline) error {
	if err := r.play.Flush(t.At, t); err != nil {
		return err
	}
	if r.voice.stream != nil { // it has looked ahead into what was taken back
		r.bend()
	}
	return nil
}

// SetGain sets the loudness from the next frame on; what sounds glides there
// within some milliseconds.
func (r *Renderer) SetGain(g audio.Gain) {
	r.gain = g
	if !r.voice.on() {
		r.factor = g.Factor()
	}
}

// Render fills dst, interleaved stereo, full scale +-1, with what is to sound
// from instant at on. ppm is the card's crystal as its Clock knows it.
func (r *Renderer) Render(dst []float64, at audio.Instant, ppm float64) {
	r.play.Trim(at.Add(-history))
	r.steer(at, ppm)
	for n := len(dst) / Channels; n > 0; n = len(dst) / Channels {
		k := 0
		if r.voice.on() {
			if k = r.sound(dst); k > 0 {
				r.finish(dst[:k*Channels])
				r.heard(at, k)
			}
		} else {
			k = r.wait(at, n)
			clear(dst[:k*Channels])
		}
		dst = dst[k*Channels:]
		at = at.Add(audio.Pos(k).Duration(r.rate))
	}
}

// steer keeps the sound on its timeline.
func (r *Renderer) steer(at audio.Instant, ppm float64) {
	r.refresh()
	if !r.voice.on() {
		return
	}
	r.late = at.Sub(r.voice.instant())
	switch off := r.late.Abs(); {
	case off > jumpLimit:
		r.slips++
		r.stop()
		return
	case off <= bendLimit:
		r.off = 0
	case r.off == 0:
		r.off = at
	case at.Sub(r.off) > bendAfter && r.voice.stream == nil:
		r.bend()
	}
	if r.voice.stream != nil {
		bent := -ppm + r.late.Seconds()/bendTime.Seconds()*1e6
		r.voice.drift = max(-maxBend, min(maxBend, bent))
		r.voice.stream.SetDrift(r.voice.drift)
	}
}

// stop ends the sound for now.
func (r *Renderer) stop() {
	r.left, r.leftAt, r.broke = r.voice.seg.Serial, audio.Pos(math.Ceil(r.voice.src)), false
	r.voice = voice{}
}

// wait returns for how many of n frames there is nothing to sound, and begins
// the sound when its instant has come.
func (r *Renderer) wait(at audio.Instant, n int) int {
	s, ok := r.play.Sounding(at)
	if !ok {
		return n
	}
	pos := s.Line.At
	if r.left == s.Serial {
		pos = r.leftAt
	}
	half := time.Second / time.Duration(2*r.rate)
	early := s.Line.Instant(pos).Sub(at)
	switch {
	case early > half:
		frames := math.Round(early.Seconds() * float64(r.rate))
		return max(1, int(min(frames, float64(n))))
	case -early > bendLimit:
		pos = max(pos, s.Before(at))
	}
	if pos >= s.To {
		return 1
	}
	if pos >= r.play.Written(s) {
		return n
	}
	if r.left == s.Serial && r.broke {
		r.missing += pos - r.leftAt
	}
	r.begin(s, pos)
	return 0
}

// heard notes that k frames sound from at on.
func (r *Renderer) heard(at audio.Instant, k int) {
	if at > r.until.Add(joinSlack) {
		r.from = at
	}
	r.until = at.Add(audio.Pos(k).Duration(r.rate))
}

// finish gives the frames their loudness and, if anything altered them, their
// dither.
func (r *Renderer) finish(dst []float64) {
	target := r.gain.Factor()
	altered := target != 1 || r.factor != 1 || r.voice.stream != nil || r.voice.seg.Format.Bits > r.bits
	if !altered {
		return
	}
	if target == 0 && r.factor == 0 {
		clear(dst)
		return
	}
	step := 1 / (glide.Seconds() * float64(r.rate))
	for i := 0; i < len(dst); i += Channels {
		r.factor += max(-step, min(step, target-r.factor))
		dst[i] *= r.factor
		dst[i+1] *= r.factor
	}
	pcm := make([]int32, len(dst))
	r.tpdf.Quantize(pcm, dst)
	dither.Float(dst, pcm, r.bits)
}

// Report is what the renderer knows at an instant.
type Report struct {
	Run     int64
	Heard   audio.Pos
	Playing bool
	Late    time.Duration
	Missing audio.Pos
	Slips   int64
	Inexact string
}

// Report tells how it goes at instant now.
func (r *Renderer) Report(now audio.Instant) Report {
	rep := Report{Late: r.late, Missing: r.missing, Slips: r.slips, Inexact: r.inexact(),
		Playing: r.from <= now && now < r.until}
	if s, ok := r.play.Sounding(now.Add(-r.late)); ok {
		rep.Run = r.runs[s.Run]
		rep.Heard = min(s.Before(now.Add(-r.late)), r.play.Written(s))
	}
	return rep
}

// inexact says what alters the sound.
func (r *Renderer) inexact() string {
	f := r.voice.seg.Format
	switch {
	case r.gain != audio.Unity:
		return fmt.Sprintf("volume is %.1f dB", float64(r.gain))
	case r.voice.stream != nil && f.Rate != r.rate:
		return fmt.Sprintf("%d Hz is resampled to the card's %d Hz", f.Rate, r.rate)
	case r.voice.stream != nil:
		return fmt.Sprintf("bent by %.0f ppm to stay in time", r.voice.drift)
	case f.Bits > r.bits:
		return fmt.Sprintf("%d bit is reduced to the card's %d", f.Bits, r.bits)
	}
	return ""
}
