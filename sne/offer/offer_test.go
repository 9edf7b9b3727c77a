package offer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

func TestSale(t *testing.T) {
	for _, n := range []int{1, 5, 30} {
		s := newShop(t, n)
		c := s.claim(t, s.make(t, nil))
		u, err := c.Unlock()
		if err != nil || len(u.Keys) != n {
			t.Fatalf("n = %d: %v", n, err)
		}
		for i, rec := range s.want.Records {
			if *u.Keys[i] != s.Key(tier, rec.Number) {
				t.Errorf("n = %d: key %d is another", n, i)
			}
		}
		u.Erase()
		if !u.Keys[0].IsZero() {
			t.Error("keys are kept after Erase")
		}
	}
}

func TestSaleOfTokens(t *testing.T) {
	x := newTokens(t)
	c := x.claim(t, x.offer(t, nil))
	u, err := c.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	evals, err := message.ParseEvals(u.Evals)
	if err != nil || len(evals) != 2 || len(evals[1].Points) != 2 {
		t.Fatalf("%v, %v", evals, err)
	}
}

// TestVerifyRefuses breaks every rule of step 2 of the listener's order, one at
// a time. To see it fail: take any case out of Verify.
func TestVerifyRefuses(t *testing.T) {
	s := newShop(t, 3)
	honest := s.make(t, nil)
	// Places in the tbs of goods 1 with two shares.
	const atLockType, atGoods, atReserved, atAmount, atTTL, atShares = 1, 2, 3, 68, 76, 113
	other := *s.want.Bundle
	other.Seq++
	cheap := *s.want.Records[1]
	cheap.Frames++
	for _, tc := range []struct {
		name  string
		offer *message.Offer
		want  func(w *offer.Want)
		is    error
		says  string
	}{
		{name: "signature of another text", offer: &message.Offer{TBS: append(bytes.Clone(honest.TBS), 0), Sig: honest.Sig}, is: composite.ErrSignature},
		{name: "another bundle", want: func(w *offer.Want) { w.Bundle = &other }, is: offer.ErrOffer, says: "another bundle"},
		{name: "dearer", want: func(w *offer.Want) { w.Price-- }, is: offer.ErrOffer, says: "dearer"},
		{name: "other epochs", want: func(w *offer.Want) { w.Records = s.Records[tier][2:5] }, is: offer.ErrOffer, says: "another range"},
		{name: "fewer epochs", want: func(w *offer.Want) { w.Records = s.Records[tier][1:3] }, is: offer.ErrOffer, says: "another range"},
		{name: "other tier", want: func(w *offer.Want) { w.Records = s.Records[1][1:4] }, is: offer.ErrOffer, says: "another range"},
		{name: "another manifest", want: func(w *offer.Want) {
			w.Records = append([]*recordOf{w.Records[0], &cheap}, w.Records[2])
		}, is: offer.ErrOffer, says: "another manifest"},
		{name: "salt of another session", want: func(w *offer.Want) { w.Base = &kdf.Secret{9} }, is: offer.ErrOffer, says: "salt"},
		{name: "late", want: func(w *offer.Want) { w.Now = begun().Add(51 * time.Second) }, is: offer.ErrOffer, says: "time left"},
		{name: "tokens were asked for", want: func(w *offer.Want) { w.Records = nil }, is: offer.ErrOffer, says: "other goods"},
		{name: "short lock", offer: s.make(t, func(_ *offer.Head, p []byte) []byte { return p[:64] }), is: offer.ErrOffer, says: "wrong length"},
		{name: "long lock", offer: s.make(t, func(_ *offer.Head, p []byte) []byte { return append(p, 0) }), is: offer.ErrOffer, says: "wrong length"},
		{name: "split falls short", offer: s.patch(t, honest, atShares+8, 0), is: wire.ErrMalformed, says: "split"},
		{name: "roles do not rise", offer: s.patch(t, honest, atShares, 2), is: wire.ErrMalformed, says: "split"},
		{name: "no share", offer: s.signed(t, unshared(honest.TBS, atShares-1), ""), is: wire.ErrMalformed, says: "split"},
		{name: "999 msat", offer: s.patch(t, honest, atAmount, 0, 0, 0, 0, 0, 0, 3, 0xe7), is: wire.ErrMalformed, says: "smallest"},
		{name: "14 s", offer: s.patch(t, honest, atTTL, 0, 0, 0, 14), is: wire.ErrMalformed, says: "lifetime"},
		{name: "an hour and a second", offer: s.patch(t, honest, atTTL, 0, 0, 0x0e, 0x11), is: wire.ErrMalformed, says: "lifetime"},
		{name: "version", offer: s.patch(t, honest, 0, 2), is: wire.ErrMalformed},
		{name: "PTLC", offer: s.patch(t, honest, atLockType, 2), is: wire.ErrMalformed},
		{name: "goods 3", offer: s.patch(t, honest, atGoods, 3), is: wire.ErrMalformed},
		{name: "reserved byte", offer: s.patch(t, honest, atReserved, 1), is: wire.ErrMalformed},
		{name: "trailing byte", offer: s.signed(t, append(bytes.Clone(honest.TBS), 0), ""), is: wire.ErrMalformed},
		{name: "cut", offer: s.signed(t, honest.TBS[:len(honest.TBS)-1], ""), is: wire.ErrMalformed},
		{name: "empty", offer: s.signed(t, nil, ""), is: wire.ErrMalformed},
	} {
		w, o := s.want, honest
		if tc.want != nil {
			tc.want(&w)
		}
		if tc.offer != nil {
			o = tc.offer
		}
		c, err := offer.Verify(o, w)
		if c != nil || !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, %v", tc.name, c, err)
		}
	}
	if _, err := offer.Verify(honest, s.want); err != nil {
		t.Fatalf("the honest one: %v", err)
	}
}

// unshared takes the two shares out of a tbs.
func unshared(tbs []byte, at int) []byte {
	out := append(bytes.Clone(tbs[:at]), 0)
	return append(out, tbs[at+1+18:]...)
}

func TestVerifyRefusesTokens(t *testing.T) {
	x := newTokens(t)
	honest := x.offer(t, nil)
	for _, tc := range []struct {
		name string
		o    *message.Offer
		want func(w *offer.Want)
		says string
	}{
		{"another keyset", x.offer(t, func(h *offer.Head, p []byte) []byte { h.KeySet[0]++; return p }), nil, "keyset"},
		{"other blinds", x.offer(t, func(h *offer.Head, p []byte) []byte { h.BlindsHash[0]++; return p }), nil, "blinds"},
		{"fewer units", x.offer(t, func(h *offer.Head, p []byte) []byte { h.Units--; return p }), nil, "units"},
		{"another price for them", x.offer(t, func(h *offer.Head, p []byte) []byte { h.AmountMsat--; return p }), nil, "units"},
		{"short lock", x.offer(t, func(_ *offer.Head, p []byte) []byte { return p[1:] }), nil, "wrong length"},
		{"denomination without a key", honest, func(w *offer.Want) { w.Blinds = bytes.Clone(w.Blinds); w.Blinds[35] = 7 }, "denomination"},
		{"over the prepaid limit", honest, func(w *offer.Want) { w.Price-- }, "dearer"},
		{"late", honest, func(w *offer.Want) { w.Now = begun().Add(51 * time.Second) }, "time left"},
	} {
		w := x.want
		if tc.want != nil {
			tc.want(&w)
		}
		if _, err := offer.Verify(tc.o, w); !errors.Is(err, offer.ErrOffer) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := offer.Verify(honest, x.want); err != nil {
		t.Fatal(err)
	}
}

// TestInvoice holds every MUST of 7.1 on the invoice, one at a time.
func TestInvoice(t *testing.T) {
	s := newShop(t, 1)
	c, err := offer.Verify(s.make(t, nil), s.want)
	if err != nil {
		t.Fatal(err)
	}
	good, err := snetest.Decode(context.Background(), c.Bolt11)
	if err != nil {
		t.Fatal(err)
	}
	nodes := s.want.Bundle.LightningNodes
	for _, tc := range []struct {
		says   string
		change func(i *offer.Invoice)
	}{
		{"payment hash", func(i *offer.Invoice) { i.PaymentHash[31]++ }},
		{"amount", func(i *offer.Invoice) { i.AmountMsat++ }},
		{"amount", func(i *offer.Invoice) { i.AmountMsat = 0 }},
		{"something else", func(i *offer.Invoice) { i.DescriptionHash[0]++ }},
		{"something else", func(i *offer.Invoice) { i.DescriptionHash = [32]byte{} }},
		{"node", func(i *offer.Invoice) { i.Payee[32]++ }},
		{"network", func(i *offer.Invoice) { i.Network = "bitcoin" }},
		{"ends before", func(i *offer.Invoice) { i.Expiry = c.TTL - 1 }},
		{"hang", func(i *offer.Invoice) { i.MinFinalCLTV = 81 }},
		{"AMP", func(i *offer.Invoice) { i.AMP = true }},
	} {
		bad := good
		tc.change(&bad)
		if err := c.CheckInvoice(bad, nodes, "regtest"); !errors.Is(err, offer.ErrOffer) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.says, err)
		}
	}
	if err := c.CheckInvoice(good, nil, "regtest"); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("a bundle without nodes: %v", err)
	}
	good.MinFinalCLTV, good.Expiry = 80, c.TTL
	if err := c.CheckInvoice(good, nodes, "regtest"); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

// TestEveryByteOfAnOfferCounts changes each byte of a signed offer.
func TestEveryByteOfAnOfferCounts(t *testing.T) {
	s := newShop(t, 1)
	o := s.make(t, nil)
	for _, part := range [][]byte{o.TBS, o.Sig} {
		for at := range part {
			part[at] ^= 1 << (at % 8)
			if _, err := offer.Verify(o, s.want); err == nil {
				t.Errorf("byte %d of %d does no harm", at, len(part))
			}
			part[at] ^= 1 << (at % 8)
		}
	}
	if _, err := offer.Verify(o, s.want); err != nil {
		t.Fatal(err)
	}
}

// TestRepeatedOffer comes a second time in its session, under the salt of the
// first exchange and with the first one's clock.
func TestRepeatedOffer(t *testing.T) {
	s := newShop(t, 2)
	o := s.make(t, nil)
	first, err := offer.Verify(o, s.want)
	if err != nil {
		t.Fatal(err)
	}
	held := offer.Held{Salt: first.Salt, TBS: offer.DescriptionHash(o.TBS), Sent: begun()}
	w := s.want
	w.Base, w.Sent, w.Now = &kdf.Secret{7}, begun().Add(40*time.Second), begun().Add(41*time.Second)
	w.Held = func(hash [32]byte) *offer.Held {
		if hash != first.PaymentHash {
			return nil
		}
		h := held
		return &h
	}
	again, err := offer.Verify(o, w)
	if err != nil || again.Salt != first.Salt || !again.Deadline.Equal(first.Deadline) {
		t.Fatalf("%v", err)
	}
	w.Now = begun().Add(51 * time.Second)
	if _, err := offer.Verify(o, w); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("the repeat began a new life: %v", err)
	}
	w.Now, held.TBS = begun(), [32]byte{}
	if _, err := offer.Verify(o, w); !errors.Is(err, offer.ErrOffer) {
		t.Errorf("another offer of the same payment hash: %v", err)
	}
}

// TestTwoHonestParts plays the two parts that see half of a sale and go by the
// rules: a listener who has session and offer and does not pay, and a routing
// node that learns the preimage of a payment that it forwards. Both get
// nothing; together they would have it, so the test can fail.
func TestTwoHonestParts(t *testing.T) {
	s := newShop(t, 3)
	o := s.make(t, nil)
	listener, err := offer.Verify(o, s.want)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := listener.Unlock(); u != nil || !errors.Is(err, offer.ErrPreimage) {
		t.Errorf("the listener who did not pay: %v", err)
	}
	for _, guess := range []kdf.Secret{{}, listener.Salt, s.base, kdf.Secret(listener.PaymentHash)} {
		if err := listener.Pay(&guess); !errors.Is(err, offer.ErrPreimage) {
			t.Errorf("took a guess for the preimage: %v", err)
		}
		listener.Preimage = guess // by force
		if u, err := listener.Unlock(); u != nil || err == nil {
			t.Error("a guess opened the lock")
		}
	}
	// Somebody else pays an equal invoice: the routing node sees that preimage,
	// has even the offer, and lacks the salt.
	if _, err := s.Till.Pay(o.Bolt11); err != nil {
		t.Fatal(err)
	}
	p := s.Till.Routed()[0]
	node := *listener
	node.Preimage = p
	for _, guess := range []kdf.Secret{{}, p, kdf.Secret(node.SaltCommit), kdf.Secret(node.PaymentHash)} {
		node.Salt = guess
		if u, err := node.Unlock(); u != nil || err == nil {
			t.Error("the routing node opened the lock")
		}
		if opensAnyhow(t, o, &guess, &p) {
			t.Error("the lock opens without the salt")
		}
	}
	if !opensAnyhow(t, o, &listener.Salt, &p) {
		t.Error("the control does not open: this test shows nothing")
	}
}

// TestNoLockFitsAnother moves salts, preimages and locks between two sales.
func TestNoLockFitsAnother(t *testing.T) {
	s := newShop(t, 2)
	a, b := s.make(t, nil), s.make(t, nil)
	ca, cb := s.claim(t, a), s.claim(t, b)
	if ca.PaymentHash == cb.PaymentHash || ca.Salt == cb.Salt {
		t.Fatal("two offers have a half in common")
	}
	mixed := *ca
	mixed.TBS = cb.TBS
	if u, err := mixed.Unlock(); u != nil || err == nil {
		t.Error("one sale's salt and preimage open another's lock")
	}
	if opensAnyhow(t, a, &ca.Salt, &cb.Preimage) || opensAnyhow(t, a, &cb.Salt, &ca.Preimage) {
		t.Error("halves of two sales open a lock")
	}
	if err := ca.Pay(&cb.Preimage); !errors.Is(err, offer.ErrPreimage) {
		t.Errorf("took another sale's preimage: %v", err)
	}
}

func TestClaimDoesNotPrint(t *testing.T) {
	s := newShop(t, 1)
	c := s.claim(t, s.make(t, nil))
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %s", c, c, c), fmt.Sprintf("%x", c.Salt)} {
		if !strings.Contains(text, "redacted") || len(text) > 100 {
			t.Errorf("printed %q", text)
		}
	}
	c.Erase()
	if !c.Salt.IsZero() || !c.Preimage.IsZero() {
		t.Error("secrets are kept after Erase")
	}
}
