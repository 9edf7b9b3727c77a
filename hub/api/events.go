package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"sonahub/hub/api/sse"
	"sonahub/hub/room"
)

// events streams the house: the whole state at once, then the newest after
// every change.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	var library []room.Track // as last sent
	first := true
	err := h.streams.Serve(w, r, h.Hub.Changed, func(ctx context.Context, out *sse.Stream) (uint64, error) {
		house := h.Hub.State()
		ctx, cancel := context.WithTimeout(ctx, h.Timeout)
		defer cancel()
		s := h.snapshot(ctx, house, h.Owner(r))
		if !first && sameTracks(library, house.Library) {
			s.Library = nil
		}
		first, library = false, house.Library
		data, err := json.Marshal(s)
		if err != nil {
			return 0, fmt.Errorf("encoding the state: %w", err)
		}
		return house.Version, out.Event("state", string(data))
	})
	switch {
	case errors.Is(err, sse.ErrBusy):
		w.Header().Set("Retry-After", "5")
		h.fail(w, r, Problem{"busy", "Too many event streams are open.", "Close one, or try again in a few seconds."})
	case err != nil:
		h.Logger.Debug("event stream ended", "from", r.RemoteAddr, "err", err)
	}
}

// sameTracks tells by identity: nobody changes a House that was handed on.
func sameTracks(a, b []room.Track) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
