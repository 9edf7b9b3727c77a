// Package resource is section 9 as one table: the HTTP paths of an origin, what
// they may carry and how long it may be kept. Hub and origin both use it, so
// that neither has its own idea of a path.
//
// Invariant: a path has exactly one spelling; Parse refuses every other, and
// Parse(r.Path()) is r.
package resource

import (
	"net/http"
	"strconv"
	"strings"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// Prefix is what every path begins with.
const Prefix = "/sne/1"

// Kind says what a path names.
type Kind uint8

// The resources of section 9. The comments name the fields that are used.
const (
	Bundle      Kind = iota + 1 // none
	BundleByID                  // ID
	Key                         // ID: KeyID of a creator
	Catalog                     // none: page 0 of the newest
	CatalogPage                 // Seq, Page
	Blob                        // ID: SHA-256
	Head                        // ID: broadcast; Tier
	Records                     // ID, Tier, Size, First, N
	Consistency                 // ID, Tier, First: from; Size: to
	Segment                     // ID, Tier, Epoch, Rendition
	KeySet                      // ID
	Session                     // none: POST of message 1
	Exchange                    // Session: POST of a request
)

// Resource names one thing that an origin serves. Fields that its Kind does not
// use are zero.
type Resource struct {
	Kind      Kind
	ID        wire.ID
	Session   wire.SessionID
	Tier      uint16
	Rendition uint16
	Page      uint16
	Seq       uint64
	Epoch     uint64
	Size      uint64
	First     uint64
	N         uint8 // 1 to 32
}

// Path returns the one spelling of the path, Prefix included.
func (r Resource) Path() string {
	tier, num := strconv.Itoa(int(r.Tier)), strconv.FormatUint
	var parts []string
	switch r.Kind {
	case Bundle:
		parts = []string{"bundle"}
	case BundleByID:
		parts = []string{"bundle", r.ID.String()}
	case Key:
		parts = []string{"key", r.ID.String()}
	case Catalog:
		parts = []string{"catalog"}
	case CatalogPage:
		parts = []string{"catalog", num(r.Seq, 10), strconv.Itoa(int(r.Page))}
	case Blob:
		parts = []string{"blob", r.ID.String()}
	case Head:
		parts = []string{"b", r.ID.String(), tier, "head"}
	case Records:
		parts = []string{"b", r.ID.String(), tier, "records", num(r.Size, 10), num(r.First, 10), strconv.Itoa(int(r.N))}
	case Consistency:
		parts = []string{"b", r.ID.String(), tier, "consistency", num(r.First, 10), num(r.Size, 10)}
	case Segment:
		parts = []string{"c", r.ID.String(), tier, num(r.Epoch, 10), strconv.Itoa(int(r.Rendition))}
	case KeySet:
		parts = []string{"ffxs", r.ID.String()}
	case Session:
		parts = []string{"session"}
	case Exchange:
		parts = []string{"session", r.Session.String()}
	}
	return Prefix + "/" + strings.Join(parts, "/")
}

// Method returns the HTTP method.
func (r Resource) Method() string {
	if r.Kind == Session || r.Kind == Exchange {
		return http.MethodPost
	}
	return http.MethodGet
}

// Limit returns how many bytes the body of the answer may have.
func (r Resource) Limit() int64 {
	switch r.Kind {
	case Bundle, BundleByID:
		return bundle.MaxSize
	case Key:
		return composite.PublicKeySize
	case Catalog, CatalogPage:
		return catalog.MaxPage
	case Blob:
		return 2 << 20
	case Head:
		return manifest.MaxHead
	case Records:
		return 64 << 10
	case Consistency:
		return 1 + 64*32
	case Segment:
		return segment.MaxObject
	case KeySet:
		return 1 << 10
	case Session, Exchange:
		return session.MaxResponse
	}
	return 0
}

// RequestLimit returns how many bytes the body of the request may have.
func (r Resource) RequestLimit() int64 {
	switch r.Kind {
	case Session, Exchange:
		return session.MaxResponse
	}
	return 0
}

// Cache returns the Cache-Control value of an answer with status 200. closed
// matters for a Head alone. Any other status is "no-store".
func (r Resource) Cache(closed bool) string {
	switch r.Kind {
	case Bundle:
		return "max-age=300"
	case Catalog:
		return "max-age=60"
	case Head:
		if closed {
			return "max-age=3600"
		}
		return "max-age=1"
	case Session, Exchange:
		return NoStore
	}
	return "public, max-age=31536000, immutable"
}

// NoStore is the Cache-Control value of everything that must not be kept.
const NoStore = "no-store"
