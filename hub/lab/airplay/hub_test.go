//go:build lab && linux

package airplay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/audio"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
)

// TestWholeHub plays a minute the whole way: a platform that encrypted and
// sold it, a hub that found the rooms by mDNS, paid, decrypted, decoded and
// sent it, and real receivers that played it.
func TestWholeHub(t *testing.T) {
	rig := startRig(t, 2, Options{Backends: []Backend{Pulse, Pipe}})
	for i := 1; ; i++ {
		figures, worst, err := playMinute(t, rig)
		if err == nil {
			t.Log("LAB airplay: " + figures)
			return
		}
		t.Logf("attempt %d: %s: %v", i, figures, err)
		if worst < forgiven || i == attempts {
			t.Fatal("the rooms did not play what was bought")
		}
	}
}

func startRig(t *testing.T, n int, o Options) *Rig {
	t.Helper()
	rig, err := Start(t.Context(), n, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range rig.Rooms {
			if t.Failed() {
				t.Logf("%s:\n%s", r.Name, rig.Log(r))
			}
		}
		if err := rig.Close(); err != nil {
			t.Error(err)
		}
	})
	return rig
}

// musicFolder is a folder with one piece of noise, which a recording can be
// found in.
func musicFolder(t *testing.T, f audio.Format, pcm []int32) string {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "noise.flac"))
	if err != nil {
		t.Fatal(err)
	}
	if err := flac.WriteStream(file, f, pcm); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// openHub starts a hub that takes the music to every room it finds, and waits
// until all are there, at full volume, with something to play.
func openHub(t *testing.T, rig *Rig, platform *origin.Origin) *app.Hub {
	t.Helper()
	hub, err := app.Open(t.Context(), app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: platform.URL(), Listen: "127.0.0.1:0",
		Discover: true, Rooms: []string{"all"}, Welcome: true,
	}, app.Options{Log: app.NewLogger(t.Output(), nil)})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, hub, "rooms, music and money", func(h room.House) bool {
		m, err := hub.Spending(t.Context())
		return err == nil && m.Balance > 0 && len(h.Rooms) == len(rig.Rooms) && len(h.Groups[0].Queue.Items) > 0
	})
	for _, r := range hub.State().Rooms {
		if err := hub.Do(t.Context(), room.SetVolume{Room: r.ID, Percent: 100}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, hub, "every speaker to be ready", func(h room.House) bool { return all(h, "ready") })
	return hub
}

func all(h room.House, state string) bool {
	for _, r := range h.Rooms {
		if r.Speaker.State != state {
			return false
		}
	}
	return true
}

func waitFor(t *testing.T, hub *app.Hub, what string, ok func(room.House) bool) {
	t.Helper()
	end := time.After(40 * time.Second)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok(hub.State()) {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("waited in vain for %s: %+v", what, hub.State())
		}
	}
}

// playMinute buys and plays a minute and judges what the rooms sounded. It
// also returns how long the machine stood still meanwhile.
func playMinute(t *testing.T, rig *Rig) (figures string, worst time.Duration, err error) {
	const seconds, demand = 60, 0.99
	pcm, want := source(seconds)
	platform := origintest.Start(t, origin.Config{Music: musicFolder(t, cd(), pcm), NoOpus: true})
	if err := platform.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	hub := openHub(t, rig, platform)
	defer func() { // a further attempt finds the speakers free
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := hub.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	rec, err := rig.Capture()
	if err != nil {
		t.Fatal(err)
	}
	watched, done := context.WithCancel(t.Context())
	defer done()
	still, used, tap := stalls(watched), processor(), time.Now()
	if err := hub.Do(t.Context(), room.Play{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, hub, "every room to play", func(h room.House) bool { return all(h, "playing") })
	began := time.Since(tap)
	end := time.After((seconds + 20) * time.Second)
	for hub.State().Groups[0].Transport != room.Stopped {
		select {
		case <-hub.Changed(hub.State().Version):
		case <-end:
			t.Fatalf("it did not come to its end: %+v", hub.State())
		}
	}
	used = processor() - used
	<-time.After(2 * time.Second) // what the rooms still hold
	done()
	worst = still()
	played, err := rec.Stop()
	if err != nil {
		t.Fatal(err)
	}
	heard, exact := Compare(want, played[0], demand), Compare(want, played[1], demand)
	equal := "different"
	if at := 2 * exact.Start; at >= 0 && at+len(want) <= len(played[1]) && hash(want) == hash(played[1][at:at+len(want)]) {
		equal = "equal"
	}
	money, merr := hub.Spending(t.Context())
	books, berr := platform.Books().Audit(t.Context())
	if merr != nil || berr != nil || int64(money.TotalPaid) != books.AmountMsat || books.EpochsTwice != 0 {
		t.Errorf("paid %v, the platform's books say %d msat (%v, %v)", money.TotalPaid, books.AmountMsat, merr, berr)
	}
	figures = fmt.Sprintf("whole hub rooms=%d seconds=%d dropouts=%d windows=%d/%d corr>=%.4f slips=%d hash=%s paid=%v tap-to-playing=%.2fs cpu=%.1f%% standstill=%dms",
		len(rig.Rooms), seconds, heard.Dropouts+exact.Dropouts, heard.Good, heard.Windows, heard.MinCorr, heard.Slips, equal,
		money.TotalPaid, began.Seconds(), 100*used.Seconds()/seconds, worst.Milliseconds())
	if heard.Dropouts+exact.Dropouts > 0 || heard.Slips > 882 || heard.Good < heard.Windows || heard.Windows != 2*seconds || equal != "equal" {
		return figures, worst, fmt.Errorf("by PulseAudio %+v, by pipe %+v", heard, exact)
	}
	return figures, worst, nil
}
