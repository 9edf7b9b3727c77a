package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/room"
)

// The crash tests run a hub in a process of its own: this test binary, told
// by its environment to be one.
const (
	envHub  = "SONAHUB_TEST_HUB"  // app.Config as JSON
	envStep = "SONAHUB_TEST_STEP" // "name:n": die at the n-th call of this step of the ledger
)

func TestMain(m *testing.M) {
	if text := os.Getenv(envHub); text != "" {
		os.Exit(childHub(text))
	}
	os.Exit(m.Run())
}

// childHub is a hub that tells on stdout where it is, until it is ended.
func childHub(text string) int {
	var c app.Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Println("error", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := app.Open(ctx, c, app.Options{Step: dieAt(os.Getenv(envStep)), Log: app.NewLogger(os.Stderr, nil)})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	for ctx.Err() == nil {
		g := h.State().Groups[0]
		fmt.Println("place", g.Transport, g.Queue.Current, g.PositionAt(time.Now()).Milliseconds())
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	end, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := h.Close(end); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// dieAt returns a hook that kills this process at the n-th call of a step, as
// a power cut would.
func dieAt(spec string) func(string) {
	name, count, ok := strings.Cut(spec, ":")
	if !ok {
		return nil
	}
	var left int
	if _, err := fmt.Sscan(count, &left); err != nil {
		return nil
	}
	var mu sync.Mutex
	return func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if step != name {
			return
		}
		if left--; left <= 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal comes before anything else happens
		}
	}
}

// place is where a child says that it is.
type place struct {
	transport room.Transport
	index     int
	position  time.Duration
}

// child is a running hub process.
type child struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	places chan place
	ended  chan struct{}
	last   place // to be read once ended is closed
}

func startChild(t *testing.T, c app.Config, step string) *child {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envHub+"="+string(text), envStep+"="+step)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x := &child{cmd: cmd, out: out, places: make(chan place, 1), ended: make(chan struct{})}
	go x.read()
	t.Cleanup(func() { x.kill() })
	return x
}

// read keeps the newest place and ends with the process.
func (x *child) read() {
	defer close(x.ended)
	lines := bufio.NewScanner(x.out)
	for lines.Scan() {
		var p place
		var ms int64
		if n, _ := fmt.Sscanf(lines.Text(), "place %s %d %d", &p.transport, &p.index, &ms); n != 3 {
			continue
		}
		p.position = time.Duration(ms) * time.Millisecond
		x.last = p
		select {
		case <-x.places:
		default:
		}
		x.places <- p
	}
}

// kill ends the process as a power cut would, and returns the last place that
// it told.
func (x *child) kill() place {
	_ = x.cmd.Process.Kill()
	<-x.ended
	_ = x.cmd.Wait()
	return x.last
}

// stop ends the process in order.
func (x *child) stop(t *testing.T) {
	t.Helper()
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-x.ended
	if err := x.cmd.Wait(); err != nil {
		t.Fatalf("the hub did not end well: %v", err)
	}
}

// until returns the first place that is as ok says. It is false if the
// process ended before.
func (x *child) until(t *testing.T, d time.Duration, what string, ok func(place) bool) (place, bool) {
	t.Helper()
	end := time.After(d)
	var last place
	for {
		select {
		case last = <-x.places:
			if ok(last) {
				return last, true
			}
		case <-x.ended:
			return last, false
		case <-end:
			t.Fatalf("waited %v in vain for %s; last it was %+v", d, what, last)
		}
	}
}
