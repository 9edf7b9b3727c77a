package discover

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode"

	"github.com/grandcat/zeroconf"
)

// Limits on text from the network, in bytes but for maxPairs.
const (
	maxInstance = 63
	maxHost     = 255
	maxKey      = 64
	maxValue    = 255
	maxPairs    = 64
)

// mdns is the Search of the field: one resolver for one search, because
// zeroconf reports an instance once in a resolver's life and never its end.
func mdns(ctx context.Context, service string, on []net.Interface, found func(Record)) error {
	resolver, err := zeroconf.NewResolver(zeroconf.SelectIfaces(on))
	if err != nil { // a machine without IPv6
		resolver, err = zeroconf.NewResolver(zeroconf.SelectIfaces(on), zeroconf.SelectIPTraffic(zeroconf.IPv4))
	}
	if err != nil {
		return fmt.Errorf("discover: multicast DNS: %w", err)
	}
	entries := make(chan *zeroconf.ServiceEntry)
	asked := resolver.Browse(ctx, service, "local.", entries)
	for e := range entries { // closed by the resolver when ctx ends or Browse fails
		if r, ok := recordOf(service, e); ok {
			found(r)
		}
	}
	if asked != nil {
		return fmt.Errorf("discover: multicast DNS: %w", asked)
	}
	return nil
}

// recordOf cleans an answer, or reports that it is of no use.
func recordOf(service string, e *zeroconf.ServiceEntry) (Record, bool) {
	r := Record{Service: service, Instance: clean(unescape(e.Instance), maxInstance),
		Host: clean(strings.TrimSuffix(unescape(e.HostName), "."), maxHost), Port: e.Port, TXT: pairs(e.Text)}
	for _, list := range [][]net.IP{e.AddrIPv4, e.AddrIPv6} {
		for _, ip := range list {
			a, ok := netip.AddrFromSlice(ip)
			if a = a.Unmap(); ok && !a.IsUnspecified() && !a.IsMulticast() && !(a.Is6() && a.IsLinkLocalUnicast()) {
				r.Addrs = append(r.Addrs, a)
			}
		}
	}
	return r, r.Instance != "" && r.Port > 0 && r.Port < 1<<16 && len(r.Addrs) > 0
}

// pairs reads the strings of a TXT record. The first of equal keys counts (RFC
// 6763, 6.4).
func pairs(text []string) map[string]string {
	out := map[string]string{}
	for _, s := range text {
		name, value, _ := strings.Cut(unescape(s), "=")
		name = strings.ToLower(clean(name, maxKey))
		if _, twice := out[name]; name == "" || twice || len(out) == maxPairs {
			continue
		}
		out[name] = clean(value, maxValue)
	}
	return out
}

// unescape undoes the escapes that the DNS library puts into text: \DDD for a
// byte, \X for a character.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		if n, ok := decimal(s[i+1:]); ok {
			out.WriteByte(n)
			i += 3
			continue
		}
		i++
		out.WriteByte(s[i])
	}
	return out.String()
}

// decimal reads three digits.
func decimal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range s[:3] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return byte(n), n < 256
}

// clean keeps what can be shown and cuts it to so many bytes.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return strings.TrimSpace(s)
}
