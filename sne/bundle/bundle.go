// Package bundle holds what the hub knows of an origin: the root-signed Bundle
// of its present keys (section 2.2), the hub's persistent Pin on that root, the
// clock rules of a box without a real-time clock (2.3), and the sne URL that
// fixes the root in the first place.
//
// Invariants: a Bundle is read only after the root's signature verified; its id
// is taken over the signed part alone, for signatures are hedged; a Pin moves
// forward only. A new Bundle is the revocation: raising min_seq kills every
// older one.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"time"

	"sonahub/sne/composite"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// Limits and fixed values of a Bundle.
const (
	Suite       = 0x0001             // the only suite there is: nothing is negotiated
	MaxSize     = 32 << 10           // bytes, signature included
	MaxLifetime = 8 * 24 * time.Hour // between NotBefore and NotAfter

	maxNodes   = 4
	maxKeySets = 4
	maxDead    = 255
	maxHost    = 255
)

// Bundle is an origin's set of present keys. Times are ms since 1970.
type Bundle struct {
	Seq            uint64              // rises with every Bundle of this root
	MinSeq         uint64              // Bundles with a lower Seq are dead
	NotBefore      uint64              // ms since 1970
	NotAfter       uint64              // ms since 1970, at most 8 days after NotBefore
	Host           string              // host of the sne URL, lower case, without port
	Root           composite.PublicKey // filled by Sign
	KEM            kem.PublicKey       // static key of the handshake
	Online         composite.PublicKey // signs sessions, offers and catalogues
	LightningNodes [][33]byte          // at most 4: who may be paid
	KeySets        []wire.ID           // at most 4 FFXS keysets; the first one issues
	DeadCreators   []wire.ID           // at most 255: Heads by them must be refused

	Signed []byte // as it was signed or parsed; evidence, not part of its meaning
}

// CreatorDead reports whether the Bundle revokes the creator with this KeyID.
func (b *Bundle) CreatorDead(creator wire.ID) bool {
	for _, d := range b.DeadCreators {
		if d == creator {
			return true
		}
	}
	return false
}

// ID returns bundle_id = SHA-256("sne1 bundle" || TBS).
func (b *Bundle) ID() (wire.ID, error) {
	tbs, err := b.tbs()
	if err != nil {
		return wire.ID{}, err
	}
	return sha256.Sum256(append([]byte("sne1 bundle"), tbs...)), nil
}

// Sign sets b.Root to root's public key and returns TBS || signature.
func (b *Bundle) Sign(root *composite.SecretKey) ([]byte, error) {
	b.Root = *root.Public()
	tbs, err := b.tbs()
	if err != nil {
		return nil, err
	}
	if b.Signed, err = root.Signed(composite.ContextBundle, tbs); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Signed), nil
}

func (b *Bundle) tbs() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(1)
	w.U8(0)
	w.U16(Suite)
	w.U64(b.Seq)
	w.U64(b.MinSeq)
	w.U64(b.NotBefore)
	w.U64(b.NotAfter)
	w.X16([]byte(b.Host), maxHost)
	w.Raw(b.Root[:])
	w.Raw(b.KEM[:])
	w.Raw(b.Online[:])
	w.Count8(len(b.LightningNodes), maxNodes)
	for i := range b.LightningNodes {
		w.Raw(b.LightningNodes[i][:])
	}
	w.Count8(len(b.KeySets), maxKeySets)
	for i := range b.KeySets {
		w.Raw(b.KeySets[i][:])
	}
	w.Count8(len(b.DeadCreators), maxDead)
	for i := range b.DeadCreators {
		w.Raw(b.DeadCreators[i][:])
	}
	return w.Bytes()
}

// check holds the rules that need neither a pin nor a clock.
func (b *Bundle) check() error {
	switch {
	case b.Host == "":
		return wire.Malformed("bundle without host")
	case b.Seq < b.MinSeq:
		return wire.Malformed("bundle revokes itself")
	case b.NotAfter < b.NotBefore:
		return wire.Malformed("bundle ends before it begins")
	case b.NotAfter-b.NotBefore > uint64(MaxLifetime.Milliseconds()):
		return wire.Malformed("bundle lives longer than 8 days")
	}
	return nil
}

// Parse verifies a Bundle against the KeyID of its root and reads it. Errors:
// ErrRoot, composite.ErrSignature, wire.ErrMalformed.
func Parse(signed []byte, root wire.ID) (*Bundle, error) {
	if len(signed) > MaxSize {
		return nil, wire.Malformed("bundle too big")
	}
	tbs, _, err := composite.Split(signed)
	if err != nil {
		return nil, err
	}
	var b Bundle
	r := wire.NewReader(tbs)
	b.readHead(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if b.Root.KeyID() != root {
		return nil, ErrRoot
	}
	if _, err := b.Root.Open(composite.ContextBundle, signed); err != nil {
		return nil, err
	}
	b.readRest(r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	b.Signed = bytes.Clone(signed)
	return &b, b.check()
}

// readHead reads up to the field that names the key.
func (b *Bundle) readHead(r *wire.Reader) {
	r.Want8(1, "bundle version")
	r.Want8(0, "bundle reserved byte")
	if r.U16() != Suite {
		r.Fail("unknown suite")
	}
	b.Seq = r.U64()
	b.MinSeq = r.U64()
	b.NotBefore = r.U64()
	b.NotAfter = r.U64()
	b.Host = r.Text(maxHost)
	r.Fixed(b.Root[:])
}

func (b *Bundle) readRest(r *wire.Reader) {
	r.Fixed(b.KEM[:])
	r.Fixed(b.Online[:])
	nodes := int(r.U8())
	if nodes > maxNodes {
		r.Fail("too many Lightning nodes")
	}
	for i := 0; i < nodes && r.Err() == nil; i++ {
		var node [33]byte
		r.Fixed(node[:])
		b.LightningNodes = append(b.LightningNodes, node)
	}
	b.KeySets = readIDs(r, maxKeySets)
	b.DeadCreators = readIDs(r, maxDead)
}

func readIDs(r *wire.Reader, limit int) []wire.ID {
	n := int(r.U8())
	if n > limit {
		r.Fail("list too long")
	}
	var ids []wire.ID
	for i := 0; i < n && r.Err() == nil; i++ {
		ids = append(ids, r.ID())
	}
	return ids
}
