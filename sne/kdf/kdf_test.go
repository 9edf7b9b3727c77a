package kdf_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

func counting() *kdf.Secret {
	var s kdf.Secret
	for i := range s {
		s[i] = byte(i)
	}
	return &s
}

// The values were computed with HMAC-SHA-256 alone, outside of this code:
// HMAC(secret, u16 32 || u8 len || "sne1 " label || u8 len || ctx || 0x01).
func TestExpandGolden(t *testing.T) {
	for _, tc := range []struct {
		label, want string
		ctx         []byte
	}{
		{"root", "746a9d852b988c83b346ecdf6685341d71c058228997b9dfaf8c58e34bb0faa6", nil},
		{"epoch commit", "842665bd7b339bbbe33ab5b9fb58adbe9b3841bd4f2cdab9d7f05e11c21c0d81", bytes.Repeat([]byte{0xaa}, 42)},
	} {
		var out kdf.Secret
		if err := kdf.Expand(&out, counting(), tc.label, tc.ctx); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(out[:]); got != tc.want {
			t.Errorf("%s: got %s", tc.label, got)
		}
	}
}

func TestExpandInPlaceAndTooLong(t *testing.T) {
	var want kdf.Secret
	s := counting()
	if err := kdf.Expand(&want, s, "x", nil); err != nil {
		t.Fatal(err)
	}
	if err := kdf.Expand(s, s, "x", nil); err != nil || *s != want {
		t.Fatalf("in place: %v", err)
	}
	if err := kdf.Expand(&want, s, "x", make([]byte, 256)); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("long context: %v", err)
	}
	if err := kdf.Expand(&want, s, strings.Repeat("x", 251), nil); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("long label: %v", err)
	}
}

// RFC 5869, test case 1, uses lengths that SNE never has; Extract is checked
// against its definition, HMAC(salt, ikm), with the value computed elsewhere.
func TestExtractArgumentOrder(t *testing.T) {
	var a, b kdf.Secret
	salt, ikm := counting(), &kdf.Secret{1}
	if err := kdf.Extract(&a, salt, ikm); err != nil {
		t.Fatal(err)
	}
	if err := kdf.Extract(&b, ikm, salt); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(a[:]); got != extractWant || a == b {
		t.Fatalf("got %s", got)
	}
}

func TestAEADOpensOnlyWhatWasSealed(t *testing.T) {
	key := counting()
	sealed, err := kdf.Seal([]byte("head"), key, []byte("aad"), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if string(sealed[:4]) != "head" || len(sealed) != 4+5+kdf.Overhead {
		t.Fatalf("sealed to %d bytes", len(sealed))
	}
	body := sealed[4:]
	if got, err := kdf.Open(nil, key, []byte("aad"), body); err != nil || string(got) != "plain" {
		t.Fatalf("%q, %v", got, err)
	}
	other := *key
	other[31] ^= 1
	flipped := bytes.Clone(body)
	flipped[0] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"other key": func() ([]byte, error) { return kdf.Open(nil, &other, []byte("aad"), body) },
		"other aad": func() ([]byte, error) { return kdf.Open(nil, key, []byte("aae"), body) },
		"flipped":   func() ([]byte, error) { return kdf.Open(nil, key, []byte("aad"), flipped) },
		"cut":       func() ([]byte, error) { return kdf.Open(nil, key, []byte("aad"), body[:len(body)-1]) },
		"empty":     func() ([]byte, error) { return kdf.Open(nil, key, []byte("aad"), nil) },
	} {
		if got, err := open(); !errors.Is(err, kdf.ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := *counting()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", s, "ptr", &s)
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%x %X %v %+v %#v %s %q %d", s, s, s, s, s, s, s, s), fmt.Sprintf("%v %x", &s, &s),
		fmt.Sprintf("%v", struct{ K kdf.Secret }{s}), log.String(),
	} {
		if strings.Contains(out, "0102") || strings.Contains(out, "1 2 3") || !strings.Contains(out, "redacted") {
			t.Errorf("printed %q", out)
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("became JSON")
	}
	s.Erase()
	if !s.IsZero() {
		t.Error("not erased")
	}
}

const extractWant = "fdf4ffcc109194903ed1dc49a7bdefd567e5c04278f73dcae2e686a0df1a1637"
