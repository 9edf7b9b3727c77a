package kem_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/sha3"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/kem"
)

// decapsulate is X-Wing as the draft writes it, out of the standard library's
// parts: the second opinion on circl.
func decapsulate(t *testing.T, seed []byte, ct *kem.Ciphertext) []byte {
	t.Helper()
	x := sha3.NewSHAKE256()
	_, _ = x.Write(seed)
	expanded := make([]byte, 96)
	_, _ = x.Read(expanded)
	dkM, err := mlkem.NewDecapsulationKey768(expanded[:64])
	if err != nil {
		t.Fatal(err)
	}
	dkX, err := ecdh.X25519().NewPrivateKey(expanded[64:])
	if err != nil {
		t.Fatal(err)
	}
	ssM, err := dkM.Decapsulate(ct[:mlkem.CiphertextSize768])
	if err != nil {
		t.Fatal(err)
	}
	ctX, err := ecdh.X25519().NewPublicKey(ct[mlkem.CiphertextSize768:])
	if err != nil {
		t.Fatal(err)
	}
	ssX, err := dkX.ECDH(ctX)
	if err != nil {
		t.Fatal(err)
	}
	h := sha3.New256()
	for _, part := range [][]byte{ssM, ssX, ctX.Bytes(), dkX.PublicKey().Bytes(), []byte(`\.//^\`)} {
		_, _ = h.Write(part)
	}
	return h.Sum(nil)
}

func TestXWingAgainstStandardLibrary(t *testing.T) {
	random := rand.NewChaCha8([32]byte{7})
	for range 20 {
		k, err := kem.Generate(random)
		if err != nil {
			t.Fatal(err)
		}
		var sent, got kdf.Secret
		var ct kem.Ciphertext
		if err := k.Public().Encapsulate(random, &sent, &ct); err != nil {
			t.Fatal(err)
		}
		k.Decapsulate(&got, &ct)
		if got != sent || !bytes.Equal(decapsulate(t, k.Seed(), &ct), sent[:]) {
			t.Fatal("two implementations disagree")
		}
		ct[0] ^= 1
		k.Decapsulate(&got, &ct)
		if got == sent {
			t.Fatal("a changed ciphertext gave the same secret")
		}
	}
}

func TestBadKeysAreErrors(t *testing.T) {
	if _, err := kem.NewSecretKey(make([]byte, 31)); !errors.Is(err, kem.ErrKey) {
		t.Fatalf("short seed: %v", err)
	}
	var p kem.PublicKey
	for i := range p {
		p[i] = 0xff // coefficients that are not reduced
	}
	var ss kdf.Secret
	var ct kem.Ciphertext
	if err := p.Encapsulate(nil, &ss, &ct); !errors.Is(err, kem.ErrKey) {
		t.Fatalf("unreduced key: %v", err)
	}
	if _, err := kem.Generate(strings.NewReader("short")); err == nil {
		t.Fatal("made a key of 5 random bytes")
	}
}

func TestSecretKeyDoesNotPrintAndErases(t *testing.T) {
	k, err := kem.NewSecretKey(bytes.Repeat([]byte{0x41}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %x", k, k)} {
		if strings.Contains(s, "41414141") || strings.Contains(s, "65 65") || strings.Contains(s, "AAAA") {
			t.Errorf("printed %q", s)
		}
	}
	k.Erase()
	if !bytes.Equal(k.Seed(), make([]byte, 32)) {
		t.Error("not erased")
	}
}
