package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"sonahub/hub/room"
)

// events streams the house: the whole state at once, then the newest state
// after every change. There is no queue of events. A client that is slower
// than the house gets the newest state when it is ready for it and misses
// only what is already past; one that takes longer than WriteTimeout for one
// event is dropped and finds everything when it connects again.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		h.fail(w, r, Problem{"busy", "Too many event streams are open.", "Close one, or try again in a few seconds."})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := stream{w: w, control: http.NewResponseController(w), patience: h.WriteTimeout}
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	var library []room.Track
	for first := true; ; first = false {
		house := h.Hub.State()
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		s := h.snapshot(ctx, house, h.Owner(r))
		cancel()
		if !first && sameTracks(library, house.Library) {
			s.Library = nil
		}
		library = house.Library
		if err := out.state(s); err != nil {
			h.Logger.Debug("event stream ended", "from", r.RemoteAddr, "err", err)
			return
		}
		if !h.rest(r.Context(), &out, beat, house.Version) {
			return
		}
	}
}

// rest waits for the next change with a heartbeat now and then; false means
// that the stream is over.
func (h *Handler) rest(ctx context.Context, out *stream, beat *time.Ticker, version uint64) bool {
	changed := h.Hub.Changed(version)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
			return true
		case <-beat.C:
			if err := out.send(": still here\n\n"); err != nil {
				return false
			}
		}
	}
}

// sameTracks tells by identity: nobody changes a House that was handed on.
func sameTracks(a, b []room.Track) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// stream writes events, each within its own deadline.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

func (s *stream) state(st State) error {
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	return s.send(fmt.Sprintf("event: state\nid: %d\ndata: %s\n\n", st.Version, data))
}

func (s *stream) send(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience)) // a writer without deadlines is a test's
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
