// Package exhibit makes and verifies proofs of fraud (section 7.5). An exhibit
// is one file; anybody verifies it offline, with nothing but the KeyID of the
// accused.
//
// Sound both ways: all that decides was signed by the accused before anybody
// paid, or is fixed by a hash in what he signed. Hence an honest party cannot
// be framed, and one who lied cannot explain it away. Whatever is not proof is
// refused with ErrNoFault; an exhibit that was changed, by as much as a byte,
// does not verify.
//
// Handing one on is the owner's decision: a lock links the payment, a segment
// publishes its epoch secret.
package exhibit

import (
	"errors"
	"fmt"

	"sonahub/sne/wire"
)

// Type says what an exhibit proves.
type Type uint8

// The types of section 7.5.
const (
	TypeLock     Type = 1 // an origin's lock does not hold what it sold
	TypeSegment  Type = 2 // a creator's segment does not open to what is recorded
	TypeManifest Type = 3 // a creator signed two histories of one broadcast
	TypeBundle   Type = 4 // an origin's root signed two Bundles with one number
)

// String names the type.
func (t Type) String() string {
	switch t {
	case TypeLock:
		return "lock"
	case TypeSegment:
		return "segment"
	case TypeManifest:
		return "manifest"
	case TypeBundle:
		return "bundle"
	}
	return "unknown"
}

// Bounds of an exhibit, in bytes.
const (
	MaxPart  = 16 << 20
	MaxParts = 40 // a lock of 30 epochs has 35
	MaxSize  = 17 << 20

	maxPath = 64
)

// ErrNoFault means that a file is well-formed and proves nothing: the accused
// did as he signed.
var ErrNoFault = errors.New("sne: exhibit proves no fault")

// ErrAccused means that the exhibit is about somebody else.
var ErrAccused = errors.New("sne: exhibit accuses somebody else")

// Verdict is what an exhibit proves.
type Verdict struct {
	Type    Type
	Accused wire.ID // KeyID: a root's (lock, bundle) or a creator's
	What    string  // in plain words
}

// String is the verdict as a sentence.
func (v *Verdict) String() string {
	who := "creator"
	if v.Type == TypeLock || v.Type == TypeBundle {
		who = "origin"
	}
	return fmt.Sprintf("proved (%s): %s %v: %s", v.Type, who, v.Accused, v.What)
}

// marshal writes u8 ver=1; u8 type; part<<16 MiB>> ...
func marshal(t Type, parts ...[]byte) ([]byte, error) {
	var w wire.Writer
	w.U8(1)
	w.U8(uint8(t))
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	w.Grow(n)
	for _, p := range parts {
		w.X32(p, MaxPart)
	}
	raw, err := w.Bytes()
	if err == nil && len(raw) > MaxSize {
		err = wire.Malformed("exhibit too big")
	}
	return raw, err
}

// split reads it again. The parts share the memory of raw.
func split(raw []byte) (Type, [][]byte, error) {
	if len(raw) > MaxSize {
		return 0, nil, wire.Malformed("exhibit too big")
	}
	r := wire.NewReader(raw)
	r.Want8(1, "exhibit version")
	t := Type(r.U8())
	var parts [][]byte
	for r.Len() > 0 && r.Err() == nil {
		if len(parts) == MaxParts {
			r.Fail("exhibit with too many parts")
		}
		parts = append(parts, r.X32(MaxPart))
	}
	return t, parts, r.Close()
}

// Verify judges an exhibit against the accused. It returns a Verdict only if
// the fault is proved. Errors: ErrNoFault, ErrAccused, wire.ErrMalformed,
// composite.ErrSignature, and those of bundle, manifest and offer for parts
// that do not belong together.
func Verify(raw []byte, accused wire.ID) (*Verdict, error) {
	t, parts, err := split(raw)
	if err != nil {
		return nil, err
	}
	var what string
	switch t {
	case TypeLock:
		what, err = judgeLock(parts, accused)
	case TypeSegment:
		what, err = judgeSegment(parts, accused)
	case TypeManifest:
		what, err = judgeManifest(parts, accused)
	case TypeBundle:
		what, err = judgeBundle(parts, accused)
	default:
		err = wire.Malformed("unknown type of exhibit")
	}
	if err != nil {
		return nil, err
	}
	return &Verdict{Type: t, Accused: accused, What: what}, nil
}

// want checks the number of parts.
func want(parts [][]byte, n ...int) error {
	for _, k := range n {
		if len(parts) == k {
			return nil
		}
	}
	return wire.Malformed("exhibit with a wrong number of parts")
}
