package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"sonahub/hub/audio"
)

func messages() []Message {
	line := audio.Timeline{Zero: -5, At: 1 << 40, Rate: 44100}
	return []Message{
		&Hello{Version: Version, Rate: 44100},
		&Start{Run: 7, Format: audio.Format{Rate: 44100, Channels: 2, Bits: 24}, Line: line},
		&Block{At: 882, PCM: []int32{1, -1, 1 << 23, math.MinInt32}},
		&Block{At: 1, PCM: []int32{}},
		&Flush{Line: line},
		&Gain{Gain: -12.5},
		&Gain{Gain: audio.Mute()},
		&Opened{Name: "card", Rate: 48000, Bits: 16, Latency: 90e6, Inexact: "shared"},
		&Failed{Why: "no card"},
		&Report{At: 1, Run: 2, Heard: 3, Settled: true, Playing: true, Late: -4, PPM: 5.5, Missing: 6, Slips: 7, Inexact: "volume"},
	}
}

func TestRoundTrip(t *testing.T) {
	var b []byte
	for _, m := range messages() {
		b = Append(b, m)
	}
	r := NewReader(bytes.NewReader(b))
	for _, want := range messages() {
		got, err := r.Next()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v (%v)", want, got, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// A message's bytes are pinned: whoever changes them must raise Version.
func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		m    Message
		want string
	}{
		{&Hello{Version: 1, Rate: 48000}, "01060000000100" + "80bb0000"},
		{&Block{At: 2, PCM: []int32{1, -2}}, "0310000000" + "0200000000000000" + "01000000feffffff"},
		{&Failed{Why: "no"}, "0704000000" + "02006e6f"},
	} {
		if got := hex.EncodeToString(Append(nil, tt.m)); got != tt.want {
			t.Errorf("%T: %s, want %s", tt.m, got, tt.want)
		}
	}
}

func TestBadBytes(t *testing.T) {
	nan := Append(nil, &Gain{Gain: audio.Gain(math.NaN())})
	long := Append(nil, &Failed{Why: strings.Repeat("x", MaxText)})
	long[5], long[6] = 0xff, 0xff
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"unknown kind":      {[]byte{99, 0, 0, 0, 0}, ErrProtocol},
		"huge length":       {[]byte{kindBlock, 0xff, 0xff, 0xff, 0x7f}, ErrProtocol},
		"cut head":          {[]byte{kindBlock, 1}, io.ErrUnexpectedEOF},
		"cut body":          {[]byte{kindHello, 6, 0, 0, 0, 1}, io.ErrUnexpectedEOF},
		"too short":         {[]byte{kindHello, 1, 0, 0, 0, 1}, ErrProtocol},
		"too long":          {[]byte{kindHello, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, ErrProtocol},
		"odd samples":       {[]byte{kindBlock, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, ErrProtocol},
		"text past its end": {long, ErrProtocol},
		"gain is no number": {nan, ErrProtocol},
		"unusable format":   {Append(nil, &Start{Format: audio.Format{Rate: 1}}), ErrProtocol},
	} {
		if _, err := NewReader(bytes.NewReader(tt.b)).Next(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	m, err := NewReader(bytes.NewReader(Append(nil, &Failed{Why: strings.Repeat("x", 5000)}))).Next()
	if err != nil || len(m.(*Failed).Why) != MaxText {
		t.Errorf("%v, %v", m, err)
	}
}

func FuzzNext(f *testing.F) {
	for _, m := range messages() {
		f.Add(Append(nil, m))
	}
	f.Add([]byte{kindBlock, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			again, err := NewReader(bytes.NewReader(Append(nil, m))).Next()
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Fatalf("%+v became %+v (%v)", m, again, err)
			}
		}
	})
}
