package vectors_test

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// hx is bytes that are lower-case hex in JSON.
type hx []byte

func (h hx) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hx) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// draw gives n bytes that depend on their name alone: the randomness of every
// vector.
func draw(n int, name string) []byte { return sha3.SumSHAKE256([]byte("sne/1 vectors "+name), n) }

func secret(name string) *kdf.Secret { return (*kdf.Secret)(draw(32, name)) }

func id(name string) wire.ID { return wire.ID(draw(32, name)) }

func signer(t testing.TB, name string) *composite.SecretKey {
	t.Helper()
	return must(composite.NewSecretKey(draw(composite.SeedsSize, name)))(t)
}

func kemKey(t testing.TB, name string) *kem.SecretKey {
	t.Helper()
	return must(kem.NewSecretKey(draw(kem.SeedSize, name)))(t)
}

// source is a generator that gives exactly the named bytes, one after another.
func source(parts ...[]byte) *bytes.Reader { return bytes.NewReader(bytes.Join(parts, nil)) }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same compares what was computed with what the vector says.
func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %.80x, want %.80x", what, got, want)
	}
}

// load reads a committed file.
func load[T any](t testing.TB, name string) *T {
	t.Helper()
	v := new(T)
	dec := json.NewDecoder(bytes.NewReader(must(os.ReadFile(name))(t)))
	dec.DisallowUnknownFields()
	check(t, dec.Decode(v))
	return v
}

// flip returns b with one bit changed.
func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}
