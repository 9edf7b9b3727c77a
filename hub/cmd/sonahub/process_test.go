package main

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/cmd/console/consoletest"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
)

func TestMain(m *testing.M) { consoletest.Main(m, main) }

// TestServe runs the hub as a process beside a platform in another one, asks
// it by the remote, and ends it in order.
func TestServe(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "hub")
	origintest.Music(t, dir, origintest.Track{Name: "1.flac", Format: audio.Format{Rate: 44100, Channels: 2, Bits: 16}, Frames: 44100 * 60, Title: "One", Seed: 1})
	o := origintest.Start(t, origin.Config{Music: dir, NoOpus: true})
	p := consoletest.Start(t, "serve", "--origin", o.URL(), "--state", state, "--listen", "127.0.0.1:0", "--jack=false", "--discover=false", "--rooms", "all", "--play")
	p.Until(10*time.Second, "page: http://localhost:", "/?code=")
	p.Until(20*time.Second, "playing", `"One"`, "Kitchen (virtual), Living room (virtual)", "an hour")
	if _, err := told(t, "ctl", "pause", "--state", state); err != nil {
		t.Error(err)
	}
	p.Until(5*time.Second, "paused")
	second := consoletest.Start(t, "serve", "--origin", o.URL(), "--state", state, "--listen", "127.0.0.1:0")
	second.Until(5*time.Second, "sonahub: another hub runs on the state folder", "--state")
	if code := second.Ended(3 * time.Second); code != 1 {
		t.Errorf("the second hub ended with %d", code)
	}
	p.Signal(syscall.SIGTERM)
	if code := p.Ended(3 * time.Second); code != 0 {
		t.Errorf("after SIGTERM it ended with %d:\n%s", code, p.Said())
	}
	if _, err := told(t, "ctl", "status", "--state", state); err == nil {
		t.Error("somebody answers for a hub that has ended")
	}
}
