package importer

import (
	"errors"
	"io"

	"github.com/jfreymuth/vorbis"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
)

// vorbisDecoder decodes page by page, because a page's position says what of
// its sound counts (Vorbis I section A.2).
type vorbisDecoder struct {
	ogg   *oggReader
	dec   vorbis.Decoder
	chans int
	out   dither.TPDF
	float []float32
	buf   []float32
	wide  []float64

	queued  []int32 // decoded at Open to learn where the stream begins
	start   int64   // position of the first frame
	started bool
	given   int64 // frames decoded and kept so far
	ended   bool
}

// openVorbis reads the three headers and the first page of sound.
func (t *Track) openVorbis() error {
	last, err := newOggReader(t.buffered()).skip()
	if err != nil {
		return err
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := &vorbisDecoder{ogg: newOggReader(t.buffered()), out: dither.TPDF{Bits: 16}}
	var headers, sound [][]byte
	var first oggPage
	for len(headers) < 3 {
		packets, p, err := d.ogg.page()
		if err != nil {
			return noEOF(err)
		}
		n := min(3-len(headers), len(packets))
		headers = append(headers, packets[:n]...)
		sound, first = packets[n:], p
	}
	if err := d.header(headers); err != nil {
		return err
	}
	if len(headers[1]) > maxComments {
		headers[1] = headers[1][:vorbisMagic]
	}
	comments := parseComments(headers[1][vorbisMagic:])
	t.Tags, t.Cover = tagsOfComments(comments), coverOfComments(comments)
	t.Kind, t.dec = "vorbis", d
	t.Format = audio.Format{Rate: audio.Rate(d.dec.SampleRate()), Channels: d.chans, Bits: 16}
	if len(sound) > 0 { // sound on the page of the headers, against the rules
		if d.queued, err = d.keep(sound, first); err != nil {
			return err
		}
	}
	for !d.started && !d.ended {
		pcm, err := d.page()
		if err != nil {
			return noEOF(err)
		}
		d.queued = append(d.queued, pcm...)
	}
	t.Frames = audio.Pos(max(0, last-d.start))
	return nil
}

// vorbisMagic is the length of a header's kind and name.
const vorbisMagic = 7

// header hands the headers to the library after what it would trip over was
// ruled out. The comments it never sees.
func (d *vorbisDecoder) header(h [][]byte) error {
	for i, kind := range [...]string{"\x01vorbis", "\x03vorbis", "\x05vorbis"} {
		if len(h[i]) < vorbisMagic || string(h[i][:vorbisMagic]) != kind {
			return errDamaged
		}
	}
	if len(h[0]) < 30 {
		return errDamaged
	}
	if d.chans = int(h[0][11]); d.chans < 1 || d.chans > 2 {
		return reason("more than two channels are not supported")
	}
	short, long := h[0][28]&0x0F, h[0][28]>>4
	if short < 6 || long < short || long > 13 {
		return errDamaged
	}
	if err := checkCodebooks(h[2][vorbisMagic:]); err != nil {
		return err
	}
	for _, i := range [...]int{0, 2} {
		if err := d.dec.ReadHeader(h[i]); err != nil {
			return errors.Join(errDamaged, err)
		}
	}
	d.buf = make([]float32, d.dec.BufferSize())
	return nil
}

// next returns the sound of one page.
func (d *vorbisDecoder) next() ([]int32, error) {
	for {
		pcm := d.queued
		d.queued = nil
		if len(pcm) > 0 {
			return pcm, nil
		}
		if d.ended {
			return nil, io.EOF
		}
		var err error
		if d.queued, err = d.page(); err != nil {
			return nil, noEOF(err)
		}
	}
}

// page decodes the packets that end on the next page.
func (d *vorbisDecoder) page() ([]int32, error) {
	packets, p, err := d.ogg.page()
	if err != nil {
		return nil, err
	}
	return d.keep(packets, p)
}

// keep decodes packets and returns what of their sound counts.
func (d *vorbisDecoder) keep(packets [][]byte, p oggPage) ([]int32, error) {
	if len(packets) > 0 && p.granule < 0 {
		return nil, errDamaged // whoever ends a packet must say where
	}
	d.float = d.float[:0]
	for _, packet := range packets {
		if len(packet) == 0 {
			return nil, errDamaged
		}
		out, err := d.dec.DecodeInto(packet, d.buf)
		if err != nil {
			return nil, errors.Join(errDamaged, err)
		}
		d.float = append(d.float, out...)
	}
	x := d.float
	n := int64(len(x) / d.chans)
	last := p.flags&4 != 0
	if !d.started && len(packets) > 0 {
		d.started = true
		d.start = p.granule - d.given - n
		if d.start < 0 && !last { // the encoder wants its beginning cut off
			cut := min(-d.start, n)
			x, n = x[cut*int64(d.chans):], n-cut
		}
		d.start = max(d.start, 0)
	}
	if last {
		d.ended = true
		if end := p.granule - d.start - d.given; p.granule >= 0 && end < n {
			n = max(end, 0)
			x = x[:n*int64(d.chans)]
		}
	}
	d.given += n
	return d.integers(x), nil
}

// integers rounds to 16 bits with dither.
func (d *vorbisDecoder) integers(x []float32) []int32 {
	d.wide = d.wide[:0]
	for _, v := range x {
		d.wide = append(d.wide, float64(v))
	}
	pcm := make([]int32, len(x))
	d.out.Quantize(pcm, d.wide)
	return pcm
}

// noEOF makes the end of the file before the end of the stream an error.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errTruncated
	}
	return err
}
