package wallet

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMsatText(t *testing.T) {
	for m, want := range map[Msat]string{0: "0 sat", 1: "0.001 sat", 12_345: "12.345 sat", -1: "-0.001 sat", 5_000_000: "5000 sat"} {
		if got := m.String(); got != want {
			t.Errorf("%d: %q, want %q", int64(m), got, want)
		}
	}
}

// One lossless stream (500 msat/s) fits under the hour, two do not.
func TestDefaultCaps(t *testing.T) {
	const hour = Msat(500 * 3600)
	if c := DefaultCaps(); c.Hour < hour+hour/2 || c.Hour >= 2*hour || c.Day < 8*hour || c.Room >= c.Day {
		t.Errorf("%+v", c)
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	a, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadKey(path)
	if err != nil || *a != *b {
		t.Fatalf("the key changed, %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil {
		t.Error("a key that others can read was taken")
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, make([]byte, 31), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(short); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := LoadKey(filepath.Join(t.TempDir(), "no", "key")); err == nil {
		t.Error("a key in a folder that is not there")
	}
}

func TestSeal(t *testing.T) {
	k, err := NewKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.Seal([]byte("here"), []byte("secret"))
	if err != nil || bytes.Contains(sealed, []byte("secret")) {
		t.Fatalf("%v", err)
	}
	if plain, err := k.Open([]byte("here"), sealed); err != nil || string(plain) != "secret" {
		t.Fatalf("%q, %v", plain, err)
	}
	again, _ := k.Seal([]byte("here"), []byte("secret"))
	if bytes.Equal(again, sealed) {
		t.Error("sealed twice to the same bytes")
	}
	other, _ := NewKey(make([]byte, 32))
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"other place": func() ([]byte, error) { return k.Open([]byte("there"), sealed) },
		"other key":   func() ([]byte, error) { return other.Open([]byte("here"), sealed) },
		"flipped":     func() ([]byte, error) { return k.Open([]byte("here"), flipped) },
		"cut":         func() ([]byte, error) { return k.Open([]byte("here"), sealed[:20]) },
		"empty":       func() ([]byte, error) { return k.Open([]byte("here"), nil) },
	} {
		if _, err := try(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewKey(make([]byte, 31)); err == nil {
		t.Error("31 bytes are no key")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k, err := NewKey(bytes.Repeat([]byte{0xab}, 32))
	if err != nil {
		t.Fatal(err)
	}
	body := Bearer(bytes.Repeat([]byte{0xab}, 32))
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "key", k, "value", *k, "body", body, "proof", Proof{Body: body})
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d", "%q"} {
		fmt.Fprintf(&b, verb+verb+verb+verb, k, *k, body, Receipt{Change: body})
	}
	for _, bad := range []string{"abab", "ABAB", "171", "q6ur"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q in %s", bad, b.String())
		}
	}
}
