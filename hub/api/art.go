package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

const maxArt = 8 << 20 // bytes of a cover

// pictures are the types that are passed on. SVG is not among them: it is a
// program.
func pictures() []string { return []string{"image/jpeg", "image/png", "image/webp", "image/gif"} }

// art passes a cover on. The bytes come from a stranger's file: their type is
// taken from the bytes themselves, whatever the file said, and only pictures
// pass.
func (h *Handler) art(w http.ResponseWriter, r *http.Request) {
	hash := r.PathValue("hash")
	if !plainHash(hash) {
		h.fail(w, r, Problem{"bad_request", "This is not the hash of a cover.", "Use the field art of a track."})
		return
	}
	tag := `"` + hash + `"`
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	data, _, err := h.Hub.Art(ctx, hash)
	if err != nil {
		h.fail(w, r, problem(err))
		return
	}
	kind := http.DetectContentType(data)
	if len(data) > maxArt || !slices.Contains(pictures(), kind) {
		h.Logger.Warn("cover refused", "hash", hash, "bytes", len(data), "type", kind)
		h.fail(w, r, Problem{"not_found", "The cover is not a picture that can be shown.", "Use a JPEG, PNG, WebP or GIF of at most 8 MiB."})
		return
	}
	head := w.Header()
	head.Set("ETag", tag)
	head.Set("Cache-Control", "private, max-age=31536000, immutable") // the name is the content's hash
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Type", kind)
	if _, err := w.Write(data); err != nil {
		h.Logger.Debug("a cover did not arrive", "err", err)
	}
}

// plainHash accepts what hashes are written with, and no path.
func plainHash(s string) bool {
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}
