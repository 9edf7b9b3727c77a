package offer_test

import (
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/offer"
)

// BenchmarkBuild is what an offer of five epochs costs the origin.
func BenchmarkBuild(b *testing.B) {
	s := newShop(b, 5)
	h, plain, err := s.Epochs(rangeOf(s.want.Records))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := offer.Build(s.Online, &s.base, &kdf.Secret{1}, h, plain); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is what it costs the hub before it pays.
func BenchmarkVerify(b *testing.B) {
	s := newShop(b, 5)
	o := s.make(b, nil)
	for b.Loop() {
		if _, err := offer.Verify(o, s.want); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnlock is what lies between the preimage and the keys.
func BenchmarkUnlock(b *testing.B) {
	s := newShop(b, 5)
	c := s.claim(b, s.make(b, nil))
	for b.Loop() {
		u, err := c.Unlock()
		if err != nil {
			b.Fatal(err)
		}
		u.Erase()
	}
}
