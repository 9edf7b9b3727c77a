package message

import (
	"crypto/sha256"

	"sonahub/sne/wire"
)

// KeySet is the public half of an issuer's token keys (section 8). Its points
// are not decoded.
type KeySet struct {
	UnitMsat    uint16 // msat; never zero
	IssueUntil  uint64 // ms since 1970
	RedeemUntil uint64 // ms since 1970
	Keys        []DenomKey
}

// DenomKey is the public key of one denomination.
type DenomKey struct {
	Denom uint8
	Key   Point
}

const maxKeys = 24

// KeySetID is keyset_id = SHA-256("sne1 ffxs" || KeySet).
func KeySetID(raw []byte) wire.ID {
	return sha256.Sum256(append([]byte("sne1 ffxs"), raw...))
}

// ParseKeySet reads a KeySet.
func ParseKeySet(raw []byte) (*KeySet, error) {
	r := wire.NewReader(raw)
	r.Want8(1, "keyset version")
	r.Want8(0, "keyset reserved byte")
	k := &KeySet{UnitMsat: r.U16(), IssueUntil: r.U64(), RedeemUntil: r.U64()}
	if k.UnitMsat == 0 {
		r.Fail("unit of nothing")
	}
	n := int(r.U8())
	if n == 0 || n > maxKeys {
		r.Fail("forbidden number of keys")
	}
	last := -1
	for i := 0; i < n && r.Err() == nil; i++ {
		d := DenomKey{Denom: r.U8()}
		r.Fixed(d.Key[:])
		if int(d.Denom) <= last || d.Denom > MaxDenom {
			r.Fail("denominations out of order")
		}
		if d.Key == (Point{}) {
			r.Fail("identity element")
		}
		last = int(d.Denom)
		k.Keys = append(k.Keys, d)
	}
	return k, r.Close()
}

// Key returns the key of a denomination.
func (k *KeySet) Key(denom uint8) (Point, bool) {
	for _, d := range k.Keys {
		if d.Denom == denom {
			return d.Key, true
		}
	}
	return Point{}, false
}

// EvalsSize is how many bytes the Evals of these Blinds have.
func (b Blinds) EvalsSize() int {
	n := 1
	for _, g := range b {
		n += 2 + 32*len(g.Points) + 64
	}
	return n
}
