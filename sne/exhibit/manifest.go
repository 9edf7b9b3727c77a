package exhibit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// Leaf is what one of two Heads says about an epoch: the leaf hash of its
// record, and the path to it.
type Leaf struct {
	Epoch uint64
	Hash  wire.ID
	Path  []wire.ID
}

// LeafOf takes the Leaf out of a verified record.
func LeafOf(rec *manifest.Record) (Leaf, error) {
	hash, err := rec.Leaf()
	return Leaf{Epoch: rec.Number, Hash: hash, Path: rec.Path}, err
}

// Heads makes the exhibit of two verified Heads of one tier of one broadcast
// that contradict each other by themselves.
func Heads(a, b *manifest.Head) ([]byte, error) {
	if a.Key == nil || b.Key == nil {
		return nil, wire.Malformed("head without its signature")
	}
	return marshal(TypeManifest, a.Key[:], a.Signed, b.Signed)
}

// Leaves makes the exhibit of two verified Heads that say different things of
// one epoch.
func Leaves(a, b *manifest.Head, la, lb Leaf) ([]byte, error) {
	if a.Key == nil || b.Key == nil {
		return nil, wire.Malformed("head without its signature")
	}
	pa, err := la.marshal()
	if err != nil {
		return nil, err
	}
	pb, err := lb.marshal()
	if err != nil {
		return nil, err
	}
	return marshal(TypeManifest, a.Key[:], a.Signed, b.Signed, pa, pb)
}

// marshal writes u64 epoch; leaf hash[32]; u8 k; hash[32] x k.
func (l *Leaf) marshal() ([]byte, error) {
	var w wire.Writer
	w.U64(l.Epoch)
	w.Raw(l.Hash[:])
	writePath(&w, l.Path)
	return w.Bytes()
}

// readLeaf reads a Leaf and proves it under h.
func readLeaf(h *manifest.Head, part []byte) (Leaf, error) {
	r := wire.NewReader(part)
	l := Leaf{Epoch: r.U64(), Hash: r.ID(), Path: readPath(r)}
	if err := r.Close(); err != nil {
		return l, err
	}
	if l.Epoch >= h.TreeSize {
		return l, manifest.ErrRecord
	}
	path := make(tlog.RecordProof, len(l.Path))
	for i := range l.Path {
		path[i] = tlog.Hash(l.Path[i])
	}
	if tlog.CheckRecord(path, int64(h.TreeSize), tlog.Hash(h.Root), int64(l.Epoch), tlog.Hash(l.Hash)) != nil {
		return l, manifest.ErrRecord
	}
	return l, nil
}

func judgeManifest(parts [][]byte, accused wire.ID) (string, error) {
	if err := want(parts, 3, 5); err != nil {
		return "", err
	}
	a, err := readHead(parts[0], parts[1], accused)
	if err != nil {
		return "", err
	}
	b, err := readHead(parts[0], parts[2], accused)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("broadcast %v, tier %d: ", a.Broadcast, a.Tier)
	if a.Broadcast != b.Broadcast || a.Tier != b.Tier {
		return "", ErrNoFault
	}
	if len(parts) == 3 {
		if what := Contradiction(a, b); what != "" {
			return name + what, nil
		}
		return "", ErrNoFault
	}
	la, err := readLeaf(a, parts[3])
	if err != nil {
		return "", err
	}
	lb, err := readLeaf(b, parts[4])
	if err != nil {
		return "", err
	}
	if la.Epoch != lb.Epoch || la.Hash == lb.Hash {
		return "", ErrNoFault
	}
	return name + fmt.Sprintf("signed two records of epoch %d", la.Epoch), nil
}

// Contradiction tells why no honest creator signs both Heads, in whatever
// order, or "". The heads are of one tier of one broadcast. An open Head of the
// same or a smaller size than a closed one is its past and no contradiction.
func Contradiction(a, b *manifest.Head) string {
	if a.TreeSize > b.TreeSize {
		a, b = b, a
	}
	switch {
	case a.Rate != b.Rate || a.Channels != b.Channels || a.Bits != b.Bits || a.EpochMs != b.EpochMs:
		return "signed two formats"
	case a.TreeSize == b.TreeSize && a.Root != b.Root:
		return fmt.Sprintf("signed two manifests of %d epochs", a.TreeSize)
	case a.Closed && b.TreeSize > a.TreeSize:
		return fmt.Sprintf("closed it at %d epochs and went on to %d", a.TreeSize, b.TreeSize)
	case a.Closed && b.Closed && a.TotalFrames != b.TotalFrames:
		return "closed it at two lengths"
	}
	return ""
}
