package naive_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cloudflare/circl/group"
)

func points(in [][]byte) (out []group.Element, err error) {
	for _, p := range in {
		e, err := point(p)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// judge says whether an exhibit proves its fault.
func judge(t testing.TB, raw, accused []byte) bool {
	t.Helper()
	var kind uint64
	var parts [][]byte
	if len(raw) > 17<<20 || parse(raw, func(r *rd) {
		r.want(r.u8() == 1)
		kind = r.u8()
		for len(r.b) > 0 {
			n := r.u32()
			r.want(n <= 16<<20 && len(parts) < 40)
			parts = append(parts, r.take(n))
		}
	}) != nil {
		return false
	}
	switch kind {
	case 1:
		return judgeLock(t, parts, accused)
	case 2:
		return judgeSegment(parts, accused)
	case 3:
		return judgeManifest(parts, accused)
	case 4:
		if len(parts) != 2 {
			return false
		}
		a, err := openBundle(parts[0], accused)
		b, bad := openBundle(parts[1], accused)
		return err == nil && bad == nil && a.seq == b.seq && !bytes.Equal(a.id, b.id)
	}
	return false
}

func judgeLock(t testing.TB, parts [][]byte, accused []byte) bool {
	t.Helper()
	if len(parts) < 6 {
		return false
	}
	b, err := openBundle(parts[0], accused)
	if err != nil || verify(b.online, "sne/1 offer", parts[1], parts[2]) != nil {
		return false
	}
	s, err := parseOffer(parts[1])
	if err != nil || !bytes.Equal(s.bundle, b.id) {
		return false
	}
	var records []hx
	var keySet, blinds []byte
	if s.goods == 2 {
		if len(parts) != 7 {
			return false
		}
		keySet, blinds = parts[5], parts[6]
	} else {
		for _, p := range parts[5:] {
			records = append(records, p)
		}
	}
	_, err = s.unlock(t, parts[4], parts[3], records, keySet, blinds)
	return errors.Is(err, errFault)
}

// signedHead is what a Head says.
type signedHead struct {
	closed                        bool
	tier, rate, format, size, all uint64
	broadcast, root               []byte
}

// openHead verifies a Head under a creator and holds it against itself.
func openHead(pk, signed, accused []byte) (*signedHead, error) {
	if !bytes.Equal(keyID(pk), accused) {
		return nil, errParse
	}
	tbs, err := opened(pk, "sne/1 head", signed)
	if err != nil {
		return nil, err
	}
	h := &signedHead{}
	return h, parse(tbs, func(r *rd) {
		r.want(r.u8() == 1)
		flags := r.u8()
		r.want(flags <= 1)
		h.closed, h.tier, h.broadcast = flags == 1, r.u16(), r.take(32)
		nonce := r.take(16)
		r.want(bytes.Equal(r.take(32), accused) && bytes.Equal(h.broadcast, sum([]byte("sne1 broadcast"), accused, nonce)))
		r.take(32)
		h.rate = r.u32()
		h.format = r.u8()<<8 | r.u8()
		ms := r.u16()
		h.format |= ms << 16
		h.size, h.root, h.all = r.u64(), r.take(32), r.u64()
		r.u64()
		full := ms * h.rate / 1000
		r.want(h.rate >= 50 && h.rate <= 192000 && h.rate%50 == 0 && ms >= 1000 && ms <= 10000 && ms%20 == 0 && h.size <= 1<<40)
		r.want(h.all <= h.size*full && (h.closed && h.all+full > h.size*full || !h.closed && h.all == h.size*full))
	})
}

// frames is how long epoch n is.
func (h *signedHead) frames(n uint64) uint64 {
	full := (h.format >> 16) * h.rate / 1000
	if h.closed && n == h.size-1 {
		return h.all - n*full
	}
	return full
}

func readPath(r *rd) (out [][]byte) {
	n := r.u8()
	r.want(n <= 64)
	for range n {
		out = append(out, r.take(32))
	}
	return out
}

func judgeSegment(parts [][]byte, accused []byte) bool {
	if len(parts) != 5 {
		return false
	}
	h, err := openHead(parts[0], parts[1], accused)
	if err != nil {
		return false
	}
	es, object := parts[3], parts[4]
	fault := false
	err = parse(parts[2], func(r *rd) {
		record := r.upTo(1024)
		path := readPath(r)
		q := &rd{record}
		q.want(q.u8() == 1 && bytes.Equal(q.take(32), h.broadcast) && q.u16() == h.tier)
		epoch := q.u64()
		q.want(epoch < h.size && bytes.Equal(climb(leaf(record), int(epoch), int(h.size), path), h.root))
		frames := q.u32()
		q.want(frames == h.frames(epoch) && len(es) == 32 && bytes.Equal(expand(es, "epoch commit", record[1:43]), q.take(32)))
		n := name{Broadcast: h.broadcast, Tier: h.tier, Epoch: epoch}
		recorded := false
		for range q.u8() {
			n.Rendition = q.u16()
			codec := q.u8()
			q.u32()
			length, hash := q.u32(), q.take(32)
			if length != uint64(len(object)) || !bytes.Equal(hash, sum(object)) || codec < 1 || codec > 3 {
				continue
			}
			recorded = true
			plain, err := n.open(es, object)
			if err != nil || parsePayload(plain) != nil {
				fault = true
				continue
			}
			p := &rd{plain[1:]}
			is, _, _, rate, has := p.u8(), p.u8(), p.u8(), p.u32(), p.u32()
			fault = fault || is != codec || has != (frames*rate+h.rate-1)/h.rate
		}
		q.want(recorded && len(q.b) == 0)
	})
	return err == nil && fault
}

func judgeManifest(parts [][]byte, accused []byte) bool {
	if len(parts) != 3 && len(parts) != 5 {
		return false
	}
	a, err := openHead(parts[0], parts[1], accused)
	b, bad := openHead(parts[0], parts[2], accused)
	if err != nil || bad != nil || !bytes.Equal(a.broadcast, b.broadcast) || a.tier != b.tier {
		return false
	}
	if len(parts) == 3 {
		if a.size > b.size {
			a, b = b, a
		}
		return a.rate != b.rate || a.format != b.format || a.size == b.size && !bytes.Equal(a.root, b.root) ||
			a.closed && b.size > a.size || a.closed && b.closed && a.all != b.all
	}
	var epochs [2]uint64
	var hashes [2][]byte
	for i, h := range []*signedHead{a, b} {
		if parse(parts[3+i], func(r *rd) {
			epochs[i], hashes[i] = r.u64(), r.take(32)
			path := readPath(r)
			r.want(epochs[i] < h.size && bytes.Equal(climb(hashes[i], int(epochs[i]), int(h.size), path), h.root))
		}) != nil {
			return false
		}
	}
	return epochs[0] == epochs[1] && !bytes.Equal(hashes[0], hashes[1])
}

func TestExhibit(t *testing.T) {
	f := load[struct {
		head
		Exhibits []struct {
			Why, Expect string
			Accused     hx `json:"accused_key_id"`
			Bytes       hx `json:"exhibit"`
		}
	}](t, "exhibit.json")
	for _, v := range f.Exhibits {
		if got := judge(t, v.Bytes, v.Accused); got != (v.Expect == "proved") {
			t.Errorf("%s: %v", v.Why, got)
		}
	}
}
