// Package audio holds the words of sound that every part of the hub shares:
// formats, positions, instants, blocks, timelines, sources and outputs.
//
// It is a leaf: it imports nothing of ours and does no I/O. Samples are
// integers, right-justified to their depth, from the decoder to the last
// output, so that at unity gain the lossless rung reaches a speaker bit for
// bit. Units live in types: Pos counts frames, Instant counts nanoseconds on
// the hub's one clock, Gain is in decibels.
package audio

import (
	"errors"
	"fmt"
	"time"
)

// Rate is a sampling rate in frames per second (Hz).
type Rate int

// Frames returns how many whole frames fit into d.
func (r Rate) Frames(d time.Duration) Pos {
	s, rest := d/time.Second, d%time.Second
	return Pos(int64(s)*int64(r) + int64(rest)*int64(r)/int64(time.Second))
}

// Pos is a position in frames since the start of a timeline, at the source's
// rate.
type Pos int64

// Duration returns the length of p frames at rate r, rounded down to 1 ns.
// A rate of zero gives zero.
func (p Pos) Duration(r Rate) time.Duration {
	if r == 0 {
		return 0
	}
	s, rest := int64(p)/int64(r), int64(p)%int64(r)
	return time.Duration(s)*time.Second + time.Duration(rest*int64(time.Second)/int64(r))
}

// Format says how samples are to be read.
type Format struct {
	Rate     Rate // frames per second: 44100 or 48000 in every broadcast
	Channels int  // 1 or 2 in every broadcast; decoders take up to 8
	Bits     int  // valid bits of each sample, 8 to 24
}

// String gives the form "48000 Hz/24 bit/2 ch".
func (f Format) String() string {
	return fmt.Sprintf("%d Hz/%d bit/%d ch", f.Rate, f.Bits, f.Channels)
}

// Limits on formats, so that no stranger's header can make us allocate much.
const (
	MaxChannels = 8
	MaxRate     = Rate(192000)
	MaxBits     = 24
)

// ErrFormat is wrapped by every refusal of a format.
var ErrFormat = errors.New("audio: unusable format")

// Validate refuses a format outside the limits with an error that wraps
// ErrFormat.
func (f Format) Validate() error {
	switch {
	case f.Rate < 8000 || f.Rate > MaxRate:
		return fmt.Errorf("%w: %d Hz", ErrFormat, f.Rate)
	case f.Channels < 1 || f.Channels > MaxChannels:
		return fmt.Errorf("%w: %d channels", ErrFormat, f.Channels)
	case f.Bits < 8 || f.Bits > MaxBits:
		return fmt.Errorf("%w: %d bits", ErrFormat, f.Bits)
	}
	return nil
}

// Block is a run of frames. It is immutable once handed on: all outputs of a
// group share one PCM slice.
type Block struct {
	Format
	At  Pos     // position of the first frame
	PCM []int32 // interleaved, right-justified to Bits; len = frames * Channels
}

// Frames returns the number of frames in the block.
func (b *Block) Frames() Pos {
	if b.Channels == 0 {
		return 0
	}
	return Pos(len(b.PCM) / b.Channels)
}

// End returns the position after the last frame.
func (b *Block) End() Pos { return b.At + b.Frames() }

// Slice returns the part of b in [from, to), sharing its samples, or nil if
// nothing of b lies there.
func (b *Block) Slice(from, to Pos) *Block {
	from, to = max(from, b.At), min(to, b.End())
	if from >= to {
		return nil
	}
	i, j := int(from-b.At)*b.Channels, int(to-b.At)*b.Channels
	return &Block{Format: b.Format, At: from, PCM: b.PCM[i:j:j]}
}
