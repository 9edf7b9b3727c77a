package importer

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

// lossy are the files in testdata: what lame 3.100 and oggenc made of
// synthesised sound. TestEncodersOfToday makes them anew.
type lossyFile struct {
	name   string
	tool   string
	args   []string // before input and output
	f      audio.Format
	frames int
	seed   uint64
	title  string
}

func lossy() []lossyFile {
	cd := audio.Format{Rate: 44100, Bits: 16, Channels: 2}
	mono := audio.Format{Rate: 22050, Bits: 16, Channels: 1}
	dat := audio.Format{Rate: 48000, Bits: 16, Channels: 2}
	return []lossyFile{
		{"cbr.mp3", "lame", []string{"-S", "-b", "128", "--tt", "Señal", "--ta", "Nobody", "--tl", "Album", "--tn", "4/9", "--id3v2-utf16"}, cd, 20011, 1, "Señal"},
		{"vbr.mp3", "lame", []string{"-S", "-V", "5", "--id3v1-only", "--tt", "Old"}, dat, 24001, 2, "Old"},
		{"mpeg2.mp3", "lame", []string{"-S", "-b", "64"}, mono, 11025, 3, ""},
		{"stereo.ogg", "oggenc", []string{"-Q", "-q", "3", "--serial", "7", "-t", "Tönung", "-N", "2"}, cd, 20011, 4, "Tönung"},
		{"mono.ogg", "oggenc", []string{"-Q", "-q", "5", "--serial", "8"}, mono, 11025, 5, ""},
	}
}

func (l lossyFile) source() []int32 { return audiotest.Plucks(l.f, l.frames, l.seed) }

// wav makes the plain file that old programs understand.
func (l lossyFile) wav() []byte {
	le := binary.LittleEndian
	align := uint16(2 * l.f.Channels)
	fm := le.AppendUint16(nil, wavPCM)
	fm = le.AppendUint16(fm, uint16(l.f.Channels))
	fm = le.AppendUint32(fm, uint32(l.f.Rate))
	fm = le.AppendUint32(fm, uint32(l.f.Rate)*uint32(align))
	fm = le.AppendUint16(le.AppendUint16(fm, align), 16)
	var data []byte
	for _, s := range l.source() {
		data = le.AppendUint16(data, uint16(s))
	}
	return riff(chunk("fmt ", fm), chunk("data", data))
}

// checkLossy compares a decoded file with what was encoded: every frame
// there, none too many, each where it was.
func checkLossy(t *testing.T, l lossyFile, path string) {
	t.Helper()
	tr, got := load(t, path)
	if tr.Format != l.f || int(tr.Frames) != l.frames || tr.Lossless || tr.Tags.Title != l.title {
		t.Errorf("%s: %v, %d frames, title %q; want %v, %d, %q", l.name, tr.Format, tr.Frames, tr.Tags.Title, l.f, l.frames, l.title)
	}
	want := l.source()
	ch := l.f.Channels
	if len(got) != len(want) {
		t.Fatalf("%s: %d samples of %d", l.name, len(got), len(want))
	}
	best, at := math.Inf(-1), 0
	for lag := -40; lag <= 40; lag++ {
		if s := snr(want, got, lag, ch); s > best {
			best, at = s, lag
		}
	}
	if at != 0 || best < 6 {
		t.Errorf("%s: matches best (%.1f dB) with a shift of %d frames", l.name, best, at)
	}
}

// snr compares got, moved by lag frames, with want in the middle of both.
func snr(want, got []int32, lag, ch int) float64 {
	var signal, noise float64
	for i := 100 * ch; i < len(want)-100*ch; i++ {
		w, d := float64(want[i]), float64(want[i]-got[i+lag*ch])
		signal += w * w
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

func TestGapless(t *testing.T) {
	for _, l := range lossy() {
		checkLossy(t, l, filepath.Join("testdata", l.name))
	}
}

// TestEncodersOfToday encodes with the programs of this machine. With
// MAKE_TESTDATA=1 the results replace those in testdata.
func TestEncodersOfToday(t *testing.T) {
	for _, l := range lossy() {
		t.Run(l.name, func(t *testing.T) {
			if _, err := exec.LookPath(l.tool); err != nil {
				t.Skipf("%s is missing: apt-get install lame vorbis-tools", l.tool)
			}
			in := write(t, "in.wav", l.wav())
			out := filepath.Join(t.TempDir(), l.name)
			args := append(l.args, in, out)
			if l.tool == "oggenc" {
				args = append(l.args, "-o", out, in)
			}
			run(t, l.tool, args...)
			checkLossy(t, l, out)
			if os.Getenv("MAKE_TESTDATA") == "" {
				return
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("testdata", l.name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTruncatedLossy(t *testing.T) {
	for _, l := range lossy() {
		data, err := os.ReadFile(filepath.Join("testdata", l.name))
		if err != nil {
			t.Fatal(err)
		}
		if got := whyNot(t, write(t, l.name, data[:len(data)*2/3])); got != string(errTruncated) {
			t.Errorf("%s: %q", l.name, got)
		}
	}
}
