package virtual_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/virtual"
)

// wav reads a plain PCM WAV by its header; it shares nothing with the writer.
func wav(t *testing.T, name string) (audio.Format, []int32) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" || le.Uint16(b[20:]) != 1 {
		t.Fatalf("%s is no WAV: %q", name, b[:min(44, len(b))])
	}
	f := audio.Format{Rate: audio.Rate(le.Uint32(b[24:])), Channels: int(le.Uint16(b[22:])), Bits: int(le.Uint16(b[34:]))}
	frame := f.Channels * f.Bits / 8
	if int(le.Uint16(b[32:])) != frame || int(le.Uint32(b[28:])) != int(f.Rate)*frame {
		t.Errorf("%s: block align %d, bytes per second %d for %v", name, le.Uint16(b[32:]), le.Uint32(b[28:]), f)
	}
	size := int(le.Uint32(b[40:]))
	if 44+size > len(b) || int(le.Uint32(b[4:])) != 36+size {
		t.Fatalf("%s: sizes %d and %d in %d bytes", name, le.Uint32(b[4:]), size, len(b))
	}
	var pcm []int32
	for d := b[44 : 44+size]; len(d) > 0; d = d[f.Bits/8:] {
		if f.Bits == 16 {
			pcm = append(pcm, int32(int16(le.Uint16(d))))
		} else {
			pcm = append(pcm, int32(uint32(d[0])<<8|uint32(d[1])<<16|uint32(d[2])<<24)>>8)
		}
	}
	return f, pcm
}

type sideLine struct {
	WAV                     string
	At, Pos, Frames, Offset int64
	Rate, Bits, Channels    int
	Gap                     bool
}

func sidecar(t *testing.T, name string) []sideLine {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []sideLine
	for sc := bufio.NewScanner(file); sc.Scan(); {
		var l sideLine
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("%s: %q: %v", name, sc.Text(), err)
		}
		lines = append(lines, l)
	}
	return lines
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write hands in pcm in blocks of 20 ms from position at on.
func write(t *testing.T, o audio.Output, f audio.Format, at audio.Pos, pcm []int32) {
	t.Helper()
	step := int(f.Rate.Frames(20*time.Millisecond)) * f.Channels
	for b := range slices.Chunk(pcm, step) {
		must(t, o.Write(&audio.Block{Format: f, At: at, PCM: b}))
		at += audio.Pos(len(b) / f.Channels)
	}
}

var bg = context.Background()

// Both formats land in files of their own that equal the source by hash, and
// the sidecar says when every frame sounded.
func TestFilesEqualTheSource(t *testing.T) {
	dir := t.TempDir()
	formats := []audio.Format{{Rate: 44100, Channels: 2, Bits: 16}, {Rate: 48000, Channels: 1, Bits: 24}}
	var lines []audio.Timeline
	synctest.Test(t, func(t *testing.T) {
		o := virtual.New(virtual.Options{Dir: dir, Clock: audiotest.Clock{}})
		must(t, o.Join(bg, audio.Member{ID: "../attic"}))
		line := audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead)}
		for i, f := range formats {
			line.Rate = f.Rate
			lines = append(lines, line)
			must(t, o.Start(bg, f, line))
			write(t, o, f, 0, audiotest.Noise(f, -6, int(f.Rate), uint64(i)))
			line.Zero = line.Zero.Add(time.Second)
		}
		<-time.After(3 * time.Second)
		must(t, o.Close())
	})
	for i, f := range formats {
		name := filepath.Join(dir, "%..%2Fattic", []string{"0001", "0002"}[i])
		got, pcm := wav(t, name+".wav")
		if want := audiotest.Noise(f, -6, int(f.Rate), uint64(i)); got != f || audiotest.SHA256(got, pcm) != audiotest.SHA256(f, want) {
			t.Errorf("file %d: %v with %d samples is not the source (%v, %d)", i+1, got, len(pcm), f, len(want))
		}
		side := sidecar(t, name+".jsonl")
		if h := side[0]; h.Rate != int(f.Rate) || h.Bits != f.Bits || h.Channels != f.Channels || h.WAV != filepath.Base(name)+".wav" {
			t.Errorf("file %d: sidecar begins with %+v", i+1, h)
		}
		next := int64(0)
		for _, l := range side[1:] {
			if l.Gap || l.Pos != next || l.Offset != next || audio.Instant(l.At) != lines[i].Instant(audio.Pos(l.Pos)) {
				t.Fatalf("file %d: line %+v, expected position %d at %d", i+1, l, next, lines[i].Instant(audio.Pos(next)))
			}
			next += l.Frames
		}
		if next != int64(f.Rate) {
			t.Errorf("file %d: the sidecar tells %d frames of %d", i+1, next, f.Rate)
		}
	}
}

// A process that dies leaves a readable file that lacks a second at most.
func TestFileIsValidWithoutClose(t *testing.T) {
	dir := t.TempDir()
	f := audio.Format{Rate: 48000, Channels: 2, Bits: 24}
	synctest.Test(t, func(t *testing.T) {
		o := virtual.New(virtual.Options{Dir: dir, Clock: audiotest.Clock{}})
		must(t, o.Join(bg, audio.Member{ID: "a"}))
		must(t, o.Start(bg, f, audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead), Rate: f.Rate}))
		source := audiotest.Noise(f, -6, 5*48000, 1)
		write(t, o, f, 0, source)
		<-time.After(virtual.Lead + 3500*time.Millisecond)
		synctest.Wait()
		_, pcm := wav(t, filepath.Join(dir, "a", "0001.wav"))
		if n := len(pcm) / 2; n < 48000*5/2 || !slices.Equal(pcm, source[:len(pcm)]) {
			t.Errorf("3.5 s into the run the file reads as %d frames", n)
		}
		must(t, o.Close())
	})
}

// What was not there in time is a line in the sidecar, not silence in the WAV.
func TestGapIsTold(t *testing.T) {
	dir := t.TempDir()
	f := audio.Format{Rate: 48000, Channels: 2, Bits: 16}
	synctest.Test(t, func(t *testing.T) {
		o := virtual.New(virtual.Options{Dir: dir, Clock: audiotest.Clock{}})
		must(t, o.Join(bg, audio.Member{ID: "a"}))
		line := audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead), Rate: f.Rate}
		must(t, o.Start(bg, f, line))
		source := audiotest.Noise(f, -6, 48000, 1)
		write(t, o, f, 0, source[:2*4800])
		<-time.After(line.Instant(9600).Sub(audiotest.Clock{}.Now()))
		write(t, o, f, 4800, source[2*4800:])
		<-time.After(time.Second)
		must(t, o.Close())
		_, pcm := wav(t, filepath.Join(dir, "a", "0001.wav"))
		if want := slices.Concat(source[:2*4800], source[2*9600:]); !slices.Equal(pcm, want) {
			t.Errorf("the file has %d samples, want %d", len(pcm), len(want))
		}
	})
	var gap int64
	for _, l := range sidecar(t, filepath.Join(dir, "a", "0001.jsonl"))[1:] {
		if l.Gap {
			gap += l.Frames
		}
	}
	if gap != 4800 {
		t.Errorf("the sidecar tells a gap of %d frames, want 4800", gap)
	}
}

// Disk use is bounded: the oldest pair goes first, and numbers go on over a
// restart.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	f := audio.Format{Rate: 8000, Channels: 1, Bits: 16}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			o := virtual.New(virtual.Options{Dir: dir, Keep: 4 * time.Second, Clock: audiotest.Clock{}})
			must(t, o.Join(bg, audio.Member{ID: "a"}))
			must(t, o.Start(bg, f, audio.Timeline{Zero: audiotest.Clock{}.Now(), Rate: f.Rate}))
			for i := range audio.Pos(10) {
				write(t, o, f, i*8000, make([]int32, 8000))
				<-time.After(time.Second)
			}
			must(t, o.Close())
		})
	}
	names, _ := filepath.Glob(filepath.Join(dir, "a", "*"))
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if len(names) > 8 || len(names) < 6 || slices.Contains(names, "0001.wav") || names[len(names)-1] < "0018.wav" {
		t.Errorf("4 s are to be kept in pairs of 1 s; after 2 x 10 s there are %v", names)
	}
}

// A disk that refuses costs the files, not the sound, and the status says so.
func TestDiskFault(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600)) // where the folder should be
	f := audio.Format{Rate: 48000, Channels: 2, Bits: 16}
	source := audiotest.Noise(f, -6, 9600, 1)
	synctest.Test(t, func(t *testing.T) {
		var rec virtual.Recorder
		o := virtual.New(virtual.Options{Dir: dir, Clock: audiotest.Clock{}, Capture: rec.Capture})
		must(t, o.Join(bg, audio.Member{ID: "a"}))
		must(t, o.Start(bg, f, audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead), Rate: f.Rate}))
		write(t, o, f, 0, source)
		<-time.After(time.Second)
		if st := o.Status(); st[0].Err == nil || !strings.Contains(st[0].Err.Error(), "not a directory") {
			t.Errorf("status: %+v", st)
		}
		must(t, o.Close())
		if !slices.Equal(rec.PCM("a"), source) {
			t.Error("the sound went with the files")
		}
	})
}

// Not at unity the sound is scaled and dithered, at unity untouched, muted
// silent; and the status says why it is not bit-exact.
func TestGain(t *testing.T) {
	f := audio.Format{Rate: 48000, Channels: 1, Bits: 16}
	source := audiotest.Sine(f, 1000, -6, 48000)
	for _, tt := range []struct {
		gain  audio.Gain
		sinad float64 // at least, dB
	}{{-12, 74}, {audio.Unity, 86}} {
		synctest.Test(t, func(t *testing.T) {
			var rec virtual.Recorder
			o := virtual.New(virtual.Options{Clock: audiotest.Clock{}, Capture: rec.Capture})
			must(t, o.Join(bg, audio.Member{ID: "a", Gain: tt.gain}))
			must(t, o.Start(bg, f, audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead), Rate: f.Rate}))
			write(t, o, f, 0, source)
			<-time.After(2 * time.Second)
			st := o.Status()[0]
			must(t, o.Close())
			got := rec.PCM("a")
			unity := tt.gain == audio.Unity
			if slices.Equal(got, source) != unity || st.BitExact != unity || (st.Why == "") != unity {
				t.Errorf("gain %v: untouched %v, status %+v", tt.gain, slices.Equal(got, source), st)
			}
			x := make([]float64, len(got))
			for i := range got {
				x[i] = float64(got[i]) / 32768
			}
			if s := audiotest.SINAD(x[:audiotest.WholePeriods(f.Rate, 1000, len(x))], f.Rate, 1000); s < tt.sinad {
				t.Errorf("gain %v: SINAD %.1f dB, want %v", tt.gain, s, tt.sinad)
			}
		})
	}
}

// Who was held up has missed what passed meanwhile: it does not catch up.
func TestStallIsAGap(t *testing.T) {
	f := audio.Format{Rate: 48000, Channels: 1, Bits: 16}
	synctest.Test(t, func(t *testing.T) {
		var rec virtual.Recorder
		o := virtual.New(virtual.Options{Clock: audiotest.Clock{}, Capture: rec.Capture})
		must(t, o.Join(bg, audio.Member{ID: "a"}))
		line := audio.Timeline{Zero: audiotest.Clock{}.Now().Add(virtual.Lead), Rate: f.Rate}
		must(t, o.Start(bg, f, line))
		write(t, o, f, 0, audiotest.Noise(f, -6, 48000, 1))
		<-time.After(virtual.Lead + 100*time.Millisecond)
		must(t, o.Stall("a", true))
		<-time.After(310 * time.Millisecond) // not the edge of a block
		if st := o.Status()[0]; st.State != audio.Stalled {
			t.Errorf("held up, it is %v", st.State)
		}
		must(t, o.Stall("a", false))
		<-time.After(time.Second)
		must(t, o.Close())
		var gaps [][2]audio.Pos
		for _, p := range rec.Played("a") {
			if p.PCM == nil {
				gaps = append(gaps, [2]audio.Pos{p.Pos, p.Pos + p.Frames})
			}
		}
		if len(gaps) != 1 || gaps[0] != [2]audio.Pos{4800, 19680} {
			t.Errorf("gaps %v, want one of [4800 19680]", gaps)
		}
	})
}
