package guard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var _ Store = (*Memory)(nil)

// clock is a time that tests move by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func fresh(t *testing.T, c Config) (*Guard, *[]string) {
	t.Helper()
	var codes []string
	c.Issued = func(code string) { codes = append(codes, code) }
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g, &codes
}

func post(from, code string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest("POST", "http://localhost/enter?code="+code, nil)
	r.RemoteAddr = from
	return httptest.NewRecorder(), r
}

func TestHosts(t *testing.T) {
	g, _ := fresh(t, Config{Names: []string{"SonaHub.local."}, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.9")}})
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for host, want := range map[string]int{
		"localhost":            204,
		"localhost:8080":       204,
		"sonahub.local:80":     204,
		"SONAHUB.LOCAL.":       204,
		"127.0.0.1:8080":       204,
		"[::1]:8080":           204,
		"[::1]":                204,
		"192.0.2.7:8080":       204, // the address the connection came to
		"192.0.2.9":            204,
		"[::ffff:192.0.2.7]:1": 204,
		"192.0.2.8":            421,
		"evil.example":         421,
		"localhost.evil":       421,
		"evil.example:8080":    421,
		"":                     421,
		"sonahub.local@evil":   421,
		"[::1":                 204, // no browser sends it; it names loopback
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 8080})))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
		if w.Header().Get("Content-Security-Policy") != Policy {
			t.Errorf("Host %q: answer without the policy", host)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	g, _ := fresh(t, Config{})
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, c := range []struct {
		method, origin, fetchSite string
		want                      int
	}{
		{"POST", "http://localhost:8080", "", 204},
		{"POST", "", "same-origin", 204},
		{"POST", "", "", 204}, // not a browser
		{"POST", "http://evil.example", "", 403},
		{"POST", "http://localhost:9090", "", 403}, // another service of this machine
		{"POST", "null", "", 403},
		{"POST", "", "cross-site", 403},
		{"DELETE", "", "same-site", 403},
		{"GET", "http://evil.example", "cross-site", 204}, // GET is pure
	} {
		r := httptest.NewRequest(c.method, "http://localhost:8080/do/play", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.fetchSite != "" {
			r.Header.Set("Sec-Fetch-Site", c.fetchSite)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: got %d", c, w.Code)
		}
	}
}

func TestPolicyForbidsInline(t *testing.T) {
	for _, bad := range []string{"unsafe", "*", "http:", "https:", "data:"} {
		if strings.Contains(Policy, bad) {
			t.Errorf("policy contains %q", bad)
		}
	}
}

func TestEnter(t *testing.T) {
	store := NewMemory()
	g, codes := fresh(t, Config{Store: store})
	first := g.Code()
	typed := " " + strings.ToLower(strings.ReplaceAll(first, "-", " ")) + "\n"
	w, r := post("192.0.2.1:1", "")
	if g.Owner(r) {
		t.Fatal("a stranger is owner")
	}
	if err := g.Enter(w, r, typed); err != nil {
		t.Fatalf("right code: %v", err)
	}
	set := w.Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteStrictMode || len(set[0].Value) != 43 {
		t.Fatalf("cookie %+v", set)
	}
	r.AddCookie(set[0])
	if !g.Owner(r) {
		t.Fatal("let in, yet no owner")
	}
	if has, _ := store.Has(t.Context(), sha256.Sum256([]byte(set[0].Value))); !has {
		t.Fatal("the store does not hold the hash")
	}
	if len(*codes) != 2 || (*codes)[1] == first || g.Code() != (*codes)[1] {
		t.Fatalf("codes issued: %d, the next must differ", len(*codes))
	}
	w2, r2 := post("192.0.2.1:1", "")
	if err := g.Enter(w2, r2, first); !errors.Is(err, ErrCode) {
		t.Fatalf("a used code: %v", err)
	}
	w3 := httptest.NewRecorder()
	if err := g.Leave(w3, r); err != nil {
		t.Fatal(err)
	}
	if g.Owner(r) {
		t.Fatal("revoked, yet owner")
	}
	if c := w3.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Fatalf("cookie is not taken back: %+v", c)
	}
}

func TestForgedCookies(t *testing.T) {
	g, _ := fresh(t, Config{})
	for _, v := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 4000)} {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "sonahub", Value: v})
		if g.Owner(r) {
			t.Errorf("cookie %q is owner", v)
		}
	}
}

func TestBackOff(t *testing.T) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	g, _ := fresh(t, Config{Now: c.now})
	try := func(from, code string) error { w, r := post(from, ""); return g.Enter(w, r, code) }
	for i := range freeTries {
		if err := try("192.0.2.1:1", "WRNG-0000"); !errors.Is(err, ErrCode) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var wait *WaitError
	if err := try("192.0.2.1:2", g.Code()); !errors.As(err, &wait) {
		t.Fatalf("the right code in the wait: %v", err)
	}
	if got := wait.Until.Sub(c.t); got != firstWait {
		t.Fatalf("first wait %s", got)
	}
	if err := try("192.0.2.2:1", "WRNG-0000"); !errors.Is(err, ErrCode) {
		t.Fatalf("another address waits too: %v", err)
	}
	c.t = c.t.Add(firstWait + time.Second)
	if err := try("192.0.2.1:1", "WRNG-0000"); !errors.Is(err, ErrCode) {
		t.Fatalf("after the wait: %v", err)
	}
	if err := try("192.0.2.1:1", "WRNG-0000"); !errors.As(err, &wait) || wait.Until.Sub(c.t) != 2*firstWait {
		t.Fatalf("second wait: %v", err)
	}
	c.t = c.t.Add(2*firstWait + time.Second)
	if err := try("192.0.2.1:1", g.Code()); err != nil {
		t.Fatalf("the right code after the wait: %v", err)
	}
}

func TestBackOffForAll(t *testing.T) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	g, _ := fresh(t, Config{Now: c.now})
	for i := range freeGlobal {
		w, r := post(fmt.Sprintf("192.0.2.%d:1", i), "")
		if err := g.Enter(w, r, "WRNG-0000"); !errors.Is(err, ErrCode) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	w, r := post("198.51.100.1:1", "")
	var wait *WaitError
	if err := g.Enter(w, r, g.Code()); !errors.As(err, &wait) {
		t.Fatalf("after %d wrong codes of all: %v", freeGlobal, err)
	}
}

func TestOneHouseholdOfIPv6(t *testing.T) {
	_, a := post("[2001:db8:1:2::1]:5", "")
	_, b := post("[2001:db8:1:2:ffff::1%eth0]:6", "")
	_, c := post("[2001:db8:1:3::1]:5", "")
	if remote(a) != remote(b) || remote(a) == remote(c) {
		t.Fatalf("%v %v %v", remote(a), remote(b), remote(c))
	}
}

func TestManyAddressesAreBounded(t *testing.T) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	g, _ := fresh(t, Config{Now: c.now})
	for i := range 3 * maxKnown {
		g.tries.failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(g.tries.per) > maxKnown {
		t.Fatalf("%d addresses kept", len(g.tries.per))
	}
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"", "ABCD-1234", "o0iIlL", " a\nb ", strings.Repeat("A", 100), "\xff\xfe", "ſ"} {
		f.Add(s)
	}
	g, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		g.tries = tries{now: time.Now}
		w, r := post("192.0.2.1:1", "")
		if err := g.Enter(w, r, typed); err == nil {
			t.Fatalf("guessed: %q", typed)
		}
	})
}
