package handshake_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/circl/kem/xwing"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

// primitives runs what a handshake cannot do without, straight from the
// libraries: one X-Wing key pair, two encapsulations, two decapsulations, and
// one signature with its verification in each of the two schemes.
type primitives struct {
	t   *testing.T
	dk  *xwing.PrivateKey
	ek  *xwing.PublicKey
	pq  *mldsa65.PrivateKey
	pqv []byte
	ed  ed25519.PrivateKey
}

func newPrimitives(t *testing.T) *primitives {
	t.Helper()
	dk, ek, err := xwing.GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	pub, pq, err := mldsa65.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &primitives{t: t, dk: dk, ek: ek, pq: pq, pqv: pub.Bytes(), ed: ed}
}

func (p *primitives) run() {
	if _, _, err := xwing.GenerateKeyPairPacked(nil); err != nil {
		p.t.Fatal(err)
	}
	ss, ct := make([]byte, xwing.SharedKeySize), make([]byte, xwing.CiphertextSize)
	for range 2 {
		p.ek.EncapsulateTo(ct, ss, nil)
		p.dk.DecapsulateTo(ss, ct)
	}
	msg, sig := ss, make([]byte, mldsa65.SignatureSize)
	if err := mldsa65.SignTo(p.pq, msg, nil, true, sig); err != nil {
		p.t.Fatal(err)
	}
	var pub mldsa65.PublicKey
	if err := pub.UnmarshalBinary(p.pqv); err != nil {
		p.t.Fatal(err)
	}
	if !mldsa65.Verify(&pub, msg, nil, sig) || !ed25519.Verify(p.ed.Public().(ed25519.PublicKey), msg, ed25519.Sign(p.ed, msg)) {
		p.t.Fatal("a primitive fails")
	}
}

// TestCost: both sides of a handshake take at most one and a half times what
// their primitives take, in the same run and in turn. It is the mean of the
// quickest third of each: how often ML-DSA tries again is chance and belongs to
// both, and what a busy machine adds belongs to neither.
func TestCost(t *testing.T) {
	b, r := pair(t)
	p := newPrimitives(t)
	whole := func() {
		i, msg1 := begin(t, b)
		msg2, _, err := r.Respond(msg1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.Finish(msg2); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 210
	for try := 0; ; try++ {
		var ours, bare []time.Duration
		for range rounds {
			start := time.Now()
			whole()
			between := time.Now()
			p.run()
			ours, bare = append(ours, between.Sub(start)), append(bare, time.Since(between))
		}
		o, q := quick(ours), quick(bare)
		ratio := o.Seconds() / q.Seconds()
		t.Logf("handshake, both sides: %v, its primitives: %v, quotient %.2f", o, q, ratio)
		if ratio <= 1.5 {
			return
		}
		if try == 5 {
			t.Fatalf("%.2f times its primitives, at most 1.5 is wanted", ratio)
		}
	}
}

// quick is the mean of the quickest third.
func quick(all []time.Duration) time.Duration {
	slices.Sort(all)
	all = all[:len(all)/3]
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(len(all))
}
