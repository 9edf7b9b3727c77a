// Package sse streams the newest state of something to browsers as
// server-sent events (WHATWG HTML, 9.2).
//
// There is no queue of events. A reader is sent the whole state when it
// connects, and the newest after every change; one that is slower than the
// changes skips what is past, and one that takes longer than the write timeout
// for one event is dropped and finds everything when it connects again. So a
// sleeping phone costs the hub nothing but its connection.
package sse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrBusy says that as many streams are open as may be; nothing was written.
var ErrBusy = errors.New("too many event streams are open")

// Config are the parameters of all streams of one address.
type Config struct {
	Heartbeat    time.Duration // longest silence; 0 = 15 s
	WriteTimeout time.Duration // of one event; 0 = 10 s
	Max          int           // streams at once; 0 = 64
}

// Server holds the streams of one address.
type Server struct {
	heartbeat, patience time.Duration
	slots               chan struct{} // one token per open stream
}

// New makes a server.
func New(c Config) *Server {
	if c.Heartbeat <= 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.WriteTimeout <= 0 {
		c.WriteTimeout = 10 * time.Second
	}
	if c.Max <= 0 {
		c.Max = 64
	}
	return &Server{c.Heartbeat, c.WriteTimeout, make(chan struct{}, c.Max)}
}

// Changed returns a channel that is closed as soon as the version differs
// from the one given, at once if it does already.
type Changed func(version uint64) <-chan struct{}

// Serve keeps one stream open: it calls send at once and after every change,
// until the reader goes, is too slow, or the request's context ends. send
// writes what is new and returns the version that this was; its error ends
// the stream. Serve returns ErrBusy before it wrote anything, or the reason
// why the stream ended, nil for the context.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, changed Changed, send func(context.Context, *Stream) (uint64, error)) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return ErrBusy
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &Stream{w, http.NewResponseController(w), s.patience}
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	for {
		version, err := send(r.Context(), out)
		if err != nil {
			return err
		}
		if err := s.wait(r.Context(), out, beat, changed(version)); err != nil || r.Context().Err() != nil {
			return err
		}
	}
}

// wait lasts until the next change, with a heartbeat now and then.
func (s *Server) wait(ctx context.Context, out *Stream, beat *time.Ticker, changed <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			return nil
		case <-beat.C:
			if err := out.write(": still here\n\n"); err != nil {
				return err
			}
		}
	}
}

// Stream writes events, each within its own deadline.
type Stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// Event sends one event; data may have several lines.
func (s *Stream) Event(name, data string) error {
	lines := strings.NewReplacer("\r\n", "\ndata: ", "\n", "\ndata: ", "\r", "\ndata: ").Replace(data)
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", name, lines))
}

func (s *Stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience)) // a writer without deadlines is a test's
	if _, err := s.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("writing an event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("flushing an event: %w", err)
	}
	return nil
}
