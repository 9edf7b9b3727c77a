package vectors_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

type expandFile struct {
	About   string          `json:"about"`
	Expand  []expandVector  `json:"expand"`
	Extract []extractVector `json:"extract"`
	AEAD    []aeadVector    `json:"aead"`
	IDs     []idVector      `json:"ids"`
	BadIDs  []string        `json:"bad_ids"`
}

type expandVector struct {
	Secret hx     `json:"secret"`
	Label  string `json:"label"`
	Ctx    hx     `json:"ctx"`
	Out    hx     `json:"out"`
}

type extractVector struct {
	Salt hx `json:"salt"`
	IKM  hx `json:"ikm"`
	Out  hx `json:"out"`
}

type aeadVector struct {
	Key    hx `json:"key"`
	AAD    hx `json:"aad"`
	Plain  hx `json:"plain"`
	Sealed hx `json:"sealed"`
}

type idVector struct {
	Bytes hx     `json:"bytes"`
	Text  string `json:"text"`
}

func makeExpand(t *testing.T) any {
	f := &expandFile{About: "Section 2.1: Expand, Extract, AEAD; identifiers as text (32 and 16 bytes). bad_ids must be refused as 32-byte identifiers."}
	for i, label := range []string{"root", "request", "heal", "response", "next", "lock base", "lock salt", "lock key", "epoch", "epoch commit", "segment", ""} {
		v := expandVector{Secret: draw(32, "expand "+label), Label: label, Ctx: draw(i*23, "expand ctx"+label)}
		var out kdf.Secret
		check(t, kdf.Expand(&out, (*kdf.Secret)(v.Secret), v.Label, v.Ctx))
		v.Out = out[:]
		f.Expand = append(f.Expand, v)
	}
	for i := range 3 {
		v := extractVector{Salt: draw(32, fmt.Sprint("extract salt ", i)), IKM: draw(32, fmt.Sprint("extract ikm ", i))}
		var out kdf.Secret
		check(t, kdf.Extract(&out, (*kdf.Secret)(v.Salt), (*kdf.Secret)(v.IKM)))
		v.Out = out[:]
		f.Extract = append(f.Extract, v)
	}
	for _, n := range []int{0, 1, 16, 64, 300} {
		v := aeadVector{Key: draw(32, fmt.Sprint("aead key ", n)), AAD: draw(n/2, "aead aad"), Plain: draw(n, "aead plain")}
		v.Sealed = must(kdf.Seal(nil, (*kdf.Secret)(v.Key), v.AAD, v.Plain))(t)
		f.AEAD = append(f.AEAD, v)
	}
	for i := range 3 {
		v := id(fmt.Sprint("id ", i))
		f.IDs = append(f.IDs, idVector{v[:], v.String()})
		s := wire.SessionID(draw(16, fmt.Sprint("session id ", i)))
		f.IDs = append(f.IDs, idVector{s[:], s.String()})
	}
	good := id("id 0").String()
	f.BadIDs = []string{
		"", good[:51], good + "a", strings.ToUpper(good), good[:51] + "b", good[:51] + "=", good[:51] + "1",
		" " + good[1:], good[:26] + "\n" + good[27:], f.IDs[1].Text,
	}
	return f
}

type compositeFile struct {
	About string            `json:"about"`
	Keys  []compositeKey    `json:"keys"`
	Good  []compositeVector `json:"good"`
	Bad   []compositeVector `json:"bad"`
}

type compositeKey struct {
	Seeds hx     `json:"seeds"` // ML-DSA seed || Ed25519 seed
	PK    hx     `json:"pk"`
	KeyID string `json:"key_id"`
}

type compositeVector struct {
	Key int    `json:"key"` // index into keys
	Ctx string `json:"ctx"`
	Msg hx     `json:"msg"`
	Sig hx     `json:"sig"`
	Why string `json:"why,omitempty"`
}

// deterministic signs with the deterministic variant of ML-DSA, which the code
// never uses, so that others can make the same bytes. What is signed is built
// here a second time, from the draft.
func deterministic(t testing.TB, seeds []byte, ctx composite.Context, msg []byte) []byte {
	t.Helper()
	k := must(composite.NewSecretKey(seeds))(t)
	sig := must(k.Sign(ctx, msg))(t)
	_, pq := mldsa65.NewKeyFromSeed((*[32]byte)(seeds))
	check(t, mldsa65.SignTo(pq, representative(string(ctx), msg), []byte("COMPSIG-MLDSA65-Ed25519-SHA512"), false, sig[:mldsa65.SignatureSize]))
	check(t, k.Public().Verify(ctx, msg, sig))
	return sig
}

func makeComposite(t *testing.T) any {
	f := &compositeFile{About: "Section 2.1: id-MLDSA65-Ed25519-SHA512. Signatures under good are the deterministic variant, so they can be made again; those under bad must be refused."}
	for i := range 2 {
		k := signer(t, fmt.Sprint("composite ", i))
		f.Keys = append(f.Keys, compositeKey{k.Seeds(), k.Public()[:], k.Public().KeyID().String()})
	}
	contexts := []composite.Context{composite.ContextBundle, composite.ContextSession, composite.ContextOffer, composite.ContextCatalog, composite.ContextHead}
	for i, ctx := range contexts {
		v := compositeVector{Key: i % 2, Ctx: string(ctx), Msg: draw(i*50, "composite message")}
		v.Sig = deterministic(t, f.Keys[v.Key].Seeds, ctx, v.Msg)
		f.Good = append(f.Good, v)
	}
	g, other := f.Good[1], f.Good[3]
	bad := func(why string, change func(*compositeVector)) {
		v := g
		v.Why = why
		change(&v)
		f.Bad = append(f.Bad, v)
	}
	bad("ML-DSA half changed", func(v *compositeVector) { v.Sig = flip(v.Sig, 1000) })
	bad("Ed25519 half changed", func(v *compositeVector) { v.Sig = flip(v.Sig, 3309+20) })
	bad("ML-DSA half of another message", func(v *compositeVector) { v.Sig = append(bytes.Clone(other.Sig[:3309]), g.Sig[3309:]...) })
	bad("Ed25519 half of another message", func(v *compositeVector) { v.Sig = append(bytes.Clone(g.Sig[:3309]), other.Sig[3309:]...) })
	bad("another context", func(v *compositeVector) { v.Ctx = string(composite.ContextOffer) })
	bad("no context", func(v *compositeVector) { v.Ctx = "" })
	bad("another message", func(v *compositeVector) { v.Msg = flip(v.Msg, 3) })
	bad("another key", func(v *compositeVector) { v.Key = 0 })
	bad("cut short", func(v *compositeVector) { v.Sig = v.Sig[:len(v.Sig)-1] })
	bad("a byte too long", func(v *compositeVector) { v.Sig = append(bytes.Clone(v.Sig), 0) })
	bad("halves swapped", func(v *compositeVector) { v.Sig = append(bytes.Clone(v.Sig[3309:]), v.Sig[:3309]...) })
	return f
}

type xwingFile struct {
	About string        `json:"about"`
	Good  []xwingVector `json:"good"`
	Wrong []xwingVector `json:"wrong"`
	BadPK []hx          `json:"bad_pk"`
}

type xwingVector struct {
	Seed  hx `json:"seed"`
	PK    hx `json:"pk,omitempty"`
	ESeed hx `json:"eseed,omitempty"` // ML-KEM randomness || X25519 secret
	CT    hx `json:"ct"`
	SS    hx `json:"ss"`
}

func makeXWing(t *testing.T) any {
	f := &xwingFile{About: "Section 1: X-Wing. The ciphertexts under wrong were changed: decapsulation gives another secret and no error. Encapsulation to a bad_pk must fail."}
	for i := range 4 {
		k := kemKey(t, fmt.Sprint("xwing ", i))
		v := xwingVector{Seed: k.Seed(), PK: k.Public()[:], ESeed: draw(64, fmt.Sprint("xwing eseed ", i))}
		var ss, again kdf.Secret
		var ct kem.Ciphertext
		check(t, k.Public().Encapsulate(source(v.ESeed), &ss, &ct))
		k.Decapsulate(&again, &ct)
		if ss != again {
			t.Fatal("decapsulation gives another secret")
		}
		v.CT, v.SS = ct[:], ss[:]
		f.Good = append(f.Good, v)
	}
	for i, at := range []int{0, 1087, 1088, 1119} {
		g := f.Good[i]
		v := xwingVector{Seed: g.Seed, CT: flip(g.CT, at)}
		var ss kdf.Secret
		must(kem.NewSecretKey(g.Seed))(t).Decapsulate(&ss, (*kem.Ciphertext)(v.CT))
		v.SS = ss[:]
		f.Wrong = append(f.Wrong, v)
	}
	high := bytes.Clone(f.Good[0].PK) // a coefficient that is not reduced
	high[0], high[1] = 0xff, 0xff
	f.BadPK = []hx{high}
	return f
}
