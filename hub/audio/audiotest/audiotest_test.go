package audiotest

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
)

func TestSINADSeesTheRightFloor(t *testing.T) {
	const rate, hz = audio.Rate(48000), 997.0
	n := WholePeriods(rate, hz, 48000)
	if n != 48000 {
		t.Fatalf("whole periods of 997 Hz in a second: %d frames", n)
	}
	clean := SineFloat(rate, 1, hz, -6, n)
	if got := SINAD(clean, rate, hz); got < 250 {
		t.Errorf("a pure sine measures %.1f dB", got)
	}
	dirty := append([]float64(nil), clean...)
	second := SineFloat(rate, 1, 5000, -66, n)
	for i := range dirty {
		dirty[i] += second[i] + 0.25 // the offset must not count
	}
	if got := SINAD(dirty, rate, hz); math.Abs(got-60) > 0.01 {
		t.Errorf("a tone 60 dB below measures %.3f dB", got)
	}
	gap := append(append([]float64(nil), clean[:20000]...), clean[20001:]...)
	if got := SINAD(gap, rate, hz); got > 40 {
		t.Errorf("a missing frame measures %.1f dB: it must show", got)
	}
}

func TestQuantisedSineSitsAtItsDepth(t *testing.T) {
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	pcm := Sine(f, 1000, 0, 44100)
	x := make([]float64, 0, 44100)
	for i := 0; i < len(pcm); i += 2 {
		if pcm[i] > 32767 || pcm[i] < -32768 {
			t.Fatalf("sample %d is outside of 16 bits", pcm[i])
		}
		x = append(x, float64(pcm[i])/32768)
	}
	// 98.1 dB is the ideal of 16 bits, TPDF dither takes 4.8 of it.
	if got := SINAD(x, 44100, 1000); got < 92.5 || got > 94 {
		t.Errorf("16 bits with TPDF dither measure %.2f dB, want 93.3", got)
	}
}

func TestCollectRefusesGaps(t *testing.T) {
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	pcm := Plucks(f, 10000, 1)
	got, all, err := Collect(context.Background(), Slice(f, pcm, 441))
	if err != nil || got != f || SHA256(f, all) != SHA256(f, pcm) {
		t.Fatalf("Collect: %v, %v, %d samples of %d", got, err, len(all), len(pcm))
	}
	s := &slice{f: f, pcm: pcm, block: 441}
	if _, err := s.Read(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.at++
	bad := &joined{first: &audio.Block{Format: f, PCM: pcm[:882]}, rest: s}
	if _, _, err := Collect(context.Background(), bad); err == nil {
		t.Error("a gap of one frame was not noticed")
	}
}

type joined struct {
	first *audio.Block
	rest  audio.Source
}

func (j *joined) Read(ctx context.Context) (*audio.Block, error) {
	if b := j.first; b != nil {
		j.first = nil
		return b, nil
	}
	return j.rest.Read(ctx)
}

func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		start := c.Now()
		timer := time.NewTimer(3 * time.Second)
		<-timer.C
		if d := c.Now().Sub(start); d != 3*time.Second {
			t.Errorf("three seconds of bubble time were %v", d)
		}
	})
	var m Manual
	m.Advance(time.Second)
	if m.Now() != audio.Instant(time.Second) {
		t.Errorf("manual clock stands at %d", m.Now())
	}
}
