package handshake

import (
	"io"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// Responder is the origin's half, for one Bundle. It keeps no state between
// handshakes and is safe for concurrent use if Random is.
type Responder struct {
	Bundle wire.ID // bundle_id that KEM and Online belong to
	KEM    *kem.SecretKey
	Online *composite.SecretKey
	Limits Limits    // of the sessions it opens; zero = the highest allowed
	Random io.Reader // nil = the system's generator
}

// BundleID tells which Bundle a message 1 was made for, so that the origin can
// choose its keys or answer that it is gone. Nothing is verified.
func BundleID(msg1 []byte) (wire.ID, error) {
	if len(msg1) != Message1Size {
		return wire.ID{}, ErrHandshake
	}
	var id wire.ID
	copy(id[:], msg1[head1Size-len(id):])
	if !equal(msg1[:head1Size], head1(id)) {
		return wire.ID{}, ErrHandshake
	}
	return id, nil
}

// Respond reads message 1 and makes message 2.
func (r *Responder) Respond(msg1 []byte) ([]byte, *Result, error) {
	id, err := BundleID(msg1)
	if err != nil || id != r.Bundle {
		return nil, nil, ErrHandshake
	}
	s := begin(id, r.KEM.Public())
	defer s.erase()
	e, err := r.read1(s, msg1[head1Size:])
	if err != nil {
		return nil, nil, ErrHandshake
	}
	return r.write2(s, e)
}

func (r *Responder) read1(s *symmetric, body []byte) (*kem.PublicKey, error) {
	var ct kem.Ciphertext
	var e kem.PublicKey
	var ss kdf.Secret
	defer ss.Erase()
	copy(ct[:], body)
	copy(e[:], body[len(ct):])
	s.mixHash(ct[:])
	r.KEM.Decapsulate(&ss, &ct)
	if err := s.mixKeyAndHash(ss[:]); err != nil {
		return nil, err
	}
	s.mixHash(e[:])
	_, err := s.decryptAndHash(body[len(ct)+len(e):])
	return &e, err
}

func (r *Responder) write2(s *symmetric, e *kem.PublicKey) ([]byte, *Result, error) {
	var id wire.SessionID
	if err := kdf.Random(r.Random, id[:]); err != nil {
		return nil, nil, err
	}
	var ct kem.Ciphertext
	var ss kdf.Secret
	defer ss.Erase()
	if err := e.Encapsulate(r.Random, &ss, &ct); err != nil {
		return nil, nil, ErrHandshake
	}
	s.mixHash(ct[:])
	if err := s.mixKey(ss[:]); err != nil {
		return nil, nil, err
	}
	limits := r.Limits.withDefaults()
	var w wire.Writer
	w.Raw(id[:])
	w.U32(limits.MaxExchanges)
	w.U32(limits.TTL)
	grant, err := w.Bytes()
	if err != nil {
		return nil, nil, err
	}
	sig, err := r.Online.Sign(composite.ContextSession, transcript(s.h[:], grant))
	if err != nil {
		return nil, nil, err
	}
	msg := make([]byte, 0, Message2Size)
	msg = append(msg, 2)
	msg = append(msg, ct[:]...)
	if msg, err = s.encryptAndHash(msg, append(grant, sig...)); err != nil {
		return nil, nil, err
	}
	res, err := s.result(id, limits)
	return msg, res, err
}
