//go:build lab && linux

package arm64

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/session"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fixed gives the same bytes each time it is made, so that a recorded answer
// fits again.
func fixed(n int) *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{7}, n)) }

// sides are hub and origin with one handshake and one exchange recorded.
type sides struct {
	b                 *bundle.Bundle
	responder         *handshake.Responder
	online, creator   *composite.SecretKey
	msg1, msg2        []byte
	result            handshake.Result
	request, response []byte
}

func newSides(b *testing.B) *sides {
	b.Helper()
	root, static := must(composite.Generate(nil))(b), must(kem.Generate(nil))(b)
	s := &sides{online: must(composite.Generate(nil))(b), creator: must(composite.Generate(nil))(b)}
	raw := must((&bundle.Bundle{Seq: 1, NotAfter: 1000, Host: "h", KEM: *static.Public(), Online: *s.online.Public()}).Sign(root))(b)
	s.b = must(bundle.Parse(raw, root.Public().KeyID()))(b)
	s.responder = &handshake.Responder{Bundle: must(s.b.ID())(b), KEM: static, Online: s.online}
	i, msg1, err := handshake.Start(fixed(96), s.b)
	if err != nil {
		b.Fatal(err)
	}
	msg2, _, err := s.responder.Respond(msg1)
	if err != nil {
		b.Fatal(err)
	}
	s.msg1, s.msg2, s.result = msg1, msg2, *must(i.Finish(msg2))(b)
	s.request = must(s.client().Request(fixed(32), nil))(b)
	s.response = must(s.server().Handle(time.Unix(1, 0), s.request, nothing))(b)
	return s
}

func nothing([]byte) ([]byte, error) { return nil, nil }

func (s *sides) client() *session.Client {
	r := s.result
	return session.NewClient(&r, time.Unix(0, 0))
}

func (s *sides) server() *session.Server {
	r := s.result
	return session.NewServer(&r, time.Unix(0, 0))
}

func BenchmarkHandshakeHub(b *testing.B) {
	s := newSides(b)
	for b.Loop() {
		i, _, err := handshake.Start(fixed(96), s.b)
		if err != nil {
			b.Fatal(err)
		}
		must(i.Finish(s.msg2))(b)
	}
}

func BenchmarkHandshakeOrigin(b *testing.B) {
	s := newSides(b)
	for b.Loop() {
		if _, _, err := s.responder.Respond(s.msg1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExchangeHub(b *testing.B) {
	s := newSides(b)
	for b.Loop() {
		c := s.client()
		must(c.Request(fixed(32), nil))(b)
		must(c.Response(s.response))(b)
	}
}

func BenchmarkExchangeOrigin(b *testing.B) {
	s := newSides(b)
	for b.Loop() {
		must(s.server().Handle(time.Unix(1, 0), s.request, nothing))(b)
	}
}

// live is an open broadcast that has just grown by an epoch.
func live(b *testing.B, creator *composite.SecretKey) (records []*manifest.Record, old, now *manifest.Head, want manifest.Want) {
	b.Helper()
	want.Broadcast, want.Tier = manifest.BroadcastID(creator.Public().KeyID(), [16]byte{}), 1
	for n := range uint64(1800) { // an hour
		e := segment.Epoch{Broadcast: want.Broadcast, Tier: 1, Number: n}
		records = append(records, &manifest.Record{Epoch: e, Frames: 96000, Commit: must(segment.Commit(&kdf.Secret{byte(n)}, e))(b),
			Renditions: []manifest.Rendition{{R: 1, Codec: segment.CodecOpus, ObjectLen: 24000}}})
	}
	heads := make([]*manifest.Head, 2)
	for i := range heads {
		tree := must(manifest.NewTree(records[:1799+i]))(b)
		heads[i] = &manifest.Head{Tier: 1, Rate: 48000, Channels: 2, Bits: 16, EpochMs: 2000, TreeSize: tree.Size(), Root: tree.Root(), TotalFrames: 96000 * tree.Size()}
		raw := must(heads[i].Sign(creator))(b)
		heads[i] = must(manifest.VerifyHead(raw, creator.Public(), want))(b)
	}
	return records, heads[0], heads[1], want
}

// BenchmarkLiveHead is what a live broadcast costs a hub every 2 s: the Head,
// that it continues the last one, and the new record.
func BenchmarkLiveHead(b *testing.B) {
	creator := must(composite.Generate(nil))(b)
	records, old, now, want := live(b, creator)
	tree := must(manifest.NewTree(records))(b)
	proof, page := must(tree.Consistency(1799))(b), must(tree.Page(1799, 1))(b)
	for b.Loop() {
		h := must(manifest.VerifyHead(now.Signed, creator.Public(), want))(b)
		if err := h.Follows(old, proof); err != nil {
			b.Fatal(err)
		}
		must(manifest.VerifyRecords(h, 1799, 1, page))(b)
	}
}

// BenchmarkLiveSign is what a Head costs its creator, without the tree.
func BenchmarkLiveSign(b *testing.B) {
	creator := must(composite.Generate(nil))(b)
	_, _, now, _ := live(b, creator)
	for b.Loop() {
		must(now.Sign(creator))(b)
	}
}

// BenchmarkOfferHub verifies an offer of five epochs and opens its lock.
func BenchmarkOfferHub(b *testing.B) {
	s := newSides(b)
	records, _, _, want := live(b, s.creator)
	h := &offer.Head{Goods: offer.GoodsEpochs, Bundle: s.responder.Bundle, AmountMsat: 5000, TTL: 60, Split: []message.Share{{Role: 1, Msat: 5000}},
		Range: message.Range{Broadcast: want.Broadcast, Tier: 1, N: 5}}
	var plain []byte
	for n := range 5 {
		h.Leaves = append(h.Leaves, must(records[n].Leaf())(b))
		plain = append(append(plain, byte(n)), make([]byte, 31)...)
	}
	base, p := kdf.Secret{1}, kdf.Secret{2}
	o := must(offer.Build(s.online, &base, &p, h, plain))(b)
	for b.Loop() {
		c := must(offer.Verify(o, offer.Want{Bundle: s.b, Price: 5000, Base: &base, Records: records[:5]}))(b)
		if err := c.Pay(&p); err != nil {
			b.Fatal(err)
		}
		must(c.Unlock())(b)
	}
}

// BenchmarkSegment hashes and opens 2 s of lossless sound (850 kbit/s).
func BenchmarkSegment(b *testing.B) {
	e := segment.Epoch{Tier: 1}
	es := kdf.Secret{1}
	object := must(segment.Seal(nil, &es, e, 1, make([]byte, 212500)))(b)
	sum, dst := sha256.Sum256(object), make([]byte, 0, len(object))
	for b.Loop() {
		if sha256.Sum256(object) != sum {
			b.Fatal("another object")
		}
		must(segment.Open(dst, &es, e, 1, object))(b)
	}
}
