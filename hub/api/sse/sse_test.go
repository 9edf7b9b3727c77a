package sse

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// never is a world in which nothing changes.
func never(uint64) <-chan struct{} { return nil }

// once sends one event.
func once(_ context.Context, s *Stream) (uint64, error) { return 1, s.Event("state", "a\nb\r\nc") }

func request(ctx context.Context, t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", "/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// deaf is a client that takes nothing: its writes end by the deadline alone.
type deaf struct {
	head     http.Header
	deadline time.Time
}

func (d *deaf) Header() http.Header                { return d.head }
func (d *deaf) WriteHeader(int)                    {}
func (d *deaf) Flush()                             {}
func (d *deaf) SetWriteDeadline(t time.Time) error { d.deadline = t; return nil }
func (d *deaf) Write([]byte) (int, error) {
	wait := time.NewTimer(time.Until(d.deadline))
	defer wait.Stop()
	<-wait.C
	return 0, context.DeadlineExceeded
}

func TestDeafReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := New(Config{}).Serve(&deaf{head: http.Header{}}, request(t.Context(), t), never, once)
		if took := time.Since(start); took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dropped after %s: %v", took, err)
		}
	})
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		w := &taker{head: http.Header{}}
		if err := New(Config{}).Serve(w, request(ctx, t), never, once); err != nil {
			t.Fatalf("the end by the context is an error: %v", err)
		}
		const want = "event: state\ndata: a\ndata: b\ndata: c\n\n: still here\n\n: still here\n\n"
		if got := w.text.String(); got != want {
			t.Errorf("40 s of a quiet stream:\n%q, want\n%q", got, want)
		}
	})
}

// TestNewestOnly shows that a slow reader skips what is past.
func TestNewestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version, sent := uint64(0), []uint64{}
		passed := make(chan struct{})
		close(passed)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := New(Config{}).Serve(&taker{head: http.Header{}}, request(ctx, t), func(v uint64) <-chan struct{} {
			if v != version {
				return passed
			}
			cancel()
			return nil
		}, func(context.Context, *Stream) (uint64, error) {
			v := version
			sent = append(sent, v)
			if v < 300 {
				version += 100 // while the reader was busy
			}
			return v, nil
		})
		if err != nil || len(sent) != 4 || sent[3] != 300 {
			t.Errorf("sent %v, %v", sent, err)
		}
	})
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := New(Config{Max: 1})
		done := make(chan error, 1)
		go func() { done <- s.Serve(&taker{head: http.Header{}}, request(ctx, t), never, once) }()
		synctest.Wait()
		w := &taker{head: http.Header{}}
		if err := s.Serve(w, request(ctx, t), never, once); !errors.Is(err, ErrBusy) || w.text.Len() > 0 {
			t.Errorf("second stream: %v, wrote %q", err, w.text.String())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		ctx2, cancel2 := context.WithCancel(t.Context())
		cancel2()
		if err := s.Serve(w, request(ctx2, t), never, once); err != nil {
			t.Errorf("after the first one ended: %v", err)
		}
	})
}

// taker is a reader that takes everything.
type taker struct {
	head http.Header
	text strings.Builder
}

func (d *taker) Header() http.Header         { return d.head }
func (d *taker) WriteHeader(int)             {}
func (d *taker) Flush()                      {}
func (d *taker) Write(b []byte) (int, error) { return d.text.Write(b) }
