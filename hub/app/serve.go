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
	socket string // path of the remote's socket
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
		return nil, fmt.Errorf("page: %w (choose another address with --listen, e.g. --listen :8081)", err)
	}
	path := filepath.Join(h.cfg.State, SocketName)
	sock, err := listenSocket(h.parts.ctx, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("remote: %w", err), ln.Close())
	}
	ctx, cancel := context.WithCancel(h.parts.ctx)
	s := &servers{cancel: cancel, addr: ln.Addr(), guard: g, socket: path}
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

// maxSocket is what the path of a socket may have, in bytes (unix(7)).
const maxSocket = 107

// listenSocket opens the remote's socket for this user alone. One that lies
// there is left over from a crash: the state folder is ours. It is made in a
// private folder and then moved, so that at no instant anybody else can open
// it.
func listenSocket(ctx context.Context, path string) (ln *net.UnixListener, err error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".ctl")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	born := filepath.Join(private, "s")
	if n := max(len(born), len(path)); n > maxSocket {
		return nil, fmt.Errorf("the path %s is too long for a socket by %d bytes; give a shorter --state", path, n-maxSocket)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", born)
	if err != nil {
		return nil, err
	}
	ln, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is no socket", l), l.Close())
	}
	ln.SetUnlinkOnClose(false) // it would remove the old name
	if err := errors.Join(os.Chmod(born, 0o600), os.Rename(born, path)); err != nil {
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
	if err := os.Remove(s.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		all = append(all, err)
	}
	return errors.Join(all...)
}
