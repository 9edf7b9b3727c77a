package exhibit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// file is an exhibit that proves something.
type file struct {
	name    string
	raw     []byte
	accused wire.ID
}

// files are one good exhibit of each kind.
func files(t testing.TB) []file {
	t.Helper()
	d := buyEpochs(t, 2, func(_ *offer.Head, p []byte) []byte { p[0] ^= 1; return p })
	x := buyTokens(t, func(_ *offer.Head, p []byte) []byte { p[len(p)-1] ^= 1; return p })
	c := newCreator(t)
	object := must(segment.Seal(nil, &c.es, c.epoch(1), 3, []byte{9}))(t)
	a, b := c.record(t, 0, segment.CodecPCM, object), c.record(t, 1, segment.CodecPCM, object)
	h, tree := c.signed(t, nil, a, b)
	other := c.record(t, 1, segment.CodecPCM, []byte{89: 0})
	h2, tree2 := c.signed(t, nil, a, other)
	la, lb := must(exhibit.LeafOf(verified(t, h, tree, 1)))(t), must(exhibit.LeafOf(verified(t, h2, tree2, 1)))(t)
	root := must(composite.Generate(nil))(t)
	two := bundles(t, root, func(*bundle.Bundle) {}, func(b *bundle.Bundle) { b.NotAfter++ })
	return []file{
		{"lock", must(exhibit.Lock(d.claim))(t), d.URL.Root},
		{"lock of tokens", must(exhibit.Lock(x.claim))(t), x.URL.Root},
		{"segment", must(exhibit.Segment(h, verified(t, h, tree, 1), &c.es, object))(t), c.id()},
		{"heads", must(exhibit.Heads(h, h2))(t), c.id()},
		{"leaves", must(exhibit.Leaves(h, h2, la, lb))(t), c.id()},
		{"bundles", must(exhibit.Bundles(two[0], two[1]))(t), root.Public().KeyID()},
	}
}

// TestEveryByteCounts changes every byte of an exhibit of each kind: none of
// them still convinces, so none was left for a framer to choose. Where the same
// code reads what another exhibit has too, every seventh byte is changed.
func TestEveryByteCounts(t *testing.T) {
	again := map[string][2]int{ // from, to
		"lock of tokens": {0, 8 << 10}, // the Bundle, as in lock
		"leaves":         {0, 9000},    // key and Heads, as in heads
		"bundles":        {9 << 10, 17000},
	}
	for _, f := range files(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			proves(t, f.name, f.raw, f.accused, exhibit.Type(f.raw[1]))
			raw := bytes.Clone(f.raw)
			for at := range raw {
				if r := again[f.name]; (testing.Short() || at >= r[0] && at < r[1]) && at%7 != 0 {
					continue
				}
				raw[at] ^= 1 << (at % 8)
				if v, err := exhibit.Verify(raw, f.accused); v != nil || err == nil {
					t.Errorf("byte %d of %d does no harm: %v", at, len(raw), v)
				}
				raw[at] ^= 1 << (at % 8)
			}
			for _, cut := range []int{0, 1, 2, 5, len(raw) / 2, len(raw) - 1} {
				if v, err := exhibit.Verify(raw[:cut], f.accused); v != nil || err == nil {
					t.Errorf("the first %d bytes convince", cut)
				}
			}
			if v, err := exhibit.Verify(append(raw, 0, 0, 0, 0), f.accused); v != nil || !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("an empty part more: %v, %v", v, err)
			}
		})
	}
}

func TestTooBig(t *testing.T) {
	if _, err := exhibit.Bundles(make([]byte, exhibit.MaxPart+1), nil); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a part over its limit: %v", err)
	}
	if _, err := exhibit.Bundles(make([]byte, exhibit.MaxPart), make([]byte, exhibit.MaxPart)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a file over its limit: %v", err)
	}
	denied(t, "a file over its limit", make([]byte, exhibit.MaxSize+1), wire.ID{}, wire.ErrMalformed)
	denied(t, "too many parts", append([]byte{1, 1}, make([]byte, 4*(exhibit.MaxParts+1))...), wire.ID{}, wire.ErrMalformed)
	if _, err := exhibit.Segment(&manifest.Head{}, &manifest.Record{}, nil, nil); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a head that nobody signed: %v", err)
	}
}

func TestFolder(t *testing.T) {
	f := &exhibit.Folder{Path: filepath.Join(t.TempDir(), "state", "exhibits"), Max: 2}
	all := files(t)
	path := must(f.Save(all[0].raw))(t)
	if again := must(f.Save(all[0].raw))(t); again != path {
		t.Errorf("kept twice: %s, %s", path, again)
	}
	back := must(os.ReadFile(path))(t)
	proves(t, "from disk", back, all[0].accused, exhibit.TypeLock)
	info := must(os.Stat(path))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v", info.Mode())
	}
	if err := os.WriteFile(path+".tmp", []byte("cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(f.Save(all[2].raw))(t)
	if _, err := f.Save(all[3].raw); !errors.Is(err, exhibit.ErrFull) {
		t.Errorf("the third of two: %v", err)
	}
	if _, err := f.Save(all[2].raw); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	if n := len(must(os.ReadDir(f.Path))(t)); n != 2 {
		t.Errorf("%d files", n)
	}
	small := &exhibit.Folder{Path: t.TempDir(), MaxBytes: int64(len(all[3].raw))}
	must(small.Save(all[3].raw))(t)
	if _, err := small.Save(all[0].raw); !errors.Is(err, exhibit.ErrFull) {
		t.Errorf("over the bytes: %v", err)
	}
	if _, err := f.Save([]byte("no exhibit")); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("something else: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, x := range files(f) {
		f.Add(x.raw, x.accused[:])
	}
	f.Add([]byte{1, 1}, make([]byte, 32))
	f.Fuzz(func(t *testing.T, raw, accused []byte) {
		if len(accused) != len(wire.ID{}) {
			return
		}
		v, err := exhibit.Verify(raw, wire.ID(accused))
		if (v == nil) == (err == nil) {
			t.Fatalf("%v, %v", v, err)
		}
	})
}

// BenchmarkVerify is what judging an exhibit costs anybody.
func BenchmarkVerify(b *testing.B) {
	for _, f := range files(b) {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := exhibit.Verify(f.raw, f.accused); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(f.raw)), "bytes")
		})
	}
}
