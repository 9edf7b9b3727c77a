package sale

import (
	"testing"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/offer"
	"sonahub/sne/session"
)

// A session that the origin will have dropped for silence is opened anew
// before it costs a refused request.
func TestQuietSessionsAreStale(t *testing.T) {
	for _, tc := range []struct {
		fresh bool
		quiet time.Duration
		stale bool
	}{
		{true, 0, false}, {true, 20 * time.Second, false}, {true, 25 * time.Second, true},
		{false, 25 * time.Second, false}, {false, 11 * time.Minute, false}, {false, 12 * time.Minute, true},
	} {
		res := &handshake.Result{Limits: handshake.Limits{MaxExchanges: 9, TTL: 3600}}
		l := newLane()
		l.chain, l.fresh, l.last = session.NewClient(res, time.Now()), tc.fresh, time.Now().Add(-tc.quiet)
		if got := l.stale(); got != tc.stale {
			t.Errorf("fresh %v, quiet for %v: stale is %v", tc.fresh, tc.quiet, got)
		}
		l.drop()
		if l.chain != nil {
			t.Error("drop left the session")
		}
	}
}

// The salt of an offer stays while the session can get that offer again, and
// no longer: not after its time, not after the session.
func TestSaltsOfOffersEnd(t *testing.T) {
	claim := func(n byte, ttl uint32) *offer.Claim {
		return &offer.Claim{Head: &offer.Head{PaymentHash: [32]byte{n}, TTL: ttl}, Salt: kdf.Secret{n}}
	}
	l, begun := newLane(), time.Now()
	l.sent = begun
	l.remember(claim(1, 15))
	l.remember(claim(2, 60))
	short, long := l.held[[32]byte{1}], l.held[[32]byte{2}]
	l.expireOffers(begun.Add(16 * time.Second))
	if !short.salt.IsZero() || l.heldCopy([32]byte{1}) != nil || l.heldCopy([32]byte{2}) == nil {
		t.Error("what expired stays, or what did not is gone")
	}
	l.drop()
	if !long.salt.IsZero() || l.held != nil {
		t.Error("the salts outlive their session")
	}
	for n := range byte(2 * maxHeld) {
		l.remember(claim(n, 60))
	}
	if len(l.held) != maxHeld {
		t.Errorf("%d salts are held", len(l.held))
	}
}
