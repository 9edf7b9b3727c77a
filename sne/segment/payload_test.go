package segment_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

func payload() *segment.Payload {
	return &segment.Payload{
		Codec: segment.CodecOpus, Channels: 2, Bits: 16, Rate: 48000, Frames: 96000, PreSkip: 312,
		Packets: [][]byte{{1, 2, 3}, {4}},
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	raw, err := payload().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != "010202100000bb80000177000138000200030102030001"+"04" {
		t.Fatalf("encoded as %s", got)
	}
	p, err := segment.ParsePayload(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Marshal()
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestPayloadLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(p *segment.Payload)
		ok     bool
	}{
		{"8 channels", func(p *segment.Payload) { p.Channels = 8 }, true},
		{"9 channels", func(p *segment.Payload) { p.Channels = 9 }, false},
		{"no channel", func(p *segment.Payload) { p.Channels = 0 }, false},
		{"192 kHz", func(p *segment.Payload) { p.Rate = 192000 }, true},
		{"192.05 kHz", func(p *segment.Payload) { p.Rate = 192050 }, false},
		{"rate not divisible by 50", func(p *segment.Payload) { p.Rate = 44110 }, false},
		{"no rate", func(p *segment.Payload) { p.Rate = 0 }, false},
		{"10 s", func(p *segment.Payload) { p.Frames = 480000 }, true},
		{"over 10 s", func(p *segment.Payload) { p.Frames = 480001 }, false},
		{"no frames", func(p *segment.Payload) { p.Frames = 0 }, false},
		{"no packets", func(p *segment.Payload) { p.Packets = nil }, false},
		{"empty packet", func(p *segment.Payload) { p.Packets[1] = nil }, false},
		{"long packet", func(p *segment.Payload) { p.Packets[1] = make([]byte, 65535) }, true},
		{"too long a packet", func(p *segment.Payload) { p.Packets[1] = make([]byte, 65536) }, false},
		{"too many packets", func(p *segment.Payload) { p.Packets = make([][]byte, 65536) }, false},
		{"codec 0", func(p *segment.Payload) { p.Codec = 0 }, false},
		{"codec 4", func(p *segment.Payload) { p.Codec = 4 }, false},
		{"33 bits", func(p *segment.Payload) { p.Bits = 33 }, false},
	} {
		p := payload()
		tc.change(p)
		if _, err := p.Marshal(); (err == nil) != tc.ok || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	big := payload()
	for range 130 {
		big.Packets = append(big.Packets, make([]byte, 65535))
	}
	if _, err := big.Marshal(); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("over 8 MiB: %v", err)
	}
}

func TestParsePayloadRefuses(t *testing.T) {
	raw, err := payload().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		if _, err := segment.ParsePayload(raw[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	set := func(at int, v byte) []byte {
		b := bytes.Clone(raw)
		b[at] = v
		return b
	}
	for name, bad := range map[string][]byte{
		"version":             set(0, 2),
		"codec":               set(1, 9),
		"channels":            set(2, 0),
		"65282 packets":       set(14, 0xff),
		"packet over the end": set(17, 0xff),
		"trailing byte":       append(bytes.Clone(raw), 0),
	} {
		if _, err := segment.ParsePayload(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodecNames(t *testing.T) {
	for _, c := range []segment.Codec{segment.CodecFLAC, segment.CodecOpus, segment.CodecPCM} {
		if got, err := segment.ParseCodec(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := segment.ParseCodec(segment.Codec(9).String()); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("unknown: %v", err)
	}
}

func FuzzParsePayload(f *testing.F) {
	raw, err := payload().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:16])
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := segment.ParsePayload(raw)
		if err != nil {
			return
		}
		if again, err := p.Marshal(); err == nil && !bytes.Equal(again, raw) {
			t.Fatal("a second encoding of one payload")
		}
	})
}
