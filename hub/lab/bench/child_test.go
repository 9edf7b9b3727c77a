package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/api"
	"sonahub/hub/app"
)

// tempDir is a folder that outlives the subtest that made it; bench.close
// removes it.
func tempDir() (string, error) { return os.MkdirTemp("", "sonahub-bench") }

// close ends what the parts share.
func (b *bench) close(t *testing.T) {
	if b.home.Origin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.home.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	if b.home.dir != "" {
		if err := os.RemoveAll(b.home.dir); err != nil {
			t.Error(err)
		}
	}
}

// product builds the appliance's own binary once and returns its path.
func (b *bench) product(t *testing.T) string {
	t.Helper()
	path := filepath.Join(b.home.dir, "sonahub")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "sonahub/hub/cmd/sonahub").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// config is a hub with so many virtual rooms and caps that do not matter here.
func (b *bench) config(state string, virtual int) app.Config {
	return app.Config{
		Name: "Bench", State: state, Origin: b.home.URL(), Listen: "127.0.0.1:0", Virtual: virtual, Rooms: []string{"all"},
		Welcome: true, HourCapSat: 1e6, DayCapSat: 1e6, RoomCapSat: 1e6,
	}
}

// child is the product running in a process of its own.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	remote  http.Client
	drained chan struct{}
	ready   time.Duration // from exec to the page's first 200
}

// launch starts it and returns when its page has answered.
func (b *bench) launch(t *testing.T, c app.Config) *child {
	t.Helper()
	path := b.product(t)
	file := filepath.Join(t.TempDir(), "hub.toml")
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	x := &child{t: t, cmd: exec.Command(path, "serve", "--config", file), drained: make(chan struct{})}
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	x.cmd.Stderr = &log
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	x.remote.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(c.State, app.SocketName))
	}}
	start := time.Now()
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	url, _, ok := strings.Cut(strings.TrimPrefix(first, "page: "), " ")
	if err != nil || !ok {
		_ = x.cmd.Process.Kill()
		_ = x.cmd.Wait()
		t.Fatalf("the hub did not start: %v, %q\n%s", err, first, log.String())
	}
	go func() {
		defer close(x.drained)
		_, _ = io.Copy(io.Discard, lines)
	}()
	t.Cleanup(x.stop)
	resp, err := http.Get(url)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	x.ready = time.Since(start)
	return x
}

// stop ends the process in order.
func (x *child) stop() {
	_ = x.cmd.Process.Signal(syscall.SIGTERM)
	<-x.drained
	if err := x.cmd.Wait(); err != nil {
		x.t.Errorf("the hub did not end well: %v", err)
	}
	x.remote.CloseIdleConnections()
}

// do sends a command to the remote's socket.
func (x *child) do(name string, body any) {
	x.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	resp, err := x.remote.Post("http://hub/api/command/"+name, "application/json", bytes.NewReader(data))
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		x.t.Fatalf("%s: %s %s", name, resp.Status, text)
	}
}

// state asks the remote's socket for everything there is to see.
func (x *child) state() (s api.State) {
	x.t.Helper()
	resp, err := x.remote.Get("http://hub/api/state")
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		x.t.Fatal(err)
	}
	return s
}

// until waits for the state to be as ok says.
func (x *child) until(what string, ok func(api.State) bool) api.State {
	x.t.Helper()
	var s api.State
	if err := poll(20*time.Millisecond, 20*time.Second, func() bool { s = x.state(); return ok(s) }); err != nil {
		x.t.Fatalf("%s: %v; %+v", what, err, s)
	}
	return s
}

// poll asks again and again.
func poll(every, limit time.Duration, ok func() bool) error {
	end, look := time.After(limit), time.NewTicker(every)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			return fmt.Errorf("waited %v in vain", limit)
		}
	}
	return nil
}
