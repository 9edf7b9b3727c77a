package session_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/cloudflare/circl/kem/xwing"
	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/session"
)

// naive is section 5 written a second time, from the text, with nothing of
// ours: HKDF as plain HMAC calls, X-Wing and ChaCha20-Poly1305 from their
// libraries. Both sides of the package could agree on a mistake; this cannot.
type naive struct {
	t          *testing.T
	id         []byte
	root, hash []byte
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func expand(secret []byte, label string, ctx []byte) []byte {
	info := []byte{0, 32, byte(5 + len(label))}
	info = append(info, "sne1 "+label...)
	info = append(append(info, byte(len(ctx))), ctx...)
	return mac(secret, info, []byte{1})
}

func (n *naive) seal(key, aad, plain []byte) []byte {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		n.t.Fatal(err)
	}
	return aead.Seal(nil, make([]byte, 12), plain, aad)
}

// exchange plays the hub's part of exchange i.
func (n *naive) exchange(s *session.Server, i uint32, text string) string {
	n.t.Helper()
	dk, ek, err := xwing.GenerateKeyPairPacked(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	plain := make([]byte, 2048)
	copy(plain[copy(plain, ek):], text)
	hdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{3, 0}, i), 2048+16)
	kq := expand(n.root, "request", n.hash)
	request := append(bytes.Clone(hdr), n.seal(kq, append(bytes.Clone(n.id), hdr...), plain)...)

	response, err := s.Handle(start(), request, (&echo{}).answer)
	if err != nil {
		n.t.Fatal(err)
	}
	if response[0] != 4 || response[1] != 0 || binary.BigEndian.Uint32(response[2:]) != i || int(binary.BigEndian.Uint32(response[6:])) != len(response)-10 {
		n.t.Fatalf("response begins with %x", response[:10])
	}
	ct := response[10:][:1120]
	next := sha256.Sum256(bytes.Join([][]byte{[]byte("sne1 exchange"), n.hash, request, ct}, nil))
	x := mac(expand(n.root, "heal", next[:]), xwing.Decapsulate(ct, dk))
	kr := expand(x, "response", next[:])
	n.root, n.hash = expand(x, "next", next[:]), next[:]

	aead, err := chacha20poly1305.New(kr)
	if err != nil {
		n.t.Fatal(err)
	}
	aad := bytes.Join([][]byte{n.id, response[:10], ct}, nil)
	got, err := aead.Open(nil, make([]byte, 12), response[1130:], aad)
	if err != nil || len(got) != 2048 {
		n.t.Fatalf("exchange %d: the response of section 5 does not open: %v", i, err)
	}
	return string(bytes.TrimRight(got, "\x00"))
}

func TestNaiveHubUnderstandsTheServer(t *testing.T) {
	r := result(100)
	n := &naive{t: t, id: bytes.Clone(r.Session[:]), root: bytes.Clone(r.Root[:]), hash: bytes.Clone(r.Hash[:])}
	s := session.NewServer(r, start())
	for i := range uint32(3) {
		if got := n.exchange(s, i, "text"); got != "echo text" {
			t.Fatalf("exchange %d: %q", i, got)
		}
	}
}
