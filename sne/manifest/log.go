package manifest

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"sonahub/sne/wire"
)

// Log is a manifest that grows: the Merkle tree over records that only come in
// at the end. It holds nothing itself; what it needs of the past it reads from
// the hashes that Append gave to be stored, a few for each question, so that a
// broadcast may run for years. Every size it ever had can still be proved.
type Log struct {
	// Read returns stored hashes by their place in the order in which Append
	// gave them out, 0 first.
	Read func(indexes []uint64) ([]wire.ID, error)
}

// HashIndex is the place of the first of the hashes that Append gives for
// record n: so many are stored for the records before it.
func HashIndex(n uint64) uint64 { return uint64(tlog.StoredHashIndex(0, int64(n))) }

func (l Log) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		ask := make([]uint64, len(indexes))
		for i, x := range indexes {
			if x < 0 {
				return nil, ErrRecord
			}
			ask[i] = uint64(x)
		}
		ids, err := l.Read(ask)
		if err != nil {
			return nil, err
		}
		return toProof[[]tlog.Hash](ids), nil
	})
}

// Append returns the hashes to be stored when record, encoded, becomes number
// n, the size of the tree so far.
func (l Log) Append(n uint64, record []byte) ([]wire.ID, error) {
	if n >= maxEpochs {
		return nil, fmt.Errorf("%w: number %d", ErrRecord, n)
	}
	hashes, err := tlog.StoredHashes(int64(n), record, l.reader())
	if err != nil {
		return nil, fmt.Errorf("sne: tree: %w", err)
	}
	return fromProof(hashes), nil
}

// Root returns the RFC 6962 tree hash of the first size records.
func (l Log) Root(size uint64) (wire.ID, error) {
	if size > maxEpochs {
		return wire.ID{}, ErrRecord
	}
	root, err := tlog.TreeHash(int64(size), l.reader())
	if err != nil {
		return wire.ID{}, fmt.Errorf("sne: tree: %w", err)
	}
	return wire.ID(root), nil
}

// Inclusion returns the path of record n in the tree of that size.
func (l Log) Inclusion(n, size uint64) ([]wire.ID, error) {
	if n >= size || size > maxEpochs {
		return nil, ErrRecord
	}
	p, err := tlog.ProveRecord(int64(size), int64(n), l.reader())
	return fromProof(p), err
}

// Consistency returns the path that proves the tree of size from to be the
// beginning of that of size to.
func (l Log) Consistency(from, to uint64) ([]wire.ID, error) {
	if from == 0 || from > to || to > maxEpochs {
		return nil, ErrRecord
	}
	p, err := tlog.ProveTree(int64(to), int64(from), l.reader())
	return fromProof(p), err
}

// Page encodes consecutive records from number first on with their paths in
// the tree of that size: the body of GET .../records/<size>/<first>/<n>.
func (l Log) Page(first, size uint64, records [][]byte) ([]byte, error) {
	var w wire.Writer
	w.Count8(len(records), MaxPage)
	for i, raw := range records {
		path, err := l.Inclusion(first+uint64(i), size)
		if err != nil {
			return nil, err
		}
		w.X16(raw, maxRecord)
		w.Count8(len(path), maxPath)
		for k := range path {
			w.Raw(path[k][:])
		}
	}
	return w.Bytes()
}

func fromProof[P ~[]tlog.Hash](p P) []wire.ID {
	ids := make([]wire.ID, len(p))
	for i := range p {
		ids[i] = wire.ID(p[i])
	}
	return ids
}
