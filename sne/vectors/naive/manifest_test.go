package naive_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

type headVector struct {
	Closed      bool
	Rate        uint64
	Channels    uint64
	Bits        uint64
	EpochMs     uint64 `json:"epoch_ms"`
	TreeSize    uint64 `json:"tree_size"`
	Root        hx
	TotalFrames uint64 `json:"total_frames"`
	Signed      hx
}

type manifestFile struct {
	head
	Creator hx `json:"creator_seeds"`
	Nonce   hx
	Root    hx `json:"origin_root_key_id"`
	ID      hx `json:"broadcast_id"`
	Tier    uint64
	Trees   []struct {
		Size    uint64
		Closed  bool
		Root    hx
		Head    hx
		Records []struct {
			Index uint64
			Bytes hx
			Leaf  hx `json:"leaf_hash"`
			Path  []hx
		}
		Pages []struct {
			First uint64
			N     uint64
			Sum   hx `json:"body_sha256"`
			Body  hx
		}
		Consistency []struct {
			From uint64
			Root hx
			Body hx
		}
	}
	Heads  map[string]*headVector
	Follow []struct {
		Old, New    string
		Consistency hx
		Expect, Why string
	}
	Refuse []struct {
		Why     string
		Creator hx   `json:"creator_seeds"`
		Dead    []hx `json:"dead_creators"`
		Signed  hx
	}
}

// record n as the file's rule gives it.
func (f *manifestFile) record(n uint64, last bool, salt string) []byte {
	named := func(s string) []byte { return sum([]byte("sne/1 vectors "+s), be64(n)) }
	frames := uint64(88200)
	if last {
		frames = 1000
	}
	b := cat([]byte{1}, ectx(f.ID, f.Tier, n), be32(frames), named("commit"+salt), []byte{1 + byte(n%2)})
	b = cat(b, be16(1), []byte{1}, be32(850000), be32(1000+n), named("object 1"))
	if n%2 == 1 {
		b = cat(b, be16(9), []byte{2}, be32(96000), be32(500+n), named("object 9"))
	}
	return b
}

func (f *manifestFile) leaves(size uint64, closed bool, salt string) [][]byte {
	var out [][]byte
	for n := range size {
		out = append(out, leaf(f.record(n, closed && n == size-1, salt)))
	}
	return out
}

// readHead verifies and reads a Head as whoever asked for the file's broadcast.
func (f *manifestFile) readHead(t testing.TB, signed, creatorSeeds []byte, dead []hx) (*headVector, error) {
	t.Helper()
	_, _, pk, err := compositeKeys(creatorSeeds)
	check(t, err)
	tbs, err := opened(pk, "sne/1 head", signed)
	if err != nil {
		return nil, err
	}
	v := &headVector{}
	err = parse(tbs, func(r *rd) {
		r.want(r.u8() == 1)
		flags := r.u8()
		r.want(flags <= 1)
		v.Closed = flags == 1
		r.want(r.u16() == f.Tier)
		b, nonce, creator := r.take(32), r.take(16), r.take(32)
		r.want(bytes.Equal(b, f.ID) && bytes.Equal(creator, keyID(pk)) && bytes.Equal(b, sum([]byte("sne1 broadcast"), creator, nonce)))
		r.want(!slices.ContainsFunc(dead, func(d hx) bool { return bytes.Equal(d, creator) }))
		r.want(bytes.Equal(r.take(32), f.Root))
		v.Rate, v.Channels, v.Bits, v.EpochMs, v.TreeSize = r.u32(), r.u8(), r.u8(), r.u16(), r.u64()
		v.Root, v.TotalFrames = r.take(32), r.u64()
		r.u64()
		r.want(v.Rate >= 50 && v.Rate <= 192000 && v.Rate%50 == 0 && v.Channels >= 1 && v.Channels <= 8 && v.Bits >= 1 && v.Bits <= 32)
		r.want(v.EpochMs >= 1000 && v.EpochMs <= 10000 && v.EpochMs%20 == 0 && v.TreeSize <= 1<<40)
		full := v.EpochMs * v.Rate / 1000
		if v.Closed {
			r.want(v.TreeSize > 0 && v.TotalFrames > (v.TreeSize-1)*full && v.TotalFrames <= v.TreeSize*full)
		} else {
			r.want(v.TotalFrames == v.TreeSize*full)
		}
	})
	return v, err
}

func parsePath(r *rd) [][]byte {
	k := r.u8()
	r.want(k <= 64)
	var out [][]byte
	for range k {
		out = append(out, r.take(32))
	}
	return out
}

// parseRecord gives number and frames.
func (f *manifestFile) parseRecord(b []byte) (n, frames uint64, err error) {
	err = parse(b, func(r *rd) {
		r.want(r.u8() == 1)
		r.want(f == nil || bytes.Equal(r.b[:34], cat(f.ID, be16(f.Tier))))
		r.take(34)
		n, frames = r.u64(), r.u32()
		r.want(frames > 0)
		r.take(32)
		k, last := r.u8(), -1
		r.want(k >= 1 && k <= 16)
		for range k {
			id := int(r.u16())
			r.want(id > last)
			last = id
			r.take(5)
			size := r.u32()
			r.want(size >= 89 && size <= 8<<20+88)
			r.take(32)
		}
	})
	return n, frames, err
}

// page reads a page of records under a Head.
func (f *manifestFile) page(h *headVector, first, n uint64, body []byte) error {
	return parse(body, func(r *rd) {
		want := min(n, h.TreeSize-first)
		r.want(r.u8() == want)
		for i := first; i < first+want; i++ {
			raw := r.upTo(1024)
			p := parsePath(r)
			r.want(bytes.Equal(climb(leaf(raw), int(i), int(h.TreeSize), p), h.Root))
			number, frames, err := f.parseRecord(raw)
			full := h.EpochMs * h.Rate / 1000
			if h.Closed && i == h.TreeSize-1 {
				full = h.TotalFrames - i*full
			}
			r.want(err == nil && number == i && frames == full)
		}
	})
}

func (h *headVector) follows(old *headVector, body []byte) string {
	same := h.TreeSize == old.TreeSize
	switch {
	case h.TreeSize < old.TreeSize:
		return "stale"
	case h.Rate != old.Rate || h.Channels != old.Channels || h.Bits != old.Bits || h.EpochMs != old.EpochMs:
		return "refuse"
	case old.Closed && (!h.Closed || !same || h.TotalFrames != old.TotalFrames):
		return "refuse"
	case same:
		if bytes.Equal(h.Root, old.Root) {
			return "ok"
		}
		return "refuse"
	}
	err := parse(body, func(r *rd) {
		a, b, rest := consistent(int(old.TreeSize), int(h.TreeSize), old.Root, parsePath(r), true)
		r.want(bytes.Equal(a, old.Root) && bytes.Equal(b, h.Root) && len(rest) == 0)
	})
	if err != nil {
		return "refuse"
	}
	return "ok"
}

func TestManifest(t *testing.T) {
	f := load[manifestFile](t, "manifest.json")
	_, _, creator, err := compositeKeys(f.Creator)
	check(t, err)
	same(t, "broadcast_id", sum([]byte("sne1 broadcast"), keyID(creator), f.Nonce), f.ID)
	for _, v := range f.Trees {
		what := fmt.Sprint("tree of ", v.Size)
		leaves := f.leaves(v.Size, v.Closed, "")
		same(t, what, root(leaves), v.Root)
		h, err := f.readHead(t, v.Head, f.Creator, nil)
		check(t, err)
		same(t, what, h.Root, v.Root)
		for _, r := range v.Records {
			last := v.Closed && r.Index == v.Size-1
			same(t, what, f.record(r.Index, last, ""), r.Bytes)
			same(t, what, leaf(r.Bytes), r.Leaf)
			want := path(int(r.Index), leaves)
			if len(want) != len(r.Path) {
				t.Errorf("%s: path of %d hashes, want %d", what, len(r.Path), len(want))
				continue
			}
			for i := range want {
				same(t, what, r.Path[i], want[i])
			}
		}
		for _, p := range v.Pages {
			n := min(p.N, v.Size-p.First)
			body := []byte{byte(n)}
			for i := p.First; i < p.First+n; i++ {
				rec, pth := f.record(i, v.Closed && i == v.Size-1, ""), path(int(i), leaves)
				body = cat(body, be16(uint64(len(rec))), rec, []byte{byte(len(pth))}, cat(pth...))
			}
			same(t, what, sum(body), p.Sum)
			check(t, f.page(h, p.First, p.N, body))
			for at := range p.Body {
				if f.page(h, p.First, p.N, flip(p.Body, at)) == nil {
					t.Errorf("%s: page %d+%d with byte %d changed was taken", what, p.First, p.N, at)
				}
			}
		}
		for _, c := range v.Consistency {
			p := consistency(int(c.From), leaves)
			same(t, what, cat([]byte{byte(len(p))}, cat(p...)), c.Body)
			if c.From < v.Size {
				same(t, what, root(leaves[:c.From]), c.Root)
			}
			a, b, rest := consistent(int(c.From), int(v.Size), c.Root, p, true)
			same(t, what, a, c.Root)
			same(t, what, b, v.Root)
			if len(rest) != 0 {
				t.Errorf("%s: %d hashes left over", what, len(rest))
			}
		}
	}
	for name, v := range f.Heads {
		h, err := f.readHead(t, v.Signed, f.Creator, nil)
		check(t, err)
		h.Signed = v.Signed
		if fmt.Sprint(h) != fmt.Sprint(v) {
			t.Errorf("%s: read %+v, want %+v", name, h, v)
		}
	}
	for _, v := range f.Follow {
		if got := f.Heads[v.New].follows(f.Heads[v.Old], v.Consistency); got != v.Expect {
			t.Errorf("%s: %s, want %s", v.Why, got, v.Expect)
		}
	}
	for _, v := range f.Refuse {
		if _, err := f.readHead(t, v.Signed, v.Creator, v.Dead); err == nil {
			t.Errorf("%s: accepted", v.Why)
		}
	}
}
