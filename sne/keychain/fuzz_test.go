package keychain

import (
	"bytes"
	"testing"

	"sonahub/sne/kdf"
)

// fixed is the same content in every process that fuzzes.
func fixed(f *testing.F) Edit {
	f.Helper()
	e := Edit{}
	for _, k := range []Key{{"bundle", 3, KindKEM, PurposeNone}, {"root", 1, KindSigning, PurposeRoot}, {"seed", 2, KindSecret, PurposeNone}} {
		if err := e.Import(k, bytes.Repeat([]byte{byte(k.Kind)}, k.Kind.size())); err != nil {
			f.Fatal(err)
		}
	}
	return e
}

// FuzzFile feeds the outer form and, under a known key, the contents.
func FuzzFile(f *testing.F) {
	var kek kdf.Secret
	e := fixed(f)
	good, err := sealFile(header{lock: LockDevice, params: make([]byte, 16)}, &kek, contents{entries: e.entries, retired: []retired{{LockRemote, []byte("token")}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:60])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, sealed, err := parseFile(data)
		if err != nil {
			return
		}
		if len(h.params) > maxParams || len(sealed) > maxSealed {
			t.Fatal("over the limits")
		}
		if _, err := unseal(h, &kek, sealed); err == nil && !bytes.Equal(data, good) {
			t.Fatal("a forged file opened")
		}
	})
}

// FuzzContents wants one encoding of each content.
func FuzzContents(f *testing.F) {
	e := fixed(f)
	good, err := contents{entries: e.entries, retired: []retired{{LockRemote, []byte("token")}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{1, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseContents(data)
		if err != nil {
			return
		}
		again, err := c.encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("another encoding, %v", err)
		}
	})
}

// FuzzParams feeds the parameters of all locks, short of the derivation.
func FuzzParams(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(append(make([]byte, 16), 0, 1, 7))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseCost(data); err == nil && (c.memory > maxMemory || c.time > maxTime || c.threads > maxThreads || c.memory < minMemory || c.time == 0 || c.threads == 0) {
			t.Fatalf("%+v", c)
		}
		if _, token, err := parseRemote(data); err == nil && len(token) > maxToken {
			t.Fatal("token over its limit")
		}
		if _, err := parseDeviceID(data); err == nil && len(data) != 16 {
			t.Fatal("an id of another length")
		}
	})
}
