package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	mp3 "github.com/hajimehoshi/go-mp3"

	"sonahub/hub/audio"
)

const (
	mpegSearch = 64 << 10 // bytes searched for the first frame
	mp3Block   = 4608     // frames handed out at a time
)

// mp3Decoder cuts the decoder's output to what the encoder was given.
type mp3Decoder struct {
	dec   *mp3.Decoder
	chans int
	skip  int64 // frames still to be dropped
	left  int64 // frames still to come, -1 if unknown
	// slack is how much of the end may be missing because the encoder's
	// padding was shorter than the decoder's delay; it is filled with
	// silence. What misses more was cut off.
	slack int64
}

// openMP3 finds the first frame at or after start, and what is to be cut.
func (t *Track) openMP3(start, size int64) error {
	end, err := t.soundEnd(size)
	if err != nil {
		return err
	}
	head := make([]byte, min(mpegSearch, max(0, end-start)))
	if _, err := t.file.ReadAt(head, start); err != nil && !ended(err) {
		return err
	}
	at, h, ok := findMPEG(head)
	if !ok {
		return errUnknown
	}
	d := &mp3Decoder{chans: h.channels, left: -1, slack: decoderDelay}
	first := head[at:min(at+h.size, len(head))]
	if x, ok := parseXing(first, h); ok {
		at += h.size
		d.skip, d.left = x.cut(h)
		t.Frames = audio.Pos(d.left)
	}
	sound := io.NewSectionReader(t.file, start+int64(at), end-start-int64(at))
	t.Format = audio.Format{Rate: audio.Rate(h.rate), Channels: h.channels, Bits: 16}
	t.Kind, t.dec = "mp3", d
	if d.left == 0 {
		return nil // Open refuses it
	}
	// Without Seek the library does not walk the whole file first.
	d.dec, err = mp3.NewDecoder(struct{ io.Reader }{bufferedFrom(sound)})
	if err != nil {
		return mpegError(err)
	}
	t.readID3v1()
	return nil
}

// findMPEG returns the first header that another one follows, or that fills
// the rest of the data.
func findMPEG(head []byte) (at int, h mpegHeader, ok bool) {
	for at := range head {
		h, ok := parseMPEG(head[at:])
		if !ok {
			continue
		}
		if next := at + h.size; next < len(head)-4 {
			if n, ok := parseMPEG(head[next:]); !ok || !n.sameStream(h) {
				continue
			}
		}
		return at, h, true
	}
	return 0, h, false
}

// soundEnd returns where the sound ends: before the tags at the end of the
// file (ID3v1, APEv2), in which a decoder would find false frames.
func (t *Track) soundEnd(size int64) (int64, error) {
	const id3v1, apeFooter, maxAPE = 128, 32, 16 << 20
	var buf [id3v1]byte
	end := size
	if end >= id3v1 {
		if _, err := t.file.ReadAt(buf[:], end-id3v1); err != nil {
			return 0, err
		}
		if string(buf[:3]) == "TAG" {
			end -= id3v1
		}
	}
	if end >= apeFooter {
		if _, err := t.file.ReadAt(buf[:apeFooter], end-apeFooter); err != nil {
			return 0, err
		}
		if bytes.HasPrefix(buf[:], []byte("APETAGEX")) {
			n := int64(binary.LittleEndian.Uint32(buf[12:])) // with the footer
			if binary.LittleEndian.Uint32(buf[20:])>>31 == 1 {
				n += apeFooter // the header
			}
			if n >= apeFooter && n <= min(end, maxAPE) {
				end -= n
			}
		}
	}
	return end, nil
}

// next decodes one block.
func (d *mp3Decoder) next() ([]int32, error) {
	for d.skip > 0 {
		pcm, err := d.decode(min(d.skip, mp3Block))
		if err != nil {
			return nil, err
		}
		d.skip -= int64(len(pcm) / d.chans)
	}
	if d.left == 0 {
		return nil, io.EOF
	}
	want := int64(mp3Block)
	if d.left > 0 {
		want = min(want, d.left)
	}
	pcm, err := d.decode(want)
	if errors.Is(err, io.EOF) && d.left > 0 && d.left <= d.slack {
		pcm, err = make([]int32, d.left*int64(d.chans)), nil
	}
	if err != nil {
		return nil, err
	}
	if d.left > 0 {
		d.left -= int64(len(pcm) / d.chans)
	}
	return pcm, nil
}

// decode returns up to n frames of the decoder's output, io.EOF only if
// there is none left. The library gives two channels in any case.
func (d *mp3Decoder) decode(n int64) ([]int32, error) {
	raw := make([]byte, 4*n)
	got, err := io.ReadFull(d.dec, raw)
	if got < 4 {
		return nil, mpegError(err)
	}
	pcm := make([]int32, 0, got/4*d.chans)
	for raw = raw[:got]; len(raw) >= 4; raw = raw[4:] {
		pcm = append(pcm, int32(int16(binary.LittleEndian.Uint16(raw))))
		if d.chans == 2 {
			pcm = append(pcm, int32(int16(binary.LittleEndian.Uint16(raw[2:]))))
		}
	}
	return pcm, nil
}

// mpegError keeps the end of the file apart from damage.
func mpegError(err error) error {
	if ended(err) {
		return io.EOF
	}
	return errors.Join(errDamaged, err)
}
