package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/sne/fetch"
	"sonahub/sne/resource"
)

func serve(t *testing.T, h http.HandlerFunc, o fetch.Options) *fetch.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL, o)
}

func client(t *testing.T, base string, o fetch.Options) *fetch.Client {
	t.Helper()
	c, err := fetch.New(base, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func octets(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/octet-stream") }

func bundle() resource.Resource { return resource.Resource{Kind: resource.Bundle} }

func TestGetAndPost(t *testing.T) {
	var seen http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		octets(w)
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write([]byte(r.Method + r.URL.Path + string(body)))
	}, fetch.Options{})
	got, err := c.Get(t.Context(), bundle())
	if err != nil || string(got) != "GET/sne/1/bundle" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, h := range []string{"User-Agent", "Referer", "Cookie", "Cache-Control"} {
		if _, there := seen[h]; there {
			t.Errorf("tells %s", h)
		}
	}
	if seen.Get("Accept-Encoding") != "identity" {
		t.Errorf("accepts %q", seen.Get("Accept-Encoding"))
	}
	if got, err = c.Post(t.Context(), resource.Resource{Kind: resource.Session}, []byte("x")); err != nil || string(got) != "POST/sne/1/sessionx" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err = c.GetFresh(t.Context(), bundle()); err != nil || seen.Get("Cache-Control") != "no-cache" {
		t.Fatalf("%v, %v", seen, err)
	}
	if _, err := c.Post(t.Context(), bundle(), []byte("x")); !errors.Is(err, fetch.ErrTooBig) {
		t.Fatalf("posted to a GET: %v", err)
	}
}

func TestStatuses(t *testing.T) {
	for _, tc := range []struct {
		status int
		want   error
	}{
		{400, fetch.ErrBadRequest}, {404, fetch.ErrNotFound}, {410, fetch.ErrGone}, {413, fetch.ErrTooBig}, {429, fetch.ErrBusy},
		{503, fetch.ErrBusy}, {500, fetch.ErrUnreachable}, {502, fetch.ErrUnreachable}, {403, fetch.ErrMalformed}, {204, fetch.ErrMalformed},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(tc.status)
		}, fetch.Options{})
		_, err := c.Get(t.Context(), bundle())
		var e *fetch.Error
		if !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Path != "/sne/1/bundle" {
			t.Errorf("%d: %v", tc.status, err)
		}
		if busy := errors.Is(tc.want, fetch.ErrBusy); busy != (e.RetryAfter == 7*time.Second) {
			t.Errorf("%d: retry after %v", tc.status, e.RetryAfter)
		}
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for value, want := range map[string]time.Duration{"": time.Second, "soon": time.Second, "-5": time.Second, "999999": time.Hour, "99999999999999": time.Second} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(503)
		}, fetch.Options{})
		var e *fetch.Error
		if _, err := c.Get(t.Context(), bundle()); !errors.As(err, &e) || e.RetryAfter != want {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/sne/1/catalog", http.StatusFound)
	}, fetch.Options{})
	if _, err := c.Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrMalformed) || asked != 1 {
		t.Fatalf("%v, asked %d times", err, asked)
	}
}

func TestForeignContentIsMalformed(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"captive portal": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") },
		"no type":        func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			octets(w)
			w.Header().Set("Content-Encoding", "gzip")
		},
	} {
		if _, err := serve(t, h, fetch.Options{}).Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	const limit = 32 << 10
	for _, chunked := range []bool{false, true} {
		for _, n := range []int{limit, limit + 1} {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				octets(w)
				if chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(make([]byte, n))
			}, fetch.Options{})
			got, err := c.Get(t.Context(), bundle())
			if n == limit && (err != nil || len(got) != n) || n > limit && !errors.Is(err, fetch.ErrTooBig) {
				t.Errorf("chunked %v, %d bytes: got %d, %v", chunked, n, len(got), err)
			}
		}
	}
}

func TestAnswerThatBreaksOff(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		octets(w)
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write(make([]byte, 50))
		panic(http.ErrAbortHandler)
	}, fetch.Options{})
	if _, err := c.Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrUnreachable) {
		t.Fatalf("got %v", err)
	}
}

func TestDeadlines(t *testing.T) {
	stalled := func(before bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if before {
				octets(w)
				w.Header().Set("Content-Length", "100")
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		}
	}
	o := fetch.Options{FirstByte: 30 * time.Millisecond, Body: 30 * time.Millisecond}
	for name, h := range map[string]http.HandlerFunc{"no first byte": stalled(false), "no body": stalled(true)} {
		begun := time.Now()
		if _, err := serve(t, h, o).Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrUnreachable) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("%s: waited %v", name, d)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }, fetch.Options{})
	if _, err := c.Get(ctx, bundle()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if _, err := client(t, "http://"+addr, fetch.Options{}).Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrUnreachable) {
		t.Fatalf("got %v", err)
	}
}

func TestSixConnections(t *testing.T) {
	var mu sync.Mutex
	open, most := 0, 0
	full, seventh, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		open++
		most = max(most, open)
		if open == 6 {
			close(full)
		}
		if open == 7 {
			close(seventh)
		}
		mu.Unlock()
		<-release
		mu.Lock()
		open--
		mu.Unlock()
		octets(w)
	}, fetch.Options{})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), bundle()); err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	select { // time enough for a seventh to come, if it may
	case <-seventh:
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	wg.Wait()
	if most != 6 {
		t.Fatalf("%d connections at once", most)
	}
}

func TestTLSOrigin(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { octets(w); _, _ = w.Write([]byte("x")) }))
	defer s.Close()
	s.Config.ErrorLog = nil
	trusted := s.Client().Transport.(*http.Transport).TLSClientConfig
	if got, err := client(t, s.URL, fetch.Options{TLS: trusted}).Get(t.Context(), bundle()); err != nil || !bytes.Equal(got, []byte("x")) {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := client(t, s.URL, fetch.Options{}).Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrUnreachable) {
		t.Fatalf("an unknown authority: %v", err)
	}
	if _, err := client(t, s.URL, fetch.Options{TLS: trusted, Edge: true}).Get(t.Context(), bundle()); !errors.Is(err, fetch.ErrForbidden) {
		t.Fatalf("an edge on loopback: %v", err)
	}
}

func TestBasesThatAreRefused(t *testing.T) {
	for _, base := range []string{"", "ftp://h", "http://", "h:80", "http://u@h", "http://h?q", "http://h#f", "http://h/%zz", strings.Repeat("x", 10)} {
		if _, err := fetch.New(base, fetch.Options{}); !errors.Is(err, fetch.ErrForbidden) {
			t.Errorf("%q: %v", base, err)
		}
	}
}
