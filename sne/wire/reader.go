package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrMalformed is wrapped by every refusal of bytes that do not follow the
// encoding rules.
var ErrMalformed = errors.New("sne: malformed")

// Malformed makes an error that wraps ErrMalformed and says what was wrong.
func Malformed(what string) error {
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}

// Reader reads one object from a byte slice. The first failure sticks: later
// reads give zero values, and Close reports it. The slices that it returns
// share the memory of the input.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader over b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Take returns the next n bytes, or nil after a failure.
func (r *Reader) Take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.rest) {
		r.Fail("cut short")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Fixed fills dst with the next len(dst) bytes.
func (r *Reader) Fixed(dst []byte) { copy(dst, r.Take(len(dst))) }

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a 16-bit integer.
func (r *Reader) U16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads a 32-bit integer.
func (r *Reader) U32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads a 64-bit integer.
func (r *Reader) U64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// ID reads a 32-byte identifier.
func (r *Reader) ID() ID {
	var id ID
	r.Fixed(id[:])
	return id
}

// X16 reads x<limit>: a 16-bit length and that many bytes.
func (r *Reader) X16(limit int) []byte { return r.limited(uint64(r.U16()), limit) }

// X32 reads x<<limit>>: a 32-bit length and that many bytes.
func (r *Reader) X32(limit int) []byte { return r.limited(uint64(r.U32()), limit) }

func (r *Reader) limited(n uint64, limit int) []byte {
	if n > uint64(limit) {
		r.Fail("length over its limit")
		return nil
	}
	return r.Take(int(n))
}

// Text reads x<limit> that must be UTF-8.
func (r *Reader) Text(limit int) string {
	b := r.X16(limit)
	if !utf8.Valid(b) {
		r.Fail("text is not UTF-8")
		return ""
	}
	return string(b)
}

// Want8 reads one byte that must be v (a version, a reserved zero).
func (r *Reader) Want8(v uint8, what string) {
	if r.U8() != v {
		r.Fail(what)
	}
}

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.rest) }

// Fail makes the Reader fail, unless it already has.
func (r *Reader) Fail(what string) {
	if r.err == nil {
		r.err = Malformed(what)
		r.rest = nil
	}
}

// Err returns the first failure.
func (r *Reader) Err() error { return r.err }

// Close ends the reading: it reports the first failure, or the bytes that
// nobody read.
func (r *Reader) Close() error {
	if r.err == nil && len(r.rest) > 0 {
		r.Fail("trailing bytes")
	}
	return r.err
}
