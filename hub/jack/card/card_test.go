package card

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/hub/audio"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// proc makes a /proc of a process with open files and a card 1 with device 0.
func proc(t *testing.T, open []string, owner, params string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "self/fd"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "self/task/4711"), 0o755))
	for i, to := range open {
		must(t, os.Symlink(to, filepath.Join(dir, "self/fd", string(rune('3'+i)))))
	}
	sub := filepath.Join(dir, "asound/card1/pcm0p/sub0")
	must(t, os.MkdirAll(sub, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "asound/card1/id"), []byte("Headphones\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(sub, "status"), []byte("state: RUNNING\nowner_pid   : "+owner+"\ndelay: 960\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(sub, "hw_params"), []byte(params), 0o644))
	return dir
}

const (
	direct = "access: MMAP_INTERLEAVED\nformat: S16_LE\nsubformat: STD\nchannels: 2\nrate: 44100 (44100/1)\nperiod_size: 1323\nbuffer_size: 2646\n"
	iec    = "format: IEC958_SUBFRAME_LE\nrate: 44100 (44100/1)\nperiod_size: 1323\nbuffer_size: 2646\n"
	at48   = "format: S32_LE\nrate: 48000 (48000/1)\nperiod_size: 1024\nbuffer_size: 4096\n"
)

func TestHardware(t *testing.T) {
	pcm, timer := "/dev/snd/pcmC1D0p", "/dev/snd/timer"
	for _, tt := range []struct {
		name    string
		open    []string
		owner   string
		params  string
		bits    int
		latency time.Duration
		block   audio.Pos
		inexact string // part of it; empty = exact
	}{
		{"direct", []string{"/dev/null", pcm}, "4711", direct, 16, 90 * time.Millisecond, 1323, ""},
		{"mixed by ALSA", []string{pcm, timer}, "4711", at48, 32, 106666 * time.Microsecond, 941, "shared"},
		{"another rate", []string{pcm}, "4711", at48, 32, 106666 * time.Microsecond, 941, "48000"},
		{"digital frames", []string{pcm}, "4711", iec, 0, 90 * time.Millisecond, 1323, "format"},
		{"somebody else's", []string{pcm}, "99", direct, 0, 90 * time.Millisecond, 2646, "server"},
		{"nothing open", []string{"/dev/null"}, "4711", direct, 0, 90 * time.Millisecond, 2646, "server"},
		{"recording", []string{"/dev/snd/pcmC1D0c"}, "4711", direct, 0, 90 * time.Millisecond, 2646, "server"},
		{"closed", []string{pcm}, "4711", "closed\n", 0, 90 * time.Millisecond, 2646, "server"},
		{"nonsense", []string{pcm}, "4711", "format: S16_LE\nrate: -5\nperiod_size: 99999999999\n", 16, 90 * time.Millisecond, 2646, "server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Card
			c.describe(44100, inspect(proc(t, tt.open, tt.owner, tt.params)))
			i := c.Info()
			if i.Bits != tt.bits || i.Latency.Truncate(time.Microsecond) != tt.latency || c.block != tt.block {
				t.Errorf("%+v, block %d", i, c.block)
			}
			if (tt.inexact == "") != (i.Inexact == "") || !strings.Contains(i.Inexact, tt.inexact) {
				t.Errorf("inexact: %q", i.Inexact)
			}
			if tt.inexact == "" && i.Name != "Headphones" {
				t.Errorf("name %q", i.Name)
			}
		})
	}
}

// What oto says becomes one line; all of it stays within reach.
func TestExplain(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(with, "pcmC0D0p"), nil, 0o644))
	pulse := "oto: initialization failed: PulseAudio: oto: PulseAudio client initialization failed: no server; ALSA: "
	failed := pulse + `oto: ALSA device initialization failed: "default": oto: ALSA error at snd_pcm_open: `
	for _, tt := range []struct{ said, dev, want string }{
		{pulse + "oto: failed to load libasound: libasound.so: cannot open shared object file", with, "apt install libasound2"},
		{failed + `No such file or directory, "plug:default": oto: ALSA error at snd_pcm_open: No such file or directory`, without, "there is no playback device"},
		{failed + "Device or resource busy", with, "another program"},
		{failed + "Permission denied", with, "group audio"},
		{failed + `Invalid argument, "plug:default": oto: ALSA error at snd_pcm_open: No such device`, with, "(snd_pcm_open: Invalid argument)"},
		{strings.Repeat("x", 1000), with, "(" + strings.Repeat("x", 200) + ")"},
	} {
		err := explain(errors.New(tt.said), tt.dev)
		if got := err.Error(); !strings.HasPrefix(got, "no sound card found (") || !strings.Contains(got, tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%q became %q, want %q", tt.said, got, tt.want)
		}
		var f *Fault
		if !errors.As(err, &f) || f.Err.Error() != tt.said {
			t.Errorf("what was said is lost: %v", err)
		}
	}
}

// Floats of 32 bits hold every sample that the renderer makes.
func TestReadIsExact(t *testing.T) {
	c := &Card{fill: func(dst []float64) {
		for i := range dst {
			dst[i] = float64(1<<23-1-i) / (1 << 23)
		}
	}}
	p := make([]byte, 8*100+5)
	n, err := reader{c}.Read(p)
	if n != 800 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for i := range 200 {
		if got := float64(float(p[4*i:])) * (1 << 23); got != float64(1<<23-1-i) {
			t.Fatalf("sample %d is %v", i, got)
		}
	}
}

func float(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
