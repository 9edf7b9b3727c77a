package airplay

import (
	"fmt"

	"sonahub/airplay/rtp"
	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/resample"
)

// wireBits is the depth of AirPlay 1.
const wireBits = 16

// converter brings one run to what the wire carries: 44.1 kHz, 16 bit, one or
// two channels. What fits already goes through untouched; everything else is
// resampled in float64 and dithered once. Positions of the two sides agree at
// origin.
type converter struct {
	source audio.Format
	wire   audio.Format
	origin audio.Pos // position of the run's first frame, the same on both sides
	next   audio.Pos // where the next wire frame lies
	filter *resample.Filter
	stream *resample.Stream // nil: the rate is right already
	fresh  bool             // the stream has seen nothing yet: the next block says where it begins
	tpdf   dither.TPDF
	in     []float64
}

// newConverter refuses what cannot be brought to the wire with an error that
// wraps audio.ErrFormat.
func newConverter(f audio.Format, origin audio.Pos) (*converter, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if f.Channels > 2 {
		return nil, fmt.Errorf("%w: AirPlay carries two channels, not %d", audio.ErrFormat, f.Channels)
	}
	c := &converter{source: f, origin: origin, next: origin, fresh: true, tpdf: dither.TPDF{Bits: wireBits}}
	c.wire = audio.Format{Rate: rtp.Rate, Channels: f.Channels, Bits: min(f.Bits, wireBits)}
	if f.Rate != rtp.Rate {
		c.wire.Bits = wireBits
		var err error
		if c.filter, err = resample.NewFilter(f.Rate, rtp.Rate); err != nil {
			return nil, fmt.Errorf("airplay: %w", err)
		}
		c.stream = c.filter.Stream(f.Channels)
	}
	return c, nil
}

// why says what is done to the samples, empty if nothing is.
func (c *converter) why() string {
	switch {
	case c.stream != nil:
		return fmt.Sprintf("resampled from %d Hz and dithered to 16 bit: AirPlay 1 carries 44100 Hz/16 bit", c.source.Rate)
	case c.source.Bits > wireBits:
		return fmt.Sprintf("dithered from %d to 16 bit: AirPlay 1 carries no more", c.source.Bits)
	}
	return ""
}

// toWire and toSource carry a position over, rounded to the nearest frame.
func (c *converter) toWire(p audio.Pos) audio.Pos {
	return c.origin + scale(p-c.origin, c.wire.Rate, c.source.Rate)
}

func (c *converter) toSource(p audio.Pos) audio.Pos {
	return c.origin + scale(p-c.origin, c.source.Rate, c.wire.Rate)
}

func scale(n audio.Pos, num, den audio.Rate) audio.Pos {
	if num == den {
		return n
	}
	if n < 0 {
		return -scale(-n, num, den)
	}
	return (n*audio.Pos(num) + audio.Pos(den)/2) / audio.Pos(den)
}

// line carries a timeline over.
func (c *converter) line(t audio.Timeline) audio.Timeline {
	return audio.Timeline{Zero: t.Zero, At: c.toWire(t.At), Rate: c.wire.Rate}
}

// convert returns what can be made of b, nil if it is all kept for the next.
func (c *converter) convert(b *audio.Block) *audio.Block {
	if c.why() == "" {
		return b
	}
	c.in = append(c.in[:0], make([]float64, len(b.PCM))...)
	dither.Float(c.in, b.PCM, b.Bits)
	if c.stream == nil {
		return c.quantize(b.At, c.in)
	}
	if c.fresh {
		c.next, c.fresh = max(c.next, c.toWire(b.At)), false
	}
	return c.quantize(c.next, c.stream.Process(nil, c.in))
}

// tail returns what is still inside when nothing more is known to follow, nil
// if nothing is.
func (c *converter) tail() *audio.Block {
	if c.stream == nil || c.fresh {
		return nil
	}
	c.fresh = true
	return c.quantize(c.next, c.stream.Flush(nil))
}

// restart forgets the past: the next block begins at position from.
func (c *converter) restart(from audio.Pos) {
	c.next, c.fresh = c.toWire(from), true
	if c.stream != nil {
		c.stream = c.filter.Stream(c.source.Channels)
	}
}

func (c *converter) quantize(at audio.Pos, x []float64) *audio.Block {
	if len(x) == 0 {
		return nil
	}
	b := &audio.Block{Format: c.wire, At: at, PCM: make([]int32, len(x))}
	c.tpdf.Quantize(b.PCM, x)
	c.next = b.End()
	return b
}
