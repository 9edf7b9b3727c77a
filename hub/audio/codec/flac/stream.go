package flac

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"sonahub/hub/audio"
)

const streamHeaderSize = 42

// StreamHeader returns "fLaC" and a STREAMINFO block, 42 bytes: all a stream
// of frames needs in front. Zero frames and a zero sum mean unknown.
func StreamHeader(f audio.Format, blockSize int, frames audio.Pos, sum [md5.Size]byte) []byte {
	h := make([]byte, 0, streamHeaderSize)
	h = append(h, "fLaC"...)
	h = append(h, 0x80, 0, 0, 34) // the last metadata block, STREAMINFO
	h = binary.BigEndian.AppendUint16(h, uint16(blockSize))
	h = binary.BigEndian.AppendUint16(h, uint16(blockSize))
	h = append(h, 0, 0, 0, 0, 0, 0) // smallest and largest frame: unknown
	h = binary.BigEndian.AppendUint64(h, uint64(f.Rate)<<44|uint64(f.Channels-1)<<41|
		uint64(f.Bits-1)<<36|uint64(frames)&(1<<36-1))
	return append(h, sum[:]...)
}

// Writer makes a complete .flac stream. If its writer can seek, Close writes
// length and MD5 into the header, else they stay unknown.
type Writer struct {
	w       io.Writer
	enc     Encoder
	pending []int32
	buf     []byte
	raw     []byte
	number  uint64
	frames  audio.Pos
	sum     hash.Hash
}

// NewWriter writes the stream's header to w.
func NewWriter(w io.Writer, f audio.Format) (*Writer, error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	if _, err := w.Write(StreamHeader(f, BlockSize(f.Rate), 0, [md5.Size]byte{})); err != nil {
		return nil, fmt.Errorf("flac: write header: %w", err)
	}
	return &Writer{w: w, enc: Encoder{Format: f}, sum: md5.New()}, nil
}

// Write encodes interleaved samples; what does not fill a block waits for
// more. Samples of one frame must come together.
func (w *Writer) Write(pcm []int32) error {
	w.raw = AppendRaw(w.raw[:0], w.enc.Format.Bits, pcm)
	w.sum.Write(w.raw)
	w.pending = append(w.pending, pcm...)
	block := BlockSize(w.enc.Format.Rate) * w.enc.Format.Channels
	done := 0
	for ; len(w.pending)-done >= block; done += block {
		if err := w.flush(w.pending[done : done+block]); err != nil {
			return err
		}
	}
	w.pending = w.pending[:copy(w.pending, w.pending[done:])]
	return nil
}

// flush writes one frame.
func (w *Writer) flush(pcm []int32) error {
	var err error
	if w.buf, err = w.enc.Frame(w.buf[:0], w.number, pcm); err != nil {
		return err
	}
	w.number++
	w.frames += audio.Pos(len(pcm) / w.enc.Format.Channels)
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("flac: write frame: %w", err)
	}
	return nil
}

// Close writes the last frame and, where it can, the finished header. It
// leaves the underlying writer open, at the end of the stream.
func (w *Writer) Close() error {
	if len(w.pending) > 0 {
		if err := w.flush(w.pending); err != nil {
			return err
		}
		w.pending = w.pending[:0]
	}
	ws, ok := w.w.(io.WriteSeeker)
	if !ok {
		return nil
	}
	if _, err := ws.Seek(0, io.SeekStart); err == nil { // else a pipe: the header stays as it is
		return w.finish(ws)
	}
	return nil
}

// finish writes the header anew, with what is known now.
func (w *Writer) finish(ws io.WriteSeeker) error {
	f := w.enc.Format
	if _, err := ws.Write(StreamHeader(f, BlockSize(f.Rate), w.frames, [md5.Size]byte(w.sum.Sum(nil)))); err != nil {
		return fmt.Errorf("flac: finish header: %w", err)
	}
	if _, err := ws.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("flac: seek to end: %w", err)
	}
	return nil
}

// WriteStream writes pcm as a complete stream with length and MD5.
func WriteStream(w io.Writer, f audio.Format, pcm []int32) error {
	e := Encoder{Format: f}
	packets, err := e.Segment(pcm)
	if err != nil {
		return err
	}
	sum := md5.Sum(AppendRaw(nil, f.Bits, pcm))
	head := StreamHeader(f, BlockSize(f.Rate), audio.Pos(len(pcm)/f.Channels), sum)
	for _, p := range append([][]byte{head}, packets...) {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("flac: write stream: %w", err)
		}
	}
	return nil
}

// AppendRaw appends samples as FLAC's MD5 sees them (RFC 9639 section 8.2):
// interleaved, little-endian, each in as many whole bytes as its depth needs.
func AppendRaw(dst []byte, bits int, pcm []int32) []byte {
	for _, s := range pcm {
		for b := 0; b < bits; b += 8 {
			dst = append(dst, byte(s>>b))
		}
	}
	return dst
}
