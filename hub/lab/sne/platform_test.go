//go:build lab && linux

package sne

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/bundle"
	"sonahub/sne/resource"
)

// configVar carries the child's configuration.
const configVar = "SONA_LAB_ORIGIN"

// config of the platform's process.
type config struct {
	State, Music string
	Limits       origin.Limits
}

// stats is what the platform says about itself.
type stats struct {
	CPU         time.Duration
	Heap        int64         // bytes in use after a collection
	RSS, Peak   int64         // bytes
	Given       map[int]int64 // bytes of answers by resource.Kind
	Files       int           // in the public folder
	Sealed      int64         // bytes of them
	LastSealing time.Time
}

func (s stats) given(kinds ...resource.Kind) int64 {
	var n int64
	for _, k := range kinds {
		n += s.Given[int(k)]
	}
	return n
}

// counter sees what the platform gives, and answers the laboratory.
type counter struct {
	next   http.Handler
	till   *origintest.Till
	public string
	given  [32]atomic.Int64
	origin atomic.Pointer[origin.Origin]
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/lab/stats":
		s, err := c.stats()
		if err == nil {
			err = json.NewEncoder(w).Encode(s)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	case "/lab/pay":
		invoice, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		if err == nil {
			err = c.pay(w, r, string(invoice))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	default:
		res, err := resource.Parse(r.URL.Path)
		if err != nil || int(res.Kind) >= len(c.given) {
			res.Kind = 0
		}
		c.next.ServeHTTP(&counted{w, &c.given[res.Kind]}, r)
	}
}

// pay reveals a preimage, and lets the platform look at once, which otherwise
// asks its till every few seconds.
func (c *counter) pay(w io.Writer, r *http.Request, invoice string) error {
	p, err := c.till.Pay(invoice)
	if err != nil {
		return err
	}
	if err := c.origin.Load().Collect(r.Context()); err != nil {
		return err
	}
	_, err = w.Write(p[:])
	return err
}

func (c *counter) stats() (stats, error) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return stats{}, err
	}
	s := stats{CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Heap: int64(m.HeapAlloc), Given: map[int]int64{}}
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return stats{}, err
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
		case f[0] == "VmRSS:":
			s.RSS = kB(f[1])
		case f[0] == "VmHWM:":
			s.Peak = kB(f[1])
		}
	}
	for k := range c.given {
		s.Given[k] = c.given[k].Load()
	}
	err = filepath.WalkDir(c.public, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s.Files++
		s.Sealed += info.Size()
		if info.ModTime().After(s.LastSealing) {
			s.LastSealing = info.ModTime()
		}
		return nil
	})
	return s, err
}

func kB(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // the kernel writes numbers
	return n << 10
}

// counted counts an answer's bytes and leaves its ways of writing as they are.
type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.n.Add(n)
	return n, err
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// TestPlatform is the platform's process. It ends when its standard input does,
// so with its parent.
func TestPlatform(t *testing.T) {
	text := os.Getenv(configVar)
	if text == "" {
		t.Skip("the platform's part of TestLab")
	}
	var c config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	till := &origintest.Till{}
	till.Till.Node = [33]byte{3, 1}
	count := &counter{till: till}
	o, err := origin.Open(t.Context(), origin.Config{
		State: c.State, Music: c.Music, NoOpus: true, FreeEpochs: -1, Till: till, Limits: c.Limits,
		Wrap: func(next http.Handler) http.Handler { count.next = next; return count },
	})
	if err != nil {
		t.Fatal(err)
	}
	count.public = o.Public()
	count.origin.Store(o)
	if err := o.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("platform", o.URL())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := o.Close(ctx); err != nil {
		t.Error(err)
	}
}

// platform is that process, seen from outside.
type platform struct {
	t    *testing.T
	url  bundle.URL
	base string
}

// launch starts one; it ends with the test.
func launch(t *testing.T, c config) *platform {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestPlatform$")
	cmd.Env = append(os.Environ(), configVar+"="+string(text))
	var log bytes.Buffer
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("platform: %v\n%s", err, log.String())
		}
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("platform: %v\n%s", err, log.String())
		}
		if text, ok := strings.CutPrefix(line, "platform "); ok {
			u, err := bundle.ParseURL(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process, which the cleanup waits for
			return &platform{t: t, url: u, base: "http://" + u.HostPort()}
		}
	}
}

func (p *platform) stats() stats {
	p.t.Helper()
	res, err := http.Get(p.base + "/lab/stats")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	var s stats
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		p.t.Fatal(err)
	}
	return s
}
