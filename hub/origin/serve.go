package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/netutil"

	"sonahub/hub/origin/shelf"
	"sonahub/sne/manifest"
	"sonahub/sne/resource"
)

const (
	maxHeader = 8 << 10 // bytes
	slowest   = 16000   // bytes per second: whoever is slower is cut off
	first     = 10 * time.Second
)

func (o *Origin) newServer() *http.Server {
	var h http.Handler = http.HandlerFunc(o.handle)
	if o.c.Wrap != nil {
		h = o.c.Wrap(h)
	}
	return &http.Server{
		Handler: h, ReadHeaderTimeout: o.c.Limits.Header, IdleTimeout: o.c.Limits.Idle, MaxHeaderBytes: maxHeader,
		ErrorLog:  slog.NewLogLogger(o.c.Logger.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
}

func (o *Origin) serve() {
	l := netutil.LimitListener(o.listener, o.c.Limits.Connections)
	var err error
	if o.c.CertFile != "" {
		err = o.server.ServeTLS(l, o.c.CertFile, o.c.KeyFile)
	} else {
		err = o.server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		o.c.Logger.Error("serving ended", "error", err)
	}
}

// status is an answer without a body.
type status struct {
	code  int
	retry time.Duration // for 429 and 503
}

func (s *status) Error() string { return http.StatusText(s.code) }

func code(n int) error { return &status{code: n} }

func busy(n int, retry time.Duration) error { return &status{code: n, retry: retry} }

// handle serves one request.
func (o *Origin) handle(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", resource.NoStore)
	rc := http.NewResponseController(w)
	// The controller fails only where there is no connection (Handler used by itself).
	_ = rc.SetReadDeadline(time.Now().Add(o.c.Limits.Body))
	_ = rc.SetWriteDeadline(time.Now().Add(o.c.Limits.Body + first))
	if r.URL.Path == welcomePath {
		o.welcome(w, r)
		return
	}
	res, err := resource.Parse(r.URL.EscapedPath())
	if err == nil && r.URL.RawQuery != "" {
		err = code(http.StatusNotFound)
	}
	switch {
	case err != nil:
		err = code(http.StatusNotFound)
	case r.Method != res.Method():
		h.Set("Allow", res.Method())
		err = code(http.StatusMethodNotAllowed)
	case res.Kind == resource.Session:
		err = o.handshake(w, r, res)
	case res.Kind == resource.Exchange:
		err = o.exchange(w, r, res)
	default:
		err = o.get(w, r, res)
	}
	if err != nil {
		o.refuse(w, r, err)
	}
}

// refuse answers with a bare status; what went wrong inside stays inside.
func (o *Origin) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var s *status
	switch {
	case errors.As(err, &s):
	case errors.Is(err, shelf.ErrUnknown):
		s = &status{code: http.StatusNotFound}
	case r.Context().Err() != nil:
		return // the client left
	default:
		o.c.Logger.Error("request failed", "path", r.URL.Path, "error", err)
		s = &status{code: http.StatusInternalServerError}
	}
	if s.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((s.retry+time.Second-1)/time.Second)))
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(s.code)
}

// get serves everything that any cache could hold.
func (o *Origin) get(w http.ResponseWriter, r *http.Request, res resource.Resource) error {
	if res.Kind == resource.Segment || res.Kind == resource.Blob {
		return o.file(w, r, res)
	}
	body, err := o.body(r.Context(), res)
	if err != nil {
		return err
	}
	return reply(w, res.Cache(o.stations.Get(res.ID) == nil), int64(len(body)), func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}

// body returns the small resources.
func (o *Origin) body(ctx context.Context, res resource.Resource) ([]byte, error) {
	missing := code(http.StatusNotFound)
	if s := o.stations.Get(res.ID); s != nil {
		return stationBody(ctx, s, res)
	}
	switch res.Kind {
	case resource.Bundle:
		return o.ring.Current().Signed, nil
	case resource.BundleByID:
		if g, ok := o.ring.ByID(res.ID); ok {
			return g.Signed, nil
		}
	case resource.Key:
		if pk := o.ring.Creator().Public(); pk.KeyID() == res.ID {
			return pk[:], nil
		}
		if pk := o.stations.Key(res.ID); pk != nil {
			return pk[:], nil
		}
	case resource.KeySet:
		if m, ok := o.ring.Mint(res.ID); ok {
			return m.KeySet(), nil
		}
	case resource.Catalog:
		if page := o.catalog.newest(); page != nil {
			return page, nil
		}
		return nil, busy(http.StatusServiceUnavailable, time.Second) // the folder is still being looked through
	case resource.CatalogPage:
		if page := o.catalog.page(res.Seq, res.Page); page != nil {
			return page, nil
		}
	case resource.Head:
		t, err := o.tiers.get(ctx, res.ID, res.Tier)
		if errors.Is(err, shelf.ErrUnknown) {
			o.ingester.Ask(res.ID) // somebody wants it: it is encoded next
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		return t.signed, nil
	case resource.Records:
		t, err := o.sized(ctx, res)
		if err != nil {
			return nil, err
		}
		page, err := t.tree.Page(res.First, int(res.N))
		if errors.Is(err, manifest.ErrRecord) {
			return nil, missing
		}
		return page, err
	case resource.Consistency:
		t, err := o.sized(ctx, res)
		if err != nil {
			return nil, err
		}
		if res.First != res.Size { // a closed broadcast has one Head, of one size
			return nil, missing
		}
		path, err := t.tree.Consistency(res.First)
		if err != nil {
			return nil, missing
		}
		return manifest.MarshalConsistency(path)
	}
	return nil, missing
}

// sized returns a tier for a size that a Head was signed for.
func (o *Origin) sized(ctx context.Context, res resource.Resource) (*tier, error) {
	t, err := o.tiers.get(ctx, res.ID, res.Tier)
	if err != nil {
		return nil, err
	}
	if res.Size != t.tree.Size() {
		return nil, code(http.StatusNotFound)
	}
	return t, nil
}

// file serves a segment or a cover from the public folder.
func (o *Origin) file(w http.ResponseWriter, r *http.Request, res resource.Resource) error {
	if s := o.stations.Get(res.ID); s != nil {
		if h, _ := s.Head(); h == nil || res.Epoch >= h.TreeSize { // sealed, and not on the air yet
			return code(http.StatusNotFound)
		}
	} else if res.Kind == resource.Segment {
		t, err := o.tiers.get(r.Context(), res.ID, res.Tier)
		if err != nil {
			return err
		}
		if res.Epoch >= t.tree.Size() {
			return code(http.StatusNotFound)
		}
	}
	f, err := os.Open(o.c.folder().File(res))
	if errors.Is(err, os.ErrNotExist) {
		return code(http.StatusNotFound)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return code(http.StatusNotFound)
	}
	return reply(w, res.Cache(true), info.Size(), func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// reply writes a 200. A client that takes it more slowly than 16 kB/s is cut
// off; an error after the header is the connection's.
func reply(w http.ResponseWriter, cache string, size int64, write func(io.Writer) error) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(first + time.Duration(size)*time.Second/slowest))
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Cache-Control", cache)
	w.WriteHeader(http.StatusOK)
	_ = write(w)
	return nil
}
