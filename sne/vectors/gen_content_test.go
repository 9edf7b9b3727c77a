package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

type segmentFile struct {
	About    string          `json:"about"`
	Master   hx              `json:"title_master"`
	Segments []segmentVector `json:"segments"`
	Bad      []badSegment    `json:"bad"`
	Payloads []payloadVector `json:"payloads"`
}

type segmentVector struct {
	Broadcast hx     `json:"broadcast_id"`
	Tier      uint16 `json:"tier"`
	Epoch     uint64 `json:"epoch"`
	Rendition uint16 `json:"rendition"`
	ES        hx     `json:"es"`
	Commit    hx     `json:"commit"`
	Seal      hx     `json:"seal"`
	Length    int    `json:"plaintext_len"` // byte i of the plaintext is i*i mod 251
	ObjectSum hx     `json:"object_sha256"`
	Object    hx     `json:"object,omitempty"` // where it is short
}

// badSegment is segment 1 with a change, or read with another idea of what it
// is; it must not open.
type badSegment struct {
	Why       string `json:"why"`
	At        int    `json:"at"` // byte whose lowest bit is changed; -1 = none
	Length    int    `json:"length"`
	Broadcast hx     `json:"broadcast_id"`
	Tier      uint16 `json:"tier"`
	Epoch     uint64 `json:"epoch"`
	Rendition uint16 `json:"rendition"`
	ES        hx     `json:"es"`
}

type payloadVector struct {
	Codec    uint8  `json:"codec"`
	Channels uint8  `json:"channels"`
	Bits     uint8  `json:"bits"`
	Rate     uint32 `json:"rate"`
	Frames   uint32 `json:"frames"`
	PreSkip  uint16 `json:"pre_skip"`
	Packets  []hx   `json:"packets"`
	Bytes    hx     `json:"bytes"`
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i % 251)
	}
	return b
}

func (v *segmentVector) epoch() segment.Epoch {
	return segment.Epoch{Broadcast: wire.ID(v.Broadcast), Tier: v.Tier, Number: v.Epoch}
}

func makeSegment(t *testing.T) any {
	f := &segmentFile{
		About:  "Sections 3.1 to 3.3: epoch secrets of a title, commitments, segment objects (byte i of the plaintext is i*i mod 251), and payloads. bad is segment 1 changed, or asked for as another one: it must not open.",
		Master: draw(32, "title master"),
	}
	for i, n := range []int{1, 2, 65536, 8 << 20} {
		e := segment.Epoch{Broadcast: id("segment broadcast"), Tier: uint16(i), Number: uint64(i) * 1000}
		var es kdf.Secret
		check(t, segment.EpochSecret(&es, (*kdf.Secret)(f.Master), e))
		commit := must(segment.Commit(&es, e))(t)
		seal := draw(16, fmt.Sprint("seal ", n))
		v := segmentVector{Broadcast: e.Broadcast[:], Tier: e.Tier, Epoch: e.Number, Rendition: uint16(n % 7), ES: es[:], Commit: commit[:], Seal: seal, Length: n}
		object := must(segment.Seal(source(seal), &es, e, v.Rendition, pattern(n)))(t)
		sum := sha256.Sum256(object)
		v.ObjectSum = sum[:]
		if n < 100 {
			v.Object = object
		}
		f.Segments = append(f.Segments, v)
	}
	f.Bad = badSegments(f.Segments[1])
	f.Payloads = payloads(t)
	return f
}

func badSegments(g segmentVector) []badSegment {
	var out []badSegment
	bad := func(why string, change func(*badSegment)) {
		b := badSegment{why, -1, len(g.Object), g.Broadcast, g.Tier, g.Epoch, g.Rendition, g.ES}
		change(&b)
		out = append(out, b)
	}
	fields := []struct {
		at  int
		why string
	}{
		{0, "magic"}, {4, "version"}, {5, "reserved byte"}, {7, "suite"}, {8, "broadcast in the header"}, {41, "tier in the header"}, {43, "rendition in the header"},
		{47, "length in the header"}, {55, "epoch in the header"}, {56, "seal"}, {71, "end of the seal"}, {72, "ciphertext"}, {len(g.Object) - 1, "tag"},
	}
	for _, x := range fields {
		bad(x.why, func(b *badSegment) { b.At = x.at })
	}
	bad("cut by a byte", func(b *badSegment) { b.Length-- })
	bad("cut to header and tag", func(b *badSegment) { b.Length = 88 })
	bad("cut to nothing", func(b *badSegment) { b.Length = 0 })
	bad("extended by a byte", func(b *badSegment) { b.Length++ })
	bad("asked for as another broadcast", func(b *badSegment) { b.Broadcast = flip(b.Broadcast, 0) })
	bad("asked for as another tier", func(b *badSegment) { b.Tier++ })
	bad("asked for as another epoch", func(b *badSegment) { b.Epoch++ })
	bad("asked for as another rendition", func(b *badSegment) { b.Rendition++ })
	bad("another epoch secret", func(b *badSegment) { b.ES = flip(b.ES, 31) })
	return out
}

func payloads(t *testing.T) []payloadVector {
	t.Helper()
	var out []payloadVector
	for _, v := range []payloadVector{
		{Codec: 1, Channels: 2, Bits: 24, Rate: 44100, Frames: 88200, Packets: []hx{draw(900, "flac"), draw(1, "flac"), draw(40, "flac")}},
		{Codec: 2, Channels: 2, Bits: 16, Rate: 48000, Frames: 96000, PreSkip: 3840, Packets: []hx{draw(120, "opus"), draw(130, "opus")}},
		{Codec: 3, Channels: 1, Bits: 16, Rate: 8000, Frames: 4, Packets: []hx{draw(8, "pcm")}},
		{Codec: 3, Channels: 8, Bits: 32, Rate: 192000, Frames: 1920000, Packets: []hx{{0}}},
	} {
		p := &segment.Payload{Codec: segment.Codec(v.Codec), Channels: v.Channels, Bits: v.Bits, Rate: v.Rate, Frames: v.Frames, PreSkip: v.PreSkip}
		for _, pkt := range v.Packets {
			p.Packets = append(p.Packets, pkt)
		}
		v.Bytes = must(p.Marshal())(t)
		out = append(out, v)
	}
	return out
}

// apply makes the bytes of a badSegment from segment 1.
func (b *badSegment) apply(object []byte) []byte {
	out := make([]byte, b.Length)
	copy(out, object)
	if b.At >= 0 {
		out[b.At] ^= 1
	}
	return out
}

func TestSegment(t *testing.T) {
	f := load[segmentFile](t, "segment.json")
	for _, v := range f.Segments {
		var es kdf.Secret
		check(t, segment.EpochSecret(&es, (*kdf.Secret)(f.Master), v.epoch()))
		same(t, "epoch secret", es[:], v.ES)
		if !segment.Fits(&es, v.epoch(), [32]byte(v.Commit)) {
			t.Error("commitment does not fit")
		}
		plain := pattern(v.Length)
		object := must(segment.Seal(source(v.Seal), &es, v.epoch(), v.Rendition, plain))(t)
		sum := sha256.Sum256(object)
		same(t, "object", sum[:], v.ObjectSum)
		got, err := segment.Open(nil, &es, v.epoch(), v.Rendition, object)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("open: %v", err)
		}
	}
	for _, b := range f.Bad {
		e := segment.Epoch{Broadcast: wire.ID(b.Broadcast), Tier: b.Tier, Number: b.Epoch}
		if _, err := segment.Open(nil, (*kdf.Secret)(b.ES), e, b.Rendition, b.apply(f.Segments[1].Object)); err == nil {
			t.Errorf("%s: opened", b.Why)
		}
	}
	for _, v := range f.Payloads {
		p, err := segment.ParsePayload(v.Bytes)
		check(t, err)
		if uint8(p.Codec) != v.Codec || p.Channels != v.Channels || p.Bits != v.Bits || p.Rate != v.Rate || p.Frames != v.Frames || p.PreSkip != v.PreSkip || len(p.Packets) != len(v.Packets) {
			t.Errorf("read %+v", p)
		}
		for i := range p.Packets {
			same(t, "packet", p.Packets[i], v.Packets[i])
		}
	}
}
