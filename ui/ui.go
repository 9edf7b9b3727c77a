// Package ui is the page: what plays, what it costs, the rooms, the queue and
// the library, on one screen for a phone, a tablet and a desk.
//
// Every action is a plain form that is posted and answered by a redirect, so
// that the page works without scripts. With scripts the same forms are sent
// without leaving the page, and the parts of the page that changed arrive as
// HTML by server-sent events (/live): first all of them, then what differs
// from what this reader already has.
//
// The page shows the House and never what it hopes the house will be. The
// handlers are thin: a form becomes a room.Command, the Hub carries it out.
// Who may act is decided by the Access that is plugged in; reading is open to
// the home network, and GET changes nothing.
package ui

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"sonahub/hub/api/guard"
	"sonahub/hub/api/sse"
	"sonahub/hub/room"
	"sonahub/ui/i18n"
	"sonahub/ui/page"
	"sonahub/ui/part"
	"sonahub/ui/static"
	"sonahub/wallet"
)

// Hub is what the page asks of the hub: the same methods as the API's, but
// for the covers, which the page takes from the API.
type Hub interface {
	// State is the house now. It never blocks.
	State() room.House
	// Changed returns a channel that is closed as soon as the version of the
	// house differs from version, at once if it does already.
	Changed(version uint64) <-chan struct{}
	// Do carries out a command. Its error is shown to people.
	Do(ctx context.Context, c room.Command) error
	// Spending is the household's money now.
	Spending(ctx context.Context) (wallet.Spending, error)
}

// Access says who may act; *guard.Guard does.
type Access interface {
	Owner(r *http.Request) bool
	// Enter lets the device in that shows the one-time code; it fails with
	// guard.ErrCode or a *guard.WaitError.
	Enter(w http.ResponseWriter, r *http.Request, code string) error
	Leave(w http.ResponseWriter, r *http.Request) error
}

// Config are the page's parameters; Hub and Access are needed.
type Config struct {
	Hub     Hub
	Access  Access
	Logger  *slog.Logger     // nil = discard
	Now     func() time.Time // nil = time.Now
	Timeout time.Duration    // of one command or query; 0 = 10 s
	Streams sse.Config       // limits of the live streams
}

// Handler serves the page. Its live streams end with their request's context:
// a server that shuts down cancels its BaseContext.
type Handler struct {
	Config
	mux     *http.ServeMux
	texts   *i18n.Catalog
	files   *static.Files
	streams *sse.Server
}

// New makes the handler for "/", "/live", "/do/", "/enter", "/leave" and
// "/static/".
func New(c Config) (*Handler, error) {
	if c.Hub == nil || c.Access == nil {
		return nil, errors.New("the page needs a hub and an access")
	}
	texts, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	files, err := static.Load()
	if err != nil {
		return nil, err
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
	h := &Handler{Config: c, mux: http.NewServeMux(), texts: texts, files: files, streams: sse.New(c.Streams)}
	h.mux.HandleFunc("GET /{$}", h.home)
	h.mux.HandleFunc("GET /live", h.live)
	h.mux.HandleFunc("POST /enter", h.enter)
	h.mux.HandleFunc("POST /leave", h.leave)
	h.mux.Handle("GET "+static.Prefix, files)
	for _, f := range forms() {
		h.mux.HandleFunc("POST /do/"+f.name, h.act(f))
	}
	h.mux.HandleFunc("GET /do/", h.back) // who reloads the answer to a form
	h.mux.HandleFunc("GET /enter", h.back)
	return h, nil
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) back(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// view is what the reader of this request sees of the house now.
func (h *Handler) view(ctx context.Context, r *http.Request, house room.House) part.View {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil {
		from = 0 // the first shelf is as good an answer as any
	}
	v := part.View{
		Language: h.texts.For(r.Header.Get("Accept-Language")),
		Owner:    h.Access.Owner(r),
		House:    house, Now: h.Now(), From: from, Build: h.files.Build(),
	}
	money, err := h.Hub.Spending(ctx)
	if err != nil {
		h.Logger.Error("cannot read the spending", "err", err)
		return v
	}
	v.Money = &money
	return v
}

// home shows the page. A code in the link only fills the form in: GET lets
// nobody in.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) {
	v := h.view(r.Context(), r, h.Hub.State())
	if code := r.URL.Query().Get("code"); len(code) <= maxCode {
		v.Code = code
	}
	h.show(w, r, http.StatusOK, v)
}

// show draws the page whole before it sends the first byte, so that a fault
// is a clean 500 and never half a page.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, v part.View) {
	var b bytes.Buffer
	if err := page.Home(v, h.files).Render(r.Context(), &b); err != nil {
		h.Logger.Error("cannot draw the page", "err", err)
		http.Error(w, v.T("app.failed"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		h.Logger.Debug("the page did not arrive", "err", err)
	}
}

func (h *Handler) enter(w http.ResponseWriter, r *http.Request) {
	v := h.view(r.Context(), r, h.Hub.State())
	if err := h.parse(w, r); err != nil {
		v.Wrong = v.T("act.odd")
		h.show(w, r, http.StatusBadRequest, v)
		return
	}
	err := h.Access.Enter(w, r, r.PostForm.Get("code"))
	var wait *guard.WaitError
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.As(err, &wait):
		v.Wrong = v.T("enter.wait", wait.Until.Format("15:04:05"))
		h.show(w, r, http.StatusTooManyRequests, v)
	case errors.Is(err, guard.ErrCode):
		v.Wrong = v.T("enter.wrong")
		h.show(w, r, http.StatusForbidden, v)
	default:
		h.Logger.Error("cannot let a device in", "err", err)
		v.Wrong = v.T("app.failed")
		h.show(w, r, http.StatusInternalServerError, v)
	}
}

func (h *Handler) leave(w http.ResponseWriter, r *http.Request) {
	if err := h.Access.Leave(w, r); err != nil {
		h.Logger.Error("cannot forget a device", "err", err)
		v := h.view(r.Context(), r, h.Hub.State())
		v.Said = v.T("app.failed")
		h.show(w, r, http.StatusInternalServerError, v)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
