package origin

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter is a token bucket for each address, for a bounded number of them.
type limiter struct {
	perSecond rate.Limit
	burst     int
	max       int

	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func newLimiter(perSecond float64, burst, addresses int) *limiter {
	return &limiter{perSecond: rate.Limit(perSecond), burst: burst, max: addresses, all: map[string]*rate.Limiter{}}
}

// allow takes a token for an address; without one it says when there will be.
func (l *limiter) allow(address string, now time.Time) (ok bool, retry time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.all[address]
	if b == nil {
		if len(l.all) >= l.max {
			l.forget(now)
		}
		if len(l.all) >= l.max {
			return false, time.Second
		}
		b = rate.NewLimiter(l.perSecond, l.burst)
		l.all[address] = b
	}
	if b.AllowN(now, 1) {
		return true, 0
	}
	return false, time.Duration(float64(time.Second) / float64(l.perSecond))
}

// forget drops the buckets that are full again: they say nothing.
func (l *limiter) forget(now time.Time) {
	for a, b := range l.all {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.all, a)
		}
	}
}

// addressOf is what a client is told apart by: its IPv4 address, or the /64
// of its IPv6 address, which is one household's.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
