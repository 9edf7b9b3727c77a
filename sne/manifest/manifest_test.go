package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

func key(t testing.TB) *composite.SecretKey {
	t.Helper()
	k, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// full is an epoch of 2 s at 44.1 kHz.
const full = 88200

// closed makes a closed broadcast of n epochs, the last one 1000 frames long.
func closed(t testing.TB, creator *composite.SecretKey, n int) (*manifest.Head, *manifest.Tree, []*manifest.Record) {
	t.Helper()
	h := &manifest.Head{
		Closed: true, Tier: 2, Nonce: [16]byte{1}, OriginRoot: wire.ID{2}, Rate: 44100, Channels: 2, Bits: 16, EpochMs: 2000,
		TreeSize: uint64(n), TotalFrames: uint64(n-1)*full + 1000, Time: 5,
	}
	b := manifest.BroadcastID(creator.Public().KeyID(), h.Nonce)
	var records []*manifest.Record
	for i := range n {
		frames := uint32(full)
		if i == n-1 {
			frames = 1000
		}
		records = append(records, &manifest.Record{
			Epoch: segment.Epoch{Broadcast: b, Tier: 2, Number: uint64(i)}, Frames: frames, Commit: [32]byte{byte(i)},
			Renditions: []manifest.Rendition{{R: 1, Codec: 1, BitsPerS: 800000, ObjectLen: 1000, SHA256: wire.ID{byte(i)}}, {R: 4, Codec: 2, ObjectLen: 89}},
		})
	}
	tree, err := manifest.NewTree(records)
	if err != nil {
		t.Fatal(err)
	}
	h.Root = tree.Root()
	return h, tree, records
}

func sign(t testing.TB, h *manifest.Head, creator *composite.SecretKey) []byte {
	t.Helper()
	raw, err := h.Sign(creator)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRecordLayout(t *testing.T) {
	_, _, recs := closed(t, key(t), 1)
	raw, err := recs[0].Marshal()
	if err != nil || len(raw) != 80+2*43 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	tail := "02" + "0001" + "01" + "000c3500" + "000003e8" + hex.EncodeToString(make([]byte, 32)) + "0004" + "02" + "00000000" + "00000059" + hex.EncodeToString(make([]byte, 32))
	if got := hex.EncodeToString(raw[79:]); raw[0] != 1 || got != tail {
		t.Fatalf("ends in %s", got)
	}
	got, err := manifest.ParseRecord(raw)
	if err != nil || got.Epoch != recs[0].Epoch || got.Renditions[1] != recs[0].Renditions[1] || got.Frames != 1000 {
		t.Fatalf("%+v, %v", got, err)
	}
	if r, ok := got.Rendition(4); !ok || r.ObjectLen != 89 {
		t.Fatalf("rendition 4 is %+v", r)
	}
	if _, ok := got.Rendition(2); ok {
		t.Fatal("there is no rendition 2")
	}
	for n := range raw {
		if _, err := manifest.ParseRecord(raw[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	if _, err := manifest.ParseRecord(append(raw, 0)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
}

func TestRecordRules(t *testing.T) {
	for name, change := range map[string]func(r *manifest.Record){
		"no rendition":    func(r *manifest.Record) { r.Renditions = nil },
		"17 renditions":   func(r *manifest.Record) { r.Renditions = make([]manifest.Rendition, 17) },
		"falling":         func(r *manifest.Record) { r.Renditions[1].R = 0 },
		"twice":           func(r *manifest.Record) { r.Renditions[1].R = 1 },
		"object too long": func(r *manifest.Record) { r.Renditions[1].ObjectLen = segment.MaxObject + 1 },
		"object empty":    func(r *manifest.Record) { r.Renditions[1].ObjectLen = segment.Overhead },
		"no frames":       func(r *manifest.Record) { r.Frames = 0 },
	} {
		_, _, recs := closed(t, key(t), 1)
		change(recs[0])
		if _, err := recs[0].Marshal(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// root is RFC 6962's definition of a tree hash, written down naively.
func root(leaves [][]byte) [32]byte {
	if len(leaves) == 1 {
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	l, r := root(leaves[:k]), root(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func TestTreeAgainstNaiveRFC6962(t *testing.T) {
	creator := key(t)
	for _, n := range []int{1, 2, 3, 7, 8, 100} {
		_, tree, recs := closed(t, creator, n)
		var leaves [][]byte
		for _, r := range recs {
			raw, err := r.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, raw)
		}
		if tree.Root() != wire.ID(root(leaves)) || tree.Size() != uint64(n) {
			t.Errorf("%d leaves: another root", n)
		}
		if leaf, err := recs[0].Leaf(); err != nil || leaf != wire.ID(root(leaves[:1])) {
			t.Errorf("another leaf hash, %v", err)
		}
	}
}

func TestEveryPageVerifies(t *testing.T) {
	creator := key(t)
	for _, size := range []int{1, 2, 3, 7, 8, 33, 100} {
		h, tree, recs := closed(t, creator, size)
		sign(t, h, creator)
		for _, n := range []int{1, 8, 32} {
			for first := 0; first < size; first += n {
				page, err := tree.Page(uint64(first), n)
				if err != nil {
					t.Fatal(err)
				}
				got, err := manifest.VerifyRecords(h, uint64(first), n, page)
				if err != nil || len(got) != min(n, size-first) || len(page) > 64<<10 {
					t.Fatalf("%d of %d from %d: %d records, %v", n, size, first, len(got), err)
				}
				for i, r := range got {
					if r.Epoch != recs[first+i].Epoch || r.Commit != recs[first+i].Commit {
						t.Fatalf("record %d is another", first+i)
					}
				}
			}
		}
	}
}

func TestRecordsRefused(t *testing.T) {
	creator := key(t)
	h, tree, recs := closed(t, creator, 20)
	sign(t, h, creator)
	page, err := tree.Page(8, 4)
	if err != nil {
		t.Fatal(err)
	}
	for at := range page {
		bad := bytes.Clone(page)
		bad[at] ^= 1
		if _, err := manifest.VerifyRecords(h, 8, 4, bad); err == nil {
			t.Fatalf("byte %d of a page does not matter", at)
		}
	}
	for name, verify := range map[string]func() error{
		"from another place": func() error { _, err := manifest.VerifyRecords(h, 9, 4, page); return err },
		"fewer than asked":   func() error { _, err := manifest.VerifyRecords(h, 8, 5, page); return err },
		"cut":                func() error { _, err := manifest.VerifyRecords(h, 8, 4, page[:len(page)-1]); return err },
		"trailing":           func() error { _, err := manifest.VerifyRecords(h, 8, 4, append(bytes.Clone(page), 0)); return err },
		"outside":            func() error { _, err := manifest.VerifyRecords(h, 20, 1, page); return err },
		"nothing asked":      func() error { _, err := manifest.VerifyRecords(h, 8, 0, page); return err },
		"too much asked":     func() error { _, err := manifest.VerifyRecords(h, 8, 33, page); return err },
		"other root": func() error {
			other := *h
			other.Root[0] ^= 1
			_, err := manifest.VerifyRecords(&other, 8, 4, page)
			return err
		},
		"other size": func() error {
			other := *h
			other.TreeSize = 12 // its paths have another shape
			_, err := manifest.VerifyRecords(&other, 8, 4, page)
			return err
		},
	} {
		if err := verify(); !errors.Is(err, manifest.ErrRecord) && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The creator signed a tree whose records do not keep to the Head.
	for name, change := range map[string]func(r *manifest.Record){
		"another broadcast": func(r *manifest.Record) { r.Broadcast[0]++ },
		"another tier":      func(r *manifest.Record) { r.Tier++ },
		"a short epoch":     func(r *manifest.Record) { r.Frames-- },
	} {
		var all []*manifest.Record
		for _, r := range recs {
			c := *r
			if name != "a short epoch" || c.Number == 3 {
				change(&c)
			}
			all = append(all, &c)
		}
		bad, err := manifest.NewTree(all)
		if err != nil {
			t.Fatal(err)
		}
		other := *h
		other.Root = bad.Root()
		page, err := bad.Page(0, 8)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.VerifyRecords(&other, 0, 8, page); !errors.Is(err, manifest.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTreeRefusesDisorder(t *testing.T) {
	_, tree, recs := closed(t, key(t), 3)
	recs[1], recs[2] = recs[2], recs[1]
	if _, err := manifest.NewTree(recs); !errors.Is(err, manifest.ErrRecord) {
		t.Fatalf("got %v", err)
	}
	for _, bad := range [][2]int{{3, 1}, {0, 0}, {0, 33}} {
		if _, err := tree.Page(uint64(bad[0]), bad[1]); !errors.Is(err, manifest.ErrRecord) {
			t.Fatalf("page %v: %v", bad, err)
		}
	}
	if _, err := tree.Proof(3); !errors.Is(err, manifest.ErrRecord) {
		t.Fatalf("got %v", err)
	}
}

// fixedKey is the same in every worker of a fuzzer.
func fixedKey(t testing.TB) *composite.SecretKey {
	t.Helper()
	k, err := composite.NewSecretKey(bytes.Repeat([]byte{1}, composite.SeedsSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func FuzzVerifyRecords(f *testing.F) {
	creator := fixedKey(f)
	h, tree, _ := closed(f, creator, 9)
	sign(f, h, creator)
	page, err := tree.Page(0, 8)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page)
	f.Add([]byte{8, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := manifest.VerifyRecords(h, 0, 8, raw); err == nil && !bytes.Equal(raw, page) {
			t.Fatal("took records that nobody signed")
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	_, _, recs := closed(f, fixedKey(f), 1)
	raw, err := recs[0].Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := manifest.ParseRecord(raw)
		if err != nil {
			return
		}
		if again, err := r.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("a second encoding, %v", err)
		}
	})
}
