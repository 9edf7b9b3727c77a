package fetch

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAddressRules(t *testing.T) {
	const (
		loop    = "127.0.0.1"
		private = "192.168.1.5"
		link    = "169.254.1.1"
		public  = "203.0.113.9"
	)
	for _, tc := range []struct {
		name  string
		o     Options
		plain bool
		yes   []string
		no    []string
	}{
		{"TLS origin", Options{}, false, []string{loop, private, link, public, "::1", "2001:db8::1"}, []string{"224.0.0.1", "ff02::1"}},
		{"plain origin", Options{}, true, []string{loop, "::1", "::ffff:127.0.0.1"}, []string{private, link, public, "fd00::1", "0.0.0.0"}},
		{"plain origin, typed", Options{Typed: true}, true, []string{loop, private, link, "fd00::1", "fe80::1"}, []string{public, "0.0.0.0", "2001:db8::1"}},
		{"TLS edge", Options{Edge: true}, false, []string{public}, []string{loop, private, link, "::1", "fd00::1", "fe80::1", "100.64.0.1", "0.0.0.0", "::ffff:192.168.1.5", "::ffff:100.64.0.1"}},
		{"TLS edge of a private origin", Options{Edge: true, PrivateEdge: true}, false, []string{loop, private, public}, []string{"224.0.0.1"}},
		{"plain edge", Options{Edge: true, Typed: true}, true, nil, []string{loop, private, public}},
		{"plain edge of a private origin", Options{Edge: true, PrivateEdge: true}, true, []string{loop}, []string{private, public}},
	} {
		for _, a := range tc.yes {
			if !tc.o.allowed(tc.plain, netip.MustParseAddr(a)) {
				t.Errorf("%s: %s is refused", tc.name, a)
			}
		}
		for _, a := range tc.no {
			if tc.o.allowed(tc.plain, netip.MustParseAddr(a)) {
				t.Errorf("%s: %s is allowed", tc.name, a)
			}
		}
	}
}

func TestControlSeesTheResolvedAddress(t *testing.T) {
	f := Options{}.control(true)
	if err := f("tcp4", "127.0.0.1:80", nil); err != nil {
		t.Error(err)
	}
	for _, a := range []string{"192.168.1.5:80", "name:80", ""} {
		if err := f("tcp4", a, nil); !errors.Is(err, ErrForbidden) {
			t.Errorf("%q: %v", a, err)
		}
	}
}
