package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"sonahub/hub/api/sse"
	"sonahub/ui/part"
)

// region is a part of the page that lives: it is drawn anew when the house
// changes and sent when it came out different. Some can tell without being
// drawn that there is nothing new for the same reader.
type region struct {
	id   string
	draw func(part.View) templ.Component
	same func(was, is part.View) bool // nil = draw it and see
}

func regions() []region {
	return []region{
		{"notices", part.Notices, nil},
		{"now", part.Now, sameNow},
		{"money", part.Money, nil},
		{"rooms", part.Rooms, nil},
		{"bar", part.Bar, nil},
		{"queue", part.Queue, sameQueue},
		{"library", part.Library, sameLibrary},
	}
}

// sameNow leaves the position aside as long as it only runs on: the page lets
// it run by itself.
func sameNow(was, is part.View) bool {
	a, _ := was.House.Group("")
	b, _ := is.House.Group("")
	x, playing := a.Track()
	y, _ := b.Track()
	return playing && x == y && was.Owner == is.Owner && a.Transport == b.Transport && a.Rung == b.Rung &&
		a.Position == b.Position && a.At.Equal(b.At)
}

func sameQueue(was, is part.View) bool {
	a, _ := was.House.Group("")
	b, _ := is.House.Group("")
	return was.Owner == is.Owner && (a.Left == nil) == (b.Left == nil) &&
		a.Queue.Current == b.Queue.Current && slices.Equal(a.Queue.Items, b.Queue.Items)
}

func sameLibrary(was, is part.View) bool {
	return was.Owner == is.Owner && slices.Equal(was.House.Library, is.House.Library)
}

// live streams the page's changes: the build of the static files, so that an
// old page reloads itself, then all parts, then those that came out different.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	var last drawn
	err := h.streams.Serve(w, r, h.Hub.Changed, func(ctx context.Context, out *sse.Stream) (uint64, error) {
		if last.text == nil {
			if err := out.Event("build", h.files.Build()); err != nil {
				return 0, err
			}
		}
		house := h.Hub.State()
		parts, err := last.update(ctx, h.view(ctx, r, house))
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

// drawn is what one reader was sent last.
type drawn struct {
	view part.View
	text map[string]string // by the part's id
}

// update draws what may have changed and returns the parts that did.
func (d *drawn) update(ctx context.Context, v part.View) (string, error) {
	first := d.text == nil
	if first {
		d.text = map[string]string{}
	}
	was := d.view
	d.view = v
	var changed strings.Builder
	for _, p := range regions() {
		if !first && p.same != nil && p.same(was, v) {
			continue
		}
		var b bytes.Buffer
		if err := p.draw(v).Render(ctx, &b); err != nil {
			return "", fmt.Errorf("drawing %s: %w", p.id, err)
		}
		if text := b.String(); d.text[p.id] != text {
			d.text[p.id] = text
			changed.WriteString(text)
		}
	}
	return changed.String(), nil
}
