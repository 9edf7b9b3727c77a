package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sonahub/hub/api"
	"sonahub/hub/api/guard"
	"sonahub/ui"
)

// SocketName is the file in the state folder by which `sonahub ctl` speaks to
// the hub.
const SocketName = "ctl.sock"

// servers are the page on the network and the remote's socket.
type servers struct {
	cancel context.CancelFunc // ends the event streams
	page   *http.Server
	remote *http.Server
	addr   net.Addr
	guard  *guard.Guard
}

// drain bounds how long open requests may take to end.
const drain = 2 * time.Second

// serve opens both listeners before it returns, so that a port in use is the
// caller's error.
func (h *Hub) serve(code func(string)) (*servers, error) {
	if code == nil {
		code = func(string) {}
	}
	g, err := guard.New(guard.Config{Names: []string{"sonahub.local"}, Store: h.store, Issued: code, Logger: h.log})
	if err != nil {
		return nil, err
	}
	page, err := ui.New(ui.Config{Hub: h, Access: g, Logger: h.log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", api.New(api.Config{Hub: h, Owner: g.Owner, Logger: h.log}))
	mux.Handle("/", page)
	var lc net.ListenConfig
	ln, err := lc.Listen(h.parts.ctx, "tcp", h.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("page: %w (another address: --listen)", err)
	}
	sock, err := listenSocket(h.parts.ctx, filepath.Join(h.cfg.State, SocketName))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("remote: %w", err), ln.Close())
	}
	ctx, cancel := context.WithCancel(h.parts.ctx)
	s := &servers{cancel: cancel, addr: ln.Addr(), guard: g}
	s.page = h.server(ctx, g.Wrap(mux))
	s.remote = h.server(ctx, api.New(api.Config{Hub: h, Owner: func(*http.Request) bool { return true }, Logger: h.log}))
	h.parts.wg.Go(func() { h.served("page", s.page.Serve(ln)) })
	h.parts.wg.Go(func() { h.served("remote", s.remote.Serve(sock)) })
	return s, nil
}

func (h *Hub) server(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

func (h *Hub) served(name string, err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		h.log.Error("server ended", "server", name, "err", err)
	}
}

// listenSocket opens the remote's socket for this user alone. A socket that
// nobody answers is left over from a crash; one that answers is another hub
// on the same state folder.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("another hub runs on this state folder (%s)", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// URL is where the page is on this machine.
func (h *Hub) URL() string {
	_, port, err := net.SplitHostPort(h.servers.addr.String())
	if err != nil {
		return "http://" + h.servers.addr.String()
	}
	host := "localhost"
	if a, ok := h.servers.addr.(*net.TCPAddr); ok && !a.IP.IsUnspecified() && !a.IP.IsLoopback() {
		host = a.IP.String()
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Code is the page's one-time code that is valid now.
func (h *Hub) Code() string { return h.servers.guard.Code() }

// close ends the streams, lets requests finish and closes the listeners.
func (s *servers) close(ctx context.Context) error {
	s.cancel()
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	var all []error
	for _, x := range []*http.Server{s.page, s.remote} {
		if err := x.Shutdown(ctx); err != nil {
			all = append(all, x.Close())
		}
	}
	return errors.Join(all...)
}
