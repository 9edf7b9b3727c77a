package naive_test

import (
	"bytes"
	"math/bits"
	"testing"
)

func ectx(b []byte, tier, epoch uint64) []byte { return cat(b, be16(tier), be64(epoch)) }

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i % 251)
	}
	return b
}

// name says which segment is meant.
type name struct {
	Broadcast              hx `json:"broadcast_id"`
	Tier, Epoch, Rendition uint64
}

func (n name) header(length uint64, seal []byte) []byte {
	return cat([]byte("SNEs\x01\x00\x00\x01"), n.Broadcast, be16(n.Tier), be16(n.Rendition), be32(length), be64(n.Epoch), seal)
}

func (n name) key(es, seal []byte) []byte {
	return expand(es, "segment", cat(ectx(n.Broadcast, n.Tier, n.Epoch), be16(n.Rendition), seal))
}

func (n name) open(es, object []byte) ([]byte, error) {
	if len(object) < 89 || len(object) > 8<<20+88 {
		return nil, errParse
	}
	h := n.header(uint64(len(object)-88), object[56:72])
	if !bytes.Equal(h, object[:72]) {
		return nil, errParse
	}
	return open(n.key(es, object[56:72]), h, object[72:])
}

func parsePayload(b []byte) error {
	return parse(b, func(r *rd) {
		r.want(r.u8() == 1)
		codec, ch, depth, rate, frames := r.u8(), r.u8(), r.u8(), r.u32(), r.u32()
		r.want(codec >= 1 && codec <= 3 && ch >= 1 && ch <= 8 && depth >= 1 && depth <= 32)
		r.want(rate >= 50 && rate <= 192000 && rate%50 == 0 && frames >= 1 && frames <= 10*rate)
		r.u16()
		n := r.u16()
		r.want(n >= 1)
		for range n {
			l := r.u16()
			r.want(l >= 1)
			r.take(l)
		}
	})
}

func TestSegment(t *testing.T) {
	f := load[struct {
		head
		Master   hx `json:"title_master"`
		Segments []struct {
			name
			ES, Commit, Seal hx
			Length           int `json:"plaintext_len"`
			Sum              hx  `json:"object_sha256"`
			Object           hx
		}
		Bad []struct {
			name
			Why        string
			At, Length int
			ES         hx
		}
		Payloads []struct {
			Codec, Channels, Bits byte
			Rate, Frames          uint64
			PreSkip               uint64 `json:"pre_skip"`
			Packets               []hx
			Bytes                 hx
		}
	}](t, "segment.json")
	for _, v := range f.Segments {
		c := ectx(v.Broadcast, v.Tier, v.Epoch)
		same(t, "epoch secret", expand(f.Master, "epoch", c), v.ES)
		same(t, "commit", expand(v.ES, "epoch commit", c), v.Commit)
		plain := pattern(v.Length)
		h := v.header(uint64(v.Length), v.Seal)
		object := cat(h, seal(v.key(v.ES, v.Seal), h, plain))
		same(t, "object", sum(object), v.Sum)
		if v.Length < 100000 {
			got, err := v.open(v.ES, object)
			check(t, err)
			same(t, "plaintext", got, plain)
		}
	}
	good := f.Segments[1].Object
	for _, b := range f.Bad {
		if _, err := b.open(b.ES, damaged(good, b.At, b.Length)); err == nil {
			t.Errorf("%s: opened", b.Why)
		}
	}
	for _, v := range f.Payloads {
		b := cat([]byte{1, v.Codec, v.Channels, v.Bits}, be32(v.Rate), be32(v.Frames), be16(v.PreSkip), be16(uint64(len(v.Packets))))
		for _, p := range v.Packets {
			b = cat(b, be16(uint64(len(p))), p)
		}
		same(t, "payload", b, v.Bytes)
		check(t, parsePayload(b))
	}
}

// leaf, node and root are RFC 6962, 2.1.
func leaf(record []byte) []byte { return sum([]byte{0}, record) }

func node(l, r []byte) []byte { return sum([]byte{1}, l, r) }

// split is the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func root(leaves [][]byte) []byte {
	switch n := len(leaves); n {
	case 0:
		return sum()
	case 1:
		return leaves[0]
	default:
		k := split(n)
		return node(root(leaves[:k]), root(leaves[k:]))
	}
}

// path is PATH(m, D[n]).
func path(m int, leaves [][]byte) [][]byte {
	n := len(leaves)
	if n <= 1 {
		return nil
	}
	k := split(n)
	if m < k {
		return append(path(m, leaves[:k]), root(leaves[k:]))
	}
	return append(path(m-k, leaves[k:]), root(leaves[:k]))
}

// climb gives the root that a path leads to.
func climb(l []byte, m, n int, p [][]byte) []byte {
	if n == 1 && len(p) == 0 {
		return l
	}
	if n <= 1 || len(p) == 0 {
		return nil
	}
	k, last := split(n), p[len(p)-1]
	if m < k {
		return node(climb(l, m, k, p[:len(p)-1]), last)
	}
	return node(last, climb(l, m-k, n-k, p[:len(p)-1]))
}

// consistency is PROOF(m, D[n]).
func consistency(m int, leaves [][]byte) [][]byte { return subproof(m, leaves, true) }

func subproof(m int, leaves [][]byte, whole bool) [][]byte {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return [][]byte{root(leaves)}
	}
	k := split(n)
	if m <= k {
		return append(subproof(m, leaves[:k], whole), root(leaves[k:]))
	}
	return append(subproof(m-k, leaves[k:], false), root(leaves[:k]))
}

// consistent checks a proof by rebuilding both roots from it; a and b are nil
// where the proof does not fit.
func consistent(m, n int, old []byte, p [][]byte, whole bool) (a, b []byte, rest [][]byte) {
	if m == n {
		if whole {
			return old, old, p
		}
		if len(p) == 0 {
			return nil, nil, nil
		}
		return p[len(p)-1], p[len(p)-1], p[:len(p)-1]
	}
	if len(p) == 0 {
		return nil, nil, nil
	}
	k, last := split(n), p[len(p)-1]
	if m <= k {
		a, b, rest = consistent(m, k, old, p[:len(p)-1], whole)
		return a, node(b, last), rest
	}
	a, b, rest = consistent(m-k, n-k, old, p[:len(p)-1], false)
	return node(last, a), node(last, b), rest
}
