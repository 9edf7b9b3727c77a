package ui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sonahub/hub/room"
)

const (
	maxForm = 256 << 10 // bytes of a posted form; a shelf of pieces fits
	maxCode = 64        // bytes of a code in a link
	maxID   = 128       // bytes of the id of a room, group or piece
)

// quiet is the header by which the page's script asks for no page.
const quiet = "X-Remote"

// form is an action of the page: its fields are named as in the API.
type form struct {
	name   string
	anchor string // part of the page that a browser without scripts returns to
	fields []string
	read   func(fields) (room.Command, error)
}

func forms() []form {
	return []form{
		{"play", "now", nil, func(f fields) (room.Command, error) { return room.Play{Group: f.text("group")}, f.err }},
		{"pause", "now", nil, func(f fields) (room.Command, error) { return room.Pause{Group: f.text("group")}, f.err }},
		{"next", "now", nil, func(f fields) (room.Command, error) { return room.Next{Group: f.text("group")}, f.err }},
		{"previous", "now", nil, func(f fields) (room.Command, error) { return room.Previous{Group: f.text("group")}, f.err }},
		{"seek", "now", []string{"to_ms"}, func(f fields) (room.Command, error) {
			to := time.Duration(f.number("to_ms")) * time.Millisecond
			return room.Seek{Group: f.text("group"), To: to}, f.err
		}},
		{"select", "now", []string{"index"}, func(f fields) (room.Command, error) {
			return room.Select{Group: f.text("group"), Index: f.number("index")}, f.err
		}},
		{"enqueue", "queue", []string{"tracks"}, func(f fields) (room.Command, error) {
			return room.Enqueue{Group: f.text("group"), Tracks: f.texts("tracks"), Next: f.flag("next"), Now: f.flag("now")}, f.err
		}},
		{"remove", "queue", []string{"index"}, func(f fields) (room.Command, error) {
			return room.Remove{Group: f.text("group"), Index: f.number("index")}, f.err
		}},
		{"clear", "queue", nil, func(f fields) (room.Command, error) { return room.Clear{Group: f.text("group")}, f.err }},
		{"undo", "queue", nil, func(f fields) (room.Command, error) { return room.Undo{Group: f.text("group")}, f.err }},
		{"volume", "rooms", []string{"room", "percent"}, func(f fields) (room.Command, error) {
			return room.SetVolume{Room: f.text("room"), Percent: f.number("percent")}, f.err
		}},
		{"mute", "rooms", []string{"room", "on"}, func(f fields) (room.Command, error) {
			return room.SetMute{Room: f.text("room"), On: f.flag("on")}, f.err
		}},
		{"join", "rooms", []string{"room"}, func(f fields) (room.Command, error) {
			return room.Join{Room: f.text("room"), Group: f.text("group")}, f.err
		}},
		{"leave", "rooms", []string{"room"}, func(f fields) (room.Command, error) { return room.Leave{Room: f.text("room")}, f.err }},
	}
}

// command reads a posted form; all fields that the form names must be there.
func (f form) command(values url.Values) (room.Command, error) {
	for _, name := range f.fields {
		if !values.Has(name) {
			return nil, fmt.Errorf("the field %q is missing", name)
		}
	}
	in := fields{Values: values}
	for _, list := range values {
		for _, v := range list {
			if len(v) > maxID {
				in.err = errors.New("a field is too long")
			}
		}
		if len(list) > room.MaxQueue {
			in.err = errors.New("a field is there too often")
		}
	}
	for _, name := range []string{"to_ms", "index", "percent"} {
		if v := values.Get(name); v != "" && in.err == nil {
			_, in.err = strconv.ParseInt(v, 10, 32)
		}
	}
	c, err := f.read(in)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// fields are the values of a form whose numbers were checked.
type fields struct {
	url.Values
	err error
}

func (f fields) text(name string) string    { return f.Get(name) }
func (f fields) texts(name string) []string { return f.Values[name] }
func (f fields) flag(name string) bool      { return f.Get(name) == "true" }

func (f fields) number(name string) int {
	n, _ := strconv.ParseInt(f.Get(name), 10, 32) // checked in command
	return int(n)
}

// act carries out one form. A browser without scripts is sent back to the
// part of the page it came from, or sees the page with the reason why nothing
// happened; the page's script gets the reason alone.
func (h *Handler) act(f form) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, said := h.carry(f, w, r)
		switch {
		case r.Header.Get(quiet) != "" && said == "":
			w.WriteHeader(http.StatusNoContent)
		case r.Header.Get(quiet) != "":
			http.Error(w, said, status)
		case said == "":
			http.Redirect(w, r, "/#"+f.anchor, http.StatusSeeOther)
		default:
			v := h.view(r.Context(), r, h.Hub.State())
			v.Said = said
			h.show(w, r, status, v)
		}
	}
}

// carry does what the form says; said is the reason why it did not.
func (h *Handler) carry(f form, w http.ResponseWriter, r *http.Request) (status int, said string) {
	l := h.texts.For(r.Header.Get("Accept-Language"))
	if !h.Access.Owner(r) {
		return http.StatusForbidden, l.T("act.stranger")
	}
	if err := h.parse(w, r); err != nil {
		return http.StatusBadRequest, l.T("act.odd")
	}
	c, err := f.command(r.Form)
	if err != nil {
		h.Logger.Warn("form not understood", "form", f.name, "err", err)
		return http.StatusBadRequest, l.T("act.odd")
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	switch err := h.Hub.Do(ctx, c); {
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, l.T("app.failed")
	case err != nil:
		h.Logger.Warn("command refused", "command", f.name, "err", err)
		return http.StatusConflict, err.Error()
	}
	return http.StatusOK, ""
}

// parse reads a form of at most maxForm bytes within the timeout.
func (h *Handler) parse(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.Timeout)) // a writer without deadlines is a test's
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("reading a form: %w", err)
	}
	_ = control.SetReadDeadline(time.Time{}) // not before: the server still waits for what is missing
	return nil
}
