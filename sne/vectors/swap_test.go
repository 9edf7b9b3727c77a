package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// place is where a segment belongs.
type place struct {
	epoch     segment.Epoch
	rendition uint16
	key       kdf.Secret
}

// places are neighbours in every direction: two broadcasts, tiers, epochs and
// renditions, all of one title master.
func places(t *testing.T) []place {
	t.Helper()
	var out []place
	for _, b := range []wire.ID{id("swap a"), id("swap b")} {
		for tier := range uint16(2) {
			for n := range uint64(2) {
				e := segment.Epoch{Broadcast: b, Tier: tier, Number: n}
				var es kdf.Secret
				check(t, segment.EpochSecret(&es, secret("swap master"), e))
				for r := range uint16(2) {
					out = append(out, place{e, r, es})
				}
			}
		}
	}
	return out
}

// TestNoSegmentFitsAnotherPlace asks for every segment in every other's place,
// by the key of either.
func TestNoSegmentFitsAnotherPlace(t *testing.T) {
	all := places(t)
	for i, from := range all {
		object := must(segment.Seal(source(draw(16, "one seal for all")), &from.key, from.epoch, from.rendition, []byte("sound")))(t)
		for k, to := range all {
			for _, key := range []kdf.Secret{from.key, to.key} {
				_, err := segment.Open(nil, &key, to.epoch, to.rendition, object)
				if (err == nil) != (i == k) {
					t.Errorf("segment %d in the place of %d: %v", i, k, err)
				}
			}
			commit := must(segment.Commit(&from.key, from.epoch))(t)
			if same := from.epoch == to.epoch; segment.Fits(&to.key, from.epoch, commit) != same {
				t.Errorf("key of %d for %d fits: %v", k, i, !same)
			}
		}
	}
}

// TestNoRecordFitsAnotherPlace moves records within a manifest and between two
// tiers.
func TestNoRecordFitsAnotherPlace(t *testing.T) {
	s := record5(t, "sale")
	tr := must(manifest.NewTree(s.records))(t)
	for at := range uint64(saleEpochs) {
		for from := range uint64(saleEpochs) {
			_, err := manifest.VerifyRecords(s.head, at, 1, must(tr.Page(from, 1))(t))
			if (err == nil) != (at == from) {
				t.Errorf("record %d in the place of %d: %v", from, at, err)
			}
		}
	}
	other := s.want
	other.Tier++
	if _, err := manifest.VerifyHead(s.head.Signed, s.creator.Public(), other); err == nil {
		t.Error("a head was taken for another tier")
	}
	other = s.want
	other.Broadcast = id("other")
	if _, err := manifest.VerifyHead(s.head.Signed, s.creator.Public(), other); err == nil {
		t.Error("a head was taken for another broadcast")
	}
	for i := range s.objects {
		for k, rec := range s.records {
			if x, _ := rec.Rendition(1); (sha256.Sum256(s.objects[i]) == x.SHA256) != (i == k) {
				t.Errorf("object %d fits record %d", i, k)
			}
		}
	}
}

// TestNoMessageFitsAnotherSession swaps the messages of two sessions under one
// Bundle, and those of two exchanges of one session.
func TestNoMessageFitsAnotherSession(t *testing.T) {
	a, b := record5(t, "sale"), record5(t, "sale")
	b.talk(t, "second")
	if bytes.Equal(a.msg1, b.msg1) || a.result.Session == b.result.Session {
		t.Fatal("the sessions are one")
	}
	if _, err := a.initiator(t, "sale").Finish(b.msg2); err == nil {
		t.Error("message 2 of another handshake was taken")
	}
	for _, x := range []struct {
		name string
		s    *recorded
		raw  []byte
	}{{"request of the other", a, b.request}, {"request of the first", b, a.request}, {"a response as a request", a, a.response}} {
		if _, err := x.s.server().Handle(time.Unix(1, 0), x.raw, func([]byte) ([]byte, error) { return nil, nil }); err == nil {
			t.Errorf("%s was taken", x.name)
		}
	}
	client := a.client(t, "sale")
	for _, raw := range [][]byte{b.response, a.request, a.msg2} {
		if _, err := client.Response(raw); err == nil {
			t.Error("a foreign response was taken")
		}
	}
	must(client.Response(a.response))(t)
	second := must(client.Request(nil, nil))(t)
	if _, err := client.Response(a.response); err == nil {
		t.Error("the first response was taken for the second request")
	}
	if _, err := a.server().Handle(time.Unix(1, 0), second, func([]byte) ([]byte, error) { return nil, nil }); err == nil {
		t.Error("the second request was taken for the first")
	}
	// The same state under another id: the id is part of what is authenticated.
	r := a.result
	r.Session[0] ^= 1
	if _, err := session.NewServer(&r, time.Unix(0, 0)).Handle(time.Unix(1, 0), a.request, func([]byte) ([]byte, error) { return nil, nil }); err == nil {
		t.Error("a request was taken under another session's id")
	}
}

// TestNoOfferFitsAnotherPurchase swaps offers, salts and preimages between
// purchases and between sessions.
func TestNoOfferFitsAnotherPurchase(t *testing.T) {
	a, b := record5(t, "sale"), record5(t, "sale")
	b.talk(t, "second")
	claim := func(s *recorded, o *message.Offer, w offer.Want) (*offer.Claim, error) { return offer.Verify(o, w) }
	if _, err := claim(a, b.sold, a.offerWant()); err == nil {
		t.Error("the offer of another session was taken")
	}
	w := a.offerWant()
	w.Records = a.records[2:5]
	if _, err := claim(a, a.sold, w); err == nil {
		t.Error("the offer of other epochs was taken")
	}
	w = a.offerWant()
	w.Price--
	if _, err := claim(a, a.sold, w); err == nil {
		t.Error("an offer over the price was taken")
	}
	ca, cb := must(claim(a, a.sold, a.offerWant()))(t), must(claim(b, b.sold, b.offerWant()))(t)
	if ca.Pay(&b.preimage) == nil || cb.Pay(&a.preimage) == nil {
		t.Error("the preimage of another purchase was taken")
	}
	check(t, ca.Pay(&a.preimage))
	check(t, cb.Pay(&b.preimage))
	for i, u := range [][]*kdf.Secret{must(ca.Unlock())(t).Keys, must(cb.Unlock())(t).Keys} {
		for k := range u {
			if u[k] == nil || *u[k] != a.keys[1+k] {
				t.Errorf("purchase %d, key %d is not the one that was sold", i, k)
			}
		}
	}
	ca.Salt, cb.Salt = cb.Salt, ca.Salt
	for _, c := range []*offer.Claim{ca, cb} {
		if _, err := c.Unlock(); err == nil {
			t.Error("a lock opened with the salt of another purchase")
		}
	}
}
