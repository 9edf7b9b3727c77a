// Package convert brings samples from one format to another, for a broadcast
// that has another one than its source.
//
// Invariant: what needs no arithmetic is not altered. Samples of the same rate
// and channels pass untouched, or with zero bits below them; all else goes
// through float64 and ends in TPDF dither.
package convert

import (
	"fmt"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/resample"
)

// Converter brings interleaved samples of one format to another, piece by
// piece. One goroutine at a time.
type Converter struct {
	from, to audio.Format
	filter   *resample.Filter // nil: the rates are equal
	stream   *resample.Stream
	quantize dither.TPDF
	in, out  []float64
	taken    audio.Pos // frames in
	given    audio.Pos // frames out
}

// New makes a converter. Mono and stereo are made of each other; other numbers
// of channels must be equal.
func New(from, to audio.Format) (*Converter, error) {
	c := &Converter{from: from, to: to, quantize: dither.TPDF{Bits: to.Bits}}
	if from.Channels != to.Channels && from.Channels*to.Channels != 2 {
		return nil, fmt.Errorf("convert: cannot make %v of %v", to, from)
	}
	if from.Rate == to.Rate {
		return c, nil
	}
	var err error
	if c.filter, err = resample.NewFilter(from.Rate, to.Rate); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	c.stream = c.filter.Stream(to.Channels)
	return c, nil
}

// Next takes samples and returns what can be made of them. The result may be
// what was given.
func (c *Converter) Next(pcm []int32) []int32 {
	if c.stream == nil && c.from.Channels == c.to.Channels && c.from.Bits <= c.to.Bits {
		return c.deepen(pcm)
	}
	c.taken += audio.Pos(len(pcm) / c.from.Channels)
	c.in = grow(c.in, len(pcm))
	dither.Float(c.in, pcm, c.from.Bits)
	in := c.mix(c.in)
	if c.stream == nil {
		c.out = append(c.out[:0], in...)
	} else {
		c.out = c.stream.Process(c.out[:0], in)
	}
	return c.integers()
}

// Flush returns the end: in all, exactly ceil(frames * to / from) come out.
func (c *Converter) Flush() []int32 {
	if c.stream == nil {
		return nil
	}
	c.out = c.stream.Flush(c.out[:0])
	left := int(c.filter.Frames(c.taken)-c.given) * c.to.Channels
	for len(c.out) < left {
		c.out = append(c.out, 0)
	}
	c.out = c.out[:max(0, left)]
	return c.integers()
}

// deepen puts zero bits below samples.
func (c *Converter) deepen(pcm []int32) []int32 {
	if c.from.Bits == c.to.Bits {
		return pcm
	}
	out := make([]int32, len(pcm))
	for i, v := range pcm {
		out[i] = v << (c.to.Bits - c.from.Bits)
	}
	return out
}

// mix makes stereo of mono or mono of stereo.
func (c *Converter) mix(in []float64) []float64 {
	switch {
	case c.from.Channels < c.to.Channels:
		out := make([]float64, 2*len(in))
		for i, v := range in {
			out[2*i], out[2*i+1] = v, v
		}
		return out
	case c.from.Channels > c.to.Channels:
		out := in[:len(in)/2]
		for i := range out {
			out[i] = (in[2*i] + in[2*i+1]) / 2
		}
		return out
	}
	return in
}

func (c *Converter) integers() []int32 {
	c.given += audio.Pos(len(c.out) / c.to.Channels)
	pcm := make([]int32, len(c.out))
	c.quantize.Quantize(pcm, c.out)
	return pcm
}

func grow(b []float64, n int) []float64 {
	if cap(b) < n {
		return make([]float64, n)
	}
	return b[:n]
}
