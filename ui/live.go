package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"sonahub/hub/api/sse"
	"sonahub/ui/part"
)

// region is a part of the page that lives: it is drawn anew when the house
// changes and sent when it came out different.
type region struct {
	id   string
	draw func(part.View) templ.Component
}

func regions() []region {
	return []region{
		{"notices", part.Notices},
		{"now", part.Now},
		{"money", part.Money},
		{"rooms", part.Rooms},
		{"bar", part.Bar},
		{"queue", part.Queue},
		{"library", part.Library},
	}
}

// live streams the page's changes: the build of the static files, so that an
// old page reloads itself, then all parts, then those that came out different.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	sent := map[string]string{}
	err := h.streams.Serve(w, r, h.Hub.Changed, func(out *sse.Stream) (uint64, error) {
		if len(sent) == 0 {
			if err := out.Event("build", h.files.Build()); err != nil {
				return 0, err
			}
		}
		house := h.Hub.State()
		parts, err := changedParts(r.Context(), h.view(r, house), sent)
		if err != nil || parts == "" {
			return house.Version, err
		}
		return house.Version, out.Event("parts", parts)
	})
	switch {
	case errors.Is(err, sse.ErrBusy):
		w.Header().Set("Retry-After", "5")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		h.Logger.Debug("live stream ended", "from", r.RemoteAddr, "err", err)
	}
}

// changedParts draws all parts and returns those that differ from what was
// sent, which it brings up to date.
func changedParts(ctx context.Context, v part.View, sent map[string]string) (string, error) {
	var all strings.Builder
	for _, p := range regions() {
		var b bytes.Buffer
		if err := p.draw(v).Render(ctx, &b); err != nil {
			return "", fmt.Errorf("drawing %s: %w", p.id, err)
		}
		if text := b.String(); sent[p.id] != text {
			sent[p.id] = text
			all.WriteString(text)
		}
	}
	return all.String(), nil
}
