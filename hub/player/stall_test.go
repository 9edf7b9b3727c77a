package player_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/player"
	"sonahub/hub/virtual"
)

// TestOneStalledAmongFour stalls one of four outputs for three seconds: the
// others do not miss a frame and stay in time with each other, the stalled one
// comes back on the running timeline.
func TestOneStalledAmongFour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := noise(cd, 12, 1)
		clock := audiotest.Clock{}
		rec := &virtual.Recorder{}
		p := &player.Player{Clock: clock, Playlist: &tape{pieces: []piece{a}}, Listener: &diary{}}
		p.Start(t.Context())
		ids := []string{"one", "two", "three", "four"}
		outs := make([]*virtual.Output, len(ids))
		for i, id := range ids {
			outs[i] = virtual.New(virtual.Options{Clock: clock, Capture: rec.Capture, Ring: 4 * time.Second})
			p.Attach(outs[i], audio.Member{ID: id})
		}
		p.Load(0, 0, false)
		wait(4 * time.Second)
		if err := outs[2].Stall("three", true); err != nil {
			t.Fatal(err)
		}
		wait(3 * time.Second)
		if err := outs[2].Stall("three", false); err != nil {
			t.Fatal(err)
		}
		wait(8 * time.Second)
		p.Close()
		for _, o := range outs {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
		first := rec.Played("one")
		for _, id := range []string{"one", "two", "four"} {
			if audiotest.SHA256(cd, rec.PCM(id)) != audiotest.SHA256(cd, a.pcm) {
				t.Errorf("room %s did not sound the piece as it is", id)
			}
			if got := rec.Played(id); got[0].At != first[0].At {
				t.Errorf("room %s began %v after the first", id, got[0].At.Sub(first[0].At))
			}
		}
		var missed, heard audio.Pos
		played := rec.Played("three")
		for _, x := range played {
			if x.PCM == nil {
				missed += x.Frames
			} else {
				heard += x.Frames
			}
		}
		if missed.Duration(44100).Round(100*time.Millisecond) != 3*time.Second || heard+missed != a.frames() {
			t.Errorf("the stalled room missed %v and heard %v of 12 s", missed.Duration(44100), heard.Duration(44100))
		}
		last, end := played[len(played)-1], first[len(first)-1]
		if a, b := last.At.Add(last.Frames.Duration(44100)), end.At.Add(end.Frames.Duration(44100)); a.Sub(b).Abs() > time.Millisecond {
			t.Errorf("the stalled room ended %v after the others", a.Sub(b))
		}
	})
}
