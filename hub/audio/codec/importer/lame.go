package importer

import "encoding/binary"

// mpegHeader is the 4-byte header of a layer III frame (ISO 11172-3 2.4.2.3,
// ISO 13818-3).
type mpegHeader struct {
	mpeg1    bool
	rate     int // Hz
	channels int
	size     int // bytes of the whole frame
	frames   int // frames of sound: 1152 or 576
	side     int // bytes of side information behind header and CRC
	crc      bool
}

// parseMPEG reads a frame header. Free-format and MPEG-2.5 frames, which the
// decoder does not know, are no headers.
func parseMPEG(b []byte) (h mpegHeader, ok bool) {
	if len(b) < 4 || b[0] != 0xFF || b[1]&0xE6 != 0xE2 {
		return h, false
	}
	version, bitrate, rate := b[1]>>3&3, int(b[2]>>4), int(b[2]>>2&3)
	if version < 2 || bitrate == 0 || bitrate == 15 || rate == 3 || b[3]&3 == 2 {
		return h, false
	}
	h.mpeg1, h.crc, h.channels = version == 3, b[1]&1 == 0, 2
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	h.rate = [...]int{44100, 48000, 32000}[rate]
	kbit := [...]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}[bitrate]
	h.frames, h.side = 1152, 32
	if h.channels == 1 {
		h.side = 17
	}
	if !h.mpeg1 {
		h.rate /= 2
		kbit = [...]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}[bitrate]
		h.frames, h.side = 576, 17
		if h.channels == 1 {
			h.side = 9
		}
	}
	h.size = h.frames/8*kbit*1000/h.rate + int(b[2]>>1&1)
	return h, h.size > 4+2+h.side
}

// sameStream says whether a frame may follow another.
func (h mpegHeader) sameStream(o mpegHeader) bool {
	return h.mpeg1 == o.mpeg1 && h.rate == o.rate
}

// decoderDelay is what every layer III decoder adds: 528 frames of the
// synthesis filters and one of the MDCT.
const decoderDelay = 529

// xing is the frame that encoders put in front of the sound: how many frames
// follow and what is to be cut off (Xing and Info tags, LAME's extension).
type xing struct {
	frames  int  // MPEG frames behind this one, 0 if not said
	gapless bool // delay and padding are known
	delay   int  // frames of sound that the encoder put in front
	padding int  // and behind
}

// parseXing reads the tag out of the first MPEG frame. ok is false if the
// frame is sound.
func parseXing(frame []byte, h mpegHeader) (x xing, ok bool) {
	at := 4 + h.side
	if h.crc {
		at += 2
	}
	if len(frame) >= 4+32+4 && string(frame[4+32:][:4]) == "VBRI" {
		return x, true // Fraunhofer's tag: says nothing of delays
	}
	if len(frame) < at+8 {
		return x, false
	}
	if name := string(frame[at:][:4]); name != "Xing" && name != "Info" {
		return x, false
	}
	flags := binary.BigEndian.Uint32(frame[at+4:])
	rest := frame[at+8:]
	take := func(flag uint32, n int) []byte {
		if flags&flag == 0 || len(rest) < n {
			return nil
		}
		f := rest[:n]
		rest = rest[n:]
		return f
	}
	if f := take(1, 4); f != nil {
		x.frames = int(binary.BigEndian.Uint32(f) & 0x7FFFFFFF)
	}
	take(2, 4)   // bytes
	take(4, 100) // table of contents
	take(8, 4)   // quality
	// LAME's extension: nine characters of name, then twelve bytes to the
	// three that hold both delays. FFmpeg writes it as "Lavf" or "Lavc".
	const delays = 21
	if len(rest) < delays+3 {
		return x, true
	}
	switch string(rest[:4]) {
	case "LAME", "Lavf", "Lavc", "L3.9", "GOGO":
		d := rest[delays:]
		x.gapless = true
		x.delay = int(d[0])<<4 | int(d[1])>>4
		x.padding = int(d[1]&0x0F)<<8 | int(d[2])
	}
	return x, true
}

// cut turns the tag into what the decoder's output has to lose: skip frames
// in front, and the length of what remains; -1 if that is unknown.
func (x xing) cut(h mpegHeader) (skip, length int64) {
	if x.frames == 0 {
		length = -1
	} else {
		length = int64(x.frames) * int64(h.frames)
	}
	if !x.gapless {
		return 0, length
	}
	if length >= 0 {
		length = max(0, length-int64(x.delay)-int64(x.padding))
	}
	return int64(x.delay) + decoderDelay, length
}
