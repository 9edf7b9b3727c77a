package naive_test

import (
	"encoding/base32"
	"testing"
)

var base = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// parseID reads the one spelling of n bytes.
func parseID(s string, n int) ([]byte, error) {
	b, err := base.DecodeString(s)
	if err != nil || len(b) != n || base.EncodeToString(b) != s {
		return nil, errParse
	}
	return b, nil
}

func TestExpand(t *testing.T) {
	f := load[struct {
		head
		Expand []struct {
			Secret, Ctx, Out hx
			Label            string
		}
		Extract []struct{ Salt, IKM, Out hx }
		AEAD    []struct{ Key, AAD, Plain, Sealed hx }
		IDs     []struct {
			Bytes hx
			Text  string
		}
		BadIDs []string `json:"bad_ids"`
	}](t, "expand.json")
	for _, v := range f.Expand {
		same(t, "Expand "+v.Label, expand(v.Secret, v.Label, v.Ctx), v.Out)
	}
	for _, v := range f.Extract {
		same(t, "Extract", mac(v.Salt, v.IKM), v.Out)
	}
	for _, v := range f.AEAD {
		same(t, "AEAD", seal(v.Key, v.AAD, v.Plain), v.Sealed)
	}
	for _, v := range f.IDs {
		b, err := parseID(v.Text, len(v.Bytes))
		check(t, err)
		same(t, v.Text, b, v.Bytes)
	}
	for _, s := range f.BadIDs {
		if _, err := parseID(s, 32); err == nil {
			t.Errorf("%q is no identifier", s)
		}
	}
}

func TestComposite(t *testing.T) {
	type vector struct {
		Key      int
		Ctx, Why string
		Msg, Sig hx
	}
	f := load[struct {
		head
		Keys []struct {
			Seeds, PK hx
			KeyID     string `json:"key_id"`
		}
		Good, Bad []vector
	}](t, "composite.json")
	for _, k := range f.Keys {
		_, _, pk, err := compositeKeys(k.Seeds)
		check(t, err)
		same(t, "public key", pk, k.PK)
		same(t, "KeyID", []byte(base.EncodeToString(keyID(pk))), []byte(k.KeyID))
	}
	for _, v := range f.Good {
		check(t, verify(f.Keys[v.Key].PK, v.Ctx, v.Msg, v.Sig))
		sig, err := sign(f.Keys[v.Key].Seeds, v.Ctx, v.Msg)
		check(t, err)
		same(t, "signature", sig, v.Sig)
	}
	for _, v := range f.Bad {
		if verify(f.Keys[v.Key].PK, v.Ctx, v.Msg, v.Sig) == nil {
			t.Errorf("%s: accepted", v.Why)
		}
	}
}

func TestXWing(t *testing.T) {
	type vector struct{ Seed, PK, ESeed, CT, SS hx }
	f := load[struct {
		head
		Good, Wrong []vector
		BadPK       []hx `json:"bad_pk"`
	}](t, "xwing.json")
	for _, v := range f.Good {
		_, _, pk, err := xwingKeys(v.Seed)
		check(t, err)
		same(t, "public key", pk, v.PK)
		ss, ct, err := encapsulate(v.PK, v.ESeed)
		check(t, err)
		same(t, "ciphertext", ct, v.CT)
		same(t, "secret", ss, v.SS)
	}
	for _, v := range append(f.Good, f.Wrong...) {
		ss, err := decapsulate(v.Seed, v.CT)
		check(t, err)
		same(t, "decapsulated", ss, v.SS)
	}
	for _, pk := range f.BadPK {
		if _, _, err := encapsulate(pk, make([]byte, 64)); err == nil {
			t.Error("encapsulated to a bad key")
		}
	}
}
