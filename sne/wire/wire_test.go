package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sonahub/sne/wire"
)

func TestRoundTrip(t *testing.T) {
	var w wire.Writer
	w.U8(1)
	w.U16(0x0203)
	w.U32(0x04050607)
	w.U64(0x08090a0b0c0d0e0f)
	w.Raw([]byte{0x10})
	w.X16([]byte{0x11}, 1)
	w.X32([]byte{0x12, 0x13}, 2)
	got, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 1, 17, 0, 0, 0, 2, 18, 19}
	if !bytes.Equal(got, want) {
		t.Fatalf("wrote %x", got)
	}
	r := wire.NewReader(got)
	if r.U8() != 1 || r.U16() != 0x203 || r.U32() != 0x4050607 || r.U64() != 0x8090a0b0c0d0e0f || r.Take(1)[0] != 16 ||
		r.X16(1)[0] != 17 || r.X32(2)[1] != 19 || r.Close() != nil {
		t.Fatal("read something else")
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		read func(r *wire.Reader)
	}{
		{"cut integer", []byte{1, 2, 3}, func(r *wire.Reader) { r.U32() }},
		{"trailing bytes", []byte{1, 2}, func(r *wire.Reader) { r.U8() }},
		{"x16 over its limit", []byte{0, 3, 1, 2, 3}, func(r *wire.Reader) { r.X16(2) }},
		{"x16 longer than what is left", []byte{0, 3, 1, 2}, func(r *wire.Reader) { r.X16(9) }},
		{"x32 of 4 GiB", []byte{0xff, 0xff, 0xff, 0xff, 1}, func(r *wire.Reader) { r.X32(1 << 20) }},
		{"not UTF-8", []byte{0, 1, 0xff}, func(r *wire.Reader) { r.Text(9) }},
		{"other version", []byte{2}, func(r *wire.Reader) { r.Want8(1, "version") }},
		{"negative length", []byte{1}, func(r *wire.Reader) { r.Take(-1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := wire.NewReader(tc.in)
			tc.read(r)
			if err := r.Close(); !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestFirstFailureSticks(t *testing.T) {
	r := wire.NewReader([]byte{0, 9, 7})
	r.X16(1)
	if r.U8() != 0 || r.Len() != 0 || r.Err() == nil {
		t.Fatal("reading went on after a failure")
	}
}

func TestWriterRefusesWhatDoesNotFit(t *testing.T) {
	for name, write := range map[string]func(w *wire.Writer){
		"x16 over its limit": func(w *wire.Writer) { w.X16(make([]byte, 3), 2) },
		"x16 over 65535":     func(w *wire.Writer) { w.X16(make([]byte, 65536), 1<<20) },
		"x32 over its limit": func(w *wire.Writer) { w.X32(make([]byte, 3), 2) },
		"list":               func(w *wire.Writer) { w.Count8(5, 4) },
	} {
		var w wire.Writer
		write(&w)
		w.U8(1)
		if _, err := w.Bytes(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestIDHasOneSpelling(t *testing.T) {
	id := wire.ID{0xff, 0x01, 31: 0x80}
	s := id.String()
	if len(s) != 52 || s != strings.ToLower(s) {
		t.Fatalf("spelled %q", s)
	}
	if got, err := wire.ParseID(s); err != nil || got != id {
		t.Fatalf("%v, %v", got, err)
	}
	stray := s[:51] + string(s[51]+1) // sets bits that belong to no byte
	for _, bad := range []string{"", s[1:], s + "a", strings.ToUpper(s), stray, s[:50] + "\n" + s[51:], s[:51] + "=", s[:51] + "1"} {
		if _, err := wire.ParseID(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if got := (wire.SessionID{}).String(); got != strings.Repeat("a", 26) {
		t.Fatalf("session id spelled %q", got)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(wire.ID{1}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := wire.ParseID(s); err == nil && id.String() != s {
			t.Fatalf("%q is a second spelling of %v", s, id)
		}
	})
}
