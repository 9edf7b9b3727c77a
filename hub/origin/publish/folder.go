// Package publish turns encoded sound into what the platform serves: sealed
// segments and covers as plain immutable files that any web server could
// hand out, a signed Head over their records, and the signed catalogue.
//
// Source: SNE-SPEC sections 3 and 9. Invariants. A segment is opened again
// from its finished bytes before its record exists, so nothing is offered
// that does not open (3.2). A tier's folder appears under its public name
// complete, by one rename, and only then its Head is stored. Files are never
// changed afterwards.
package publish

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"sonahub/hub/origin/durable"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// Folder is the document root of the static part: a file's path under Public
// is its path in the URL.
type Folder struct {
	Public string // what may be served
	Work   string // unfinished tiers, on the same file system; emptied by Clean
}

// Clean makes the folders and throws away what was not finished.
func (f Folder) Clean() error {
	if err := os.RemoveAll(f.Work); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for _, dir := range []string{f.Public, f.Work, f.path(resource.Resource{Kind: resource.Blob})} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// File returns where a segment or a blob lies. The path is made of numbers
// and hashes only, never of anybody's text.
func (f Folder) File(r resource.Resource) string { return f.path(r) }

func (f Folder) path(r resource.Resource) string {
	p := r.Path()
	if r.Kind == resource.Blob && r.ID.IsZero() { // the folder of all blobs
		p = filepath.Dir(p)
	}
	return filepath.Join(f.Public, filepath.FromSlash(p))
}

// MaxBlob is the largest cover that is published, in bytes.
const MaxBlob = 2 << 20

// PutBlob stores a cover and returns its hash. One that is already there is
// kept.
func (f Folder) PutBlob(data []byte) (wire.ID, error) {
	if len(data) == 0 || len(data) > MaxBlob {
		return wire.ID{}, fmt.Errorf("publish: a cover of %d bytes", len(data))
	}
	id := wire.ID(sha256.Sum256(data))
	path := f.path(resource.Resource{Kind: resource.Blob, ID: id})
	if _, err := os.Stat(path); err == nil {
		return id, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return wire.ID{}, fmt.Errorf("publish: %w", err)
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return wire.ID{}, fmt.Errorf("publish: %w", err)
	}
	return id, nil
}

// tierDir is the public folder of a tier: c/<b>/<tier>.
func (f Folder) tierDir(b wire.ID, tier uint16) string {
	segment := f.path(resource.Resource{Kind: resource.Segment, ID: b, Tier: tier})
	return filepath.Dir(filepath.Dir(segment))
}

// epochDir is the public folder of an epoch: c/<b>/<tier>/<epoch>.
func (f Folder) epochDir(e segment.Epoch) string {
	return filepath.Dir(f.path(resource.Resource{Kind: resource.Segment, ID: e.Broadcast, Tier: e.Tier, Epoch: e.Number}))
}

// workDir is where a tier grows.
func (f Folder) workDir(b wire.ID, tier uint16) string {
	return filepath.Join(f.Work, b.String()+"-"+strconv.Itoa(int(tier)))
}
