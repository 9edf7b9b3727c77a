package ingest

import (
	"fmt"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/resample"
)

// sold returns the format of the broadcast made of a source: its own rate if
// that is 44.1 or 48 kHz, else the nearer relative of the two; its own depth.
func sold(f audio.Format) audio.Format {
	switch {
	case f.Rate == 44100 || f.Rate == 48000:
	case f.Rate%11025 == 0: // 11.025, 22.05, 88.2, 176.4 kHz
		f.Rate = 44100
	default:
		f.Rate = 48000
	}
	if f.Bits <= 16 {
		f.Bits = 16
	} else {
		f.Bits = 24
	}
	return f
}

// converter brings samples to the broadcast's format. If that is the source's
// own, they pass untouched.
type converter struct {
	from, to audio.Format
	filter   *resample.Filter
	stream   *resample.Stream
	quantize dither.TPDF
	in, out  []float64
	taken    audio.Pos // frames in
	given    audio.Pos // frames out
}

func newConverter(from, to audio.Format) (*converter, error) {
	c := &converter{from: from, to: to, quantize: dither.TPDF{Bits: to.Bits}}
	if from.Channels != to.Channels || from.Bits != to.Bits {
		return nil, fmt.Errorf("ingest: cannot make %v of %v", to, from)
	}
	if from.Rate == to.Rate {
		return c, nil
	}
	var err error
	if c.filter, err = resample.NewFilter(from.Rate, to.Rate); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	c.stream = c.filter.Stream(from.Channels)
	return c, nil
}

// next takes interleaved samples and returns what can be made of them.
func (c *converter) next(pcm []int32) []int32 {
	if c.stream == nil {
		return pcm
	}
	c.taken += audio.Pos(len(pcm) / c.from.Channels)
	c.in = grow(c.in, len(pcm))
	dither.Float(c.in, pcm, c.from.Bits)
	c.out = c.stream.Process(c.out[:0], c.in)
	return c.integers()
}

// flush returns the end: in all, exactly ceil(frames * to / from) come out.
func (c *converter) flush() []int32 {
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

func (c *converter) integers() []int32 {
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
