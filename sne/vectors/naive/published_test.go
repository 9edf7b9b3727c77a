package naive_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/sha3"
	"fmt"
	"testing"

	"filippo.io/mldsa"
)

func TestPublishedAEAD(t *testing.T) {
	f := load[struct {
		head
		Vectors []struct {
			TcID                       int
			Comment                    string
			Key, IV, AAD, Msg, CT, Tag hx
			Result                     string
		}
	}](t, "published_aead.json")
	for _, v := range f.Vectors {
		plain, err := openNonce(v.Key, v.IV, v.AAD, cat(v.CT, v.Tag))
		if (err == nil) != (v.Result == "valid") {
			t.Errorf("%d, %s: %v", v.TcID, v.Comment, err)
		}
		if err == nil {
			same(t, v.Comment, plain, v.Msg)
			same(t, v.Comment, sealNonce(v.Key, v.IV, v.AAD, v.Msg), cat(v.CT, v.Tag))
		}
	}
}

func TestPublishedHKDF(t *testing.T) {
	f := load[struct {
		head
		Vectors []struct {
			TcID                 int
			Comment              string
			IKM, Salt, Info, OKM hx
			Size                 int
			Result               string
		}
	}](t, "published_hkdf.json")
	for _, v := range f.Vectors {
		if v.Result != "valid" { // more than 255 blocks
			if v.Size <= 255*32 {
				t.Errorf("%d: why is %d bytes invalid?", v.TcID, v.Size)
			}
			continue
		}
		salt := v.Salt
		if len(salt) == 0 {
			salt = make([]byte, 32)
		}
		same(t, v.Comment, hkdfExpand(mac(salt, v.IKM), v.Info, v.Size), v.OKM)
	}
}

func TestPublishedSignatures(t *testing.T) {
	type vector struct {
		TcID              int
		Comment, Result   string
		PK, Msg, Ctx, Sig hx
	}
	type file struct {
		head
		Vectors []vector
	}
	for _, v := range load[file](t, "published_ed25519.json").Vectors {
		if ed25519.Verify(ed25519.PublicKey(v.PK), v.Msg, v.Sig) != (v.Result == "valid") {
			t.Errorf("Ed25519 %d, %s", v.TcID, v.Comment)
		}
	}
	for _, v := range load[file](t, "published_mldsa.json").Vectors {
		pk, err := mldsa.NewPublicKey(mldsa.MLDSA65(), v.PK)
		if err == nil {
			err = mldsa.Verify(pk, v.Msg, v.Sig, &mldsa.Options{Context: string(v.Ctx)})
		}
		if (err == nil) != (v.Result == "valid") {
			t.Errorf("ML-DSA %d, %s: %v", v.TcID, v.Comment, err)
		}
	}
	c := load[struct {
		head
		Msg, Ctx, PK, Seeds, Sig hx
		WithCtx                  hx `json:"sig_with_ctx"`
	}](t, "published_composite.json")
	_, _, pk, err := compositeKeys(c.Seeds)
	check(t, err)
	same(t, "composite public key", pk, c.PK)
	check(t, verify(pk, "", c.Msg, c.Sig))
	check(t, verify(pk, string(c.Ctx), c.Msg, c.WithCtx))
}

func TestPublishedKEM(t *testing.T) {
	f := load[struct {
		head
		Vectors []struct {
			TcID            int
			Comment, Result string
			Seed, C, K      hx
		}
	}](t, "published_mlkem.json")
	for _, v := range f.Vectors {
		dk, err := mlkem.NewDecapsulationKey768(v.Seed)
		check(t, err)
		k, err := dk.Decapsulate(v.C)
		if (err == nil) != (v.Result == "valid") {
			t.Errorf("%d, %s: %v", v.TcID, v.Comment, err)
		}
		if err == nil {
			same(t, v.Comment, k, v.K)
		}
	}
	x := load[struct {
		head
		Shake128 hx
	}](t, "published_xwing.json")
	var text bytes.Buffer
	stream := sha3.NewSHAKE128()
	for range 3 {
		seed, eseed := make([]byte, 32), make([]byte, 64)
		_, _ = stream.Read(seed)
		_, _ = stream.Read(eseed)
		_, _, pk, err := xwingKeys(seed)
		check(t, err)
		ss, ct, err := encapsulate(pk, eseed)
		check(t, err)
		for _, field := range []struct {
			name string
			v    []byte
		}{{"seed", seed}, {"sk", seed}, {"pk", pk}, {"eseed", eseed}, {"ct", ct}, {"ss", ss}} {
			column(&text, field.name, field.v)
		}
		text.WriteByte('\n')
	}
	same(t, "sum of the draft's vectors", sha3.SumSHAKE128(text.Bytes(), 32), x.Shake128)
}

// column writes a field as the draft's file of vectors does: on the line of its
// name if 74 columns hold both, else below it in lines of 72 digits.
func column(w *bytes.Buffer, name string, v []byte) {
	digits := fmt.Sprintf("%x", v)
	if len(name)+len(digits)+5 < 74 {
		fmt.Fprintf(w, "%s     %s\n", name, digits)
		return
	}
	fmt.Fprintln(w, name)
	for len(digits) > 0 {
		n := min(72, len(digits))
		fmt.Fprintf(w, "  %s\n", digits[:n])
		digits = digits[n:]
	}
}

// TestPublishedNoiseNK plays Noise_NK on the symmetric state of the handshake.
func TestPublishedNoiseNK(t *testing.T) {
	f := load[struct {
		head
		Vectors []struct {
			Static   hx `json:"resp_static"`
			InitE    hx `json:"gen_init_ephemeral"`
			RespE    hx `json:"gen_resp_ephemeral"`
			Prologue hx
			P0       hx `json:"msg_0_payload"`
			C0       hx `json:"msg_0_ciphertext"`
			P1       hx `json:"msg_1_payload"`
			C1       hx `json:"msg_1_ciphertext"`
			P2       hx `json:"msg_2_payload"`
			C2       hx `json:"msg_2_ciphertext"`
			P3       hx `json:"msg_3_payload"`
			C3       hx `json:"msg_3_ciphertext"`
		}
	}](t, "published_noise_nk.json")
	for _, v := range f.Vectors {
		s, ei, er := curve(t, v.Static), curve(t, v.InitE), curve(t, v.RespE)
		n := newNoise("Noise_NK_25519_ChaChaPoly_SHA256")
		n.mixHash(v.Prologue)
		n.mixHash(s.PublicKey().Bytes())
		n.mixHash(ei.PublicKey().Bytes())
		n.mixKey(dh(t, ei, s))
		same(t, "message 0", cat(ei.PublicKey().Bytes(), n.encrypt(v.P0)), v.C0)
		n.mixHash(er.PublicKey().Bytes())
		n.mixKey(dh(t, er, ei))
		same(t, "message 1", cat(er.PublicKey().Bytes(), n.encrypt(v.P1)), v.C1)
		a, b, _ := n.hkdf(nil)
		same(t, "message 2", sealNonce(a, make([]byte, 12), nil, v.P2), v.C2)
		same(t, "message 3", sealNonce(b, make([]byte, 12), nil, v.P3), v.C3)
	}
}

func curve(t *testing.T, b []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(b)
	check(t, err)
	return k
}

func dh(t *testing.T, k, other *ecdh.PrivateKey) []byte {
	t.Helper()
	s, err := k.ECDH(other.PublicKey())
	check(t, err)
	return s
}
