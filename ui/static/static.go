// Package static holds the page's style, script and icon, and the one library
// that the script uses (VENDOR.md says whose it is).
//
// Every file is served under a name that contains the hash of its content, so
// that a browser may keep it for ever and a new version of the hub is a new
// name.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed *.css *.js *.svg
var files embed.FS

// Prefix is where the files are mounted.
const Prefix = "/static/"

// Files are the files under their hashed names; they are immutable.
type Files struct {
	names map[string]string // "page.css" -> "/static/page.0f3a….css"
	paths map[string]file
	build string
}

type file struct {
	data []byte
	kind string
	tag  string
}

// Load reads what is built in.
func Load() (*Files, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("listing the static files: %w", err)
	}
	f := &Files{names: map[string]string{}, paths: map[string]file{}}
	all := sha256.New()
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading a static file: %w", err)
		}
		sum := sha256.Sum256(data)
		all.Write(sum[:])
		hash := hex.EncodeToString(sum[:8])
		ext := path.Ext(e.Name())
		name := Prefix + strings.TrimSuffix(e.Name(), ext) + "." + hash + ext
		f.names[e.Name()] = name
		f.paths[name] = file{data, kindOf(ext), `"` + hash + `"`}
	}
	f.build = hex.EncodeToString(all.Sum(nil)[:8])
	return f, nil
}

func kindOf(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	default:
		return "image/svg+xml"
	}
}

// Name is the address of a file, e.g. of "page.css".
func (f *Files) Name(file string) string { return f.names[file] }

// Build changes whenever any of the files does.
func (f *Files) Build() string { return f.build }

// ServeHTTP answers below Prefix.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, ok := f.paths[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", s.tag)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Header.Get("If-None-Match") == s.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", s.kind)
	_, _ = w.Write(s.data) // a browser that has gone is nobody's error
}
