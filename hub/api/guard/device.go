package guard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	cookieBytes = 32
	cookieDays  = 400 // browsers keep no cookie longer
	maxDevices  = 256 // of the store in memory
)

// Store keeps the SHA-256 of the cookie of every device that was let in, and
// nothing from which the cookie could be made. It is safe for concurrent use.
type Store interface {
	Put(ctx context.Context, hash [32]byte, at time.Time) error
	Has(ctx context.Context, hash [32]byte) (bool, error)
	Revoke(ctx context.Context, hash [32]byte) error // an unknown hash is no error
}

// Owner reports whether the request comes from a device that was let in.
func (g *Guard) Owner(r *http.Request) bool {
	hash, ok := cookieHash(r)
	if !ok {
		return false
	}
	has, err := g.store.Has(r.Context(), hash)
	if err != nil {
		g.log.Error("cannot look up a device", "err", err)
		return false
	}
	return has
}

// Enter lets a device in that shows the one-time code, by setting its cookie
// on w, and issues the next code. The error is ErrCode, a *WaitError, or the
// store's.
func (g *Guard) Enter(w http.ResponseWriter, r *http.Request, code string) error {
	if err := g.spend(code, remote(r)); err != nil {
		g.log.Warn("code refused", "from", r.RemoteAddr, "err", err)
		return err
	}
	g.issued(g.Code())
	secret := make([]byte, cookieBytes)
	if _, err := io.ReadFull(g.random, secret); err != nil {
		return fmt.Errorf("making a cookie: %w", err)
	}
	value := base64.RawURLEncoding.EncodeToString(secret)
	if err := g.store.Put(r.Context(), sha256.Sum256([]byte(value)), g.now()); err != nil {
		return fmt.Errorf("keeping the new device: %w", err)
	}
	http.SetCookie(w, cookie(r, value, cookieDays*24*60*60))
	g.log.Info("a device was let in", "from", r.RemoteAddr)
	return nil
}

// Leave forgets the device that asks; it may look again, not act.
func (g *Guard) Leave(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, cookie(r, "", -1))
	hash, ok := cookieHash(r)
	if !ok {
		return nil
	}
	if err := g.store.Revoke(r.Context(), hash); err != nil {
		return fmt.Errorf("forgetting the device: %w", err)
	}
	return nil
}

// cookieName carries the __Host- prefix where the browser honours it.
func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-sonahub"
	}
	return "sonahub"
}

func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
}

func cookieHash(r *http.Request) ([32]byte, bool) {
	c, err := r.Cookie(cookieName(r))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(cookieBytes) {
		return [32]byte{}, false
	}
	return sha256.Sum256([]byte(c.Value)), true
}

// Memory is a Store that forgets everything at exit.
type Memory struct {
	mu   sync.Mutex
	seen map[[32]byte]time.Time
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{seen: map[[32]byte]time.Time{}} }

// Put keeps a hash; the oldest of too many is dropped.
func (m *Memory) Put(_ context.Context, hash [32]byte, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) >= maxDevices {
		var oldest [32]byte
		var when time.Time
		for h, t := range m.seen {
			if when.IsZero() || t.Before(when) {
				oldest, when = h, t
			}
		}
		delete(m.seen, oldest)
	}
	m.seen[hash] = at
	return nil
}

// Has reports whether the hash is kept.
func (m *Memory) Has(_ context.Context, hash [32]byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.seen[hash]
	return ok, nil
}

// Revoke drops a hash.
func (m *Memory) Revoke(_ context.Context, hash [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, hash)
	return nil
}
