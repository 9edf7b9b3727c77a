package jack_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/audiotest/outputtest"
	"sonahub/hub/jack"
	"sonahub/hub/jack/child"
	"sonahub/hub/jack/jacktest"
)

// TestMain makes the test binary its own child: with a test card that records
// into the folder named by the environment, or with the real one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == jack.ChildArg {
		os.Exit(jack.Child(os.Stdin, os.Stdout, os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "test-child" {
		os.Exit(testChild(os.Stdin, os.Stdout, os.Args[2]))
	}
	if len(os.Args) > 2 && os.Args[1] == "test-parent" {
		os.Exit(parent(os.Args[2]))
	}
	os.Exit(m.Run())
}

func testChild(in io.Reader, out io.Writer, dir string) int {
	open := func(_ context.Context, rate audio.Rate) (child.Device, error) {
		heard, err := jacktest.File(dir, rate, audio.System{}.Now())
		// A busy machine may keep a process from running for a while.
		return &jacktest.Card{Rate: rate, Heard: heard, Period: 200 * time.Millisecond}, err
	}
	if err := child.Run(in, out, child.Options{Open: open}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func formats() []audio.Format {
	return []audio.Format{{Rate: 44100, Channels: 2, Bits: 16}, {Rate: 48000, Channels: 2, Bits: 24}, {Rate: 48000, Channels: 2, Bits: 16}}
}

// heard makes integers of what a card sounded, at the depth at which they are
// whole: 24 bit holds everything that the card of the tests does.
func heard(sounds []jacktest.Sound) []outputtest.Heard {
	var out []outputtest.Heard
	for _, s := range sounds {
		bits := 16
		pcm, ok := s.Integers(bits)
		if !ok {
			bits = 24
			pcm, _ = s.Integers(bits)
		}
		out = append(out, outputtest.Heard{At: s.At, Format: audio.Format{Rate: s.Rate, Channels: 2, Bits: bits}, PCM: pcm})
	}
	return out
}

func rig(o *jack.Output, clock audio.Clock, sounds func() []jacktest.Sound) *outputtest.Rig {
	return &outputtest.Rig{
		Output:  o,
		Clock:   clock,
		Formats: formats(),
		Member:  func() string { return "jack" },
		Members: 1,
		Heard:   func(string) []outputtest.Heard { return heard(sounds()) },
		Start:   time.Millisecond,
		Drift:   2 * time.Millisecond,
		Between: 600 * time.Millisecond,
		Wait:    3 * time.Second,
	}
}

func TestConformanceInBubble(t *testing.T) {
	outputtest.RunBubble(t, func(*testing.T) *outputtest.Rig {
		var rec jacktest.Recorder
		clock := audiotest.Clock{}
		o := jack.NewInProcess(jack.Options{Clock: clock}, noCards, func(_ context.Context, rate audio.Rate) (child.Device, error) {
			return &jacktest.Card{Rate: rate, Clock: clock, Heard: rec.Heard(rate), Chunk: 1000}, nil
		})
		return rig(o, clock, rec.Sounds)
	})
}

func noCards() string { return "" }

// The same with real processes and pipes, in real time.
func TestConformance(t *testing.T) {
	outputtest.Run(t, func(t *testing.T) *outputtest.Rig {
		dir := t.TempDir()
		r := rig(jack.New(jack.Options{Command: testCommand(t, dir), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}), nil, func() []jacktest.Sound {
			sounds, err := jacktest.Files(dir)
			if err != nil {
				t.Error(err)
			}
			return sounds
		})
		r.Start, r.Drift = 20*time.Millisecond, 20*time.Millisecond // the machine is busy
		r.Between, r.Slack, r.Wait = 1800*time.Millisecond, 500*time.Millisecond, 5*time.Second
		return r
	})
}

func testCommand(t *testing.T, dir string) func() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func() *exec.Cmd { return exec.Command(self, "test-child", dir) }
}
