package resource_test

import (
	"errors"
	"strings"
	"testing"

	"sonahub/sne/resource"
	"sonahub/sne/wire"
)

// row is one line of the table in section 9.
type row struct {
	r      resource.Resource
	path   string // with <id> and <s> for the identifiers
	limit  int64
	cache  string
	method string
}

const immutable = "public, max-age=31536000, immutable"

func table() []row {
	id := wire.ID{1, 2, 3}
	return []row{
		{resource.Resource{Kind: resource.Bundle}, "bundle", 32 << 10, "max-age=300", "GET"},
		{resource.Resource{Kind: resource.BundleByID, ID: id}, "bundle/<id>", 32 << 10, immutable, "GET"},
		{resource.Resource{Kind: resource.Key, ID: id}, "key/<id>", 1984, immutable, "GET"},
		{resource.Resource{Kind: resource.Catalog}, "catalog", 1 << 20, "max-age=60", "GET"},
		{resource.Resource{Kind: resource.CatalogPage, Seq: 18446744073709551615, Page: 65535}, "catalog/18446744073709551615/65535", 1 << 20, immutable, "GET"},
		{resource.Resource{Kind: resource.Blob, ID: id}, "blob/<id>", 2 << 20, immutable, "GET"},
		{resource.Resource{Kind: resource.Head, ID: id, Tier: 2}, "b/<id>/2/head", 8 << 10, "max-age=3600", "GET"},
		{resource.Resource{Kind: resource.Records, ID: id, Tier: 2, Size: 100, First: 8, N: 8}, "b/<id>/2/records/100/8/8", 64 << 10, immutable, "GET"},
		{resource.Resource{Kind: resource.Consistency, ID: id, Tier: 2, First: 5, Size: 11}, "b/<id>/2/consistency/5/11", 1 + 64*32, immutable, "GET"},
		{resource.Resource{Kind: resource.Segment, ID: id, Tier: 2, Epoch: 7, Rendition: 1}, "c/<id>/2/7/1", 8<<20 + 88, immutable, "GET"},
		{resource.Resource{Kind: resource.KeySet, ID: id}, "ffxs/<id>", 1 << 10, immutable, "GET"},
		{resource.Resource{Kind: resource.Session}, "session", 65536 + 1146, "no-store", "POST"},
		{resource.Resource{Kind: resource.Exchange, Session: wire.SessionID{4}}, "session/<s>", 65536 + 1146, "no-store", "POST"},
	}
}

func TestTableOfSection9(t *testing.T) {
	names := strings.NewReplacer("<id>", wire.ID{1, 2, 3}.String(), "<s>", wire.SessionID{4}.String())
	for _, row := range table() {
		path := "/sne/1/" + names.Replace(row.path)
		if got := row.r.Path(); got != path {
			t.Errorf("%s: wrote %s", row.path, got)
		}
		if got, err := resource.Parse(path); err != nil || got != row.r {
			t.Errorf("%s: read %+v, %v", row.path, got, err)
		}
		if row.r.Limit() != row.limit || row.r.Cache(true) != row.cache || row.r.Method() != row.method {
			t.Errorf("%s: limit %d, cache %q, method %s", row.path, row.r.Limit(), row.r.Cache(true), row.r.Method())
		}
		if post := row.method == "POST"; (row.r.RequestLimit() > 0) != post {
			t.Errorf("%s: takes %d bytes", row.path, row.r.RequestLimit())
		}
		for _, bad := range []string{path + "/", path + "/x", "/" + path, path + "?", strings.ToUpper(path), strings.TrimPrefix(path, "/sne/1"), path + "\x00"} {
			if got, err := resource.Parse(bad); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%q: read %+v, %v", bad, got, err)
			}
		}
	}
	if got := (resource.Resource{Kind: resource.Head}).Cache(false); got != "max-age=1" {
		t.Errorf("a live head is kept %s", got)
	}
}

func TestOnlyCanonicalPaths(t *testing.T) {
	id := wire.ID{1}.String()
	for _, bad := range []string{
		"", "/", "/sne/1", "/sne/1/", "/sne/2/bundle", "/sne/1//bundle", "/sne/1/nothing", "/sne/1/./bundle", "/sne/1/b/" + id + "/1",
		"/sne/1/b/" + id + "/01/head", "/sne/1/b/" + id + "/+1/head", "/sne/1/b/" + id + "/65536/head", "/sne/1/b/" + id + "/-1/head",
		"/sne/1/b/" + id + "/1/records/5/0/0", "/sne/1/b/" + id + "/1/records/5/0/33", "/sne/1/b/" + id + "/1/records/5/0",
		"/sne/1/c/" + id + "/1/18446744073709551616/1", "/sne/1/c/" + id + "/1/1", "/sne/1/b/" + id + "/1/tail",
		"/sne/1/blob/" + id[:51] + "b", "/sne/1/catalog/1", "/sne/1/session/" + id, "/sne/1/" + strings.Repeat("x", 300),
	} {
		if got, err := resource.Parse(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: read %+v, %v", bad, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range table() {
		f.Add(row.r.Path())
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := resource.Parse(path)
		if err == nil && r.Path() != path {
			t.Fatalf("%q is a second spelling of %q", path, r.Path())
		}
	})
}
