package composite_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

// draft is one vector of the IETF draft; see testdata for its origin.
type draft struct {
	M, Ctx, PK, SK, S []byte
	SWithContext      []byte `json:"sWithContext"`
}

func readDraft(t *testing.T) draft {
	t.Helper()
	raw, err := os.ReadFile("testdata/draft.json")
	if err != nil {
		t.Fatal(err)
	}
	var d draft
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDraftVector(t *testing.T) {
	d := readDraft(t)
	k, err := composite.NewSecretKey(d.SK)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.Public()[:], d.PK) {
		t.Fatal("the seeds give another public key")
	}
	pk, err := composite.ParsePublicKey(d.PK)
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Verify("", d.M, d.S); err != nil {
		t.Errorf("without context: %v", err)
	}
	ctx := composite.Context(d.Ctx)
	if err := pk.Verify(ctx, d.M, d.SWithContext); err != nil {
		t.Errorf("with context: %v", err)
	}
	if pk.Verify(ctx, d.M, d.S) == nil || pk.Verify("", d.M, d.SWithContext) == nil {
		t.Error("the context does not matter")
	}
}

func key(t testing.TB) *composite.SecretKey {
	t.Helper()
	k, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// representative is M' of the draft, written again.
func representative(ctx, msg string) []byte {
	digest := sha512.Sum512([]byte(msg))
	return fmt.Appendf(nil, "CompositeAlgorithmSignatures2025COMPSIG-MLDSA65-Ed25519-SHA512%c%s%s", rune(len(ctx)), ctx, digest[:])
}

func TestSecondVerifier(t *testing.T) {
	k := key(t)
	sig, err := k.Sign(composite.ContextHead, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	m := representative("sne/1 head", "message")
	pq, err := mldsa.NewPublicKey(mldsa.MLDSA65(), k.Public()[:1952])
	if err != nil {
		t.Fatal(err)
	}
	if err := mldsa.Verify(pq, m, sig[:3309], &mldsa.Options{Context: "COMPSIG-MLDSA65-Ed25519-SHA512"}); err != nil {
		t.Errorf("ML-DSA half: %v", err)
	}
	if !ed25519.Verify(k.Public()[1952:], m, sig[3309:]) {
		t.Error("Ed25519 half does not verify")
	}
}

func TestEveryPartMatters(t *testing.T) {
	k, other := key(t), key(t)
	msg := []byte("message")
	sig, err := k.Sign(composite.ContextHead, msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Verify(composite.ContextHead, msg, sig); err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign(composite.ContextHead, msg)
	if err != nil {
		t.Fatal(err)
	}
	half := func(pq, ed []byte) []byte { return append(bytes.Clone(pq[:3309]), ed[3309:]...) }
	for name, verify := range map[string]func() error{
		"other message":        func() error { return k.Public().Verify(composite.ContextHead, []byte("massage"), sig) },
		"other context":        func() error { return k.Public().Verify(composite.ContextBundle, msg, sig) },
		"other key":            func() error { return other.Public().Verify(composite.ContextHead, msg, sig) },
		"foreign ML-DSA half":  func() error { return k.Public().Verify(composite.ContextHead, msg, half(foreign, sig)) },
		"foreign Ed25519 half": func() error { return k.Public().Verify(composite.ContextHead, msg, half(sig, foreign)) },
		"cut":                  func() error { return k.Public().Verify(composite.ContextHead, msg, sig[:len(sig)-1]) },
		"empty":                func() error { return k.Public().Verify(composite.ContextHead, msg, nil) },
	} {
		if err := verify(); !errors.Is(err, composite.ErrSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for at := 0; at < len(sig); at += 211 {
		bad := bytes.Clone(sig)
		bad[at] ^= 1
		if k.Public().Verify(composite.ContextHead, msg, bad) == nil {
			t.Errorf("byte %d of the signature does not matter", at)
		}
	}
}

func TestSignaturesAreHedged(t *testing.T) {
	k := key(t)
	a, err := k.Sign(composite.ContextHead, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Sign(composite.ContextHead, nil)
	if err != nil || bytes.Equal(a, b) {
		t.Fatalf("two signatures are equal (%v)", err)
	}
}

func TestOpenAndSplit(t *testing.T) {
	k := key(t)
	signed, err := k.Signed(composite.ContextCatalog, []byte("tbs"))
	if err != nil {
		t.Fatal(err)
	}
	if tbs, err := k.Public().Open(composite.ContextCatalog, signed); err != nil || string(tbs) != "tbs" {
		t.Fatalf("%q, %v", tbs, err)
	}
	if _, err := k.Public().Open(composite.ContextCatalog, signed[1:]); !errors.Is(err, composite.ErrSignature) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := composite.Split(make([]byte, composite.SignatureSize-1)); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("got %v", err)
	}
}

func TestSecretKeyDoesNotPrintAndErases(t *testing.T) {
	k, err := composite.NewSecretKey(bytes.Repeat([]byte{0x41}, 64))
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %x", k, k, k, k); strings.Contains(s, "4141") || strings.Contains(s, "65 65") || strings.Contains(s, "0x41") {
		t.Errorf("printed %.100q", s)
	}
	k.Erase()
	if !bytes.Equal(k.Seeds(), make([]byte, 64)) {
		t.Error("not erased")
	}
	if sig, err := k.Sign(composite.ContextHead, nil); err == nil && k.Public().Verify(composite.ContextHead, nil, sig) == nil {
		t.Error("an erased key still signs")
	}
	if _, err := composite.NewSecretKey(make([]byte, 63)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("short seeds: %v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	k := key(b)
	for b.Loop() {
		if _, err := k.Sign(composite.ContextHead, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k := key(b)
	sig, err := k.Sign(composite.ContextHead, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := k.Public().Verify(composite.ContextHead, nil, sig); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRestrictedKey(t *testing.T) {
	k := key(t)
	k.Restrict(composite.ContextOffer, composite.ContextSession)
	for ctx, want := range map[composite.Context]error{
		composite.ContextOffer: nil, composite.ContextSession: nil,
		composite.ContextBundle: composite.ErrContext, "": composite.ErrContext,
	} {
		if _, err := k.Sign(ctx, nil); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", ctx, err, want)
		}
	}
	k.Restrict()
	if _, err := k.Signed(composite.ContextOffer, nil); !errors.Is(err, composite.ErrContext) {
		t.Errorf("a key for nothing signs: %v", err)
	}
}
