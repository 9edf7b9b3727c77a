package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

// seeds are small files of every kind.
func seeds(f *testing.F) {
	mono := audio.Format{Rate: 44100, Bits: 16, Channels: 1}
	f.Add(flacFile(f, mono, audiotest.Plucks(mono, 700, 1)))
	f.Add(wav(wavPCM, 2, 24, 48000, true, make([]byte, 600)))
	f.Add(wav(wavFloat, 1, 32, 48000, false, make([]byte, 400)))
	for _, l := range lossy() {
		data, err := os.ReadFile(filepath.Join("testdata", l.name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// mendOgg puts the right checksums into what looks like Ogg pages, so that
// the fuzzer gets past them.
func mendOgg(data []byte) {
	o := newOggReader(nil)
	for at := 0; at+oggHeader < len(data); {
		p := data[at:]
		n := int(p[26])
		if string(p[:4]) != "OggS" || len(p) < oggHeader+n {
			return
		}
		size := oggHeader + n
		for _, l := range p[oggHeader : oggHeader+n] {
			size += int(l)
		}
		if size > len(p) {
			return
		}
		binary.LittleEndian.PutUint32(p[22:], 0)
		var c uint32
		for _, b := range p[:size] {
			c = c<<8 ^ o.crc[byte(c>>24)^b]
		}
		binary.LittleEndian.PutUint32(p[22:], c)
		at += size
	}
}

func FuzzOpen(f *testing.F) {
	seeds(f)
	path := filepath.Join(f.TempDir(), "fuzz")
	f.Fuzz(func(t *testing.T, data []byte) {
		mendOgg(data)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tr, err := Open(path)
		var u *Unreadable
		if err != nil {
			if !errors.As(err, &u) || u.Reason == "" {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		defer tr.Close()
		if err := tr.Format.Validate(); err != nil || tr.Format.Channels > 2 {
			t.Fatalf("format %v", tr.Format)
		}
		limit := int32(1) << (tr.Format.Bits - 1)
		var next audio.Pos
		for range 200 {
			b, err := tr.Read(context.Background())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if !errors.As(err, &u) {
					t.Fatalf("an error of another kind: %v", err)
				}
				break
			}
			if b.At != next || b.Frames() == 0 || len(b.PCM)%b.Channels != 0 {
				t.Fatalf("block of %d samples at %d, due at %d", len(b.PCM), b.At, next)
			}
			next = b.End()
			for _, s := range b.PCM {
				if s < -limit || s >= limit {
					t.Fatalf("sample %d in %d bits", s, b.Bits)
				}
			}
		}
	})
}

func FuzzParseWAV(f *testing.F) {
	f.Add(wav(wavPCM, 2, 16, 44100, false, make([]byte, 40)))
	f.Add(wav(wavFloat, 1, 32, 48000, true, make([]byte, 40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseWAV(bytes.NewReader(data), int64(len(data)))
		if err == nil && (h.dataAt+h.dataSize > int64(len(data)) || h.chans < 1 || h.dataSize < 0) {
			t.Errorf("%+v from %d bytes", h, len(data))
		}
	})
}

func FuzzParseXing(f *testing.F) {
	for _, l := range lossy()[:3] {
		data, err := os.ReadFile(filepath.Join("testdata", l.name))
		if err != nil {
			f.Fatal(err)
		}
		at, h, _ := findMPEG(data)
		f.Add(data[at : at+h.size])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		at, h, ok := findMPEG(frame)
		if !ok {
			return
		}
		x, _ := parseXing(frame[at:min(at+h.size, len(frame))], h)
		skip, length := x.cut(h)
		if skip < 0 || skip > 4095+decoderDelay || length < -1 {
			t.Errorf("%+v cuts %d and leaves %d", x, skip, length)
		}
	})
}

func FuzzFilterID3(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "cbr.mp3"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:300])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < id3Header {
			return
		}
		if out := filterID3(raw); len(out) > len(raw) {
			t.Errorf("%d bytes became %d", len(raw), len(out))
		}
		(&Track{}).readID3(raw)
	})
}
