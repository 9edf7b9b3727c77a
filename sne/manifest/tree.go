package manifest

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"sonahub/sne/wire"
)

// MaxPage is how many records one answer may carry.
const MaxPage = 32

const (
	maxRecord = 1024
	maxPath   = 64
)

// ErrRecord means that a record is not the one that the Head fixes.
var ErrRecord = errors.New("sne: epoch record refused")

// Tree is the Merkle tree of a closed manifest, at the origin. It is immutable.
type Tree struct {
	records [][]byte
	hashes  []wire.ID // as Log stores them
	root    wire.ID
}

// NewTree builds the tree over records, whose numbers must be 0, 1, 2, ...
func NewTree(records []*Record) (*Tree, error) {
	t := &Tree{}
	for i, rec := range records {
		if rec.Number != uint64(i) || rec.Broadcast != records[0].Broadcast || rec.Tier != records[0].Tier {
			return nil, fmt.Errorf("%w: number %d at place %d", ErrRecord, rec.Number, i)
		}
		raw, err := rec.Marshal()
		if err != nil {
			return nil, err
		}
		more, err := t.log().Append(uint64(i), raw)
		if err != nil {
			return nil, err
		}
		t.records = append(t.records, raw)
		t.hashes = append(t.hashes, more...)
	}
	var err error
	t.root, err = t.log().Root(t.Size())
	return t, err
}

func (t *Tree) log() Log { return Log{Read: t.read} }

func (t *Tree) read(indexes []uint64) ([]wire.ID, error) {
	out := make([]wire.ID, len(indexes))
	for i, x := range indexes {
		if x >= uint64(len(t.hashes)) {
			return nil, ErrRecord
		}
		out[i] = t.hashes[x]
	}
	return out, nil
}

// Size returns the number of records.
func (t *Tree) Size() uint64 { return uint64(len(t.records)) }

// Root returns the RFC 6962 tree hash.
func (t *Tree) Root() wire.ID { return t.root }

// Proof returns the inclusion path of record n in the whole tree.
func (t *Tree) Proof(n uint64) ([]wire.ID, error) { return t.log().Inclusion(n, t.Size()) }

// Consistency returns the path that proves the first `from` records to be the
// beginning of the whole tree.
func (t *Tree) Consistency(from uint64) ([]wire.ID, error) {
	return t.log().Consistency(from, t.Size())
}

// Page returns up to n records from first on with their paths: the body of GET
// /b/<b>/<tier>/records/<size>/<first>/<n>. At the end of the tree it is
// shorter than n.
func (t *Tree) Page(first uint64, n int) ([]byte, error) {
	if n < 1 || n > MaxPage || first >= t.Size() {
		return nil, ErrRecord
	}
	end := min(first+uint64(n), t.Size())
	return t.log().Page(first, t.Size(), t.records[first:end])
}

// VerifyRecords reads a page that was asked for as (first, n) under a verified
// Head. It wants exactly the records that exist, each with a valid path and the
// name and length that the Head fixes. Errors: ErrRecord, wire.ErrMalformed.
func VerifyRecords(h *Head, first uint64, n int, page []byte) ([]*Record, error) {
	if n < 1 || n > MaxPage || first >= h.TreeSize {
		return nil, fmt.Errorf("%w: outside of the manifest", ErrRecord)
	}
	want := min(uint64(n), h.TreeSize-first)
	r := wire.NewReader(page)
	if uint64(r.U8()) != want {
		r.Fail("page with a wrong number of records")
	}
	var records []*Record
	for i := first; i < first+want && r.Err() == nil; i++ {
		raw, path := r.X16(maxRecord), readPath(r)
		if r.Err() != nil {
			break
		}
		rec, err := h.Verify(i, raw, path)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, r.Close()
}

func readPath(r *wire.Reader) []wire.ID {
	k := int(r.U8())
	if k > maxPath {
		r.Fail("path too long")
	}
	var path []wire.ID
	for i := 0; i < k && r.Err() == nil; i++ {
		path = append(path, r.ID())
	}
	return path
}

// Verify reads record n of the manifest, which path proves to be in it. Errors:
// ErrRecord, wire.ErrMalformed.
func (h *Head) Verify(n uint64, raw []byte, path []wire.ID) (*Record, error) {
	err := tlog.CheckRecord(toProof[tlog.RecordProof](path), int64(h.TreeSize), tlog.Hash(h.Root), int64(n), tlog.RecordHash(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: epoch %d is not in the manifest", ErrRecord, n)
	}
	rec, err := ParseRecord(raw)
	if err != nil {
		return nil, err
	}
	if rec.Epoch != h.Epoch(n) || rec.Frames != h.EpochFrames(n) {
		return nil, fmt.Errorf("%w: epoch %d has another name or length", ErrRecord, n)
	}
	rec.Path = path
	return rec, nil
}

// MarshalConsistency encodes the body of GET .../consistency/<from>/<to>.
func MarshalConsistency(path []wire.ID) ([]byte, error) {
	var w wire.Writer
	w.Count8(len(path), maxPath)
	for i := range path {
		w.Raw(path[i][:])
	}
	return w.Bytes()
}

// ParseConsistency reads that body, for Head.Follows.
func ParseConsistency(body []byte) ([]wire.ID, error) {
	r := wire.NewReader(body)
	path := readPath(r)
	return path, r.Close()
}
