package offer_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
)

type recordOf = manifest.Record

// opensAnyhow opens a lock by the text of section 7.1, without any of our
// code's checks.
func opensAnyhow(t testing.TB, o *message.Offer, salt, p *kdf.Secret) bool {
	t.Helper()
	// goods 1: the lock begins after fixed fields, shares, Range and leaves.
	at := 1 + 1 + 1 + 1 + 32 + 32 + 8 + 4 + 32
	at += 1 + 9*int(o.TBS[at])
	n := int(o.TBS[at+32+2+8])
	at += 32 + 2 + 8 + 1 + 32*n
	lctx := sha256.Sum256(append([]byte("sne1 lock"), o.TBS[:at]...))
	u, err := hkdf.Extract(sha256.New, p[:], salt[:])
	if err != nil {
		t.Fatal(err)
	}
	info := binary.BigEndian.AppendUint16(nil, 32)
	info = append(info, byte(len("sne1 lock key")))
	info = append(info, "sne1 lock key"...)
	info = append(append(info, 32), lctx[:]...)
	lk, err := hkdf.Expand(sha256.New, u, string(info), 32)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(lk)
	if err != nil {
		t.Fatal(err)
	}
	locked := o.TBS[at+4:]
	if int(binary.BigEndian.Uint32(o.TBS[at:])) != len(locked) {
		t.Fatal("the lock is not where section 7.1 puts it")
	}
	_, err = aead.Open(nil, make([]byte, 12), locked, lctx[:])
	return err == nil
}
