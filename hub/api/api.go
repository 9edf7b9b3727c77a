// Package api is the hub's local HTTP interface: JSON for what the house is,
// one POST per command, and a stream of server-sent events that always ends
// in the newest state. openapi.yaml beside this file is its specification and
// is served with it; a test compares the two.
//
// The package decides nothing. It asks the Hub that is plugged in, and whoever
// mounts it says who may act: on the network that is a device that showed the
// one-time code (package guard), on the unix socket it is everyone, because
// only the hub's own user can open it.
//
// Every body, list and wait is bounded, every error is a Problem that says
// what to do next, and GET changes nothing.
package api

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sonahub/hub/api/sse"
	"sonahub/hub/room"
	"sonahub/wallet"
)

//go:embed openapi.yaml
var specification []byte

// Hub is what the interface asks of the hub. Its methods are called by many
// requests at once.
type Hub interface {
	// State is the house now. It never blocks.
	State() room.House
	// Changed returns a channel that is closed as soon as the version of the
	// house differs from version, at once if it does already. The version
	// also rises when the spending changes.
	Changed(version uint64) <-chan struct{}
	// Do carries out a command. Its error is shown to people.
	Do(ctx context.Context, c room.Command) error
	// Spending is the household's money now.
	Spending(ctx context.Context) (wallet.Spending, error)
	// Art returns the cover of a hash that a track names; an error that wraps
	// fs.ErrNotExist says that there is none.
	Art(ctx context.Context, hash string) (data []byte, mime string, err error)
}

// Config are the interface's parameters; only Hub is needed.
type Config struct {
	Hub     Hub
	Owner   func(*http.Request) bool // who may act; nil = nobody
	Logger  *slog.Logger             // nil = discard
	Now     func() time.Time         // nil = time.Now
	Timeout time.Duration            // of one command or query; 0 = 10 s
	Streams sse.Config               // limits of the event streams
}

// Handler answers everything below /api/. Its event streams end with their
// request's context: a server that shuts down cancels its BaseContext.
type Handler struct {
	Config
	mux     *http.ServeMux
	streams *sse.Server
}

// route is one resource of the interface.
type route struct {
	method, path string
	serve        http.HandlerFunc
}

// New makes the handler.
func New(c Config) *Handler {
	if c.Owner == nil {
		c.Owner = func(*http.Request) bool { return false }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	h := &Handler{Config: c, mux: http.NewServeMux(), streams: sse.New(c.Streams)}
	allow := map[string]string{}
	for _, r := range h.routes() {
		h.mux.HandleFunc(r.method+" "+r.path, r.serve)
		allow[r.path] = r.method
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if m, ok := allow[r.URL.Path]; ok {
			w.Header().Set("Allow", m)
			h.fail(w, r, Problem{"method", "This resource knows " + m + " only.", "Send " + m + "."})
			return
		}
		h.fail(w, r, Problem{"not_found", "There is no such resource.", "See /api/openapi.yaml for what there is."})
	})
	return h
}

func (h *Handler) routes() []route {
	all := []route{
		{"GET", "/api/state", h.state},
		{"GET", "/api/events", h.events},
		{"GET", "/api/art/{hash}", h.art},
		{"GET", "/api/openapi.yaml", h.openapi},
	}
	for _, name := range Commands() {
		all = append(all, route{"POST", "/api/command/" + name, h.command(name)})
	}
	return all
}

// ServeHTTP answers one request. Nothing of it is cached unless the resource
// says so.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) state(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	h.write(w, r, http.StatusOK, h.snapshot(ctx, h.Hub.State(), h.Owner(r)))
}

func (h *Handler) command(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !h.Owner(r) {
			h.fail(w, r, Problem{"not_owner", "Who has not shown the one-time code may look, not act.", "Open the address with the code that the hub's terminal prints."})
			return
		}
		if ct := r.Header.Get("Content-Type"); ct != "" && !strings.HasPrefix(ct, "application/json") {
			h.fail(w, r, Problem{"media_type", "The body must be JSON.", "Send Content-Type: application/json, or no body at all."})
			return
		}
		body, err := h.readBounded(w, r)
		if err != nil {
			h.fail(w, r, problem(err))
			return
		}
		c, err := Decode(name, body)
		if err != nil {
			h.fail(w, r, problem(err))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		defer cancel()
		if err := h.Hub.Do(ctx, c); err != nil {
			h.Logger.Warn("command refused", "command", name, "err", err)
			h.fail(w, r, problem(err))
			return
		}
		h.write(w, r, http.StatusOK, Done{Version: h.Hub.State().Version})
	}
}

func (h *Handler) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(specification) // a client that has gone is nobody's error
}
