// Package guard stands before everything that a browser can reach: the page
// and the local API.
//
// Three walls, outermost first. A request must name this hub in its Host
// header, so that a foreign site cannot reach it by a rebound DNS name. A
// request that changes something must come from a page of the same origin
// (Sec-Fetch-Site or Origin, as net/http checks them). And whoever wants to
// act must be the owner: whoever shows the one-time code that the terminal
// prints gets a cookie of 32 random bytes, of which only the SHA-256 is kept.
// A code works once, wrong codes are slowed down per address and for all
// together, and a cookie can be revoked.
//
// Answers leave with a Content-Security-Policy that allows nothing but the
// hub's own files: no inline script, no inline style, no frame, no foreign
// address.
package guard

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Policy is the Content-Security-Policy of every answer.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Config are the guard's parameters; the zero value is useful in a test.
type Config struct {
	Names  []string          // host names by which the hub is reached, beside localhost, e.g. "sonahub.local"
	Addrs  []netip.Addr      // addresses beside loopback and the one a connection came to (port forwarding)
	Store  Store             // hashes of the devices' cookies; nil = in memory, forgotten at exit
	Issued func(code string) // called from New and after every use with the code that is valid now; nil = nobody is told
	Now    func() time.Time  // nil = time.Now
	Random io.Reader         // nil = crypto/rand
	Logger *slog.Logger      // nil = discard; a code or a cookie is never logged
}

// Guard knows the one-time code and whom it let in. It is safe for concurrent
// use.
type Guard struct {
	names  map[string]bool
	addrs  map[netip.Addr]bool
	store  Store
	issued func(string)
	now    func() time.Time
	random io.Reader
	log    *slog.Logger

	mu    sync.Mutex // guards what follows
	code  string
	tries tries
}

// New makes a guard with a fresh code and tells it to Config.Issued.
func New(c Config) (*Guard, error) {
	g := &Guard{
		names:  map[string]bool{"localhost": true},
		addrs:  map[netip.Addr]bool{},
		store:  c.Store,
		issued: c.Issued,
		now:    c.Now,
		random: c.Random,
		log:    c.Logger,
	}
	for _, n := range c.Names {
		g.names[plainName(n)] = true
	}
	for _, a := range c.Addrs {
		g.addrs[a.Unmap().WithZone("")] = true
	}
	if g.store == nil {
		g.store = NewMemory()
	}
	if g.issued == nil {
		g.issued = func(string) {}
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.random == nil {
		g.random = rand.Reader
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.tries.now = g.now
	code, err := newCode(g.random)
	if err != nil {
		return nil, err
	}
	g.code = code
	g.issued(code)
	return g, nil
}

// Wrap puts the walls and the headers round a handler: the one that serves
// the page and the API together.
func (g *Guard) Wrap(h http.Handler) http.Handler {
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.log.Warn("request from a foreign page refused", "path", r.URL.Path, "from", r.RemoteAddr)
		http.Error(w, "This request came from another web site and was refused.", http.StatusForbidden)
	}))
	inner := same.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if !g.knows(r) {
			g.log.Warn("request for an unknown host refused", "host", clip(r.Host), "from", r.RemoteAddr)
			http.Error(w, "This hub does not go by that name. Use the address that its terminal prints.", http.StatusMisdirectedRequest)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// knows reports whether the Host header names this hub: by a known name, a
// loopback address, the address the connection came to, or a configured one.
func (g *Guard) knows(r *http.Request) bool {
	host := r.Host
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return g.ownAddr(r, ap.Addr())
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return g.ownAddr(r, a)
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return g.names[plainName(host)]
}

func (g *Guard) ownAddr(r *http.Request, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || g.addrs[a] {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return false
	}
	ap, err := netip.ParseAddrPort(local.String())
	return err == nil && ap.Addr().Unmap().WithZone("") == a
}

// plainName folds what does not distinguish host names.
func plainName(n string) string { return strings.ToLower(strings.TrimSuffix(n, ".")) }

// clip bounds what a stranger can make us log.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
