// Package origintest starts reference platforms for tests, fills their music
// folders, and puts faults between them and whoever asks.
package origintest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin"
)

// Start opens a platform on loopback whose state is gone after the test. An
// empty Config sells the album that it composes itself; Config.State may be
// given to share it between two platforms, one after the other.
func Start(tb testing.TB, c origin.Config) *origin.Origin {
	tb.Helper()
	if c.State == "" {
		c.State = tb.TempDir()
	}
	o, err := origin.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { Close(tb, o) })
	return o
}

// Close ends a platform within 10 s or fails the test. It may be called
// before the test's end, for a restart.
func Close(tb testing.TB, o *origin.Origin) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := o.Close(ctx); err != nil {
		tb.Error(err)
	}
}

// Track is a music file for tests.
type Track struct {
	Name   string       // file name below the folder; ".wav" gives WAV, anything else FLAC; default "01.flac"
	Format audio.Format // default 16 bit, 44.1 kHz, stereo
	Frames int          // default 5 s and 123 frames
	Title  string       // FLAC only; "" = no tag
	Seed   uint64       // another seed, other music
}

// PCM is the sound of the track.
func (t Track) PCM() []int32 {
	t = t.withDefaults()
	return audiotest.Plucks(t.Format, t.Frames, t.Seed)
}

// SHA256 is the hash of that sound.
func (t Track) SHA256() [32]byte {
	return audiotest.SHA256(t.withDefaults().Format, t.PCM())
}

func (t Track) withDefaults() Track {
	if t.Name == "" {
		t.Name = "01.flac"
	}
	if t.Format == (audio.Format{}) {
		t.Format = audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	}
	if t.Frames == 0 {
		t.Frames = 5*int(t.Format.Rate) + 123
	}
	return t
}

// Music writes the tracks into dir and returns their paths.
func Music(tb testing.TB, dir string, tracks ...Track) []string {
	tb.Helper()
	var paths []string
	for _, t := range tracks {
		t = t.withDefaults()
		path := filepath.Join(dir, filepath.FromSlash(t.Name))
		var data []byte
		if filepath.Ext(path) == ".wav" {
			data = wav(t.Format, t.PCM())
		} else {
			var out bytes.Buffer
			if err := flac.WriteStream(&out, t.Format, t.PCM()); err != nil {
				tb.Fatal(err)
			}
			data = tagged(out.Bytes(), t.Title)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			tb.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// tagged puts a title into a FLAC stream that has only a STREAMINFO.
func tagged(stream []byte, title string) []byte {
	if title == "" {
		return stream
	}
	field := "TITLE=" + title
	body := binary.LittleEndian.AppendUint32(nil, 0) // vendor
	body = binary.LittleEndian.AppendUint32(body, 1)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(field)))
	body = append(body, field...)
	const infoEnd = 42
	out := append([]byte(nil), stream[:infoEnd]...)
	out[4] &^= 0x80
	out = append(out, 0x84, byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	return append(append(out, body...), stream[infoEnd:]...)
}

func wav(f audio.Format, pcm []int32) []byte {
	le, size := binary.LittleEndian, (f.Bits+7)/8
	n := len(pcm) * size
	out := fmt.Appendf(nil, "RIFF%sWAVEfmt ", le.AppendUint32(nil, uint32(36+n)))
	out = le.AppendUint32(out, 16)
	out = le.AppendUint16(out, 1)
	out = le.AppendUint16(out, uint16(f.Channels))
	out = le.AppendUint32(out, uint32(f.Rate))
	out = le.AppendUint32(out, uint32(int(f.Rate)*f.Channels*size))
	out = le.AppendUint16(out, uint16(f.Channels*size))
	out = le.AppendUint16(out, uint16(8*size))
	out = le.AppendUint32(append(out, "data"...), uint32(n))
	for _, v := range pcm {
		for i := range size {
			out = append(out, byte(v>>(8*i)))
		}
	}
	return out
}
