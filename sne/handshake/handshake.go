// Package handshake opens a session: Noise_pqNK_XWing_ChaChaPoly_SHA256 with a
// composite signature of the origin (section 4).
//
// The hub knows the origin's static KEM key from the Bundle and stays
// anonymous. Message 1 carries no data; message 2 carries the session's id and
// limits and the online key's signature over the transcript, so that whoever
// wants to pass for the origin needs both keys.
//
// Invariants: lengths are checked before anything else; any failure erases the
// state and gives ErrHandshake without detail; nothing here is kept on disk.
package handshake

import (
	"encoding/binary"
	"errors"
	"io"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// Sizes of the two messages in bytes.
const (
	Message1Size = head1Size + kem.CiphertextSize + kem.PublicKeySize + kdf.Overhead // 2389
	Message2Size = 1 + kem.CiphertextSize + sealedSize + kdf.Overhead                // 4534

	head1Size  = 1 + 2 + 2 + 32
	grantSize  = 16 + 4 + 4
	sealedSize = grantSize + composite.SignatureSize
)

// Limits that the protocol sets on every session.
const (
	MaxExchanges = 4096
	MaxTTL       = 3600 // s
)

// ErrHandshake is every failure of a handshake.
var ErrHandshake = errors.New("sne: handshake failed")

const protocolName = "Noise_pqNK_XWing_ChaChaPoly_SHA256"

const version = 1

// Limits bound a session.
type Limits struct {
	MaxExchanges uint32 // default and highest 4096
	TTL          uint32 // s, default and highest 3600
}

func (l Limits) withDefaults() Limits {
	if l.MaxExchanges == 0 || l.MaxExchanges > MaxExchanges {
		l.MaxExchanges = MaxExchanges
	}
	if l.TTL == 0 || l.TTL > MaxTTL {
		l.TTL = MaxTTL
	}
	return l
}

// Result is what a handshake leaves behind: the first state of the session.
type Result struct {
	Session wire.SessionID
	Limits
	Root kdf.Secret // root_0
	Hash [32]byte   // h_0
}

// Erase overwrites the secrets.
func (r *Result) Erase() {
	r.Root.Erase()
	clear(r.Hash[:])
}

// result derives root_0 and erases the Noise state.
func (s *symmetric) result(id wire.SessionID, l Limits) (*Result, error) {
	defer s.erase()
	r := &Result{Session: id, Limits: l, Hash: s.h}
	if err := kdf.Expand(&r.Root, &s.ck, "root", s.h[:]); err != nil {
		return nil, err
	}
	return r, nil
}

// begin mixes in the prologue and the origin's static key.
func begin(id wire.ID, static *kem.PublicKey) *symmetric {
	s := newSymmetric(protocolName)
	var w wire.Writer
	w.Raw([]byte("SNE/1"))
	w.U16(version)
	w.U16(bundle.Suite)
	w.Raw(id[:])
	prologue, _ := w.Bytes() // fixed fields cannot fail
	s.mixHash(prologue)
	s.mixHash(static[:])
	return s
}

func head1(id wire.ID) []byte {
	b := make([]byte, 0, Message1Size)
	b = append(b, 1)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, bundle.Suite)
	return append(b, id[:]...)
}

// transcript is what the online key signs: h || session_id || limits.
func transcript(h []byte, grant []byte) []byte {
	return append(append(make([]byte, 0, len(h)+len(grant)), h...), grant...)
}

// Initiator is the hub's half of one handshake.
type Initiator struct {
	s      *symmetric
	e      *kem.SecretKey
	online composite.PublicKey
}

// Start makes message 1 for the origin of b. b must have been accepted by the
// hub's Pin. source nil is the system's generator.
func Start(source io.Reader, b *bundle.Bundle) (*Initiator, []byte, error) {
	id, err := b.ID()
	if err != nil {
		return nil, nil, err
	}
	e, err := kem.Generate(source)
	if err != nil {
		return nil, nil, err
	}
	i := &Initiator{s: begin(id, &b.KEM), e: e, online: b.Online}
	msg, err := i.write1(source, id, &b.KEM)
	if err != nil {
		i.Erase()
		return nil, nil, err
	}
	return i, msg, nil
}

func (i *Initiator) write1(source io.Reader, id wire.ID, static *kem.PublicKey) ([]byte, error) {
	var ss kdf.Secret
	var ct kem.Ciphertext
	defer ss.Erase()
	if err := static.Encapsulate(source, &ss, &ct); err != nil {
		return nil, err
	}
	msg, err := i.s.encryptAndHash(head1(id), ct[:]) // no key yet: a plain MixHash
	if err != nil {
		return nil, err
	}
	if err := i.s.mixKeyAndHash(ss[:]); err != nil {
		return nil, err
	}
	msg = append(msg, i.e.Public()[:]...)
	i.s.mixHash(i.e.Public()[:])
	return i.s.encryptAndHash(msg, nil)
}

// Finish reads message 2. It works once; the state is erased in any case.
func (i *Initiator) Finish(msg2 []byte) (*Result, error) {
	defer i.Erase()
	if i.s == nil || len(msg2) != Message2Size || msg2[0] != 2 {
		return nil, ErrHandshake
	}
	var ct kem.Ciphertext
	var ss kdf.Secret
	defer ss.Erase()
	copy(ct[:], msg2[1:])
	i.e.Decapsulate(&ss, &ct)
	i.s.mixHash(ct[:])
	if err := i.s.mixKey(ss[:]); err != nil {
		return nil, ErrHandshake
	}
	h := i.s.h
	plain, err := i.s.decryptAndHash(msg2[1+kem.CiphertextSize:])
	if err != nil || len(plain) != sealedSize {
		return nil, ErrHandshake
	}
	grant, sig := plain[:grantSize], plain[grantSize:]
	if err := i.online.Verify(composite.ContextSession, transcript(h[:], grant), sig); err != nil {
		return nil, ErrHandshake
	}
	r := wire.NewReader(grant)
	var id wire.SessionID
	r.Fixed(id[:])
	l := Limits{MaxExchanges: r.U32(), TTL: r.U32()}
	if r.Close() != nil || l != l.withDefaults() {
		return nil, ErrHandshake
	}
	return i.s.result(id, l)
}

// Erase overwrites the state.
func (i *Initiator) Erase() {
	if i.s != nil {
		i.s.erase()
		i.s = nil
	}
	i.e.Erase()
}
