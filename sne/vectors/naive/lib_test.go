// Package naive_test is SNE/1 written a second time from ../../SPEC.md, as
// plainly as can be, to check the vectors. It imports nothing of sne and no
// code of the hub (TestImportsNothingOfOurs), builds AEAD, HKDF, X-Wing, Merkle
// trees and VOPRF from smaller parts than the hub does, and is not fast.
package naive_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hx is bytes that are lower-case hex in JSON.
type hx []byte

func (h *hx) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// load reads a vector file and refuses fields that nobody looks at.
func load[T any](t testing.TB, name string) *T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	v := new(T)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// head is what every file begins with.
type head struct {
	About  string `json:"about"`
	Source string `json:"source"`
}

func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %.64x, want %.64x", what, got, want)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func be16(v uint64) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// damaged cuts or extends b to a length and changes one bit.
func damaged(b []byte, at, length int) []byte {
	out := make([]byte, length)
	copy(out, b)
	if at >= 0 {
		out[at] ^= 1
	}
	return out
}

// rd reads one object; it panics with errShort, which parse turns into an error.
type rd struct{ b []byte }

var errParse = errors.New("naive: refused")

func (r *rd) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		panic(errParse)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *rd) u8() uint64   { return uint64(r.take(1)[0]) }
func (r *rd) u16() uint64  { return uint64(binary.BigEndian.Uint16(r.take(2))) }
func (r *rd) u32() uint64  { return uint64(binary.BigEndian.Uint32(r.take(4))) }
func (r *rd) u64() uint64  { return binary.BigEndian.Uint64(r.take(8)) }
func (r *rd) rest() []byte { return r.take(uint64(len(r.b))) }
func (r *rd) want(ok bool) { // a rule of the text
	if !ok {
		panic(errParse)
	}
}

// upTo reads u16 length and that many bytes, at most n.
func (r *rd) upTo(n uint64) []byte {
	l := r.u16()
	r.want(l <= n)
	return r.take(l)
}

// parse runs f over all of b and reports whether every rule held.
func parse(b []byte, f func(r *rd)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != any(errParse) {
				panic(p)
			}
			err = errParse
		}
	}()
	r := &rd{b}
	f(r)
	r.want(len(r.b) == 0)
	return nil
}

// TestImportsNothingOfOurs keeps the second implementation a second one.
func TestImportsNothingOfOurs(t *testing.T) {
	names, err := filepath.Glob("*.go")
	check(t, err)
	if len(names) < 5 {
		t.Fatalf("only %d files", len(names))
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		check(t, err)
		for _, imp := range f.Imports {
			if strings.HasPrefix(imp.Path.Value, `"sonahub`) {
				t.Errorf("%s imports %s", name, imp.Path.Value)
			}
		}
	}
}
