package static

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func load(t *testing.T) *Files {
	t.Helper()
	f, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestWeight keeps the page light: everything it loads, but for covers.
func TestWeight(t *testing.T) {
	total := 0
	for _, s := range load(t).paths {
		total += len(s.data)
	}
	t.Logf("style, scripts and icon weigh %d bytes, uncompressed", total)
	if total > 60_000 {
		t.Errorf("%d bytes", total)
	}
}

func TestServe(t *testing.T) {
	f := load(t)
	for _, c := range []struct {
		path, tag, kind string
		code            int
	}{
		{f.Name("page.css"), "", "text/css; charset=utf-8", 200},
		{f.Name("remote.js"), "", "text/javascript; charset=utf-8", 200},
		{f.Name("icon.svg"), "", "image/svg+xml", 200},
		{f.Name("page.css"), f.paths[f.Name("page.css")].tag, "", 304},
		{"/static/page.css", "", "text/plain; charset=utf-8", 404},
		{"/static/VENDOR.md", "", "text/plain; charset=utf-8", 404},
		{"/static/../static.go", "", "text/plain; charset=utf-8", 404},
	} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.URL.Path = c.path
		r.Header.Set("If-None-Match", c.tag)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != c.code || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Header().Get("Content-Type"))
		}
		if long := strings.Contains(w.Header().Get("Cache-Control"), "immutable"); long != (c.code != 404) {
			t.Errorf("%s: cached for ever: %v", c.path, long)
		}
	}
}

// TestVendored compares what others wrote with VENDOR.md.
func TestVendored(t *testing.T) {
	list, err := os.ReadFile("VENDOR.md")
	if err != nil {
		t.Fatal(err)
	}
	data, err := files.ReadFile("idiomorph.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if !strings.Contains(string(list), hex.EncodeToString(sum[:])) {
		t.Errorf("idiomorph.min.js is not the file that VENDOR.md names: %x", sum)
	}
}
