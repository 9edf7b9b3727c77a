// Package codec makes and reads the segments of a broadcast in all of its
// rungs: FLAC for the lossless one, Opus at 48 kHz for the others.
//
// A broadcast has one format for its whole life, 44.1 or 48 kHz, 16 or 24
// bit. Encoder cuts nothing and Decoder joins everything: whatever rungs
// follow each other, every segment gives exactly its frames, at its position.
// FLAC samples pass untouched. Opus segments of a 44.1 kHz broadcast are
// resampled with their own context, phase-aligned to the segment's beginning
// (88,200 frames are 96,000), and rounded with dither.
//
// Where a segment directly follows an Opus segment, its first 5 ms are faded
// over from what that segment decoded beyond its end: two codings of the same
// sound, so a linear fade keeps the level. Where Opus follows FLAC there is
// nothing beyond the end, but both are known before it, which serves as well.
package codec

import (
	"errors"
	"fmt"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec/opus"
	"sonahub/hub/audio/resample"
)

// Context is how many frames of real sound Encoder.Opus wants on each side of
// a segment: what Opus takes, and the resampler's reach beyond it.
const Context = 1152

const (
	fadeTime   = 5 * time.Millisecond // of the fade at a seam
	maxSeconds = 60                   // of one segment
)

// ErrSegment is wrapped by every refusal of a segment.
var ErrSegment = errors.New("codec: bad segment")

// checkFormat refuses what no broadcast has.
func checkFormat(f audio.Format) error {
	if f.Rate != 44100 && f.Rate != 48000 || f.Channels != 1 && f.Channels != 2 || f.Bits != 16 && f.Bits != 24 {
		return fmt.Errorf("%w: %v is no broadcast's", audio.ErrFormat, f)
	}
	return nil
}

// opusFilter returns the resampler between a broadcast and Opus, nil if none
// is needed.
func opusFilter(from, to audio.Rate) (*resample.Filter, error) {
	if from == to {
		return nil, nil
	}
	return resample.NewFilter(from, to)
}

// opusFrames returns how long the Opus body of that many frames is: rounded
// up, so that the last frame of a short segment is inside.
func opusFrames(r audio.Rate, frames int) int {
	return int((int64(frames)*int64(opus.Rate) + int64(r) - 1) / int64(r))
}

// Crossfade fades linearly from tail into head, in place, over that many
// frames or as many as both have. Both are interleaved.
func Crossfade(tail, head []float64, channels, frames int) {
	frames = min(frames, len(tail)/channels, len(head)/channels)
	for i := range frames {
		in := (float64(i) + 0.5) / float64(frames)
		for c := range channels {
			k := i*channels + c
			head[k] = tail[k] + in*(head[k]-tail[k])
		}
	}
}
