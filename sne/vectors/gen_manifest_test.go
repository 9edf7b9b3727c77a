package vectors_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

type manifestFile struct {
	About   string                 `json:"about"`
	Creator hx                     `json:"creator_seeds"`
	Nonce   hx                     `json:"nonce"`
	Root    hx                     `json:"origin_root_key_id"`
	ID      hx                     `json:"broadcast_id"`
	Tier    uint16                 `json:"tier"`
	Trees   []treeVector           `json:"trees"`
	Heads   map[string]*headVector `json:"heads"`
	Follow  []followVector         `json:"follow"`
	Refuse  []refuseVector         `json:"refuse"`
}

type treeVector struct {
	Size        uint64              `json:"size"`
	Closed      bool                `json:"closed"`
	Root        hx                  `json:"root"`
	Head        hx                  `json:"head"`
	Records     []recordVector      `json:"records"` // the first, the second and the last one
	Pages       []pageVector        `json:"pages"`
	Consistency []consistencyVector `json:"consistency"`
}

type recordVector struct {
	Index uint64 `json:"index"`
	Bytes hx     `json:"bytes"`
	Leaf  hx     `json:"leaf_hash"`
	Path  []hx   `json:"path"`
}

type pageVector struct {
	First uint64 `json:"first"`
	N     int    `json:"n"`
	Sum   hx     `json:"body_sha256"`
	Body  hx     `json:"body,omitempty"` // where it is short
}

type consistencyVector struct {
	From uint64 `json:"from"`
	Root hx     `json:"root"` // of the first `from` records
	Body hx     `json:"body"`
}

type headVector struct {
	Closed      bool   `json:"closed"`
	Rate        uint32 `json:"rate"`
	Channels    uint8  `json:"channels"`
	Bits        uint8  `json:"bits"`
	EpochMs     uint16 `json:"epoch_ms"`
	TreeSize    uint64 `json:"tree_size"`
	Root        hx     `json:"root"`
	TotalFrames uint64 `json:"total_frames"`
	Signed      hx     `json:"signed"`
}

// followVector shows a hub that holds Old the Head New.
type followVector struct {
	Old    string `json:"old"`
	New    string `json:"new"`
	Proof  hx     `json:"consistency,omitempty"` // the body of the answer, if there is one
	Expect string `json:"expect"`                // ok stale refuse
	Why    string `json:"why"`
}

// refuseVector is a signed Head that must be refused by whoever asked for the
// file's broadcast and tier under the file's root.
type refuseVector struct {
	Why     string `json:"why"`
	Creator hx     `json:"creator_seeds"` // whose key the reader got
	Dead    []hx   `json:"dead_creators"`
	Signed  hx     `json:"signed"`
}

const (
	vectorTier  = 3
	vectorRate  = 44100
	epochFrames = 88200
)

func named(name string, n uint64) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("sne/1 vectors "+name), n))
}

// record n of a manifest; last says that it ends a closed one. salt sets other
// records apart.
func record(b wire.ID, n uint64, last bool, salt string) *manifest.Record {
	rec := &manifest.Record{Epoch: segment.Epoch{Broadcast: b, Tier: vectorTier, Number: n}, Frames: epochFrames, Commit: named("commit"+salt, n)}
	if last {
		rec.Frames = 1000
	}
	rec.Renditions = append(rec.Renditions, manifest.Rendition{R: 1, Codec: segment.CodecFLAC, BitsPerS: 850000, ObjectLen: uint32(1000 + n), SHA256: named("object 1", n)})
	if n%2 == 1 {
		rec.Renditions = append(rec.Renditions, manifest.Rendition{R: 9, Codec: segment.CodecOpus, BitsPerS: 96000, ObjectLen: uint32(500 + n), SHA256: named("object 9", n)})
	}
	return rec
}

func tree(t testing.TB, b wire.ID, size uint64, closed bool, salt string) *manifest.Tree {
	t.Helper()
	var recs []*manifest.Record
	for n := range size {
		recs = append(recs, record(b, n, closed && n == size-1, salt))
	}
	return must(manifest.NewTree(recs))(t)
}

func hashes(ids []wire.ID) []hx { return idBytes(ids) }

func makeManifest(t *testing.T) any {
	creator := signer(t, "creator")
	nonce := [16]byte(draw(16, "nonce"))
	b, root := manifest.BroadcastID(creator.Public().KeyID(), nonce), id("origin root")
	f := &manifestFile{
		About:   "Section 3.4. Record n: frames 88200 (1000 in the last one of a closed tree), commit = SHA-256(\"sne/1 vectors commit\" || u64 n), rendition 1 (FLAC, 850000 bit/s, 1000+n bytes, SHA-256(\"sne/1 vectors object 1\" || u64 n)), and in odd records rendition 9 (Opus, 96000 bit/s, 500+n bytes, \"... object 9\").",
		Creator: creator.Seeds(), Nonce: nonce[:], Root: root[:], ID: b[:], Tier: vectorTier, Heads: map[string]*headVector{},
	}
	for _, size := range []uint64{1, 2, 3, 7, 8, 1080} {
		for _, closed := range []bool{true, false} {
			if size != 8 && !closed {
				continue
			}
			f.Trees = append(f.Trees, makeTree(t, f, size, closed))
		}
	}
	makeHeads(t, f)
	f.Refuse = makeRefuse(t, f)
	return f
}

func (f *manifestFile) head(tr *manifest.Tree, closed bool) *manifest.Head {
	h := &manifest.Head{
		Closed: closed, Tier: f.Tier, Nonce: [16]byte(f.Nonce), OriginRoot: wire.ID(f.Root), Rate: vectorRate, Channels: 2, Bits: 16, EpochMs: 2000,
		TreeSize: tr.Size(), Root: tr.Root(), TotalFrames: tr.Size() * epochFrames, Time: noon,
	}
	if closed {
		h.TotalFrames -= epochFrames - 1000
	}
	return h
}

func makeTree(t *testing.T, f *manifestFile, size uint64, closed bool) treeVector {
	t.Helper()
	tr := tree(t, wire.ID(f.ID), size, closed, "")
	root := tr.Root()
	v := treeVector{Size: size, Closed: closed, Root: root[:], Head: must(f.head(tr, closed).Sign(signer(t, "creator")))(t)}
	for _, n := range []uint64{0, 1, size - 1} {
		if n >= size || len(v.Records) > 0 && v.Records[len(v.Records)-1].Index >= n {
			continue
		}
		rec := record(wire.ID(f.ID), n, closed && n == size-1, "")
		leaf := must(rec.Leaf())(t)
		v.Records = append(v.Records, recordVector{n, must(rec.Marshal())(t), leaf[:], hashes(must(tr.Proof(n))(t))})
	}
	for _, p := range [][2]uint64{{0, 1}, {0, 8}, {size - 1, 32}, {size / 2, 3}} {
		body := must(tr.Page(p[0], int(p[1])))(t)
		sum := sha256.Sum256(body)
		pv := pageVector{First: p[0], N: int(p[1]), Sum: sum[:]}
		if len(body) < 3000 {
			pv.Body = body
		}
		v.Pages = append(v.Pages, pv)
	}
	for _, from := range []uint64{1, 2, 3, size / 2, size - 1, size} {
		if from == 0 || from > size {
			continue
		}
		// The short tree has no last record of its own: it was open then.
		sub := tree(t, wire.ID(f.ID), from, closed && from == size, "")
		r := sub.Root()
		v.Consistency = append(v.Consistency, consistencyVector{from, r[:], must(manifest.MarshalConsistency(must(tr.Consistency(from))(t)))(t)})
	}
	return v
}

func makeHeads(t *testing.T, f *manifestFile) {
	t.Helper()
	b := wire.ID(f.ID)
	add := func(name string, size uint64, closed bool, salt string, change func(*manifest.Head)) {
		h := f.head(tree(t, b, size, closed, salt), closed)
		change(h)
		v := &headVector{Closed: closed, Rate: h.Rate, Channels: h.Channels, Bits: h.Bits, EpochMs: h.EpochMs, TreeSize: h.TreeSize, Root: h.Root[:], TotalFrames: h.TotalFrames}
		v.Signed = must(h.Sign(signer(t, "creator")))(t)
		f.Heads[name] = v
	}
	none := func(*manifest.Head) {}
	add("three", 3, false, "", none)
	add("seven", 7, false, "", none)
	add("seven later", 7, false, "", func(h *manifest.Head) { h.Time++ })
	add("other seven", 7, false, " other", none)
	add("other eight", 8, false, " other", none)
	add("closed eight", 8, true, "", none)
	add("open eight", 8, false, "", none)
	add("open nine", 9, false, "", none)
	add("closed eight, longer end", 8, true, "", func(h *manifest.Head) { h.TotalFrames++ })
	add("nine in mono", 9, false, "", func(h *manifest.Head) { h.Channels = 1 })
	add("nine in 24 bit", 9, false, "", func(h *manifest.Head) { h.Bits = 24 })
	add("nine at another rate", 9, false, "", func(h *manifest.Head) { h.Rate, h.TotalFrames = 48000, 9*96000 })
	add("nine of another grid", 9, false, "", func(h *manifest.Head) { h.EpochMs, h.TotalFrames = 1000, 9*44100 })
	proof := func(size, from uint64, closed bool, salt string) hx {
		return must(manifest.MarshalConsistency(must(tree(t, b, size, closed, salt).Consistency(from))(t)))(t)
	}
	f.Follow = []followVector{
		{"three", "seven", proof(7, 3, false, ""), "ok", "it grew"},
		{"seven", "closed eight", proof(8, 7, true, ""), "ok", "it ended"},
		{"seven", "seven later", nil, "ok", "signed again"},
		{"closed eight", "closed eight", nil, "ok", "the same"},
		{"seven", "three", nil, "stale", "shorter"},
		{"seven", "other seven", nil, "refuse", "two roots of one size"},
		{"seven", "other eight", proof(8, 7, false, " other"), "refuse", "another history"},
		{"seven", "closed eight", proof(8, 7, false, ""), "refuse", "proof of another tree"},
		{"three", "seven", proof(7, 4, false, ""), "refuse", "proof from another size"},
		{"three", "seven", hx{0}, "refuse", "empty proof"},
		{"closed eight", "open eight", nil, "refuse", "opened again"},
		{"closed eight", "open nine", proof(9, 8, false, ""), "refuse", "grew after its end"},
		{"closed eight", "closed eight, longer end", nil, "refuse", "other length after its end"},
		{"open eight", "nine in mono", proof(9, 8, false, ""), "refuse", "channels changed"},
		{"open eight", "nine in 24 bit", proof(9, 8, false, ""), "refuse", "bits changed"},
		{"open eight", "nine at another rate", proof(9, 8, false, ""), "refuse", "rate changed"},
		{"open eight", "nine of another grid", proof(9, 8, false, ""), "refuse", "epoch length changed"},
	}
	for i := range f.Follow {
		if got := f.follow(t, &f.Follow[i]); got != f.Follow[i].Expect {
			t.Errorf("%s: %s", f.Follow[i].Why, got)
		}
	}
}

func (f *manifestFile) want() manifest.Want {
	return manifest.Want{Broadcast: wire.ID(f.ID), Tier: f.Tier, OriginRoot: wire.ID(f.Root)}
}

// follow runs a followVector.
func (f *manifestFile) follow(t testing.TB, v *followVector) string {
	t.Helper()
	pk := must(composite.NewSecretKey(f.Creator))(t).Public()
	old := must(manifest.VerifyHead(f.Heads[v.Old].Signed, pk, f.want()))(t)
	h := must(manifest.VerifyHead(f.Heads[v.New].Signed, pk, f.want()))(t)
	var path []wire.ID
	if v.Proof != nil {
		path = must(manifest.ParseConsistency(v.Proof))(t)
	}
	switch err := h.Follows(old, path); {
	case err == nil:
		return "ok"
	case errors.Is(err, manifest.ErrStaleHead):
		return "stale"
	}
	return "refuse"
}

func makeRefuse(t *testing.T, f *manifestFile) []refuseVector {
	t.Helper()
	creator, other := signer(t, "creator"), signer(t, "other creator")
	tr := tree(t, wire.ID(f.ID), 8, true, "")
	good := must(f.head(tr, true).Sign(creator))(t)
	tbs := good[:len(good)-composite.SignatureSize]
	var out []refuseVector
	add := func(why string, key *composite.SecretKey, dead []hx, signed []byte) {
		out = append(out, refuseVector{why, key.Seeds(), dead, signed})
	}
	raw := func(at int, put ...byte) []byte {
		b := append([]byte(nil), tbs...)
		copy(b[at:], put)
		return must(creator.Signed(composite.ContextHead, b))(t)
	}
	me := creator.Public().KeyID()
	add("the creator's key was revoked", creator, []hx{me[:]}, good)
	add("a key that another creator gave", other, nil, good)
	add("signed for another purpose", creator, nil, must(creator.Signed(composite.ContextCatalog, tbs))(t))
	add("another creator's own head", other, nil, must(f.head(tr, true).Sign(other))(t))
	add("version", creator, nil, raw(0, 2))
	add("unknown flag", creator, nil, raw(1, 3))
	add("another tier", creator, nil, raw(3, vectorTier+1))
	add("another broadcast", creator, nil, raw(4, tbs[4]^1))
	add("nonce of another broadcast", creator, nil, raw(36, tbs[36]^1))
	add("another creator named", creator, nil, raw(52, tbs[52]^1))
	add("another origin", creator, nil, raw(84, tbs[84]^1))
	add("rate 0", creator, nil, raw(116, 0, 0, 0, 0))
	add("rate not divisible by 50", creator, nil, raw(116, 0, 0, 0xac, 0x45))
	add("no channels", creator, nil, raw(120, 0))
	add("9 channels", creator, nil, raw(120, 9))
	add("33 bits", creator, nil, raw(121, 33))
	add("epochs of 980 ms", creator, nil, raw(122, 0x03, 0xd4))
	add("epochs of 10020 ms", creator, nil, raw(122, 0x27, 0x24))
	add("epochs of 2010 ms", creator, nil, raw(122, 0x07, 0xda))
	add("more frames than epochs hold", creator, nil, raw(164, binary.BigEndian.AppendUint64(nil, 8*epochFrames+1)...))
	add("too few frames for the last epoch", creator, nil, raw(164, binary.BigEndian.AppendUint64(nil, 7*epochFrames)...))
	add("open, yet the last epoch is short", creator, nil, raw(1, 0))
	add("trailing byte", creator, nil, must(creator.Signed(composite.ContextHead, append(append([]byte(nil), tbs...), 0)))(t))
	add("cut", creator, nil, must(creator.Signed(composite.ContextHead, tbs[:len(tbs)-1]))(t))
	for _, v := range out {
		if f.verify(t, &v) == nil {
			t.Errorf("%s: accepted", v.Why)
		}
	}
	return out
}

func (f *manifestFile) verify(t testing.TB, v *refuseVector) error {
	t.Helper()
	w := f.want()
	for _, d := range v.Dead {
		w.Dead = append(w.Dead, wire.ID(d))
	}
	_, err := manifest.VerifyHead(v.Signed, must(composite.NewSecretKey(v.Creator))(t).Public(), w)
	return err
}

func TestManifest(t *testing.T) {
	f := load[manifestFile](t, "manifest.json")
	pk := must(composite.NewSecretKey(f.Creator))(t).Public()
	if got := manifest.BroadcastID(pk.KeyID(), [16]byte(f.Nonce)); got != wire.ID(f.ID) {
		t.Errorf("broadcast_id %v", got)
	}
	for _, v := range f.Trees {
		h := must(manifest.VerifyHead(v.Head, pk, f.want()))(t)
		tr := tree(t, wire.ID(f.ID), v.Size, v.Closed, "")
		root := tr.Root()
		same(t, fmt.Sprint("root of ", v.Size), root[:], v.Root)
		for _, r := range v.Records {
			rec := must(manifest.ParseRecord(r.Bytes))(t)
			leaf := must(rec.Leaf())(t)
			same(t, "leaf", leaf[:], r.Leaf)
		}
		for _, p := range v.Pages {
			body := must(tr.Page(p.First, p.N))(t)
			sum := sha256.Sum256(body)
			same(t, "page", sum[:], p.Sum)
			recs, err := manifest.VerifyRecords(h, p.First, p.N, body)
			if err != nil || uint64(len(recs)) != min(uint64(p.N), v.Size-p.First) {
				t.Errorf("page %d+%d of %d: %v", p.First, p.N, v.Size, err)
			}
			for at := range p.Body {
				if _, err := manifest.VerifyRecords(h, p.First, p.N, flip(p.Body, at)); err == nil {
					t.Errorf("page %d+%d of %d with byte %d changed was taken", p.First, p.N, v.Size, at)
				}
			}
		}
	}
	f.checkConsistency(t)
	for i := range f.Follow {
		if got := f.follow(t, &f.Follow[i]); got != f.Follow[i].Expect {
			t.Errorf("%s: %s, want %s", f.Follow[i].Why, got, f.Follow[i].Expect)
		}
	}
	for i := range f.Refuse {
		if f.verify(t, &f.Refuse[i]) == nil {
			t.Errorf("%s: accepted", f.Refuse[i].Why)
		}
	}
}

// checkConsistency holds every proof against two Heads of the sizes it is for.
func (f *manifestFile) checkConsistency(t *testing.T) {
	t.Helper()
	for _, v := range f.Trees {
		h := f.head(tree(t, wire.ID(f.ID), v.Size, v.Closed, ""), v.Closed)
		for _, c := range v.Consistency {
			if c.From == v.Size {
				continue
			}
			old := *h
			old.Closed, old.TreeSize, old.Root, old.TotalFrames = false, c.From, wire.ID(c.Root), c.From*epochFrames
			if err := h.Follows(&old, must(manifest.ParseConsistency(c.Body))(t)); err != nil {
				t.Errorf("%d to %d: %v", c.From, v.Size, err)
			}
			for at := range c.Body {
				path, err := manifest.ParseConsistency(flip(c.Body, at))
				if err == nil && h.Follows(&old, path) == nil {
					t.Errorf("%d to %d with byte %d changed was taken", c.From, v.Size, at)
				}
			}
		}
	}
}
