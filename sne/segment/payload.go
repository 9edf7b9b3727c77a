package segment

import (
	"sonahub/sne/wire"
)

// Codec says how the packets of a payload are encoded.
type Codec uint8

// The codecs of section 3.3.
const (
	CodecFLAC Codec = 1 // one FLAC frame a packet, no stream header
	CodecOpus Codec = 2 // one packet of 20 ms each
	CodecPCM  Codec = 3 // signed 16 bit, little-endian; for tests
)

// String gives the name used in catalogues.
func (c Codec) String() string {
	switch c {
	case CodecFLAC:
		return "flac"
	case CodecOpus:
		return "opus"
	case CodecPCM:
		return "pcm"
	}
	return "unknown"
}

// ParseCodec is the inverse of String.
func ParseCodec(name string) (Codec, error) {
	for c := CodecFLAC; c <= CodecPCM; c++ {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, wire.Malformed("unknown codec")
}

// Limits on the sound of one segment; decoders must not be asked for more.
const (
	MaxChannels = 8
	MaxRate     = 192000 // Hz
	MaxBits     = 32
	MaxSeconds  = 10
)

const payloadHead = 1 + 1 + 1 + 1 + 4 + 4 + 2 + 2

// Payload is the plaintext of a segment: the encoded sound of one epoch, which
// decodes alone.
type Payload struct {
	Codec    Codec
	Channels uint8    // 1 to 8
	Bits     uint8    // of the source, 1 to 32
	Rate     uint32   // Hz, at most 192000 and divisible by 50
	Frames   uint32   // exact length after PreSkip, at most 10 s
	PreSkip  uint16   // Opus: frames at 48 kHz to drop first
	Packets  [][]byte // at least one; each 1 to 65535 bytes
}

func (p *Payload) check() error {
	switch {
	case p.Codec < CodecFLAC || p.Codec > CodecPCM:
		return wire.Malformed("unknown codec")
	case p.Channels == 0 || p.Channels > MaxChannels:
		return wire.Malformed("forbidden number of channels")
	case p.Bits == 0 || p.Bits > MaxBits:
		return wire.Malformed("forbidden depth")
	case p.Rate == 0 || p.Rate > MaxRate || p.Rate%50 != 0:
		return wire.Malformed("forbidden rate")
	case p.Frames == 0 || p.Frames > MaxSeconds*p.Rate:
		return wire.Malformed("forbidden number of frames")
	case len(p.Packets) == 0 || len(p.Packets) > 0xffff:
		return wire.Malformed("forbidden number of packets")
	}
	return nil
}

// Marshal encodes the payload.
func (p *Payload) Marshal() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	size := payloadHead
	for _, pkt := range p.Packets {
		if len(pkt) == 0 {
			return nil, wire.Malformed("empty packet")
		}
		size += 2 + len(pkt)
	}
	if size > MaxPlaintext {
		return nil, wire.Malformed("payload too long for a segment")
	}
	w.Grow(size)
	w.U8(1)
	w.U8(uint8(p.Codec))
	w.U8(p.Channels)
	w.U8(p.Bits)
	w.U32(p.Rate)
	w.U32(p.Frames)
	w.U16(p.PreSkip)
	w.U16(uint16(len(p.Packets)))
	for _, pkt := range p.Packets {
		w.X16(pkt, 0xffff)
	}
	return w.Bytes()
}

// ParsePayload reads a payload. The packets share the memory of plaintext.
func ParsePayload(plaintext []byte) (*Payload, error) {
	r := wire.NewReader(plaintext)
	r.Want8(1, "payload version")
	p := &Payload{Codec: Codec(r.U8()), Channels: r.U8(), Bits: r.U8(), Rate: r.U32(), Frames: r.U32(), PreSkip: r.U16()}
	n := int(r.U16())
	if n*3 > r.Len() { // a packet takes at least 3 bytes
		r.Fail("more packets than bytes")
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	p.Packets = make([][]byte, n)
	for i := range p.Packets {
		if p.Packets[i] = r.X16(0xffff); len(p.Packets[i]) == 0 {
			r.Fail("empty packet")
		}
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return p, p.check()
}
