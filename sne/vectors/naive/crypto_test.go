package naive_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
	"slices"

	"filippo.io/mldsa"
)

func sum(parts ...[]byte) []byte {
	h := sha256.Sum256(cat(parts...))
	return h[:]
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(cat(parts...))
	return h.Sum(nil)
}

// hkdfExpand is RFC 5869, 2.3.
func hkdfExpand(prk, info []byte, n int) []byte {
	var out, last []byte
	for i := byte(1); len(out) < n; i++ {
		last = mac(prk, last, info, []byte{i})
		out = append(out, last...)
	}
	return out[:n]
}

// expand is Expand(secret, label, ctx, 32).
func expand(secret []byte, label string, ctx []byte) []byte {
	l := "sne1 " + label
	return hkdfExpand(secret, cat(be16(32), []byte{byte(len(l))}, []byte(l), []byte{byte(len(ctx))}, ctx), 32)
}

// chacha20 is RFC 8439, 2.3: one block of key stream.
func chacha20(key []byte, counter uint32, nonce []byte) []byte {
	s := []uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	for i := range 8 {
		s = append(s, binary.LittleEndian.Uint32(key[4*i:]))
	}
	s = append(s, counter)
	for i := range 3 {
		s = append(s, binary.LittleEndian.Uint32(nonce[4*i:]))
	}
	w := slices.Clone(s)
	quarter := func(a, b, c, d int) {
		w[a] += w[b]
		w[d] = bits.RotateLeft32(w[d]^w[a], 16)
		w[c] += w[d]
		w[b] = bits.RotateLeft32(w[b]^w[c], 12)
		w[a] += w[b]
		w[d] = bits.RotateLeft32(w[d]^w[a], 8)
		w[c] += w[d]
		w[b] = bits.RotateLeft32(w[b]^w[c], 7)
	}
	for range 10 {
		quarter(0, 4, 8, 12)
		quarter(1, 5, 9, 13)
		quarter(2, 6, 10, 14)
		quarter(3, 7, 11, 15)
		quarter(0, 5, 10, 15)
		quarter(1, 6, 11, 12)
		quarter(2, 7, 8, 13)
		quarter(3, 4, 9, 14)
	}
	out := make([]byte, 0, 64)
	for i := range w {
		out = binary.LittleEndian.AppendUint32(out, w[i]+s[i])
	}
	return out
}

// little reads a little-endian number.
func little(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// poly1305 is RFC 8439, 2.5, in plain big numbers.
func poly1305(key, msg []byte) []byte {
	r, s := slices.Clone(key[:16]), little(key[16:])
	for _, i := range []int{3, 7, 11, 15} {
		r[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		r[i] &= 252
	}
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))
	factor, acc := little(r), new(big.Int)
	for len(msg) > 0 {
		n := min(16, len(msg))
		acc.Add(acc, little(append(slices.Clone(msg[:n]), 1)))
		acc.Mod(acc.Mul(acc, factor), p)
		msg = msg[n:]
	}
	out := acc.Add(acc, s).FillBytes(make([]byte, 17))
	slices.Reverse(out)
	return out[:16]
}

func xor(key, nonce, text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i += 64 {
		stream := chacha20(key, uint32(1+i/64), nonce)
		for k := i; k < min(i+64, len(text)); k++ {
			out = append(out, text[k]^stream[k-i])
		}
	}
	return out
}

func tag(key, nonce, aad, ct []byte) []byte {
	pad := func(b []byte) []byte { return make([]byte, (16-len(b)%16)%16) }
	n := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(len(aad))), uint64(len(ct)))
	return poly1305(chacha20(key, 0, nonce)[:32], cat(aad, pad(aad), ct, pad(ct), n))
}

// sealNonce and openNonce are RFC 8439, 2.8.
func sealNonce(key, nonce, aad, plain []byte) []byte {
	ct := xor(key, nonce, plain)
	return append(ct, tag(key, nonce, aad, ct)...)
}

var errOpen = errors.New("naive: does not open")

func openNonce(key, nonce, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < 16 {
		return nil, errOpen
	}
	ct, have := sealed[:len(sealed)-16], sealed[len(sealed)-16:]
	if !slices.Equal(tag(key, nonce, aad, ct), have) {
		return nil, errOpen
	}
	return xor(key, nonce, ct), nil
}

func seal(key, aad, plain []byte) []byte { return sealNonce(key, make([]byte, 12), aad, plain) }

func open(key, aad, sealed []byte) ([]byte, error) {
	return openNonce(key, make([]byte, 12), aad, sealed)
}

// xwingKeys expands a seed: SHAKE256 into an ML-KEM seed and an X25519 secret.
func xwingKeys(seed []byte) (*mlkem.DecapsulationKey768, *ecdh.PrivateKey, []byte, error) {
	e := sha3.SumSHAKE256(seed, 96)
	m, err := mlkem.NewDecapsulationKey768(e[:64])
	if err != nil {
		return nil, nil, nil, err
	}
	x, err := ecdh.X25519().NewPrivateKey(e[64:])
	if err != nil {
		return nil, nil, nil, err
	}
	return m, x, cat(m.EncapsulationKey().Bytes(), x.PublicKey().Bytes()), nil
}

func combine(ssM, ssX, ctX, pkX []byte) []byte {
	h := sha3.Sum256(cat(ssM, ssX, ctX, pkX, []byte(`\.//^\`)))
	return h[:]
}

func encapsulate(pk, eseed []byte) (ss, ct []byte, err error) {
	ek, err := mlkem.NewEncapsulationKey768(pk[:1184])
	if err != nil {
		return nil, nil, err
	}
	ssM, ctM, err := mlkemtest.Encapsulate768(ek, eseed[:32])
	if err != nil {
		return nil, nil, err
	}
	x, err := ecdh.X25519().NewPrivateKey(eseed[32:])
	if err != nil {
		return nil, nil, err
	}
	theirs, err := ecdh.X25519().NewPublicKey(pk[1184:])
	if err != nil {
		return nil, nil, err
	}
	ssX, err := x.ECDH(theirs)
	if err != nil {
		return nil, nil, err
	}
	ctX := x.PublicKey().Bytes()
	return combine(ssM, ssX, ctX, pk[1184:]), cat(ctM, ctX), nil
}

func decapsulate(seed, ct []byte) ([]byte, error) {
	m, x, _, err := xwingKeys(seed)
	if err != nil {
		return nil, err
	}
	ssM, err := m.Decapsulate(ct[:1088])
	if err != nil {
		return nil, err
	}
	theirs, err := ecdh.X25519().NewPublicKey(ct[1088:])
	if err != nil {
		return nil, err
	}
	ssX, err := x.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	return combine(ssM, ssX, ct[1088:], x.PublicKey().Bytes()), nil
}

const sigLabel = "COMPSIG-MLDSA65-Ed25519-SHA512"

func representative(ctx string, msg []byte) []byte {
	d := sha512.Sum512(msg)
	return cat([]byte("CompositeAlgorithmSignatures2025"), []byte(sigLabel), []byte{byte(len(ctx))}, []byte(ctx), d[:])
}

// compositeKeys gives the public key of two seeds.
func compositeKeys(seeds []byte) (*mldsa.PrivateKey, ed25519.PrivateKey, []byte, error) {
	pq, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), seeds[:32])
	if err != nil {
		return nil, nil, nil, err
	}
	ed := ed25519.NewKeyFromSeed(seeds[32:])
	return pq, ed, cat(pq.PublicKey().Bytes(), ed[32:]), nil
}

// sign is the deterministic variant.
func sign(seeds []byte, ctx string, msg []byte) ([]byte, error) {
	pq, ed, _, err := compositeKeys(seeds)
	if err != nil {
		return nil, err
	}
	m := representative(ctx, msg)
	half, err := pq.SignDeterministic(m, &mldsa.Options{Context: sigLabel})
	if err != nil {
		return nil, err
	}
	return cat(half, ed25519.Sign(ed, m)), nil
}

var errSig = errors.New("naive: bad signature")

func verify(pk []byte, ctx string, msg, sig []byte) error {
	if len(pk) != 1984 || len(sig) != 3373 {
		return errSig
	}
	m := representative(ctx, msg)
	pq, err := mldsa.NewPublicKey(mldsa.MLDSA65(), pk[:1952])
	if err != nil {
		return errSig
	}
	if mldsa.Verify(pq, m, sig[:3309], &mldsa.Options{Context: sigLabel}) != nil {
		return errSig
	}
	if ed25519.VerifyWithOptions(ed25519.PublicKey(pk[1952:]), m, sig[3309:], &ed25519.Options{Hash: crypto.Hash(0)}) != nil {
		return errSig
	}
	return nil
}

// opened cuts signed = TBS || signature and verifies.
func opened(pk []byte, ctx string, signed []byte) ([]byte, error) {
	n := len(signed) - 3373
	if n < 0 {
		return nil, errSig
	}
	return signed[:n], verify(pk, ctx, signed[:n], signed[n:])
}

func keyID(pk []byte) []byte { return sum([]byte("sne1 keyid\x00"), pk) }
