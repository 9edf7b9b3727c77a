package virtual_test

import (
	"fmt"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/audiotest/outputtest"
	"sonahub/hub/virtual"
)

func open(dir func() string, clock audio.Clock) outputtest.Open {
	return func(*testing.T) *outputtest.Rig {
		var rec virtual.Recorder
		o := virtual.New(virtual.Options{Dir: dir(), Clock: clock, Capture: rec.Capture})
		members := 0
		return &outputtest.Rig{
			Output:  o,
			Clock:   clock,
			Formats: []audio.Format{{Rate: 44100, Channels: 2, Bits: 16}, {Rate: 48000, Channels: 2, Bits: 24}, {Rate: 44100, Channels: 2, Bits: 24}},
			Member: func() string {
				members++
				return fmt.Sprintf("room %d", members)
			},
			Stall: func(id string, stalled bool) { _ = o.Stall(id, stalled) },
			Heard: func(id string) []outputtest.Heard {
				var heard []outputtest.Heard
				for _, p := range rec.Played(id) {
					if p.PCM != nil {
						heard = append(heard, outputtest.Heard{At: p.At, Format: p.Format, PCM: p.PCM})
					}
				}
				return heard
			},
		}
	}
}

func TestConformance(t *testing.T) {
	outputtest.Run(t, open(func() string { return "" }, nil))
}

func TestConformanceInBubble(t *testing.T) {
	outputtest.RunBubble(t, open(func() string { return "" }, audiotest.Clock{}))
}
