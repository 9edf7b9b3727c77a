package message_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// keySet is one of two denominations, as the text lays it out.
func keySet() []byte {
	b := []byte{1, 0, 0, 100}
	b = binary.BigEndian.AppendUint64(b, 5)
	b = binary.BigEndian.AppendUint64(b, 6)
	b = append(b, 2, 0)
	b = append(b, bytes.Repeat([]byte{7}, 32)...)
	b = append(b, 4)
	return append(b, bytes.Repeat([]byte{8}, 32)...)
}

func TestKeySet(t *testing.T) {
	raw := keySet()
	k, err := message.ParseKeySet(raw)
	if err != nil || k.UnitMsat != 100 || k.IssueUntil != 5 || k.RedeemUntil != 6 || len(k.Keys) != 2 {
		t.Fatalf("%+v, %v", k, err)
	}
	if p, ok := k.Key(4); !ok || p[0] != 8 {
		t.Errorf("key of denomination 4: %v", ok)
	}
	if _, ok := k.Key(3); ok {
		t.Error("a key of a denomination that is not there")
	}
	for n := range raw {
		if _, err := message.ParseKeySet(raw[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("took its first %d bytes: %v", n, err)
		}
	}
	for name, change := range map[string]func(b []byte){
		"version": func(b []byte) { b[0] = 2 }, "reserved": func(b []byte) { b[1] = 1 }, "unit": func(b []byte) { b[3] = 0 },
		"order": func(b []byte) { b[21] = 4 }, "denomination": func(b []byte) { b[54] = message.MaxDenom + 1 }, "identity": func(b []byte) { clear(b[22:54]) },
	} {
		bad := keySet()
		change(bad)
		if _, err := message.ParseKeySet(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add(keySet())
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := message.ParseKeySet(raw)
		if err == nil && (k.UnitMsat == 0 || len(k.Keys) == 0 || len(k.Keys) > 24 || len(raw) != 21+33*len(k.Keys)) {
			t.Fatalf("took %+v", k)
		}
	})
}
