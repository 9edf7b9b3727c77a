package flac

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mewkiz/flac/frame"

	"sonahub/hub/audio"
)

// EncodeSegment cuts pcm (interleaved) into frames of BlockSize and returns
// one packet for each. The last frame may be shorter.
func EncodeSegment(f audio.Format, pcm []int32) (packets [][]byte, err error) {
	e := Encoder{Format: f}
	return e.Segment(pcm)
}

// Segment is EncodeSegment with the scratch memory of an encoder that lives
// on.
func (e *Encoder) Segment(pcm []int32) (packets [][]byte, err error) {
	if err := checkFormat(e.Format); err != nil {
		return nil, err
	}
	block := BlockSize(e.Format.Rate) * e.Format.Channels
	for number := uint64(0); len(pcm) > 0; number++ {
		n := min(block, len(pcm))
		p, err := e.Frame(make([]byte, 0, n*e.Format.Bits/8), number, pcm[:n])
		if err != nil {
			return nil, err
		}
		packets, pcm = append(packets, p), pcm[n:]
	}
	return packets, nil
}

// DecodeSegment returns the segment's frames of sound, interleaved. Every
// packet must be one frame of format f and of the size that its place in the
// segment demands; what is not is an error that wraps ErrCorrupt. Memory is
// bounded by frames, which the caller takes from what it trusts.
func DecodeSegment(f audio.Format, packets [][]byte, frames int) (pcm []int32, err error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	block := BlockSize(f.Rate)
	if frames < 0 || len(packets) != (frames+block-1)/block {
		return nil, fmt.Errorf("%w: %d packets for %d frames", ErrCorrupt, len(packets), frames)
	}
	pcm = make([]int32, 0, frames*f.Channels)
	for i, p := range packets {
		want := min(block, frames-i*block)
		if pcm, err = decodeFrame(pcm, f, p, uint64(i), want); err != nil {
			return nil, fmt.Errorf("%w %d: %w", ErrCorrupt, i, err)
		}
	}
	return pcm, nil
}

// decodeFrame appends the samples of one packet to pcm. The header is checked
// before the library allocates for it; a panic of the library becomes an
// error here, the only place where strangers' bytes reach it.
func decodeFrame(pcm []int32, f audio.Format, packet []byte, number uint64, want int) (out []int32, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = pcm, fmt.Errorf("decoder gave up: %v", r)
		}
	}()
	r := bytes.NewReader(packet)
	fr, err := frame.New(r)
	if err != nil {
		return pcm, noEOF(err)
	}
	switch {
	case int(fr.BlockSize) != want:
		return pcm, fmt.Errorf("block of %d frames instead of %d", fr.BlockSize, want)
	case fr.Num != number || !fr.HasFixedBlockSize:
		return pcm, fmt.Errorf("frame number %d instead of %d", fr.Num, number)
	case audio.Rate(fr.SampleRate) != f.Rate || fr.Channels.Count() != f.Channels || int(fr.BitsPerSample) != f.Bits:
		return pcm, fmt.Errorf("frame of %d Hz/%d bit/%d ch in a segment of %v",
			fr.SampleRate, fr.BitsPerSample, fr.Channels.Count(), f)
	}
	if err := fr.Parse(); err != nil {
		return pcm, noEOF(err)
	}
	if r.Len() != 0 {
		return pcm, fmt.Errorf("%d bytes behind the frame", r.Len())
	}
	limit := int32(1) << (f.Bits - 1)
	for i := range want {
		for _, s := range fr.Subframes {
			v := s.Samples[i]
			if v < -limit || v >= limit {
				return pcm, fmt.Errorf("sample %d exceeds %d bits", v, f.Bits)
			}
			pcm = append(pcm, v)
		}
	}
	return pcm, nil
}

// noEOF makes the end of a packet an error that nobody takes for a clean end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
