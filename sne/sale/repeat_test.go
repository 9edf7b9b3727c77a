package sale_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/sne/fetch"
	"sonahub/sne/snetest"
)

// lossy drops the first n answers to exchanges after the origin acted.
func lossy(n int) func(http.ResponseWriter, *http.Request, http.Handler) {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		drop := n > 0 && strings.HasPrefix(r.URL.Path, "/sne/1/session/")
		if drop {
			n--
		}
		mu.Unlock()
		if !drop {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

func TestLostAnswersAreRepeatedAndActOnce(t *testing.T) {
	for _, tc := range []struct {
		name     string
		lost     int
		sessions int
	}{
		{"one", 1, 1}, {"two", 2, 1}, {"three: a new session", 3, 2}, {"five", 5, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, c := start(t, snetest.Options{})
			_, recs := records(t, g, c, 4, 1)
			g.Intercept(lossy(tc.lost))
			if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil {
				t.Fatal(err)
			}
			if g.Acts() != 1 || g.Sessions() != tc.sessions {
				t.Fatalf("acted %d times in %d sessions", g.Acts(), g.Sessions())
			}
		})
	}
	t.Run("six: an error", func(t *testing.T) {
		g, c := start(t, snetest.Options{})
		_, recs := records(t, g, c, 4, 1)
		g.Intercept(lossy(6))
		body := tokens(t, 2, 0, 1)
		if _, err := c.Redeem(t.Context(), recs, body); !errors.Is(err, fetch.ErrUnreachable) {
			t.Fatalf("got %v", err)
		}
		// A crash later, in another client: the same body is the same grant.
		grant, err := client(t, g).Redeem(t.Context(), recs, body)
		if err != nil || g.Acts() != 1 || grant.Keys[0] == nil {
			t.Fatalf("%v, acted %d times", err, g.Acts())
		}
	})
}

func TestGarbledAnswerIsRepeated(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	first := true
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !first || !strings.HasPrefix(r.URL.Path, "/sne/1/session/") {
			next.ServeHTTP(w, r)
			return
		}
		first = false
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		body[len(body)-1] ^= 1
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(body)
	})
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 1)); err != nil || g.Acts() != 1 || g.Sessions() != 1 {
		t.Fatalf("%v, acted %d times in %d sessions", err, g.Acts(), g.Sessions())
	}
}

func TestOriginRestartIsSurvived(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 2)
	for i := range recs {
		if _, err := c.Redeem(t.Context(), recs[i:i+1], tokens(t, 2, 0, byte(i))); err != nil {
			t.Fatal(err)
		}
		g.ForgetSessions()
	}
}

func TestCallersQueueAndMayLeave(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		once.Do(func() { close(entered); <-release })
		next.ServeHTTP(w, r)
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.Redeem(context.Background(), recs, tokens(t, 2, 0, 1))
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Redeem(ctx, recs, tokens(t, 2, 0, 2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the one in the queue: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if g.Acts() != 1 {
		t.Fatalf("acted %d times", g.Acts())
	}
}

// A caller that gives up leaves a request outstanding; the next one must not
// build another under the same root.
func TestAbandonedExchangeEndsItsSession(t *testing.T) {
	g, c := start(t, snetest.Options{})
	_, recs := records(t, g, c, 4, 1)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	g.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Redeem(ctx, recs, tokens(t, 2, 0, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	g.Intercept(nil)
	if _, err := c.Redeem(t.Context(), recs, tokens(t, 2, 0, 2)); err != nil || g.Sessions() != 2 {
		t.Fatalf("%v, %d sessions", err, g.Sessions())
	}
}
