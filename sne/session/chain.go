package session

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// Sizes in bytes.
const (
	MaxPlaintext = 65536                            // largest padded plaintext
	MaxMessages  = MaxPlaintext - kem.PublicKeySize // what fits into the largest request
	MaxRequest   = MaxPlaintext + headSize + kdf.Overhead
	MaxResponse  = MaxPlaintext + headSize + kem.CiphertextSize + kdf.Overhead

	headSize = 1 + 1 + 4 + 4
)

// Errors of both sides.
var (
	ErrBad       = errors.New("sne: exchange does not open")         // at the origin: HTTP 400
	ErrGone      = errors.New("sne: session is over")                // at the origin: HTTP 410
	ErrPending   = errors.New("sne: an exchange is outstanding")     // repeat it, or start a new session
	ErrExhausted = errors.New("sne: session has used up its limits") // start a new session
	ErrTooLong   = errors.New("sne: messages too long for one exchange")
)

const (
	typeRequest  = 3
	typeResponse = 4
)

// chain is the state that both sides keep between exchanges.
type chain struct {
	id   wire.SessionID
	root kdf.Secret // root_i
	hash [32]byte   // h_i
	next uint32     // i
}

func (c *chain) erase() {
	c.root.Erase()
	clear(c.hash[:])
}

// header is hdr = u8 type || u8 0 || u32 i || u32 len.
func header(kind uint8, i uint32, n int) []byte {
	b := []byte{kind, 0}
	b = binary.BigEndian.AppendUint32(b, i)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// readHeader checks everything about a message's outside and returns i.
func readHeader(kind uint8, raw []byte, extra int) (uint32, error) {
	r := wire.NewReader(raw)
	r.Want8(kind, "exchange type")
	r.Want8(0, "exchange reserved byte")
	i := r.U32()
	n := r.U32()
	if r.Err() != nil || uint64(n) != uint64(r.Len()) || !padded(r.Len()-extra-kdf.Overhead) {
		return 0, ErrBad
	}
	return i, nil
}

// padded reports whether n is one of the lengths that a plaintext may have.
func padded(n int) bool {
	return n >= 2048 && n <= MaxPlaintext && n&(n-1) == 0
}

// pad makes the plaintext: parts, then padding (kind 0 and zeros) up to the
// next allowed length.
func pad(parts ...[]byte) ([]byte, error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	size := 2048
	for size < n {
		size *= 2
	}
	if size > MaxPlaintext {
		return nil, ErrTooLong
	}
	b := make([]byte, 0, size)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b[:size], nil
}

func (c *chain) aad(hdr []byte, more []byte) []byte {
	return append(append(append([]byte(nil), c.id[:]...), hdr...), more...)
}

// step holds the secrets of one exchange, all derived from the shared secret
// that the response carries. It must be erased.
type step struct {
	response kdf.Secret // kr
	root     kdf.Secret // root_{i+1}
	base     kdf.Secret // lb, the lock base
	hash     [32]byte   // h_{i+1}
}

func (s *step) erase() {
	s.response.Erase()
	s.root.Erase()
	s.base.Erase()
	clear(s.hash[:])
}

// advance derives the secrets of the exchange; it does not change the chain. ss
// is erased.
func (c *chain) advance(s *step, request []byte, ct *kem.Ciphertext, ss *kdf.Secret) error {
	defer ss.Erase()
	d := sha256.New()
	d.Write([]byte("sne1 exchange"))
	d.Write(c.hash[:])
	d.Write(request)
	d.Write(ct[:])
	d.Sum(s.hash[:0])
	var x kdf.Secret
	defer x.Erase()
	if err := kdf.Expand(&x, &c.root, "heal", s.hash[:]); err != nil {
		return err
	}
	if err := kdf.Extract(&x, &x, ss); err != nil {
		return err
	}
	if err := kdf.Expand(&s.response, &x, "response", s.hash[:]); err != nil {
		return err
	}
	if err := kdf.Expand(&s.base, &x, "lock base", s.hash[:]); err != nil {
		return err
	}
	return kdf.Expand(&s.root, &x, "next", s.hash[:])
}

// commit moves the chain on; what it replaces is overwritten.
func (c *chain) commit(s *step) {
	c.root = s.root
	c.hash = s.hash
	c.next++
}

// requestKey derives kq of the present exchange.
func (c *chain) requestKey(k *kdf.Secret) error {
	return kdf.Expand(k, &c.root, "request", c.hash[:])
}
