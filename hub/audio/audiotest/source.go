package audiotest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"sonahub/hub/audio"
)

// slice is a source over samples in memory.
type slice struct {
	f     audio.Format
	pcm   []int32
	block int
	at    audio.Pos
}

// Slice returns a source that hands out pcm in blocks of that many frames,
// beginning at position 0.
func Slice(f audio.Format, pcm []int32, block int) audio.Source {
	return &slice{f: f, pcm: pcm, block: max(block, 1)}
}

// Read returns the next block.
func (s *slice) Read(ctx context.Context) (*audio.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(s.pcm) == 0 {
		return nil, io.EOF
	}
	n := min(s.block*s.f.Channels, len(s.pcm))
	b := &audio.Block{Format: s.f, At: s.at, PCM: s.pcm[:n:n]}
	s.pcm, s.at = s.pcm[n:], b.End()
	return b, nil
}

// Collect reads a source to its end and returns all of its samples. It
// refuses a source that changes its format, leaves a gap, hands out half a
// frame or an empty block.
func Collect(ctx context.Context, s audio.Source) (f audio.Format, pcm []int32, err error) {
	var next audio.Pos
	for first := true; ; first = false {
		b, err := s.Read(ctx)
		if errors.Is(err, io.EOF) {
			return f, pcm, nil
		}
		if err != nil {
			return f, pcm, err
		}
		if first {
			f, next = b.Format, b.At
		}
		switch {
		case b.Format != f:
			return f, pcm, fmt.Errorf("audiotest: format changes from %v to %v at %d", f, b.Format, b.At)
		case b.At != next:
			return f, pcm, fmt.Errorf("audiotest: block at %d where %d was due", b.At, next)
		case len(b.PCM) == 0 || len(b.PCM)%f.Channels != 0:
			return f, pcm, fmt.Errorf("audiotest: block of %d samples in %d channels", len(b.PCM), f.Channels)
		}
		next = b.End()
		pcm = append(pcm, b.PCM...)
	}
}

// SHA256 hashes samples as a WAV file would hold them: little-endian, as many
// bytes as the depth needs.
func SHA256(f audio.Format, pcm []int32) [sha256.Size]byte {
	raw := make([]byte, 0, len(pcm)*3)
	for _, s := range pcm {
		for b := 0; b < f.Bits; b += 8 {
			raw = append(raw, byte(s>>b))
		}
	}
	return sha256.Sum256(raw)
}
