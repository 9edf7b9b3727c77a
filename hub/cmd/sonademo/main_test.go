package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/cmd/console/consoletest"
)

func TestMain(m *testing.M) { consoletest.Main(m, main) }

// TestDemo is the very first command of a new owner, and what follows: from
// nothing to music, an end in order, a start that is silent unless asked, a
// power cut, and an end at once. To see it fail: leave the SIGTERM out of
// console.Signals, or call Play at every start.
func TestDemo(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	args := func(more ...string) []string {
		return append([]string{"--state", state, "--listen", "127.0.0.1:0", "--jack=false", "--discover=false"}, more...)
	}
	p := consoletest.Start(t, args("--platform-listen", "127.0.0.1:0")...)
	platform := strings.TrimPrefix(p.Until(20*time.Second, "platform: sne://127.0.0.1:"), "platform: ")
	address, _, _ := strings.Cut(strings.TrimPrefix(platform, "sne://"), "/")
	p.Until(20*time.Second, "page: http://localhost:", "/?code=")
	began := time.Now()
	playing := p.Until(100*time.Second, "playing", "in Kitchen (virtual)", "an hour", "today bought", "left")
	t.Logf("music after %v: %s", time.Since(began), playing)
	if !strings.Contains(p.Said(), "rooms: Kitchen (virtual), Living room (virtual)") {
		t.Errorf("the rooms are not named:\n%s", p.Said())
	}
	end(t, p)
	consistent(t, platform, filepath.Join(state, "hub"))

	p = consoletest.Start(t, args("--platform-listen", address, "--play=false")...)
	p.Until(20*time.Second, "paused", "in Kitchen (virtual)")
	p.Never(2*time.Second, "playing")
	end(t, p)

	p = consoletest.Start(t, args("--platform-listen", address)...)
	p.Until(20*time.Second, "playing")
	p.Signal(syscall.SIGKILL)
	if code := p.Ended(2 * time.Second); code != -1 {
		t.Errorf("a killed process ended with %d", code)
	}

	p = consoletest.Start(t, append(args("--platform-listen", address), "--listen", "192.0.2.1:1")...)
	p.Until(10*time.Second, "sonademo: page:", "--listen")
	if code := p.Ended(3 * time.Second); code != 1 {
		t.Errorf("a start that fails ended with %d", code)
	}

	p = consoletest.Start(t, args("--platform-listen", address, "--play=false")...)
	p.Until(20*time.Second, "playing") // it was cut off, and the failed start has not forgotten it
	p.Signal(syscall.SIGTERM, syscall.SIGINT)
	if code := p.Ended(3 * time.Second); code != 130 {
		t.Errorf("after two signals it ended with %d:\n%s", code, p.Said())
	}
	consistent(t, platform, filepath.Join(state, "hub"))
}

// end ends a demo in order.
func end(t *testing.T, p *consoletest.Process) {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	from := time.Now()
	if code := p.Ended(3 * time.Second); code != 0 {
		t.Errorf("after SIGTERM it ended with %d:\n%s", code, p.Said())
	}
	t.Logf("ended in %v", time.Since(from))
	if !strings.Contains(p.Said(), "closing down") {
		t.Errorf("it does not say that it ends:\n%s", p.Said())
	}
}

// consistent opens the hub's books without a platform and adds them up.
func consistent(t *testing.T, platform, state string) {
	t.Helper()
	hub, err := app.Open(t.Context(), app.Config{Origin: platform, State: state, Listen: "127.0.0.1:0"}, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Ledger().Verify(t.Context()); err != nil {
		t.Error(err)
	}
	s, err := hub.Spending(t.Context())
	if err != nil || s.DayBought == 0 {
		t.Errorf("bought %v, %v", s.DayBought, err)
	}
	if err := hub.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStartFaults wants the next step in what people read.
func TestStartFaults(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // the end of the test
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--platform-listen", taken.Addr().String()}, "--platform-listen 127.0.0.1:PORT"},
		{[]string{"--platform-listen", "127.0.0.1:0", "--listen", taken.Addr().String()}, "--listen"},
		{[]string{"--platform-listen", "127.0.0.1:0", "--music", "/nowhere/at/all"}, "--music"},
		{[]string{"--platform-listen", "127.0.0.1:0", "--virtual", "999"}, "virtual"},
		{[]string{"--sing"}, "sonademo -h"},
		{[]string{"song.mp3"}, "song.mp3"},
	} {
		var out, log bytes.Buffer
		err := run(append([]string{"--state", t.TempDir(), "--jack=false", "--discover=false"}, c.args...), &out, &log)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want %q", c.args, err, c.want)
		}
	}
}
