package manifest_test

import (
	"errors"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// live makes n records of full epochs and the Head of a live broadcast for
// every size up to n.
func live(t *testing.T, creator *composite.SecretKey, n int) (records []*manifest.Record, heads []*manifest.Head) {
	t.Helper()
	_, _, records = closed(t, creator, n+1)
	records = records[:n]
	for i := range records {
		tree, err := manifest.NewTree(records[:i+1])
		if err != nil {
			t.Fatal(err)
		}
		h := &manifest.Head{
			Tier: 2, Nonce: [16]byte{1}, OriginRoot: wire.ID{2}, Rate: 44100, Channels: 2, Bits: 16, EpochMs: 2000,
			TreeSize: tree.Size(), Root: tree.Root(), TotalFrames: tree.Size() * full,
		}
		sign(t, h, creator)
		heads = append(heads, h)
	}
	return records, heads
}

// TestLogGrows appends records one by one and wants every size that the log
// had to be provable from its stored hashes: root, inclusion and consistency
// are those of a tree built at once, and a hub accepts them.
func TestLogGrows(t *testing.T) {
	const n = 70
	records, heads := live(t, key(t), n)
	var stored []wire.ID
	l := manifest.Log{Read: func(indexes []uint64) ([]wire.ID, error) {
		out := make([]wire.ID, len(indexes))
		for i, x := range indexes {
			if x >= uint64(len(stored)) {
				return nil, errors.New("asked for a hash of the future")
			}
			out[i] = stored[x]
		}
		return out, nil
	}}
	var raws [][]byte
	for i, rec := range records {
		raw, err := rec.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if manifest.HashIndex(uint64(i)) != uint64(len(stored)) {
			t.Fatalf("record %d stores from %d on, want %d", i, manifest.HashIndex(uint64(i)), len(stored))
		}
		more, err := l.Append(uint64(i), raw)
		if err != nil {
			t.Fatal(err)
		}
		raws, stored = append(raws, raw), append(stored, more...)
		root, err := l.Root(uint64(i + 1))
		if err != nil || root != heads[i].Root {
			t.Fatalf("size %d: root %v, %v", i+1, root, err)
		}
	}
	for to := uint64(1); to <= n; to += 3 {
		h := heads[to-1]
		first := to * 2 / 3
		page, err := l.Page(first, to, raws[first:min(first+8, to)])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.VerifyRecords(h, first, 8, page); err != nil {
			t.Errorf("records %d of %d: %v", first, to, err)
		}
		for from := uint64(1); from < to; from += 2 {
			proof, err := l.Consistency(from, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Follows(heads[from-1], proof); err != nil {
				t.Errorf("%d -> %d: %v", from, to, err)
			}
			if len(proof) > 0 {
				proof[0][0] ^= 1
				if err := h.Follows(heads[from-1], proof); !errors.Is(err, manifest.ErrHead) {
					t.Errorf("%d -> %d with a wrong proof: %v", from, to, err)
				}
			}
		}
	}
	for name, ask := range map[string]func() error{
		"a record beyond the size": func() error { _, err := l.Inclusion(5, 5); return err },
		"consistency from nothing": func() error { _, err := l.Consistency(0, 5); return err },
		"consistency backwards":    func() error { _, err := l.Consistency(6, 5); return err },
		"a size without end":       func() error { _, err := l.Root(1<<40 + 1); return err },
		"a number without end":     func() error { _, err := l.Append(1<<40, raws[0]); return err },
	} {
		if err := ask(); !errors.Is(err, manifest.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
