package keychain

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// testdata/golden holds a keychain for each lock, written by the first version
// of this code. A later one must read them.
func TestFilesOfTheFirstVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/golden")); err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	if err := os.Chmod(keys[0], 0o600); err != nil {
		t.Fatal(err)
	}
	for name, lock := range map[string]Lock{"device": DeviceKey{Dir: dir}, "passphrase": cheap("correct horse")} {
		k, err := Open(t.Context(), filepath.Join(dir, name), lock)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var seed kdf.Secret
		if err := k.Secret("seed", 2, &seed); err != nil || !bytes.Equal(seed[:], bytes.Repeat([]byte{3}, 32)) {
			t.Errorf("%s: another seed, %v", name, err)
		}
		root, err := k.Signing("root", 1, PurposeRoot)
		if err != nil || root.Public().KeyID().String() != "wpvn4lo73asln53uteuxhsqhv4zq27nxuavgkytolyj47a426fia" {
			t.Errorf("%s: another root, %v", name, err)
		}
		if key, err := k.KEM("bundle", 0); err != nil || !bytes.Equal(key.Seed(), bytes.Repeat([]byte{2}, 32)) {
			t.Errorf("%s: another KEM key, %v", name, err)
		}
	}
}

// What no writer writes is refused even under the right key.
func TestContentsThatCannotBe(t *testing.T) {
	entry := func(kind, purpose uint8, version uint64, name string, secret int) []byte {
		var w wire.Writer
		w.U8(kind)
		w.U8(purpose)
		w.U64(version)
		w.X16([]byte(name), 200)
		w.Raw(make([]byte, secret))
		b, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	with := func(n byte, rest ...[]byte) []byte { return append([]byte{1, 0, n}, bytes.Join(rest, nil)...) }
	none := []byte{0}
	a, b := entry(3, 0, 1, "a", 32), entry(3, 0, 1, "b", 32)
	if _, err := parseContents(with(2, a, b, none)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":              nil,
		"version":            append([]byte{2}, with(1, a, none)[1:]...),
		"out of order":       with(2, b, a, none),
		"twice":              with(2, a, a, none),
		"too few":            with(2, a, none),
		"too many":           with(1, a, b, none),
		"count over limit":   append([]byte{1, 0xff, 0xff}, none...),
		"version 0":          with(1, entry(3, 0, 0, "a", 32), none),
		"unknown kind":       with(1, entry(4, 0, 1, "a", 32), none),
		"kind 0":             with(1, entry(0, 0, 1, "a", 0), none),
		"signing, purpose 0": with(1, entry(1, 0, 1, "a", 64), none),
		"signing, purpose 5": with(1, entry(1, 5, 1, "a", 64), none),
		"KEM with purpose":   with(1, entry(2, 1, 1, "a", 32), none),
		"no name":            with(1, entry(3, 0, 1, "", 32), none),
		"name with a slash":  with(1, entry(3, 0, 1, "a/b", 32), none),
		"long name":          with(1, entry(3, 0, 1, string(bytes.Repeat([]byte{'a'}, 65)), 32), none),
		"no old locks":       with(1, a),
		"17 old locks":       with(1, a, []byte{17}, bytes.Repeat([]byte{2, 0, 0}, 17)),
		"trailing byte":      with(1, a, none, none),
	} {
		if _, err := parseContents(data); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCostOfAPassphraseIsBounded(t *testing.T) {
	good := func() []byte { return []byte{0, 0, 0x20, 0, 0, 0, 0, 1, 1, 16: 0, 24: 0} }
	if _, err := parseCost(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"much memory":   func(b []byte) []byte { b[0] = 1; return b },
		"little memory": func(b []byte) []byte { b[2] = 0x1f; return b },
		"long":          func(b []byte) []byte { b[7] = 17; return b },
		"no pass":       func(b []byte) []byte { b[7] = 0; return b },
		"no lane":       func(b []byte) []byte { b[8] = 0; return b },
		"many lanes":    func(b []byte) []byte { b[8] = 17; return b },
		"cut":           func(b []byte) []byte { return b[:24] },
		"longer":        func(b []byte) []byte { return append(b, 0) },
	} {
		if _, err := parseCost(change(good())); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, p := range []Passphrase{{Text: []byte("correct horse"), Memory: 1 << 30}, {Text: []byte("correct horse"), Time: 99}} {
		if _, err := p.Make(t.Context(), new(kdf.Secret)); err == nil {
			t.Error("a cost over the bounds was taken for a new file")
		}
	}
}
