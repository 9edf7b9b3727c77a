package segment

import (
	"encoding/binary"
	"errors"
	"io"

	"sonahub/sne/bundle"
	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// Sizes in bytes.
const (
	HeaderSize   = 72
	Overhead     = HeaderSize + kdf.Overhead // 88
	MaxPlaintext = 8 << 20
	MaxObject    = MaxPlaintext + Overhead

	sealSize = 16
)

// ErrSegment means that an object is not a sealing of the asked epoch and
// rendition under this secret.
var ErrSegment = errors.New("sne: segment does not open")

// header is everything but the seal, which stays zero.
func header(e Epoch, rendition uint16, plaintext int) []byte {
	h := make([]byte, 0, HeaderSize)
	h = append(h, 'S', 'N', 'E', 's', 1, 0)
	h = binary.BigEndian.AppendUint16(h, bundle.Suite)
	h = append(h, e.Broadcast[:]...)
	h = binary.BigEndian.AppendUint16(h, e.Tier)
	h = binary.BigEndian.AppendUint16(h, rendition)
	h = binary.BigEndian.AppendUint32(h, uint32(plaintext))
	h = binary.BigEndian.AppendUint64(h, e.Number)
	return h[:HeaderSize]
}

// Seal makes the segment object of plaintext (1 byte to MaxPlaintext). source
// nil is the system's generator; it must never repeat for one epoch secret.
func Seal(source io.Reader, es *kdf.Secret, e Epoch, rendition uint16, plaintext []byte) ([]byte, error) {
	if len(plaintext) == 0 || len(plaintext) > MaxPlaintext {
		return nil, wire.Malformed("segment of a forbidden length")
	}
	h := header(e, rendition, len(plaintext))
	seal := h[HeaderSize-sealSize:]
	if err := kdf.Random(source, seal); err != nil {
		return nil, err
	}
	var sk kdf.Secret
	defer sk.Erase()
	if err := sealKey(&sk, es, e, rendition, seal); err != nil {
		return nil, err
	}
	object := append(make([]byte, 0, len(plaintext)+Overhead), h...)
	return kdf.Seal(object, &sk, h, plaintext)
}

// Opener opens one object whose key is set up already: what is left is the
// check of the header and the AEAD, in place and without an allocation.
type Opener struct {
	want   []byte // the header that the object must have, its seal included
	cipher *kdf.Opener
}

// NewOpener derives the key of an object from the epoch secret and the seal in
// its header, or gives ErrSegment for an object that is not the one asked for.
func NewOpener(es *kdf.Secret, e Epoch, rendition uint16, object []byte) (*Opener, error) {
	n := len(object) - Overhead
	if n < 1 || n > MaxPlaintext {
		return nil, ErrSegment
	}
	want := header(e, rendition, n)
	seal := want[HeaderSize-sealSize:]
	copy(seal, object[HeaderSize-sealSize:HeaderSize])
	if string(want) != string(object[:HeaderSize]) {
		return nil, ErrSegment
	}
	var sk kdf.Secret
	defer sk.Erase()
	if err := sealKey(&sk, es, e, rendition, seal); err != nil {
		return nil, err
	}
	cipher, err := kdf.NewOpener(&sk)
	if err != nil {
		return nil, err
	}
	return &Opener{want, cipher}, nil
}

// Open appends the plaintext of the object to dst, or gives ErrSegment. dst
// must not overlap object.
func (o *Opener) Open(dst, object []byte) ([]byte, error) {
	if len(object) < Overhead || string(o.want) != string(object[:HeaderSize]) {
		return nil, ErrSegment
	}
	out, err := o.cipher.Open(dst, object[:HeaderSize], object[HeaderSize:])
	if err != nil {
		return nil, ErrSegment
	}
	return out, nil
}

// Open appends the plaintext of an object to dst, or gives ErrSegment. The
// header must be the one that was asked for; the caller has compared the
// object's hash with the manifest before. dst must not overlap object.
func Open(dst []byte, es *kdf.Secret, e Epoch, rendition uint16, object []byte) ([]byte, error) {
	o, err := NewOpener(es, e, rendition, object)
	if err != nil {
		return nil, err
	}
	return o.Open(dst, object)
}
