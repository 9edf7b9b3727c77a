package app

import (
	"os"
	"path/filepath"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
)

// TestExhibitsAreKept writes a proof where "ctl verify-exhibit" finds it; what
// is none is not kept.
func TestExhibitsAreKept(t *testing.T) {
	root, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	var two [2][]byte
	for i := range two {
		b := &bundle.Bundle{Seq: 3, Host: "sona.example", NotAfter: uint64(i)}
		if two[i], err = b.Sign(root); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := exhibit.Bundles(two[0], two[1])
	if err != nil {
		t.Fatal(err)
	}
	h := &Hub{log: NewLogger(t.Output(), nil)}
	h.exhibits.Path = filepath.Join(t.TempDir(), "exhibits")
	for _, x := range [][]byte{raw, raw, []byte("something else")} {
		h.exhibit(x)
	}
	files, err := os.ReadDir(h.exhibits.Path)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	back, err := os.ReadFile(filepath.Join(h.exhibits.Path, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := exhibit.Verify(back, root.Public().KeyID()); err != nil {
		t.Errorf("%v, %v", v, err)
	}
}
