package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sonahub/hub/api"
	"sonahub/hub/app"
	"sonahub/hub/audio"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
)

// told runs the command line and returns what it printed.
func told(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(args, &out, &log)
	return out.String(), err
}

// TestRemote drives a real hub by every command of the remote, in words and
// in JSON, and reads what it answers to nonsense.
func TestRemote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cd := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	origintest.Music(t, dir, origintest.Track{Name: "1.flac", Format: cd, Frames: 44100 * 30, Title: "One", Seed: 1},
		origintest.Track{Name: "2.flac", Format: cd, Frames: 44100 * 30, Title: "Two", Seed: 2})
	o := origintest.Start(t, origin.Config{Music: dir, NoOpus: true})
	if err := o.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "hub")
	hub, err := app.Open(t.Context(), app.Config{State: state, Origin: o.URL(), Listen: "127.0.0.1:0", Virtual: 2, Welcome: true}, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := hub.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	ctl := func(args ...string) string {
		t.Helper()
		out, err := told(t, append([]string{"ctl", "--state", state}, args...)...)
		if err != nil {
			t.Fatalf("ctl %v: %v", args, err)
		}
		return out
	}
	status := func() (s api.State) {
		t.Helper()
		if err := json.Unmarshal([]byte(ctl("status", "--json")), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	until := func(what string, ok func(api.State) bool) {
		t.Helper()
		end, look := time.After(15*time.Second), time.NewTicker(50*time.Millisecond)
		defer look.Stop()
		for {
			s := status()
			if ok(s) {
				return
			}
			select {
			case <-look.C:
			case <-end:
				t.Fatalf("waited in vain for %s: %+v", what, s.Groups)
			}
		}
	}
	until("music and money", func(s api.State) bool { return len(s.Groups[0].Queue) == 2 && s.Spending.BalanceMsat > 0 })
	ctl("play")
	until("music", func(s api.State) bool { return s.Groups[0].Transport == "playing" })
	if out := ctl("seek", "12.5"); !strings.Contains(out, `"One"`) || !strings.Contains(out, "Kitchen (virtual)") {
		t.Errorf("after seek:\n%s", out)
	}
	until("the seek", func(s api.State) bool { return s.Groups[0].PositionMs >= 12500 && s.Groups[0].PositionMs < 20000 })
	ctl("next")
	until("the second piece", func(s api.State) bool { return s.Groups[0].Current == 1 })
	ctl("previous", "--json")
	ctl("pause")
	until("the pause", func(s api.State) bool { return s.Groups[0].Transport == "paused" })
	ctl("volume", "kitchen (VIRTUAL)", "61")
	ctl("join", "virtual-2")
	until("both rooms", func(s api.State) bool { return s.Rooms[0].Volume == 61 && s.Rooms[1].Group == "main" })
	ctl("leave", "virtual-1")
	ctl("join", "all")
	var rooms []api.Room
	if err := json.Unmarshal([]byte(ctl("--json", "rooms")), &rooms); err != nil || len(rooms) != 2 || rooms[0].Group != "main" {
		t.Errorf("rooms in JSON: %+v, %v", rooms, err)
	}
	if out := ctl("rooms"); !strings.Contains(out, "virtual-1") || !strings.Contains(out, "61 %") {
		t.Errorf("rooms:\n%s", out)
	}
	var spent api.Spending
	if err := json.Unmarshal([]byte(ctl("spent", "--json")), &spent); err != nil || spent.BalanceMsat <= 0 || spent.DayBoughtMsat <= 0 {
		t.Errorf("spent in JSON: %+v, %v", spent, err)
	}
	if out := ctl("spent"); !strings.Contains(out, "today bought") || !strings.Contains(out, "cap per day") {
		t.Errorf("spent:\n%s", out)
	}
	for _, c := range []struct{ words, want string }{
		{"", "usage"}, {"dance", `no command "dance"`}, {"volume", "takes 2 words"}, {"play loud", "takes 0 words"},
		{"volume attic 10", "there are: virtual-1 (Kitchen (virtual)), virtual-2"}, {"volume virtual-1 loud", "0 to 100"},
		{"volume virtual-1 101", "0 to 100"}, {"join attic", `no room "attic"`}, {"leave all", `no room "all"`},
		{"seek soon", "seconds"}, {"seek NaN", "seconds"}, {"seek 1e30", "seconds"}, {"status --jsn", "-h lists"},
	} {
		out, err := told(t, append([]string{"ctl", "--state", state}, strings.Fields(c.words)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
			t.Errorf("ctl %s: %q, %v; want %q", c.words, out, err, c.want)
		}
	}
}

// TestNobodyThere wants the next step when no hub runs.
func TestNobodyThere(t *testing.T) {
	for _, words := range [][]string{{"status"}, {"volume", "x", "3", "--json"}, {"play"}} {
		_, err := told(t, append([]string{"ctl", "--state", t.TempDir()}, words...)...)
		if err == nil || !strings.HasPrefix(err.Error(), "no hub answers at ") || !strings.Contains(err.Error(), "--state") {
			t.Errorf("ctl %v: %v", words, err)
		}
	}
}

// TestSettings wants defaults under the file and the file under the flags,
// lists included.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.toml")
	text := "name = 'File'\nlisten = ':1'\nrooms = ['kitchen', 'den']\nspeakers = ['a=10.0.0.1:5000']\nvirtual = 3\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s, err := parse([]string{"--listen", ":2", "--config", file, "--rooms", "bath,attic", "--rooms", "hall"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := app.DefaultConfig()
	want.Name, want.Listen, want.Virtual = "File", ":2", 3
	want.Rooms, want.Speakers = []string{"bath", "attic", "hall"}, []string{"a=10.0.0.1:5000"}
	if !reflect.DeepEqual(s.hub, want) {
		t.Errorf("got  %+v\nwant %+v", s.hub, want)
	}
	printed, err := told(t, "serve", "--config", file, "--print-config", "--day-cap", "7")
	if err != nil || !strings.Contains(printed, "day_cap_sat = 7") || !strings.Contains(printed, `name = "File"`) {
		t.Errorf("print-config: %q, %v", printed, err)
	}
	if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := told(t, "serve", "--config", file, "--print-config"); err != nil || again != printed {
		t.Errorf("print-config of what it printed:\n%s\n%v", again, err)
	}
	for _, c := range []struct {
		args, want string
	}{
		{"serve --volume 3", "serve -h lists the flags"}, {"serve now", `"now"`}, {"serve --virtual two", "virtual"},
		{"serve --config /nowhere.toml", "/nowhere.toml"}, {"serve --origin http://x --print-config", "origin"},
		{"serve --state /dev/null/x", "--origin"}, {"dance", `no command "dance"`},
	} {
		if _, err := told(t, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.args, err, c.want)
		}
	}
	for _, args := range []string{"serve -h", "ctl -h"} {
		if out, err := told(t, strings.Fields(args)...); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out, "-state") || !strings.Contains(out, "usage") {
			t.Errorf("%s: %q, %v", args, out, err)
		}
	}
}
