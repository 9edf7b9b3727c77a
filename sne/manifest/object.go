package manifest

import (
	"errors"
	"fmt"

	"sonahub/sne/kdf"
	"sonahub/sne/segment"
)

// ErrSound means that an object opens, and holds other sound than its record
// names.
var ErrSound = errors.New("sne: segment holds other sound than recorded")

// OpenObject opens the object of one rendition of a verified record with its
// epoch secret and reads the sound inside. The object's hash and the secret
// were held against the record before, so that every failure here is the
// creator's fault. Errors: segment.ErrSegment, wire.ErrMalformed, ErrSound.
func (h *Head) OpenObject(rec *Record, rendition uint16, es *kdf.Secret, object []byte) (*segment.Payload, error) {
	plain, err := segment.Open(nil, es, rec.Epoch, rendition, object)
	if err != nil {
		return nil, err
	}
	p, err := segment.ParsePayload(plain)
	if err != nil {
		return nil, err
	}
	want, _ := rec.Rendition(rendition)
	if p.Codec != want.Codec || p.Frames != h.PayloadFrames(rec, p.Rate) {
		return nil, fmt.Errorf("%w: epoch %d", ErrSound, rec.Number)
	}
	return p, nil
}
