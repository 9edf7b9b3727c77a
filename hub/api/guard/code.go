package guard

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// A code is 8 letters of Crockford's base 32 (40 bits), shown as "ABCD-1234":
// there is no I, L, O or U in it, and who types one of the first three means
// a digit.
const (
	alphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength = 8
	maxTyped   = 64 // longest text looked at as a code
)

// ErrCode says that the code is not the one that is valid now.
var ErrCode = errors.New("this is not the code that the terminal shows now")

// WaitError says that too many wrong codes came; until then even the right
// one is not looked at.
type WaitError struct{ Until time.Time }

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong codes; try again at %s", e.Until.Format("15:04:05"))
}

func newCode(random io.Reader) (string, error) {
	var b [codeLength]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("making a one-time code: %w", err)
	}
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b[:4]) + "-" + string(b[4:]), nil
}

// plainCode folds what people may type for a code.
func plainCode(s string) string {
	if len(s) > maxTyped {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '\t', '\n', '\r':
			return -1
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, strings.ToUpper(s))
}

// Code returns the one-time code that is valid now.
func (g *Guard) Code() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.code
}

// spend compares a typed code with the valid one; a right one is replaced at
// once, so that it works only once.
func (g *Guard) spend(typed string, from netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := g.tries.blocked(from); !until.IsZero() {
		return &WaitError{until}
	}
	if subtle.ConstantTimeCompare([]byte(plainCode(typed)), []byte(plainCode(g.code))) != 1 {
		g.tries.failed(from)
		return ErrCode
	}
	fresh, err := newCode(g.random)
	if err != nil {
		return err
	}
	g.code = fresh
	g.tries.passed(from)
	return nil
}

// remote is the address that tries are counted for: an IPv4 address, or the
// /64 that an IPv6 household is.
func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
