package handshake

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// hexBytes is a hexadecimal JSON string.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// noiseNK is one published Noise_NK vector; see testdata for its origin.
type noiseNK struct {
	Static   hexBytes `json:"resp_static"`
	InitE    hexBytes `json:"gen_init_ephemeral"`
	RespE    hexBytes `json:"gen_resp_ephemeral"`
	Prologue hexBytes `json:"prologue"`
	P0       hexBytes `json:"msg_0_payload"`
	C0       hexBytes `json:"msg_0_ciphertext"`
	P1       hexBytes `json:"msg_1_payload"`
	C1       hexBytes `json:"msg_1_ciphertext"`
	P2       hexBytes `json:"msg_2_payload"`
	C2       hexBytes `json:"msg_2_ciphertext"`
	P3       hexBytes `json:"msg_3_payload"`
	C3       hexBytes `json:"msg_3_ciphertext"`
}

// The symmetric state is that of Noise, so it must play Noise's own NK pattern
// when it is fed with Diffie-Hellman instead of X-Wing.
func TestSymmetricStatePlaysNoiseNK(t *testing.T) {
	raw, err := os.ReadFile("testdata/noise_nk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []noiseNK }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 4 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		playNK(t, v)
	}
}

func playNK(t *testing.T, v noiseNK) {
	t.Helper()
	private := func(b []byte) *ecdh.PrivateKey {
		k, err := ecdh.X25519().NewPrivateKey(b)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	dh := func(k *ecdh.PrivateKey, p *ecdh.PublicKey) []byte {
		s, err := k.ECDH(p)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rs, e, re := private(v.Static), private(v.InitE), private(v.RespE)
	s := newSymmetric("Noise_NK_25519_ChaChaPoly_SHA256")
	s.mixHash(v.Prologue)
	s.mixHash(rs.PublicKey().Bytes())
	// -> e, es
	s.mixHash(e.PublicKey().Bytes())
	step(s.mixKey(dh(e, rs.PublicKey())))
	out, err := s.encryptAndHash(e.PublicKey().Bytes(), v.P0)
	if err != nil || !bytes.Equal(out, v.C0) {
		t.Fatalf("message 0: %x, %v", out, err)
	}
	// <- e, ee
	s.mixHash(re.PublicKey().Bytes())
	step(s.mixKey(dh(e, re.PublicKey())))
	plain, err := s.decryptAndHash(v.C1[32:])
	if err != nil || !bytes.Equal(plain, v.P1) {
		t.Fatalf("message 1: %x, %v", plain, err)
	}
	keys, err := s.chain(nil, 2)
	step(err)
	for i, c := range []struct{ plain, want []byte }{{v.P2, v.C2}, {v.P3, v.C3}} {
		aead, err := chacha20poly1305.New(keys[32*i:][:32])
		step(err)
		if got := aead.Seal(nil, make([]byte, 12), c.plain, nil); !bytes.Equal(got, c.want) {
			t.Fatalf("transport message %d: %x", i+2, got)
		}
	}
}

// No published vector checks mixKeyAndHash without a pre-shared key; by its
// definition it is Noise's HKDF with three outputs.
func TestMixKeyAndHash(t *testing.T) {
	a, b := newSymmetric(protocolName), newSymmetric(protocolName)
	if err := a.mixKeyAndHash([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	out, err := b.chain([]byte("secret"), 3)
	if err != nil {
		t.Fatal(err)
	}
	b.mixHash(out[32:64])
	if !bytes.Equal(a.ck[:], out[:32]) || a.h != b.h || !bytes.Equal(a.k[:], out[64:]) || !a.keyed || a.n != 0 {
		t.Fatal("outputs are used in another order")
	}
}

func TestNonceCounts(t *testing.T) {
	s := &symmetric{n: 0x0102}
	n := s.nonce()
	if binary.LittleEndian.Uint64(n[4:]) != 0x0102 || binary.BigEndian.Uint32(n) != 0 || s.n != 0x0103 {
		t.Fatalf("nonce %x", n)
	}
}
