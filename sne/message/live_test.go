package message

import (
	"errors"
	"reflect"
	"testing"

	"sonahub/sne/wire"
)

func TestLiveIs(t *testing.T) {
	b := wire.ID{1, 2}
	ask := &Live{Broadcast: b, Tier: 7}
	raw, err := ask.Marshal()
	if err != nil || len(raw) != 34 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if got, err := ParseLive(raw); err != nil || *got != *ask {
		t.Errorf("%+v, %v", got, err)
	}
	is := &LiveIs{Broadcast: b, Tier: 7, Closed: true, TreeSize: 9, Root: wire.ID{3}, FirstForSale: 9}
	if raw, err = is.Marshal(); err != nil || len(raw) != 83 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if got, err := ParseLiveIs(raw); err != nil || !reflect.DeepEqual(got, is) {
		t.Errorf("%+v, %v", got, err)
	}
	for what, bad := range map[string]func([]byte) []byte{
		"a flag nobody knows":          func(b []byte) []byte { b[34] = 2; return b },
		"a sale behind the edge":       func(b []byte) []byte { b[82] = 10; return b },
		"a byte too many":              func(b []byte) []byte { return append(b, 0) },
		"a byte too few":               func(b []byte) []byte { return b[:82] },
		"the length of another answer": func(b []byte) []byte { return b[:34] },
	} {
		if _, err := ParseLiveIs(bad(append([]byte(nil), raw...))); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	is.FirstForSale = 10
	if _, err := is.Marshal(); err == nil {
		t.Error("a sale behind the edge was written")
	}
}

func FuzzLive(f *testing.F) {
	is := &LiveIs{TreeSize: 3, FirstForSale: 1}
	raw, err := is.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:34])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseLive(b); err == nil {
			if again, err := m.Marshal(); err != nil || string(again) != string(b) {
				t.Errorf("LIVE %x became %x, %v", b, again, err)
			}
		}
		if m, err := ParseLiveIs(b); err == nil {
			if again, err := m.Marshal(); err != nil || string(again) != string(b) {
				t.Errorf("LIVE_IS %x became %x, %v", b, again, err)
			}
		}
	})
}
