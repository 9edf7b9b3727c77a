package sale

import (
	"testing"
	"time"

	"sonahub/sne/handshake"
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
