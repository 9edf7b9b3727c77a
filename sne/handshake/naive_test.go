package handshake_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/cloudflare/circl/kem/xwing"
	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/composite"
)

// naive is the hub's half of section 4 written a second time, from the text.
// Both halves of the package could agree on a mistake; this cannot.
type naive struct {
	t     *testing.T
	ck, h []byte
	k     []byte
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func (n *naive) mixHash(data []byte) {
	sum := sha256.Sum256(append(bytes.Clone(n.h), data...))
	n.h = sum[:]
}

// hkdf is Noise's own: three chained HMACs.
func (n *naive) hkdf(ikm []byte) (a, b, c []byte) {
	temp := mac(n.ck, ikm)
	a = mac(temp, []byte{1})
	b = mac(temp, a, []byte{2})
	return a, b, mac(temp, b, []byte{3})
}

func (n *naive) mixKey(ikm []byte) { n.ck, n.k, _ = n.hkdf(ikm) }

func (n *naive) mixKeyAndHash(ikm []byte) {
	var mixed []byte
	n.ck, mixed, n.k = n.hkdf(ikm)
	n.mixHash(mixed)
}

func (n *naive) aead() cipher.AEAD {
	out, err := chacha20poly1305.New(n.k)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func TestNaiveHubUnderstandsTheResponder(t *testing.T) {
	b, r := pair(t)
	name := sha256.Sum256([]byte("Noise_pqNK_XWing_ChaChaPoly_SHA256")) // longer than 32 bytes
	n := &naive{t: t, ck: name[:], h: name[:]}
	n.mixHash(bytes.Join([][]byte{[]byte("SNE/1"), {0, 1}, {0, 1}, r.Bundle[:]}, nil))
	n.mixHash(b.KEM[:])
	// -> skem, e
	ss, ct, err := xwing.Encapsulate(b.KEM[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	n.mixHash(ct)
	n.mixKeyAndHash(ss)
	dk, e, err := xwing.GenerateKeyPairPacked(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.mixHash(e)
	tag := n.aead().Seal(nil, make([]byte, 12), nil, n.h)
	n.mixHash(tag)
	msg2, theirs, err := r.Respond(bytes.Join([][]byte{{1}, {0, 1}, {0, 1}, r.Bundle[:], ct, e, tag}, nil))
	if err != nil {
		t.Fatal(err)
	}
	// <- ekem
	ct = msg2[1:1121]
	n.mixHash(ct)
	n.mixKey(xwing.Decapsulate(ct, dk))
	signed := bytes.Clone(n.h)
	plain, err := n.aead().Open(nil, make([]byte, 12), msg2[1121:], n.h)
	if err != nil {
		t.Fatalf("message 2 of section 4 does not open: %v", err)
	}
	n.mixHash(msg2[1121:])
	if err := b.Online.Verify(composite.ContextSession, append(signed, plain[:24]...), plain[24:]); err != nil {
		t.Fatalf("signature over h_after_ekem || session_id || limits: %v", err)
	}
	root := mac(n.ck, []byte{0, 32, 9}, []byte("sne1 root"), []byte{32}, n.h, []byte{1})
	if !bytes.Equal(theirs.Root[:], root) || !bytes.Equal(theirs.Hash[:], n.h) || !bytes.Equal(theirs.Session[:], plain[:16]) ||
		theirs.MaxExchanges != binary.BigEndian.Uint32(plain[16:]) || theirs.TTL != binary.BigEndian.Uint32(plain[20:]) {
		t.Fatal("the sides hold different sessions")
	}
}
