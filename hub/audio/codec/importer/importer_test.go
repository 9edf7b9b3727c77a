package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec/flac"
)

// write puts bytes into a file of the test's own folder.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load opens a file, reads all of it and closes it.
func load(t testing.TB, path string) (*Track, []int32) {
	t.Helper()
	tr, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f, pcm, err := audiotest.Collect(context.Background(), tr)
	if err != nil {
		t.Fatal(err)
	}
	if f != tr.Format {
		t.Errorf("blocks of %v from a track of %v", f, tr.Format)
	}
	if tr.Frames >= 0 && int(tr.Frames)*f.Channels != len(pcm) {
		t.Errorf("%d samples from %d frames", len(pcm), tr.Frames)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	return tr, pcm
}

// whyNot returns the reason why a file cannot be read to its end.
func whyNot(t testing.TB, path string) string {
	t.Helper()
	tr, err := Open(path)
	if err == nil {
		defer tr.Close()
		_, _, err = audiotest.Collect(context.Background(), tr)
	}
	var u *Unreadable
	if !errors.As(err, &u) {
		t.Fatalf("%s: error %v is not *Unreadable", path, err)
	}
	if errors.Is(err, io.EOF) {
		t.Errorf("%s: %v passes for a clean end", path, err)
	}
	if u.Path != path {
		t.Errorf("error names %q", u.Path)
	}
	return u.Reason
}

func flacFile(t testing.TB, f audio.Format, pcm []int32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := flac.WriteStream(&b, f, pcm); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFLAC(t *testing.T) {
	for _, c := range []struct {
		rate           audio.Rate
		bits, channels int
		want, shift    int
	}{
		{44100, 16, 2, 16, 0}, {48000, 24, 2, 24, 0}, {96000, 24, 1, 24, 0},
		{11025, 8, 1, 16, 8}, {48000, 20, 2, 24, 4}, {44100, 12, 2, 16, 4},
	} {
		f := audio.Format{Rate: c.rate, Bits: c.bits, Channels: c.channels}
		pcm := audiotest.Plucks(f, 20001, 1)
		tr, got := load(t, write(t, "a.flac", flacFile(t, f, pcm)))
		for i := range pcm {
			pcm[i] <<= c.shift
		}
		f.Bits = c.want
		if tr.Format != f || tr.Frames != 20001 || tr.Kind != "flac" || !tr.Lossless || !slices.Equal(got, pcm) {
			t.Errorf("%v: %v, %d frames, equal %v", f, tr.Format, tr.Frames, slices.Equal(got, pcm))
		}
	}
}

func TestFLACTagsAndCover(t *testing.T) {
	f := audio.Format{Rate: 44100, Bits: 16, Channels: 2}
	file := flacFile(t, f, audiotest.Plucks(f, 5000, 1))
	png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 100)...)
	back := append([]byte("\xff\xd8\xff"), 1, 2, 3)
	block := func(kind byte, body []byte) []byte {
		return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	}
	comments := commentBlock("TITLE=Bl\x00ue\xff\nSky\u202e", "artist=Anna", "ARTIST=Second", "Album="+strings.Repeat("é", 600), "TRACKNUMBER=7/12", "broken")
	file[4] = 0 // STREAMINFO is no longer the last
	withTags := slices.Concat(file[:42], block(flacComments, comments), block(flacPicture, picture(4, back)),
		block(flacPicture, picture(3, png)), block(0x81, make([]byte, 10)), file[42:])
	tr, _ := load(t, write(t, "a.flac", withTags))
	want := Tags{Title: "Blue\uFFFDSky", Artist: "Anna", Album: strings.Repeat("é", 500), Index: 7}
	if tr.Tags != want {
		t.Errorf("tags %+v", tr.Tags)
	}
	if !bytes.Equal(tr.Cover, png) || tr.CoverMIME != "image/png" {
		t.Errorf("cover %q of %d bytes", tr.CoverMIME, len(tr.Cover))
	}
}

func commentBlock(list ...string) []byte {
	le := binary.LittleEndian
	b := append(le.AppendUint32(nil, 4), "test"...)
	b = le.AppendUint32(b, uint32(len(list)))
	for _, c := range list {
		b = append(le.AppendUint32(b, uint32(len(c))), c...)
	}
	return b
}

func picture(kind uint32, data []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, kind)
	b = append(be.AppendUint32(b, 9), "image/gif"...) // a lie that must not count
	b = be.AppendUint32(b, 0)
	b = append(b, make([]byte, 16)...)
	return append(be.AppendUint32(b, uint32(len(data))), data...)
}

func TestCoverBeside(t *testing.T) {
	f := audio.Format{Rate: 44100, Bits: 16, Channels: 1}
	path := write(t, "a.flac", flacFile(t, f, make([]int32, 100)))
	jpeg := []byte("\xff\xd8\xff\xe0rest")
	for name, data := range map[string][]byte{"cover.jpg": []byte("<html>"), "folder.jpg": jpeg} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if tr, _ := load(t, path); !bytes.Equal(tr.Cover, jpeg) || tr.CoverMIME != "image/jpeg" {
		t.Errorf("cover %q of %d bytes", tr.CoverMIME, len(tr.Cover))
	}
}

func TestFLACDamaged(t *testing.T) {
	f := audio.Format{Rate: 44100, Bits: 16, Channels: 2}
	file := flacFile(t, f, audiotest.Plucks(f, 20000, 1))
	sum := bytes.Clone(file)
	sum[30] ^= 1
	flip := bytes.Clone(file)
	flip[len(flip)*2/3] ^= 0x10
	surround := bytes.Clone(file)
	surround[20] = surround[20]&^0x0E | 5<<1
	for want, data := range map[string][]byte{
		"the file is truncated": file[:len(file)-2000],
		"the file is damaged: its sound does not match its checksum": sum,
		"the file is damaged":                            flip,
		"6 channels; only mono and stereo are supported": surround,
		"the file is empty":                              {},
	} {
		if got := whyNot(t, write(t, "a.flac", data)); got != want {
			t.Errorf("%q where %q was due", got, want)
		}
	}
	cut := file[:len(file)-2000]
	tr, err := Open(write(t, "a.flac", cut))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	_, pcm, err := audiotest.Collect(context.Background(), tr)
	if err == nil || len(pcm) < 2*2*4410 {
		t.Errorf("%d samples of a file that breaks off, error %v", len(pcm), err)
	}
	if _, again := tr.Read(context.Background()); again == nil || errors.Is(again, io.EOF) {
		t.Errorf("the error does not stay: %v", again)
	}
}

func TestKindsThatAreRefused(t *testing.T) {
	for head, want := range map[string]string{
		"\x00\x00\x00\x20ftypM4A ":        "AAC and ALAC in MP4 are not supported",
		"\xff\xf1\x50\x80":                "AAC is not supported",
		"FORM\x00\x00\x00\x00AIFF":        "AIFF is not supported",
		"MAC \x00":                        "Monkey's Audio is not supported",
		"wvpk":                            "WavPack is not supported",
		"DSD ":                            "DSD is not supported",
		"\xff\xfd\x00\x00":                "MPEG layers I and II are not supported",
		"<!DOCTYPE html>":                 "not a sound file of a known kind",
		"ID3\x04\x00\x00\x00\x00\x7f\x7f": "the file is truncated",
		"OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x13OpusHead": "Opus files are not supported",
		"RF64": "WAV files beyond 4 GiB (RF64) are not supported",
	} {
		if got := whyNot(t, write(t, "x", []byte(head))); got != want {
			t.Errorf("%q: %q where %q was due", head, got, want)
		}
	}
	if got := whyNot(t, t.TempDir()); got != "not a regular file" {
		t.Errorf("a folder: %q", got)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// wav makes a file of one format chunk and one data chunk, with odd chunks
// around them.
func wav(tag, channels, bits int, rate uint32, extensible bool, data []byte) []byte {
	le := binary.LittleEndian
	align := channels * bits / 8
	kind := tag
	if extensible {
		kind = wavExtensible
	}
	fm := le.AppendUint16(nil, uint16(kind))
	fm = le.AppendUint16(fm, uint16(channels))
	fm = le.AppendUint32(fm, rate)
	fm = le.AppendUint32(fm, rate*uint32(align))
	fm = le.AppendUint16(fm, uint16(align))
	fm = le.AppendUint16(fm, uint16(bits))
	if extensible {
		fm = append(fm, 22, 0, byte(bits), 0, 3, 0, 0, 0, byte(tag), 0)
		fm = append(fm, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	}
	info := append([]byte("INFO"), chunk("INAM", []byte("A Wave\x00"))...)
	info = append(info, chunk("ITRK", []byte("3"))...)
	return riff(chunk("junk", []byte("odd")), chunk("fmt ", fm), chunk("data", data), chunk("LIST", info))
}

// chunk makes one RIFF chunk, padded to an even length.
func chunk(name string, body []byte) []byte {
	c := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body))), body...)
	if len(body)%2 == 1 {
		c = append(c, 0)
	}
	return c
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func TestWAV(t *testing.T) {
	le := binary.LittleEndian
	f32 := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = le.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		bits int
		want []int32
	}{
		"8 bit":       {wav(wavPCM, 1, 8, 22050, false, []byte{0, 128, 255}), 16, []int32{-32768, 0, 127 << 8}},
		"16 bit":      {wav(wavPCM, 2, 16, 44100, false, []byte{1, 0, 0xff, 0xff, 0, 0x80, 0xff, 0x7f}), 16, []int32{1, -1, -32768, 32767}},
		"24 bit":      {wav(wavPCM, 1, 24, 48000, true, []byte{1, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0x80}), 24, []int32{1, -1, -1 << 23}},
		"32 bit":      {wav(wavPCM, 1, 32, 48000, false, []byte{0, 1, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0x80}), 24, []int32{1, 1<<23 - 1, -1 << 23}},
		"float":       {wav(wavFloat, 1, 32, 48000, true, f32(0.5, -1, 2, float32(math.NaN()))), 24, []int32{1 << 22, -1 << 23, 1<<23 - 1, 0}},
		"8 bit, even": {wav(wavPCM, 1, 8, 8000, true, []byte{129, 127}), 16, []int32{256, -256}},
	} {
		tr, got := load(t, write(t, "a.wav", c.file))
		if tr.Format.Bits != c.bits || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", name, tr.Format, got, c.want)
		}
		if tr.Tags != (Tags{Title: "A Wave", Index: 3}) || tr.Kind != "wav" {
			t.Errorf("%s: %s with tags %+v", name, tr.Kind, tr.Tags)
		}
	}
}

func TestWAVRefused(t *testing.T) {
	good := wav(wavPCM, 2, 16, 44100, false, make([]byte, 4000))
	streamed := bytes.Clone(good)
	at := bytes.Index(streamed, []byte("data"))
	binary.LittleEndian.PutUint32(streamed[at+4:], math.MaxUint32)
	if tr, _ := load(t, write(t, "s.wav", streamed[:at+8+4000])); tr.Frames != 1000 {
		t.Errorf("a WAV of unknown length has %d frames", tr.Frames)
	}
	for want, data := range map[string][]byte{
		"the file is truncated":                          good[:len(good)-100],
		"the WAV file does not say its format":           good[:20],
		"the WAV file holds no sound":                    good[:at],
		"compressed WAV (kind 0x55) is not supported":    wav(0x55, 2, 16, 44100, false, make([]byte, 40)),
		"WAV with samples of 64 bits is not supported":   wav(wavFloat, 1, 64, 44100, false, make([]byte, 80)),
		"a WAV file with 0 channels is not supported":    wav(wavPCM, 0, 16, 44100, false, nil),
		"6 channels; only mono and stereo are supported": wav(wavPCM, 6, 16, 44100, false, make([]byte, 120)),
		"a rate of 4000 Hz is not supported":             wav(wavPCM, 1, 16, 4000, false, make([]byte, 120)),
	} {
		if got := whyNot(t, write(t, "a.wav", data)); got != want {
			t.Errorf("%q where %q was due", got, want)
		}
	}
}

// run runs a tool for the test, or skips.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
