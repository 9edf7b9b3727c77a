package vectors_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha3"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/zk/dleq"
	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
)

// published is what the files from elsewhere have in common; the libraries
// that the code stands on are held to them here.
type published[V any] struct {
	About   string `json:"about"`
	Source  string `json:"source"`
	Vectors []V    `json:"vectors"`
}

type caseHead struct {
	TcID    int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"`
}

func (c caseHead) judge(t *testing.T, ok bool) {
	t.Helper()
	if ok != (c.Result == "valid") {
		t.Errorf("%d, %s: %v", c.TcID, c.Comment, ok)
	}
}

func TestPublishedPrimitives(t *testing.T) {
	for _, v := range load[published[struct {
		caseHead
		Key, IV, AAD, Msg, CT, Tag hx
	}]](t, "published_aead.json").Vectors {
		got, err := must(chacha20poly1305.New(v.Key))(t).Open(nil, v.IV, append(bytes.Clone(v.CT), v.Tag...), v.AAD)
		v.judge(t, err == nil && bytes.Equal(got, v.Msg))
	}
	for _, v := range load[published[struct {
		caseHead
		IKM, Salt, Info, OKM hx
		Size                 int
	}]](t, "published_hkdf.json").Vectors {
		got, err := hkdf.Key(sha256.New, v.IKM, v.Salt, string(v.Info), v.Size)
		v.judge(t, err == nil && bytes.Equal(got, v.OKM))
	}
	type signature struct {
		caseHead
		PK, Msg, Ctx, Sig hx
	}
	for _, v := range load[published[signature]](t, "published_ed25519.json").Vectors {
		v.judge(t, ed25519.Verify(ed25519.PublicKey(v.PK), v.Msg, v.Sig))
	}
	for _, v := range load[published[signature]](t, "published_mldsa.json").Vectors {
		var pk mldsa65.PublicKey
		v.judge(t, pk.UnmarshalBinary(v.PK) == nil && mldsa65.Verify(&pk, v.Msg, v.Ctx, v.Sig))
	}
}

func TestPublishedComposite(t *testing.T) {
	v := load[struct {
		About, Source            string
		Msg, Ctx, PK, Seeds, Sig hx
		WithCtx                  hx `json:"sig_with_ctx"`
	}](t, "published_composite.json")
	pk := must(composite.NewSecretKey(v.Seeds))(t).Public()
	same(t, "public key", pk[:], v.PK)
	check(t, pk.Verify("", v.Msg, v.Sig))
	check(t, pk.Verify(composite.Context(v.Ctx), v.Msg, v.WithCtx))
}

// TestPublishedXWing writes the draft's file of vectors and sums it up.
func TestPublishedXWing(t *testing.T) {
	v := load[struct {
		About, Source string
		Shake128      hx
	}](t, "published_xwing.json")
	var text strings.Builder
	column := func(name string, raw []byte) {
		digits := fmt.Sprintf("%x", raw)
		if len(name)+len(digits)+5 < 74 {
			fmt.Fprintf(&text, "%s     %s\n", name, digits)
			return
		}
		fmt.Fprintln(&text, name)
		for ; digits != ""; digits = digits[min(72, len(digits)):] {
			fmt.Fprintf(&text, "  %s\n", digits[:min(72, len(digits))])
		}
	}
	stream := sha3.NewSHAKE128()
	for range 3 {
		seed, eseed := make([]byte, 32), make([]byte, 64)
		_, _ = stream.Read(seed) // never fails
		_, _ = stream.Read(eseed)
		k := must(kem.NewSecretKey(seed))(t)
		var ss kdf.Secret
		var ct kem.Ciphertext
		check(t, k.Public().Encapsulate(source(eseed), &ss, &ct))
		column("seed", seed)
		column("sk", k.Seed())
		column("pk", k.Public()[:])
		column("eseed", eseed)
		column("ct", ct[:])
		column("ss", ss[:])
		text.WriteByte('\n')
	}
	same(t, "sum of the draft's vectors", sha3.SumSHAKE128([]byte(text.String()), 32), v.Shake128)
}

func TestPublishedVOPRF(t *testing.T) {
	f := load[struct {
		About, Source string
		SK, PK, Seed  hx
		KeyInfo       hx `json:"key_info"`
		Vectors       []struct {
			Input, Blind, Blinded, Evaluated, Output string
			Proof, R                                 hx
		}
	}](t, "published_voprf.json")
	sk := must(oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, f.Seed, f.KeyInfo))(t)
	same(t, "key", must(sk.MarshalBinary())(t), f.SK)
	client := oprf.NewVerifiableClient(oprf.SuiteRistretto255, sk.Public())
	list := func(s string) (out []hx) {
		for x := range strings.SplitSeq(s, ",") {
			var h hx
			check(t, h.UnmarshalText([]byte(x)))
			out = append(out, h)
		}
		return out
	}
	for _, v := range f.Vectors {
		var inputs [][]byte
		var blinds []oprf.Blind
		ev := &oprf.Evaluation{Proof: new(dleq.Proof)}
		for i, in := range list(v.Input) {
			r, e := group.Ristretto255.NewScalar(), group.Ristretto255.NewElement()
			check(t, r.UnmarshalBinary(list(v.Blind)[i]))
			check(t, e.UnmarshalBinary(list(v.Evaluated)[i]))
			inputs, blinds, ev.Elements = append(inputs, in), append(blinds, r), append(ev.Elements, e)
		}
		check(t, ev.Proof.UnmarshalBinary(group.Ristretto255, v.Proof))
		data, req, err := client.DeterministicBlind(inputs, blinds)
		check(t, err)
		out := must(client.Finalize(data, ev))(t)
		for i := range out {
			same(t, "blinded", must(req.Elements[i].MarshalBinaryCompress())(t), list(v.Blinded)[i])
			same(t, "output", out[i], list(v.Output)[i])
		}
	}
}
