package handshake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/kdf"
)

// symmetric is the SymmetricState of Noise revision 34 with ChaChaPoly and
// SHA-256, its CipherState folded in.
type symmetric struct {
	ck    kdf.Secret
	h     [sha256.Size]byte
	k     kdf.Secret
	keyed bool
	n     uint64
}

func newSymmetric(protocol string) *symmetric {
	s := &symmetric{}
	if len(protocol) <= len(s.h) {
		copy(s.h[:], protocol)
	} else {
		s.h = sha256.Sum256([]byte(protocol))
	}
	s.ck = s.h
	return s
}

func (s *symmetric) mixHash(data []byte) {
	d := sha256.New()
	d.Write(s.h[:])
	d.Write(data)
	d.Sum(s.h[:0])
}

// chain gives n 32-byte outputs of Noise's HKDF(ck, ikm): HKDF of RFC 5869 with
// an empty info.
func (s *symmetric) chain(ikm []byte, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, ikm, s.ck[:], "", n*sha256.Size)
}

func (s *symmetric) mixKey(ikm []byte) error {
	out, err := s.chain(ikm, 2)
	if err != nil {
		return err
	}
	defer clear(out)
	copy(s.ck[:], out)
	s.setKey(out[32:])
	return nil
}

func (s *symmetric) mixKeyAndHash(ikm []byte) error {
	out, err := s.chain(ikm, 3)
	if err != nil {
		return err
	}
	defer clear(out)
	copy(s.ck[:], out)
	s.mixHash(out[32:64])
	s.setKey(out[64:])
	return nil
}

func (s *symmetric) setKey(k []byte) {
	copy(s.k[:], k)
	s.keyed = true
	s.n = 0
}

// nonce is Noise's for ChaChaPoly: 32 zero bits and the counter, little-endian.
func (s *symmetric) nonce() []byte {
	var nonce [chacha20poly1305.NonceSize]byte
	binary.LittleEndian.PutUint64(nonce[4:], s.n)
	s.n++
	return nonce[:]
}

func (s *symmetric) encryptAndHash(dst, plaintext []byte) ([]byte, error) {
	start := len(dst)
	if !s.keyed {
		dst = append(dst, plaintext...)
	} else {
		aead, err := chacha20poly1305.New(s.k[:])
		if err != nil {
			return nil, err
		}
		dst = aead.Seal(dst, s.nonce(), plaintext, s.h[:])
	}
	s.mixHash(dst[start:])
	return dst, nil
}

func (s *symmetric) decryptAndHash(ciphertext []byte) ([]byte, error) {
	plaintext := ciphertext
	if s.keyed {
		aead, err := chacha20poly1305.New(s.k[:])
		if err != nil {
			return nil, err
		}
		if plaintext, err = aead.Open(nil, s.nonce(), ciphertext, s.h[:]); err != nil {
			return nil, err
		}
	}
	s.mixHash(ciphertext)
	return plaintext, nil
}

func (s *symmetric) erase() {
	s.ck.Erase()
	s.k.Erase()
	clear(s.h[:])
	s.keyed = false
}

// equal compares in constant time.
func equal(a, b []byte) bool { return hmac.Equal(a, b) }
