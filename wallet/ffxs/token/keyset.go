package token

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// KeySet is the public half of an issuer's keys for one quarter.
//
// struct { u8 ver=1; u8 0; u16 unit_msat; u64 issue_until; u64 redeem_until;
// u8 n; { u8 denom; pk[32] }[n<=24] }, denom rising; times in ms since 1970.
type KeySet struct {
	UnitMsat    uint16 // worth of one unit, msat; one value per root for ever
	IssueUntil  time.Time
	RedeemUntil time.Time
	Keys        []PublicKey // rising by Denom
}

// PublicKey is the key of one denomination.
type PublicKey struct {
	Denom uint8
	Key   Point
}

// ParseKeySet reads a KeySet and nothing after it.
func ParseKeySet(b []byte) (KeySet, error) {
	r := &reader{b: b}
	var v KeySet
	if ver := r.u8(); r.err == nil && ver != 1 {
		r.fail(fmt.Sprintf("key set version %d", ver))
	}
	if r.u8() != 0 {
		r.fail("reserved byte")
	}
	if h := r.take(18); h != nil {
		v.UnitMsat = binary.BigEndian.Uint16(h)
		v.IssueUntil = time.UnixMilli(int64(binary.BigEndian.Uint64(h[2:]) & (1<<63 - 1)))
		v.RedeemUntil = time.UnixMilli(int64(binary.BigEndian.Uint64(h[10:]) & (1<<63 - 1)))
		if h[2]>>7 != 0 || h[10]>>7 != 0 {
			r.fail("time out of range")
		}
		if v.UnitMsat == 0 {
			r.fail("unit of 0 msat")
		}
	}
	n := int(r.u8())
	if r.err == nil && (n == 0 || n > MaxDenoms) {
		r.fail("number of keys")
	}
	for last := -1; n > 0 && r.err == nil; n-- {
		k := PublicKey{Denom: r.u8()}
		copy(k.Key[:], r.take(PointSize))
		switch {
		case r.err != nil:
			return v, r.err
		case int(k.Denom) <= last:
			r.fail("denominations do not rise")
		case k.Denom >= MaxDenoms:
			r.fail("denomination too large")
		case k.Key.IsIdentity():
			r.fail("identity element")
		}
		last = int(k.Denom)
		v.Keys = append(v.Keys, k)
	}
	return v, r.done()
}

// Append writes v behind dst.
func (v KeySet) Append(dst []byte) []byte {
	dst = append(dst, 1, 0)
	dst = binary.BigEndian.AppendUint16(dst, v.UnitMsat)
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.IssueUntil.UnixMilli()))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.RedeemUntil.UnixMilli()))
	dst = append(dst, byte(len(v.Keys)))
	for _, k := range v.Keys {
		dst = append(dst, k.Denom)
		dst = append(dst, k.Key[:]...)
	}
	return dst
}

// Key returns the public key of a denomination.
func (v KeySet) Key(denom uint8) (Point, bool) {
	for _, k := range v.Keys {
		if k.Denom == denom {
			return k.Key, true
		}
	}
	return Point{}, false
}

// KeySetID names a key set by its bytes.
func KeySetID(keySet []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("sne1 ffxs"))
	h.Write(keySet)
	return [32]byte(h.Sum(nil))
}

// Nullifier is what an issuer writes down when a token is spent: it names the
// token without being of any use to who reads it.
func Nullifier(keySet [32]byte, denom uint8, t [32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("sne1 spent"))
	h.Write(keySet[:])
	h.Write([]byte{denom})
	h.Write(t[:])
	return [32]byte(h.Sum(nil))
}
