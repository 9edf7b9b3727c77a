package offer_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/offer"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

// TestFaultyLocks sells locks that do not hold what was signed: the good keys
// come out, the bad ones are named.
func TestFaultyLocks(t *testing.T) {
	s := newShop(t, 4)
	for _, tc := range []struct {
		name string
		lie  snetest.Lie
		bad  []uint64
	}{
		{"honest", nil, nil},
		{"one bad key among good ones", func(_ *offer.Head, p []byte) []byte { p[2*32+5] ^= 1; return p }, []uint64{3}},
		{"two keys swapped", func(_ *offer.Head, p []byte) []byte {
			return slices.Concat(p[:32], p[64:96], p[32:64], p[96:])
		}, []uint64{2, 3}},
		{"zeros", func(_ *offer.Head, p []byte) []byte { clear(p); return p }, []uint64{1, 2, 3, 4}},
	} {
		c := s.claim(t, s.make(t, tc.lie))
		u, err := c.Unlock()
		var fault *offer.FaultError
		if errors.As(err, &fault) != (tc.bad != nil) || u == nil || err != nil && !slices.Equal(fault.Epochs, tc.bad) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		for i, rec := range s.want.Records {
			good := u.Keys[i] != nil && *u.Keys[i] == s.Key(tier, rec.Number)
			if good == slices.Contains(tc.bad, rec.Number) {
				t.Errorf("%s: epoch %d", tc.name, rec.Number)
			}
		}
	}
}

// TestLockThatDoesNotOpen signs a lock that is no ciphertext of its key.
func TestLockThatDoesNotOpen(t *testing.T) {
	s := newShop(t, 2)
	honest := s.make(t, nil)
	o := s.patch(t, honest, len(honest.TBS)-1, ^honest.TBS[len(honest.TBS)-1])
	c, err := offer.Verify(o, s.want)
	if err != nil {
		t.Fatal(err) // before payment it cannot be seen
	}
	p, err := s.Till.Pay(honest.Bolt11)
	if err != nil || c.Pay(p) != nil {
		t.Fatal(err)
	}
	u, err := c.Unlock()
	var fault *offer.FaultError
	if !errors.As(err, &fault) || len(fault.Epochs) != 2 || u.Keys[0] != nil || u.Keys[1] != nil {
		t.Fatalf("%v", err)
	}
}

func TestFaultyEvaluations(t *testing.T) {
	x := newTokens(t)
	stranger := snetest.NewIssuer(t, 200)
	for name, lie := range map[string]snetest.Lie{
		"another key": func(_ *offer.Head, p []byte) []byte {
			e, err := stranger.Evaluate(x.want.Blinds)
			if err != nil {
				t.Error(err)
			}
			return e
		},
		"proof":      func(_ *offer.Head, p []byte) []byte { p[len(p)-1] ^= 1; return p },
		"no scalars": func(_ *offer.Head, p []byte) []byte { copy(p[len(p)-64:], bytes.Repeat([]byte{255}, 64)); return p },
		"identity":   func(_ *offer.Head, p []byte) []byte { clear(p[3:35]); return p },
		"no point":   func(_ *offer.Head, p []byte) []byte { copy(p[3:35], bytes.Repeat([]byte{255}, 32)); return p },
		"swapped points": func(_ *offer.Head, p []byte) []byte {
			at := 1 + 2 + 32 + 64 + 2
			return slices.Concat(p[:at], p[at+32:at+64], p[at:at+32], p[at+64:])
		},
		"another denomination": func(_ *offer.Head, p []byte) []byte { p[1] = 1; return p },
		"zeros":                func(_ *offer.Head, p []byte) []byte { clear(p); return p },
	} {
		c := x.claim(t, x.offer(t, lie))
		u, err := c.Unlock()
		var fault *offer.FaultError
		if !errors.As(err, &fault) || u == nil || u.Evals != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClaimAtRest goes through the ledger's bytes, before and after payment.
func TestClaimAtRest(t *testing.T) {
	s, x := newShop(t, 5), newTokens(t)
	epochs, err := offer.Verify(s.make(t, nil), s.want)
	if err != nil {
		t.Fatal(err)
	}
	units, err := offer.Verify(x.offer(t, nil), x.want)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []*offer.Claim{epochs, units} {
		raw, err := c.Marshal()
		if err != nil || len(raw) > offer.MaxClaim {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		t.Logf("a claim takes %d bytes", len(raw))
		back, err := offer.ParseClaim(raw)
		if err != nil || back.Paid() || back.Check() != nil {
			t.Fatalf("%v", err)
		}
		if err := back.Payable(begun()); !errors.Is(err, offer.ErrOffer) {
			t.Errorf("a claim that was read back may be paid: %v", err)
		}
		pay(t, []*snetest.Origin{s.Origin, x.Origin}[i], back)
		if raw, err = back.Marshal(); err != nil {
			t.Fatal(err)
		}
		paid, err := offer.ParseClaim(raw)
		if err != nil || !paid.Paid() {
			t.Fatalf("%v", err)
		}
		if _, err := paid.Unlock(); err != nil {
			t.Errorf("after a crash: %v", err)
		}
		for n := range raw {
			if c, err := offer.ParseClaim(raw[:n]); c != nil || err == nil {
				t.Fatalf("took %d of %d bytes", n, len(raw))
			}
		}
		if _, err := offer.ParseClaim(append(raw, 0)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("a byte too many: %v", err)
		}
	}
}

// TestZeroPreimage: an origin that picks a preimage of zeros gains nothing.
func TestZeroPreimage(t *testing.T) {
	s := newShop(t, 1)
	h, plain, err := s.Epochs(rangeOf(s.want.Records))
	if err != nil {
		t.Fatal(err)
	}
	o, err := offer.Build(s.Online, &s.base, &kdf.Secret{}, h, plain)
	if err != nil {
		t.Fatal(err)
	}
	c, err := offer.Verify(o, s.want)
	if err != nil || c.Pay(&kdf.Secret{}) != nil {
		t.Fatalf("%v", err)
	}
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = offer.ParseClaim(raw); err != nil || !c.Paid() {
		t.Fatalf("%v", err)
	}
	if _, err := c.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func FuzzHead(f *testing.F) {
	s, x := newShop(f, 1), newTokens(f)
	f.Add(s.make(f, nil).TBS)
	f.Add(x.offer(f, nil).TBS)
	f.Add([]byte{1, 1, 1, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := offer.Parse(raw)
		if err == nil && (h.AmountMsat < offer.MinAmount || h.TTL < offer.MinTTL || len(h.Leaves) > 30) {
			t.Fatalf("took %+v", h)
		}
	})
}

func FuzzClaim(f *testing.F) {
	s := newShop(f, 1)
	c := s.claim(f, s.make(f, nil))
	raw, err := c.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := offer.ParseClaim(raw)
		if err != nil {
			return
		}
		again, err := c.Marshal()
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("two spellings of a claim: %v", err)
		}
		if u, err := c.Unlock(); err == nil && len(u.Keys) != len(c.Records) {
			t.Fatal("another number of keys")
		}
	})
}
