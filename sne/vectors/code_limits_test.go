package vectors_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"sonahub/sne/fetch"
	"sonahub/sne/resource"
)

// TestLimitsOverHTTP serves every resource at its limit and a byte over it, with
// and without its length told, and posts requests of both sizes.
func TestLimitsOverHTTP(t *testing.T) {
	f := load[negativeFile](t, "negative.json")
	for i, l := range f.Limits {
		r := resources()[i]
		for _, over := range []int64{0, 1} {
			for _, told := range []bool{true, false} {
				if err := fetched(t, r, l.Limit+over, told); (over == 1) != errors.Is(err, fetch.ErrTooBig) {
					t.Errorf("%s with %d bytes (length told: %v): %v", l.Path, l.Limit+over, told, err)
				}
			}
			if l.Request == 0 {
				continue
			}
			if err := posted(t, r, l.Request+over); (over == 1) != errors.Is(err, fetch.ErrTooBig) {
				t.Errorf("%s with a request of %d bytes: %v", l.Path, l.Request+over, err)
			}
		}
	}
}

func serveBytes(t *testing.T, n int64, told bool) *fetch.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if told {
			w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		} else {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(bytes.Repeat([]byte{1}, int(n))) // the client may leave early
	}))
	t.Cleanup(server.Close)
	c := must(fetch.New(server.URL, fetch.Options{}))(t)
	t.Cleanup(c.Close)
	return c
}

func fetched(t *testing.T, r resource.Resource, n int64, told bool) error {
	t.Helper()
	c := serveBytes(t, n, told)
	if r.Method() == http.MethodPost {
		_, err := c.Post(t.Context(), r, []byte{1})
		return err
	}
	_, err := c.Get(t.Context(), r)
	return err
}

func posted(t *testing.T, r resource.Resource, n int64) error {
	t.Helper()
	_, err := serveBytes(t, 1, true).Post(t.Context(), r, make([]byte, n))
	return err
}
