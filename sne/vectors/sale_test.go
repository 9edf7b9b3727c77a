package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// recorded is a whole sale as it went over the wire, with small segments: what
// hub and origin knew, and each of them again as often as it is asked for.
type recorded struct {
	root, online, creator *composite.SecretKey
	static                *kem.SecretKey
	b                     *bundle.Bundle
	id                    wire.ID
	head                  *manifest.Head
	records               []*manifest.Record
	keys                  []kdf.Secret
	objects               [][]byte
	want                  manifest.Want
	msg1, msg2            []byte
	result                handshake.Result
	request, response     []byte
	sold                  *message.Offer
	preimage, base        kdf.Secret
}

// object is one thing of a recording and whoever reads it. read must fail for
// any other bytes.
type wireObject struct {
	name string
	raw  []byte
	read func(raw []byte) error
}

const saleEpochs = 5

func record5(t testing.TB, name string) *recorded {
	t.Helper()
	s := &recorded{root: signer(t, "sale root"), online: signer(t, name+" online"), creator: signer(t, "sale creator"), static: kemKey(t, name+" kem")}
	s.b = &bundle.Bundle{Seq: 1, NotBefore: noon, NotAfter: noon + day, Host: "music.example", KEM: *s.static.Public(), Online: *s.online.Public(), DeadCreators: []wire.ID{id("dead")}}
	s.b = must(bundle.Parse(must(s.b.Sign(s.root))(t), s.root.Public().KeyID()))(t)
	s.id = must(s.b.ID())(t)
	s.publish(t)
	s.talk(t, name)
	return s
}

// publish seals five small segments and signs their manifest.
func (s *recorded) publish(t testing.TB) {
	t.Helper()
	nonce := [16]byte(draw(16, "sale nonce"))
	b := manifest.BroadcastID(s.creator.Public().KeyID(), nonce)
	s.want = manifest.Want{Broadcast: b, Tier: 2, OriginRoot: s.root.Public().KeyID()}
	s.keys = make([]kdf.Secret, saleEpochs)
	for n := range s.keys {
		e := segment.Epoch{Broadcast: b, Tier: 2, Number: uint64(n)}
		check(t, segment.EpochSecret(&s.keys[n], secret("sale master"), e))
		p := &segment.Payload{Codec: segment.CodecPCM, Channels: 1, Bits: 16, Rate: 50, Frames: 100, Packets: [][]byte{draw(200, fmt.Sprint("sound ", n))}}
		object := must(segment.Seal(source(draw(16, fmt.Sprint("sale seal ", n))), &s.keys[n], e, 1, must(p.Marshal())(t)))(t)
		s.objects = append(s.objects, object)
		s.records = append(s.records, &manifest.Record{Epoch: e, Frames: 100, Commit: must(segment.Commit(&s.keys[n], e))(t),
			Renditions: []manifest.Rendition{{R: 1, Codec: segment.CodecPCM, BitsPerS: 800, ObjectLen: uint32(len(object)), SHA256: sha256.Sum256(object)}}})
	}
	tr := must(manifest.NewTree(s.records))(t)
	h := &manifest.Head{Closed: true, Tier: 2, Nonce: nonce, OriginRoot: s.want.OriginRoot, Rate: 50, Channels: 1, Bits: 16, EpochMs: 2000, TreeSize: saleEpochs, Root: tr.Root(), TotalFrames: 500}
	s.head = must(manifest.VerifyHead(must(h.Sign(s.creator))(t), s.creator.Public(), s.want))(t)
}

func (s *recorded) responder(name string) *handshake.Responder {
	return &handshake.Responder{Bundle: s.id, KEM: s.static, Online: s.online, Random: source(draw(16, name+" session"), draw(64, name+" ekem"))}
}

func (s *recorded) initiator(t testing.TB, name string) *handshake.Initiator {
	t.Helper()
	i, msg1, err := handshake.Start(source(draw(32, name+" e"), draw(64, name+" skem")), s.b)
	check(t, err)
	s.msg1 = msg1
	return i
}

// talk opens a session and buys epochs 1 to 3 by Lightning in its first exchange.
func (s *recorded) talk(t testing.TB, name string) {
	t.Helper()
	i := s.initiator(t, name)
	msg2, res, err := s.responder(name).Respond(s.msg1)
	check(t, err)
	s.msg2, s.result = msg2, *must(i.Finish(msg2))(t)
	res.Erase()
	hub, origin := s.client(t, name), s.server()
	origin.Random = source(draw(64, name+" exchange"))
	s.preimage = *secret(name + " preimage")
	s.response = must(origin.Handle(time.Unix(1, 0), s.request, func([]byte) ([]byte, error) {
		return []byte{byte(message.KindOffer), 0, 1, 0, 0, 0, 0}, nil // the offer itself is judged by itself
	}))(t)
	must(hub.Response(s.response))(t)
	_, _, lb := s.after(t, name)
	s.base = lb
	rng := message.Range{Broadcast: s.want.Broadcast, Tier: 2, First: 1, N: 3}
	oh := &offer.Head{Goods: offer.GoodsEpochs, Bundle: s.id, AmountMsat: 2000, TTL: 60, Split: []message.Share{{Role: 1, Msat: 1500}, {Role: 2, Msat: 500}}, Range: rng}
	var plain []byte
	for n := 1; n <= 3; n++ {
		oh.Leaves = append(oh.Leaves, must(s.records[n].Leaf())(t))
		plain = append(plain, s.keys[n][:]...)
	}
	s.sold = must(offer.Build(s.online, &lb, &s.preimage, oh, plain))(t)
	s.sold.Bolt11 = "an invoice"
}

// client is the hub's side with request 0 outstanding.
func (s *recorded) client(t testing.TB, name string) *session.Client {
	t.Helper()
	r := s.result
	c := session.NewClient(&r, time.Unix(0, 0))
	s.request = must(c.Request(source(draw(32, name+" dk")), []byte{byte(message.KindHello), 0, 1, 0, 0, 0, 1, 0}))(t)
	return c
}

func (s *recorded) server() *session.Server {
	r := s.result
	return session.NewServer(&r, time.Unix(0, 0))
}

// after derives what exchange 0 leaves, by the text.
func (s *recorded) after(t testing.TB, name string) (root, hash, lockBase kdf.Secret) {
	t.Helper()
	f := &exchangeFile{Root: s.result.Root[:], Hash: s.result.Hash[:]}
	lb, r, h := chainOf(t, f, 0, &exchangeVector{DKSeed: draw(32, name+" dk")}, s.request, s.response)
	return kdf.Secret(r), kdf.Secret(h), kdf.Secret(lb)
}

func (s *recorded) offerWant() offer.Want {
	return offer.Want{Bundle: s.b, Price: 2000, Base: &s.base, Sent: time.Unix(1, 0), Now: time.Unix(2, 0), Records: s.records[1:4]}
}

var errOther = errors.New("other bytes")

// objects lists everything that crossed a network.
func (s *recorded) wireObjects(t testing.TB, name string) []wireObject {
	t.Helper()
	tr := must(manifest.NewTree(s.records))(t)
	page := must((&catalog.Page{Pages: 1, Bundle: s.id, Seq: 1, JSON: []byte("{}")}).Sign(s.online))(t)
	creatorID := s.creator.Public().KeyID()
	past := *s.head
	past.Closed, past.TreeSize, past.TotalFrames, past.Root = false, 3, 300, must(manifest.NewTree(s.records[:3]))(t).Root()
	client := s.client(t, name)
	return []wireObject{
		{"bundle", s.b.Signed, func(raw []byte) error { _, err := bundle.Parse(raw, s.root.Public().KeyID()); return err }},
		{"creator key", s.creator.Public()[:], func(raw []byte) error {
			k, err := composite.ParsePublicKey(raw)
			if err == nil && k.KeyID() != creatorID {
				err = errOther
			}
			return err
		}},
		{"catalogue page", page, func(raw []byte) error { _, err := catalog.Parse(raw, s.online.Public()); return err }},
		{"head", s.head.Signed, func(raw []byte) error { _, err := manifest.VerifyHead(raw, s.creator.Public(), s.want); return err }},
		{"consistency", must(manifest.MarshalConsistency(must(tr.Consistency(3))(t)))(t), func(raw []byte) error {
			path, err := manifest.ParseConsistency(raw)
			if err != nil {
				return err
			}
			return s.head.Follows(&past, path)
		}},
		{"records", must(tr.Page(1, 3))(t), func(raw []byte) error { _, err := manifest.VerifyRecords(s.head, 1, 3, raw); return err }},
		{"segment, by its hash", s.objects[2], func(raw []byte) error {
			if x, _ := s.records[2].Rendition(1); sha256.Sum256(raw) != x.SHA256 {
				return errOther
			}
			return nil
		}},
		{"segment, by its key alone", s.objects[2], func(raw []byte) error {
			_, err := segment.Open(nil, &s.keys[2], s.records[2].Epoch, 1, raw)
			return err
		}},
		{"message 1", s.msg1, func(raw []byte) error { _, _, err := s.responder(name).Respond(raw); return err }},
		{"message 2", s.msg2, func(raw []byte) error { _, err := s.initiator(t, name).Finish(raw); return err }},
		{"request", s.request, func(raw []byte) error {
			_, err := s.server().Handle(time.Unix(1, 0), raw, func([]byte) ([]byte, error) { return nil, nil })
			return err
		}},
		{"offer", append(bytes.Clone(s.sold.TBS), s.sold.Sig...), func(raw []byte) error {
			n := len(raw) - composite.SignatureSize
			_, err := offer.Verify(&message.Offer{TBS: raw[:n], Sig: raw[n:]}, s.offerWant())
			return err
		}},
		{"response", s.response, func(raw []byte) error { _, err := client.Response(raw); return err }},
	}
}

// TestEveryByteCounts changes a bit of every byte of every object of a sale, and
// cuts and extends it: each time its reader refuses. A byte whose change did
// no harm would be a hole.
func TestEveryByteCounts(t *testing.T) {
	s := record5(t, "sale")
	for _, o := range s.wireObjects(t, "sale") {
		t.Run(o.name, func(t *testing.T) {
			for at := range o.raw {
				bad := bytes.Clone(o.raw)
				bad[at] ^= 1 << (at % 8)
				if o.read(bad) == nil {
					t.Errorf("byte %d with bit %d changed was taken", at, at%8)
				}
			}
			for _, bad := range [][]byte{nil, o.raw[:len(o.raw)-1], o.raw[1:], append(bytes.Clone(o.raw), 0), append([]byte{0}, o.raw...)} {
				if len(bad) < composite.SignatureSize && o.name == "offer" {
					continue // not even cut into its parts
				}
				if o.read(bad) == nil {
					t.Errorf("%d bytes were taken", len(bad))
				}
			}
			if err := o.read(o.raw); err != nil {
				t.Errorf("the true bytes: %v", err)
			}
		})
	}
}
