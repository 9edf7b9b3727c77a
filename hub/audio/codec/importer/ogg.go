package importer

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	oggHeader    = 27
	maxOggPacket = 8 << 20 // bytes; comments with a cover are the largest
	maxOggPages  = 1 << 20 // pages of a stream: some 4 GiB
)

// oggPage is one page of an Ogg stream (RFC 3533 section 6).
type oggPage struct {
	flags    byte // 1 continues a packet, 4 ends the stream
	granule  int64
	serial   uint32
	lacing   []byte
	bodySize int
	raw      []byte // header and lacing, for the checksum
}

// oggReader gives the packets of the first logical stream of a file. Pages
// of other streams are passed over.
type oggReader struct {
	r       io.Reader
	serial  uint32
	started bool
	crc     [256]uint32
	rest    []byte // of a packet that continues on the next page
}

func newOggReader(r io.Reader) *oggReader {
	o := &oggReader{r: r}
	for i := range o.crc {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ 0x04C11DB7&-(c>>31)
		}
		o.crc[i] = c
	}
	return o
}

// header reads a page as far as its lacing.
func (o *oggReader) header() (p oggPage, err error) {
	raw := make([]byte, oggHeader, oggHeader+255)
	if _, err := io.ReadFull(o.r, raw); err != nil {
		return p, err
	}
	if string(raw[:4]) != "OggS" || raw[4] != 0 {
		return p, errDamaged
	}
	p.flags = raw[5]
	p.granule = int64(binary.LittleEndian.Uint64(raw[6:]))
	p.serial = binary.LittleEndian.Uint32(raw[14:])
	p.lacing = make([]byte, raw[26])
	if _, err := io.ReadFull(o.r, p.lacing); err != nil {
		return p, io.ErrUnexpectedEOF
	}
	for _, n := range p.lacing {
		p.bodySize += int(n)
	}
	p.raw = append(raw, p.lacing...)
	if !o.started {
		o.serial, o.started = p.serial, true
	}
	return p, nil
}

// skip passes over pages without looking at sound until the stream ends, and
// returns the last position that a page named.
func (o *oggReader) skip() (last int64, err error) {
	last = -1
	for range maxOggPages {
		p, err := o.header()
		if errors.Is(err, io.EOF) {
			return last, errTruncated
		}
		if err != nil {
			return last, err
		}
		if _, err := io.CopyN(io.Discard, o.r, int64(p.bodySize)); err != nil {
			return last, io.ErrUnexpectedEOF
		}
		if p.serial != o.serial {
			continue
		}
		if p.granule >= 0 {
			last = p.granule
		}
		if p.flags&4 != 0 {
			return last, nil
		}
	}
	return last, errDamaged
}

// page returns the packets that end on the next page of the stream. They are
// valid until the next call.
func (o *oggReader) page() (packets [][]byte, p oggPage, err error) {
	for {
		if p, err = o.header(); err != nil {
			return nil, p, err
		}
		body := make([]byte, p.bodySize)
		if _, err := io.ReadFull(o.r, body); err != nil {
			return nil, p, io.ErrUnexpectedEOF
		}
		if p.serial != o.serial {
			continue
		}
		if !o.sound(p, body) {
			return nil, p, errDamaged
		}
		if p.flags&1 == 0 {
			o.rest = nil
		}
		packets, err = o.split(p.lacing, body)
		return packets, p, err
	}
}

// split cuts the body at the lacing values below 255.
func (o *oggReader) split(lacing, body []byte) (packets [][]byte, err error) {
	for _, n := range lacing {
		o.rest = append(o.rest, body[:n]...)
		body = body[n:]
		if len(o.rest) > maxOggPacket {
			return nil, errDamaged
		}
		if n < 255 {
			packets = append(packets, o.rest)
			o.rest = nil
		}
	}
	return packets, nil
}

// sound checks a page's checksum, which counts its own field as zero.
func (o *oggReader) sound(p oggPage, body []byte) bool {
	want := binary.LittleEndian.Uint32(p.raw[22:])
	var c uint32
	for i, b := range p.raw {
		if i >= 22 && i < 26 {
			b = 0
		}
		c = c<<8 ^ o.crc[byte(c>>24)^b]
	}
	for _, b := range body {
		c = c<<8 ^ o.crc[byte(c>>24)^b]
	}
	return c == want
}
