package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

type exhibitFile struct {
	About    string          `json:"about"`
	Exhibits []exhibitVector `json:"exhibits"`
}

type exhibitVector struct {
	Why     string `json:"why"`
	Expect  string `json:"expect"` // proved or denied
	Accused hx     `json:"accused_key_id"`
	Bytes   hx     `json:"exhibit"`
}

func (f *exhibitFile) add(why, expect string, accused wire.ID, raw []byte) {
	f.Exhibits = append(f.Exhibits, exhibitVector{Why: why, Expect: expect, Accused: accused[:], Bytes: raw})
}

func makeExhibit(t *testing.T) any {
	f := &exhibitFile{About: "files as in SPEC 7.5, each with the KeyID of whom it accuses; denied covers honest parties, attempts to frame them, somebody else's KeyID and changed bytes."}
	f.locks(t)
	f.segments(t)
	f.manifests(t)
	f.bundles(t)
	return f
}

// locks sells three epochs and units, honestly and not.
func (f *exhibitFile) locks(t *testing.T) {
	t.Helper()
	v := newVendor(t)
	root := v.root.Public().KeyID()
	claim := func(name string, n int, spoil func(plain []byte)) *offer.Claim {
		h, plain := v.issue()
		w := offer.Want{Bundle: v.b, Price: 1 << 30, KeySet: v.keySet, Blinds: v.blinds}
		if n > 0 {
			h, plain = v.sale(t, 0, n)
			w = offer.Want{Bundle: v.b, Price: 1 << 30, Records: v.records[:n]}
		}
		spoil(plain)
		base, p := secret("exhibit base "+name), secret("exhibit p "+name)
		o := must(offer.Build(v.online, base, p, h, plain))(t)
		w.Base = base
		c := must(offer.Verify(&message.Offer{TBS: o.TBS, Sig: o.Sig}, w))(t)
		check(t, c.Pay(p))
		return c
	}
	raw := func(c *offer.Claim) []byte { return must(exhibit.Lock(c))(t) }
	honest := claim("honest", 3, func([]byte) {})
	bad := claim("bad", 3, func(p []byte) { p[40] ^= 1 })
	proof := raw(bad)
	f.add("lock: one bad key of three", "proved", root, proof)
	f.add("lock: the same, against somebody else", "denied", id("somebody else"), proof)
	f.add("lock: the same, a byte of p changed", "denied", root, flip(proof, bytes.Index(proof, bad.Preimage[:])))
	f.add("lock: the same, a part more", "denied", root, append(bytes.Clone(proof), 0, 0, 0, 0))
	f.add("lock: the same, cut", "denied", root, proof[:len(proof)-1])
	f.add("lock: the same as type 2", "denied", root, append([]byte{1, 2}, proof[2:]...))
	f.add("lock: an honest sale", "denied", root, raw(honest))
	framed := *honest
	framed.Salt = bad.Salt
	f.add("lock: an honest sale with another salt", "denied", root, raw(&framed))
	framed = *honest
	framed.Records = v.records[1:4]
	f.add("lock: an honest sale with other records", "denied", root, raw(&framed))
	framed = *honest
	framed.Sig = must(signer(t, "stranger").Sign(composite.ContextOffer, framed.TBS))(t)
	f.add("lock: an honest sale, signed by a stranger", "denied", root, raw(&framed))
	f.add("lock: evaluations with a bad proof", "proved", root, raw(claim("proof", 0, func(p []byte) { p[len(p)-1] ^= 1 })))
	f.add("lock: evaluations of another shape", "proved", root, raw(claim("shape", 0, func(p []byte) { p[1] = 0 })))
	f.add("lock: honest evaluations", "denied", root, raw(claim("evals", 0, func([]byte) {})))
}

// maker is a creator with a small manifest.
type maker struct {
	t    testing.TB
	key  *composite.SecretKey
	head manifest.Head
	es   kdf.Secret
}

func newMaker(t testing.TB) *maker {
	return &maker{t: t, key: signer(t, "exhibit creator"), es: *secret("exhibit es"),
		head: manifest.Head{Tier: 1, OriginRoot: id("exhibit origin"), Rate: 8000, Channels: 1, Bits: 16, EpochMs: 1000}}
}

func (m *maker) record(n uint64, object []byte) *manifest.Record {
	e := segment.Epoch{Broadcast: manifest.BroadcastID(m.key.Public().KeyID(), m.head.Nonce), Tier: 1, Number: n}
	return &manifest.Record{Epoch: e, Frames: 8000, Commit: must(segment.Commit(&m.es, e))(m.t),
		Renditions: []manifest.Rendition{{R: 3, Codec: segment.CodecPCM, ObjectLen: uint32(len(object)), SHA256: sha256.Sum256(object)}}}
}

func (m *maker) object(n uint64, frames uint32) []byte {
	p := &segment.Payload{Codec: segment.CodecPCM, Channels: 1, Bits: 16, Rate: 8000, Frames: frames, Packets: [][]byte{{1, 2}}}
	return must(segment.Seal(source(draw(16, "exhibit seal")), &m.es, m.record(n, make([]byte, 100)).Epoch, 3, must(p.Marshal())(m.t)))(m.t)
}

// sign signs a manifest and reads record n of it as a hub does.
func (m *maker) sign(n uint64, change func(h *manifest.Head), records ...*manifest.Record) (*manifest.Head, *manifest.Record) {
	m.t.Helper()
	tr := must(manifest.NewTree(records))(m.t)
	h := m.head
	h.TreeSize, h.Root, h.TotalFrames = tr.Size(), tr.Root(), tr.Size()*8000
	if change != nil {
		change(&h)
	}
	head := must(manifest.OpenHead(must(h.Sign(m.key))(m.t), m.key.Public()))(m.t)
	return head, must(manifest.VerifyRecords(head, n, 1, must(tr.Page(n, 1))(m.t)))(m.t)[0]
}

func (f *exhibitFile) segments(t *testing.T) {
	t.Helper()
	m := newMaker(t)
	creator := m.key.Public().KeyID()
	good, short := m.object(1, 8000), m.object(1, 7999)
	broken := flip(good, len(good)-1)
	other := m.record(0, make([]byte, 100))
	for _, x := range []struct {
		why, expect string
		object      []byte
	}{{"opens to what is recorded", "denied", good}, {"does not open", "proved", broken}, {"other frames than recorded", "proved", short}} {
		h, rec := m.sign(1, nil, other, m.record(1, x.object))
		f.add("segment: "+x.why, x.expect, creator, must(exhibit.Segment(h, rec, &m.es, x.object))(t))
	}
	h, rec := m.sign(1, nil, other, m.record(1, good))
	f.add("segment: an object that is not recorded", "denied", creator, must(exhibit.Segment(h, rec, &m.es, broken))(t))
	f.add("segment: another secret", "denied", creator, must(exhibit.Segment(h, rec, secret("another es"), good))(t))
	lost := *rec
	lost.Path = nil
	f.add("segment: no path", "denied", creator, must(exhibit.Segment(h, &lost, &m.es, good))(t))
}

func (f *exhibitFile) manifests(t *testing.T) {
	t.Helper()
	m := newMaker(t)
	creator := m.key.Public().KeyID()
	a, b, x := m.record(0, make([]byte, 100)), m.record(1, make([]byte, 101)), m.record(1, make([]byte, 102))
	shut := func(h *manifest.Head) { h.Closed = true }
	one, _ := m.sign(0, nil, a)
	oneShut, _ := m.sign(0, shut, a)
	two, leafB := m.sign(1, nil, a, b)
	twoX, leafX := m.sign(1, nil, a, x)
	twoShut, leafA := m.sign(0, shut, a, b)
	stereo, _ := m.sign(0, func(h *manifest.Head) { h.Channels = 2 }, a)
	less, _ := m.sign(0, func(h *manifest.Head) { h.Closed, h.TotalFrames = true, h.TotalFrames-1 }, a, m.record(1, make([]byte, 101)))
	heads := func(why, expect string, p, q *manifest.Head) {
		f.add("manifest: "+why, expect, creator, must(exhibit.Heads(p, q))(t))
	}
	heads("one size, two roots", "proved", two, twoX)
	heads("closed and grown", "proved", oneShut, two)
	heads("two formats", "proved", one, stereo)
	heads("closed at two lengths", "proved", twoShut, less)
	heads("grown", "denied", one, two)
	heads("grown and closed", "denied", one, twoShut)
	heads("closed at its size", "denied", two, twoShut)
	leaves := func(why, expect string, p, q *manifest.Head, lp, lq *manifest.Record) {
		f.add("manifest: "+why, expect, creator, must(exhibit.Leaves(p, q, must(exhibit.LeafOf(lp))(t), must(exhibit.LeafOf(lq))(t)))(t))
	}
	leaves("two records of one epoch", "proved", two, twoX, leafB, leafX)
	leaves("one record of one epoch", "denied", two, two, leafB, leafB)
	leaves("records of two epochs", "denied", twoShut, two, leafA, leafB)
	leaves("a record under another head", "denied", two, twoX, leafB, leafB)
}

func (f *exhibitFile) bundles(t *testing.T) {
	t.Helper()
	root := signer(t, "exhibit root")
	sign := func(seq, end uint64) []byte {
		b := &bundle.Bundle{Seq: seq, NotAfter: end, Host: "music.example"}
		return must(b.Sign(root))(t)
	}
	a, b, next := sign(4, 1), sign(4, 2), sign(5, 2)
	f.add("bundle: one number, two bundles", "proved", root.Public().KeyID(), must(exhibit.Bundles(a, b))(t))
	f.add("bundle: one bundle, signed twice", "denied", root.Public().KeyID(), must(exhibit.Bundles(a, sign(4, 1)))(t))
	f.add("bundle: two numbers", "denied", root.Public().KeyID(), must(exhibit.Bundles(b, next))(t))
}
