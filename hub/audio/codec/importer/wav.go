package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"sonahub/hub/audio"
)

const (
	wavPCM        = 0x0001
	wavFloat      = 0x0003
	wavExtensible = 0xFFFE
	maxChunks     = 1024
	maxInfo       = 64 << 10 // bytes of a LIST chunk that are read
	wavBlock      = 4096     // frames handed out at a time
)

// wavDecoder reads the data chunk.
type wavDecoder struct {
	r      io.Reader
	left   int64 // frames
	chans  int
	width  int // bytes of a sample in the file
	decode func(b []byte) int32
}

// wavHeader is what the chunks of a file say.
type wavHeader struct {
	tag, chans, bits int
	rate             uint32
	dataAt, dataSize int64 // dataAt 0: no data chunk
	tags             Tags
}

// openWAV reads the chunks of a RIFF WAVE file.
func (t *Track) openWAV(size int64) error {
	h, err := parseWAV(t.file, size)
	if err != nil {
		return err
	}
	d := &wavDecoder{chans: h.chans, width: (h.bits + 7) / 8}
	t.Format = audio.Format{Rate: audio.Rate(h.rate), Channels: h.chans, Bits: 24}
	switch {
	case h.tag == wavPCM && h.bits == 8:
		t.Format.Bits, d.decode = 16, func(b []byte) int32 { return (int32(b[0]) - 128) << 8 }
	case h.tag == wavPCM && h.bits == 16:
		t.Format.Bits, d.decode = 16, func(b []byte) int32 { return int32(int16(binary.LittleEndian.Uint16(b))) }
	case h.tag == wavPCM && h.bits == 24:
		d.decode = func(b []byte) int32 { return int32(b[0]) | int32(b[1])<<8 | int32(int8(b[2]))<<16 }
	case h.tag == wavPCM && h.bits == 32:
		d.decode = func(b []byte) int32 { return round24(float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)) }
	case h.tag == wavFloat && h.bits == 32:
		d.decode = func(b []byte) int32 {
			return round24(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case h.tag == wavPCM || h.tag == wavFloat:
		return reason(fmt.Sprintf("WAV with samples of %d bits is not supported", h.bits))
	default:
		return reason(fmt.Sprintf("compressed WAV (kind %#x) is not supported", h.tag))
	}
	t.Kind, t.Lossless, t.Tags, t.dec = "wav", true, h.tags, d
	t.Frames = audio.Pos(h.dataSize / int64(d.width*d.chans))
	d.left = int64(t.Frames)
	if _, err := t.file.Seek(h.dataAt, io.SeekStart); err != nil {
		return err
	}
	d.r = t.buffered()
	return nil
}

// parseWAV walks the chunks of a RIFF file. Unknown ones are skipped; a data
// chunk that promises more than the file has is an error, except for the
// sizes 0 and 2^32-1 of writers that could not go back.
func parseWAV(r io.ReadSeeker, size int64) (h wavHeader, err error) {
	const form = 12
	at := int64(form)
	for range maxChunks {
		var head [8]byte
		if _, err := r.Seek(at, io.SeekStart); err != nil {
			return h, err
		}
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break // the end, or a stump of odd bytes behind the last chunk
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		at += 8
		switch string(head[:4]) {
		case "fmt ":
			if err := h.parseFormat(io.LimitReader(r, n)); err != nil {
				return h, err
			}
		case "LIST":
			raw, err := io.ReadAll(io.LimitReader(r, min(n, maxInfo)))
			if err != nil {
				return h, err
			}
			h.tags = parseInfo(raw)
		case "data":
			if h.dataAt > 0 {
				break
			}
			rest := size - at
			if n == 0 && rest > 0 || n == math.MaxUint32 {
				n = rest
			}
			if n > rest {
				return h, errTruncated
			}
			h.dataAt, h.dataSize = at, n
		}
		at += n + n&1 // chunks are padded to even lengths
	}
	switch {
	case h.chans == 0:
		return h, reason("the WAV file does not say its format")
	case h.dataAt == 0:
		return h, reason("the WAV file holds no sound")
	}
	return h, nil
}

// parseFormat reads the "fmt " chunk.
func (h *wavHeader) parseFormat(r io.Reader) error {
	var f [40]byte
	n, err := io.ReadFull(r, f[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	if n < 16 {
		return errDamaged
	}
	le := binary.LittleEndian
	h.tag, h.chans = int(le.Uint16(f[0:])), int(le.Uint16(f[2:]))
	h.rate, h.bits = le.Uint32(f[4:]), int(le.Uint16(f[14:]))
	align := int(le.Uint16(f[12:]))
	if h.tag == wavExtensible {
		if n < 26 {
			return errDamaged
		}
		h.tag = int(le.Uint16(f[24:])) // the sub-format begins with the old kind
	}
	if h.chans == 0 || h.chans > audio.MaxChannels {
		return reason(fmt.Sprintf("a WAV file with %d channels is not supported", h.chans))
	}
	if h.rate == 0 || h.rate > math.MaxInt32 {
		return errDamaged
	}
	if (h.tag == wavPCM || h.tag == wavFloat) && align != h.chans*((h.bits+7)/8) {
		return errDamaged
	}
	return nil
}

// parseInfo reads the tags of a LIST/INFO chunk.
func parseInfo(raw []byte) (t Tags) {
	if len(raw) < 4 || string(raw[:4]) != "INFO" {
		return t
	}
	for raw = raw[4:]; len(raw) >= 8; {
		name, n := string(raw[:4]), int64(binary.LittleEndian.Uint32(raw[4:]))
		raw = raw[8:]
		value := string(raw[:min(n, int64(len(raw)))])
		switch name {
		case "INAM":
			t.Title = value
		case "IART":
			t.Artist = value
		case "IPRD":
			t.Album = value
		case "ITRK", "IPRT":
			t.Index = number(cleanText(value))
		}
		raw = raw[min(n+n&1, int64(len(raw))):]
	}
	return t
}

// next reads one block.
func (d *wavDecoder) next() ([]int32, error) {
	if d.left == 0 {
		return nil, io.EOF
	}
	n := int(min(d.left, wavBlock))
	raw := make([]byte, n*d.chans*d.width)
	if _, err := io.ReadFull(d.r, raw); err != nil {
		return nil, errTruncated
	}
	d.left -= int64(n)
	pcm := make([]int32, n*d.chans)
	for i := range pcm {
		pcm[i] = d.decode(raw[i*d.width:])
	}
	return pcm, nil
}

// round24 rounds full scale +-1 to 24 bits and clips. There is no dither:
// what was 24 bits in a 32-bit file stays exact, and the error of the rest
// lies 146 dB below full scale.
func round24(v float64) int32 {
	const full = 1 << 23
	if v != v {
		return 0
	}
	return int32(max(-full, min(full-1, math.RoundToEven(v*full))))
}
