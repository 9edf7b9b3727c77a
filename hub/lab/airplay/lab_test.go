//go:build lab && linux

package airplay

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	sender "sonahub/airplay"
	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

func TestMain(m *testing.M) { os.Exit(Main(m.Run)) }

var cd = audio.Format{Rate: 44100, Channels: 2, Bits: 16}

// seconds is how long the rooms play.
const seconds = 15

// play feeds an output from one source in real time, as a player does: filled
// to its lead and two seconds.
func play(ctx context.Context, o audio.Output, pcm []int32, t audio.Timeline) error {
	if err := o.Start(ctx, cd, t); err != nil {
		return err
	}
	const block = 882
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for at := audio.Pos(0); int(at)*2 < len(pcm); {
		for fill := t.Pos(audio.System{}.Now().Add(o.Lead() + 2*time.Second)); at < fill && int(at)*2 < len(pcm); {
			end := min(int(at+block)*2, len(pcm))
			if err := o.Write(&audio.Block{Format: cd, At: at, PCM: pcm[at*2 : end]}); err != nil {
				return err
			}
			at = audio.Pos(end / 2)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// await waits until every member is in the state.
func await(t *testing.T, o audio.Output, want audio.State) {
	t.Helper()
	end := time.After(15 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok := true
		for _, s := range o.Status() {
			ok = ok && s.State == want
		}
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("members are not %v: %+v", want, o.Status())
		}
	}
}

func hash(pcm []int16) string {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, pcm)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

func TestRoomsPlay(t *testing.T) {
	ctx := t.Context()
	rig, err := Start(ctx, 2, Options{Backends: []Backend{Pulse, Pipe}, Verbose: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			for _, r := range rig.Rooms {
				t.Logf("%s:\n%s", r.Name, rig.Log(r))
			}
		}
		if err := rig.Close(); err != nil {
			t.Error(err)
		}
	}()
	var reg sender.Registry
	for _, r := range rig.Rooms {
		reg.Put(sender.Speaker{ID: r.MAC, Name: r.Name, Addrs: []netip.AddrPort{r.Addr}})
	}
	out := &sender.Output{Directory: &reg, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	defer out.Close()
	for _, r := range rig.Rooms {
		if err := out.Join(ctx, audio.Member{ID: r.MAC}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, out, audio.Ready)
	rec, err := rig.Capture()
	if err != nil {
		t.Fatal(err)
	}
	pcm := audiotest.Noise(cd, -9, seconds*44100, 1)
	source := make([]int16, len(pcm))
	for i, s := range pcm {
		source[i] = int16(s)
	}
	line := audio.Timeline{Zero: audio.System{}.Now().Add(out.Lead() + 200*time.Millisecond), Rate: 44100}
	if err := play(ctx, out, pcm, line); err != nil {
		t.Fatal(err)
	}
	await(t, out, audio.Playing)
	for _, s := range out.Status() {
		if !s.BitExact || s.Evidence != audio.Derived {
			t.Errorf("%+v", s)
		}
	}
	<-time.After(line.Instant(seconds*44100).Sub(audio.System{}.Now()) + 2*time.Second)
	played, err := rec.Stop()
	if err != nil {
		t.Fatal(err)
	}
	const demand = 0.999
	for i, p := range [][]int16{source, played[0], played[1]} {
		f, _ := os.Create(fmt.Sprintf("/tmp/airplay/rec%d.raw", i))
		_ = binary.Write(f, binary.LittleEndian, p)
		f.Close()
	}
	heard, exact := Compare(source, played[0], demand), Compare(source, played[1], demand)
	t.Logf("pulse %+v; pipe %+v", heard, exact)
	verdict := "different"
	if exact.Equal {
		at := 2 * exact.Start
		if a, b := hash(source), hash(played[1][at:at+len(source)]); a == b {
			verdict = "equal"
		}
	}
	if heard.Dropouts+exact.Dropouts > 0 || heard.Good < heard.Windows || heard.Windows != 2*seconds || verdict != "equal" {
		t.Error("the rooms did not play what was sent")
	}
	t.Logf("LAB airplay: rooms=%d seconds=%d dropouts=%d windows=%d/%d corr>=%.4f slips=%d hash=%s", len(rig.Rooms), seconds,
		heard.Dropouts+exact.Dropouts, heard.Good, heard.Windows, heard.MinCorr, heard.Slips, verdict)
}
