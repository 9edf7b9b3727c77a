package vectors_test

import (
	"crypto/sha512"
	"errors"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// representative is M' of the composite draft, written a second time.
func representative(ctx string, msg []byte) []byte {
	digest := sha512.Sum512(msg)
	m := []byte("CompositeAlgorithmSignatures2025" + "COMPSIG-MLDSA65-Ed25519-SHA512")
	m = append(m, byte(len(ctx)))
	m = append(m, ctx...)
	return append(m, digest[:]...)
}

func TestExpand(t *testing.T) {
	f := load[expandFile](t, "expand.json")
	for _, v := range f.Expand {
		var out kdf.Secret
		check(t, kdf.Expand(&out, (*kdf.Secret)(v.Secret), v.Label, v.Ctx))
		same(t, "Expand "+v.Label, out[:], v.Out)
	}
	for _, v := range f.Extract {
		var out kdf.Secret
		check(t, kdf.Extract(&out, (*kdf.Secret)(v.Salt), (*kdf.Secret)(v.IKM)))
		same(t, "Extract", out[:], v.Out)
	}
	for _, v := range f.AEAD {
		plain, err := kdf.Open(nil, (*kdf.Secret)(v.Key), v.AAD, v.Sealed)
		check(t, err)
		same(t, "Open", plain, v.Plain)
		for at := range v.Sealed {
			if _, err := kdf.Open(nil, (*kdf.Secret)(v.Key), v.AAD, flip(v.Sealed, at)); !errors.Is(err, kdf.ErrOpen) {
				t.Errorf("byte %d changed: %v", at, err)
			}
		}
	}
	for _, v := range f.IDs {
		if len(v.Bytes) == 16 {
			got, err := wire.ParseSessionID(v.Text)
			check(t, err)
			same(t, v.Text, got[:], v.Bytes)
			continue
		}
		got, err := wire.ParseID(v.Text)
		check(t, err)
		same(t, v.Text, got[:], v.Bytes)
	}
	for _, s := range f.BadIDs {
		if _, err := wire.ParseID(s); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestComposite(t *testing.T) {
	f := load[compositeFile](t, "composite.json")
	var keys []*composite.PublicKey
	for _, k := range f.Keys {
		sk := must(composite.NewSecretKey(k.Seeds))(t)
		same(t, "public key", sk.Public()[:], k.PK)
		if got := sk.Public().KeyID().String(); got != k.KeyID {
			t.Errorf("KeyID %s, want %s", got, k.KeyID)
		}
		keys = append(keys, sk.Public())
	}
	for _, v := range f.Good {
		check(t, keys[v.Key].Verify(composite.Context(v.Ctx), v.Msg, v.Sig))
	}
	for _, v := range f.Bad {
		if err := keys[v.Key].Verify(composite.Context(v.Ctx), v.Msg, v.Sig); !errors.Is(err, composite.ErrSignature) {
			t.Errorf("%s: %v", v.Why, err)
		}
	}
}

func TestXWing(t *testing.T) {
	f := load[xwingFile](t, "xwing.json")
	for _, v := range f.Good {
		k := must(kem.NewSecretKey(v.Seed))(t)
		same(t, "public key", k.Public()[:], v.PK)
		var ss kdf.Secret
		var ct kem.Ciphertext
		check(t, k.Public().Encapsulate(source(v.ESeed), &ss, &ct))
		same(t, "ciphertext", ct[:], v.CT)
		same(t, "secret", ss[:], v.SS)
	}
	for _, v := range append(f.Good, f.Wrong...) {
		var ss kdf.Secret
		must(kem.NewSecretKey(v.Seed))(t).Decapsulate(&ss, (*kem.Ciphertext)(v.CT))
		same(t, "decapsulated", ss[:], v.SS)
	}
	for _, pk := range f.BadPK {
		var ss kdf.Secret
		var ct kem.Ciphertext
		if err := (*kem.PublicKey)(pk).Encapsulate(nil, &ss, &ct); !errors.Is(err, kem.ErrKey) {
			t.Errorf("bad public key: %v", err)
		}
	}
}
