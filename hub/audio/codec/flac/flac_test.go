package flac

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

func format(rate audio.Rate, bits, channels int) audio.Format {
	return audio.Format{Rate: rate, Bits: bits, Channels: channels}
}

// signals are what a codec meets: music, noise, tones, silence, extremes.
func signals(f audio.Format, frames int) map[string][]int32 {
	n := frames * f.Channels
	full := int32(1)<<(f.Bits-1) - 1
	r := rand.New(rand.NewPCG(1, 1))
	square, spikes, uniform, padded := make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range n {
		square[i] = full
		if (i/f.Channels/50+i)%2 == 1 {
			square[i] = -full - 1
		}
		if r.IntN(500) == 0 {
			spikes[i] = r.Int32N(full)
		}
		uniform[i] = int32(r.Uint32()) >> (32 - f.Bits)
		padded[i] = uniform[i] >> 6 << 5
	}
	return map[string][]int32{
		"plucks":   audiotest.Plucks(f, frames, 1),
		"noise":    audiotest.Noise(f, -20, frames, 2),
		"sine":     audiotest.Sine(f, 997, 0, frames),
		"silence":  make([]int32, n),
		"full":     slices.Repeat([]int32{full}, n),
		"square":   square,
		"spikes":   spikes,
		"uniform":  uniform,
		"padded":   padded,
		"constant": slices.Repeat([]int32{-3}, n),
	}
}

func TestSegmentIsBitExact(t *testing.T) {
	formats := []audio.Format{
		format(44100, 16, 2), format(48000, 24, 2), format(44100, 16, 1), format(48000, 24, 1),
		format(22050, 16, 2), format(96000, 24, 2), format(44100, 8, 2), format(48000, 20, 2), format(37800, 12, 1),
	}
	for _, f := range formats {
		for _, frames := range []int{1, 7, 300, BlockSize(f.Rate), 2*BlockSize(f.Rate) + 1234} {
			for name, pcm := range signals(f, frames) {
				packets, err := EncodeSegment(f, pcm)
				if err != nil {
					t.Fatalf("%v %s %d: %v", f, name, frames, err)
				}
				got, err := DecodeSegment(f, packets, frames)
				if err != nil {
					t.Fatalf("%v %s %d: %v", f, name, frames, err)
				}
				if !slices.Equal(got, pcm) {
					t.Errorf("%v %s: %d frames came back altered", f, name, frames)
				}
			}
		}
	}
}

func TestPacketIsAFrameAndNeverLargerThanVerbatim(t *testing.T) {
	f := format(48000, 24, 2)
	for name, pcm := range signals(f, 10000) {
		packets, err := EncodeSegment(f, pcm)
		if err != nil {
			t.Fatal(err)
		}
		if len(packets) != 3 {
			t.Fatalf("%s: %d packets for 10,000 frames", name, len(packets))
		}
		for i, p := range packets {
			if most := VerbatimSize(f, uint64(i), min(4800, 10000-i*4800)); len(p) > most {
				t.Errorf("%s: packet %d has %d bytes, verbatim %d", name, i, len(p), most)
			}
		}
	}
}

func TestVerbatimSizeIsExact(t *testing.T) {
	for _, f := range []audio.Format{format(44100, 16, 2), format(48000, 24, 1), format(37800, 20, 2)} {
		e := Encoder{Format: f, Verbatim: true}
		for _, number := range []uint64{0, 127, 128, 2047, 2048, 65535, 65536, 1<<21 - 1, 1 << 21, 1<<26 - 1, 1 << 26, 1<<31 - 1} {
			pcm := audiotest.Noise(f, -10, 321, number)
			p, err := e.Frame(nil, number, pcm)
			if err != nil {
				t.Fatal(err)
			}
			if want := VerbatimSize(f, number, 321); len(p) != want {
				t.Errorf("%v number %d: %d bytes, promised %d", f, number, len(p), want)
			}
			if got, err := decodeFrame(nil, f, p, number, 321); err != nil || !slices.Equal(got, pcm) {
				t.Errorf("%v number %d: %v", f, number, err)
			}
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	cd := format(44100, 16, 2)
	for name, c := range map[string]struct {
		f   audio.Format
		pcm []int32
	}{
		"a sample beyond its depth": {cd, []int32{0, 32768}},
		"half a frame":              {cd, make([]int32, 4411)},
		"six channels":              {format(44100, 16, 6), make([]int32, 12)},
		"a depth without a code":    {format(44100, 17, 2), make([]int32, 12)},
		"no rate":                   {format(0, 16, 2), make([]int32, 12)},
	} {
		if _, err := EncodeSegment(c.f, c.pcm); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
}

func TestDecoderRefuses(t *testing.T) {
	f := format(44100, 16, 2)
	pcm := audiotest.Plucks(f, 10000, 3)
	good, err := EncodeSegment(f, pcm)
	if err != nil {
		t.Fatal(err)
	}
	other, err := EncodeSegment(format(48000, 16, 2), pcm)
	if err != nil {
		t.Fatal(err)
	}
	flip := bytes.Clone(good[1])
	flip[len(flip)/2] ^= 4
	for name, c := range map[string]struct {
		packets [][]byte
		frames  int
	}{
		"a missing packet":         {good[:2], 10000},
		"one packet too many":      {append(slices.Clone(good), good[2]), 10000},
		"packets in wrong order":   {[][]byte{good[1], good[0], good[2]}, 10000},
		"a flipped bit":            {[][]byte{good[0], flip, good[2]}, 10000},
		"a packet cut short":       {[][]byte{good[0], good[1][:900], good[2]}, 10000},
		"bytes behind the frame":   {[][]byte{good[0], append(bytes.Clone(good[1]), 0), good[2]}, 10000},
		"an empty packet":          {[][]byte{good[0], nil, good[2]}, 10000},
		"another rate":             {other, 10000},
		"a wrong number of frames": {good, 9999},
		"negative frames":          {nil, -1},
	} {
		if got, err := DecodeSegment(f, c.packets, c.frames); !errors.Is(err, ErrCorrupt) || got != nil {
			t.Errorf("%s: %d samples, error %v", name, len(got), err)
		}
	}
}

// reference returns the flac program, or skips.
func reference(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("flac")
	if err != nil {
		t.Skip("the flac program is missing: apt-get install flac")
	}
	return path
}

func TestStreamIsAcceptedByTheReference(t *testing.T) {
	flac := reference(t)
	for _, f := range []audio.Format{format(44100, 16, 2), format(48000, 24, 2), format(96000, 24, 1), format(11025, 8, 2), format(37800, 20, 2)} {
		for name, pcm := range signals(f, 30001) {
			path := filepath.Join(t.TempDir(), "a.flac")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w, err := NewWriter(file, f)
			if err != nil {
				t.Fatal(err)
			}
			for rest := pcm; len(rest) > 0; {
				n := min(1000*f.Channels, len(rest))
				if err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := errors.Join(w.Close(), file.Close()); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), flac, "-t", "--totally-silent", "-w", path).CombinedOutput(); err != nil {
				t.Fatalf("%v %s: flac -t: %v %s", f, name, err, out)
			}
			if f.Bits%8 != 0 {
				continue // the program writes no raw samples of such a depth
			}
			raw, err := exec.CommandContext(t.Context(), flac, "-d", "-c", "--totally-silent", "--force-raw-format",
				"--endian=little", "--sign=signed", path).Output()
			if err != nil {
				t.Fatalf("%v %s: flac -d: %v", f, name, err)
			}
			if !bytes.Equal(raw, AppendRaw(nil, f.Bits, pcm)) {
				t.Errorf("%v %s: the reference decodes other samples", f, name)
			}
		}
	}
}

func TestSizeNearReference(t *testing.T) {
	flac := reference(t)
	for _, f := range []audio.Format{format(44100, 16, 2), format(48000, 24, 2)} {
		frames := 8 * int(f.Rate)
		for _, name := range []string{"plucks", "noise", "sine"} {
			pcm := signals(f, frames)[name]
			var ours bytes.Buffer
			if err := WriteStream(&ours, f, pcm); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), flac, "-5", "-c", "--totally-silent", "--no-padding", "--force-raw-format",
				"--endian=little", "--sign=signed", fmt.Sprint("--channels=", f.Channels), fmt.Sprint("--bps=", f.Bits),
				fmt.Sprint("--sample-rate=", int(f.Rate)), "-")
			cmd.Stdin = bytes.NewReader(AppendRaw(nil, f.Bits, pcm))
			theirs, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			ratio := float64(ours.Len()) / float64(len(theirs))
			t.Logf("%v %s: %d bytes, flac -5 %d: %.3f", f, name, ours.Len(), len(theirs), ratio)
			if ratio > 1.05 {
				t.Errorf("%v %s: %.1f %% larger than flac -5", f, name, 100*(ratio-1))
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	f := format(44100, 16, 2)
	pcm := audiotest.Plucks(f, 4*44100, 1)
	for b.Loop() {
		if _, err := EncodeSegment(f, pcm); err != nil {
			b.Fatal(err)
		}
	}
	realtime(b, 4*time.Second)
}

func BenchmarkDecode(b *testing.B) {
	f := format(44100, 16, 2)
	packets, err := EncodeSegment(f, audiotest.Plucks(f, 4*44100, 1))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := DecodeSegment(f, packets, 4*44100); err != nil {
			b.Fatal(err)
		}
	}
	realtime(b, 4*time.Second)
}

// realtime reports how many times faster than sound a benchmark ran.
func realtime(b *testing.B, each time.Duration) {
	b.ReportMetric(float64(each)*float64(b.N)/float64(b.Elapsed()), "x-realtime")
}

func FuzzDecodeSegment(f *testing.F) {
	cd := format(44100, 16, 2)
	for _, pcm := range signals(cd, 441) {
		packets, err := EncodeSegment(cd, pcm)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packets[0], 441)
	}
	f.Add([]byte{0xFF, 0xF8}, 4410)
	f.Fuzz(func(t *testing.T, packet []byte, frames int) {
		frames &= 0xFFFF
		pcm, err := DecodeSegment(cd, [][]byte{packet}, frames)
		if err == nil && len(pcm) != 2*frames {
			t.Errorf("%d samples for %d frames", len(pcm), frames)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error of another kind: %v", err)
		}
		// The checksums hide the decoder from flipped bits: mend them.
		if w := (&bitWriter{}); len(packet) > 10 {
			w.init()
			p := bytes.Clone(packet)
			p[7] = w.sum8(p[:7])
			s := w.sum16(p[:len(p)-2])
			p[len(p)-2], p[len(p)-1] = byte(s>>8), byte(s)
			if pcm, err := DecodeSegment(cd, [][]byte{p}, frames); err == nil && len(pcm) != 2*frames {
				t.Errorf("%d samples for %d frames", len(pcm), frames)
			}
		}
	})
}
