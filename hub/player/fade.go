package player

import (
	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
)

// fadeIn returns b as it sounds: softly from position soft on for the length
// of a fade, and otherwise b itself.
func (r *run) fadeIn(b *audio.Block) *audio.Block {
	length := r.format.Rate.Frames(fade)
	if r.soft < 0 || b.At >= r.soft+length {
		return b
	}
	return scale(b, func(p audio.Pos) float64 { return min(1, float64(p-r.soft)/float64(length)) })
}

// fadeOut returns the blocks, which lie in [from, to), going out to silence.
func fadeOut(blocks []*audio.Block, from, to audio.Pos) []*audio.Block {
	out := make([]*audio.Block, len(blocks))
	for i, b := range blocks {
		out[i] = scale(b, func(p audio.Pos) float64 { return float64(to-1-p) / float64(to-from) })
	}
	return out
}

// scale multiplies each frame by a factor between 0 and 1 that depends on its
// position, in float64 and with dither.
func scale(b *audio.Block, factor func(audio.Pos) float64) *audio.Block {
	x := make([]float64, len(b.PCM))
	dither.Float(x, b.PCM, b.Bits)
	for i := range x {
		x[i] *= factor(b.At + audio.Pos(i/b.Channels))
	}
	out := &audio.Block{Format: b.Format, At: b.At, PCM: make([]int32, len(b.PCM))}
	q := dither.TPDF{Bits: b.Bits, Seed: uint64(b.At) + 1}
	q.Quantize(out.PCM, x)
	return out
}
