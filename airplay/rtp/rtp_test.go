package rtp

import (
	"bytes"
	"encoding/hex"
	"testing"

	"sonahub/hub/audio"
)

// TestWire holds the bytes as the description of the protocol gives them.
func TestWire(t *testing.T) {
	request, _ := hex.DecodeString("80d200070000000000000000000000000000000000000000" + "1122334455667788")
	reply, ok := TimingReply(nil, request, 0xa0, 0xb0)
	if !ok {
		t.Fatal("a timing request was not taken for one")
	}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"audio":  {Audio{Seq: 0x0102, Time: 0x03040506, SSRC: 0x0708090a}.Append(nil), "80600102030405060708090a"},
		"first":  {Audio{First: true, Seq: 1}.Append(nil), "80e000010000000000000000"},
		"sync":   {Sync{Frame: 1, At: 0x0000000280000000, Next: 77176}.Append(nil), "80d40007" + "00000001" + "0000000280000000" + "00012d78"},
		"sync 1": {Sync{First: true}.Append(nil), "90d40007" + "00000000" + "0000000000000000" + "00000000"},
		"timing": {reply, "80d3000700000000" + "1122334455667788" + "00000000000000a0" + "00000000000000b0"},
		"resent": {AppendResent(nil, []byte{9, 8}), "80d600010908"},
	} {
		if hex.EncodeToString(c.got) != c.want {
			t.Errorf("%s: %x, want %s", name, c.got, c.want)
		}
	}
}

func TestRetransmitRequest(t *testing.T) {
	got, ok := ParseRetransmit([]byte{0x80, 0xd5, 0, 1, 0xff, 0xfe, 0, 3})
	if !ok || got != (Retransmit{Seq: 0xfffe, Count: 3}) {
		t.Errorf("got %+v %v", got, ok)
	}
	for _, bad := range [][]byte{nil, {0x80, 0xd5, 0, 1, 0, 1, 0}, {0x80, 0xd6, 0, 1, 0, 1, 0, 1}, {0, 0xd5, 0, 1, 0, 1, 0, 1}} {
		if _, ok := ParseRetransmit(bad); ok {
			t.Errorf("%x was taken for a request", bad)
		}
	}
}

// TestNTPSurvives goes the way of a receiver, which multiplies and cuts off.
func TestNTPSurvives(t *testing.T) {
	for _, i := range []audio.Instant{0, 1, 999_999_999, 1_000_000_000, 123_456_789_012_345, 1<<62 - 1} {
		n := uint64(NTPOf(i))
		back := audio.Instant(n>>32*1e9 + n&0xffffffff*1e9>>32)
		if want := i % (1 << 32 * 1e9); back != want {
			t.Errorf("%d came back as %d", want, back)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x80, 0xd5, 0, 1, 0, 1, 0, 1})
	f.Add(bytes.Repeat([]byte{0x80, 0xd2}, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		if reply, ok := TimingReply(nil, b, 1, 2); ok && len(reply) != TimingLen {
			t.Errorf("a reply of %d bytes", len(reply))
		}
		if _, ok := ParseRetransmit(b); ok && len(b) < RetransmitLen {
			t.Error("a request shorter than a request")
		}
	})
}
