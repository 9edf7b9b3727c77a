package origin

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"sonahub/sne/message"
)

func limits() Limits { return Limits{Offers: 5, Addresses: 10000} }

func begun() time.Time { return time.Unix(1_700_000_000, 0) }

func keyOf(session, n int) deskKey {
	var k deskKey
	binary.BigEndian.PutUint32(k.session[:], uint32(session))
	binary.BigEndian.PutUint32(k.body[:], uint32(n))
	return k
}

func refusedWith(t *testing.T, name string, err error, want message.ErrorCode) {
	t.Helper()
	var e *message.Error
	if !errors.As(err, &e) || e.Code != want || e.RetryMs == 0 {
		t.Errorf("%s: %v", name, err)
	}
}

// TestDeskLimits: four open offers in a session, one a second in a session, five
// a second at an address, one top-up in ten seconds at an address.
func TestDeskLimits(t *testing.T) {
	d := newDesk(limits())
	now := begun()
	for n := range maxOpenOffers {
		if err := d.admit(keyOf(1, n), message.KindBuy, "a", now); err != nil {
			t.Fatalf("offer %d: %v", n, err)
		}
		d.put(keyOf(1, n), openOffer{ends: now.Add(offerTTL), hash: [32]byte{byte(n)}})
		refusedWith(t, "twice in a second", d.admit(keyOf(1, n+10), message.KindBuy, "b", now), message.CodeRate)
		now = now.Add(time.Second)
	}
	refusedWith(t, "a fifth open offer", d.admit(keyOf(1, 9), message.KindBuy, "a", now), message.CodeRate)
	d.final([32]byte{2})
	if err := d.admit(keyOf(1, 9), message.KindBuy, "a", now); err != nil {
		t.Errorf("after one was paid: %v", err)
	}
	now = now.Add(offerTTL)
	if err := d.admit(keyOf(1, 9), message.KindBuy, "a", now); err != nil || d.size() != 0 {
		t.Errorf("after they ended: %v, %d left", err, d.size())
	}
	for n := range 5 {
		if err := d.admit(keyOf(100+n, 0), message.KindBuy, "c", now); err != nil {
			t.Fatalf("session %d of one address: %v", n, err)
		}
	}
	refusedWith(t, "a sixth of one address", d.admit(keyOf(105, 0), message.KindBuy, "c", now), message.CodeRate)
	if err := d.admit(keyOf(200, 0), message.KindTopUp, "d", now); err != nil {
		t.Fatal(err)
	}
	d.put(keyOf(200, 0), openOffer{kind: message.KindTopUp, ends: now.Add(offerTTL)})
	refusedWith(t, "a second open top-up in a session", d.admit(keyOf(200, 1), message.KindTopUp, "e", now.Add(11*time.Second)), message.CodeRate)
	if err := d.admit(keyOf(200, 2), message.KindBuy, "e", now.Add(11*time.Second)); err != nil {
		t.Errorf("a purchase beside a top-up: %v", err)
	}
	refusedWith(t, "two top-ups", d.admit(keyOf(201, 0), message.KindTopUp, "d", now.Add(9*time.Second)), message.CodeRate)
	if err := d.admit(keyOf(202, 0), message.KindTopUp, "d", now.Add(10*time.Second)); err != nil {
		t.Errorf("after ten seconds: %v", err)
	}
}

// TestDeskRepeats: the same bytes while more than ten seconds are left.
func TestDeskRepeats(t *testing.T) {
	d := newDesk(limits())
	d.put(keyOf(1, 1), openOffer{body: []byte("offer"), ends: begun().Add(offerTTL)})
	for _, tc := range []struct {
		name  string
		key   deskKey
		after time.Duration
		want  bool
	}{
		{"at once", keyOf(1, 1), 0, true}, {"at 49 s", keyOf(1, 1), 49 * time.Second, true},
		{"at 50 s", keyOf(1, 1), 50 * time.Second, false}, {"another session", keyOf(2, 1), 0, false}, {"other goods", keyOf(1, 2), 0, false},
	} {
		body, ok := d.repeat(tc.key, begun().Add(tc.after))
		if ok != tc.want || ok && string(body) != "offer" {
			t.Errorf("%s: %q, %v", tc.name, body, ok)
		}
	}
	d.put(keyOf(1, 1), openOffer{body: []byte("new"), ends: begun().Add(2 * offerTTL)})
	if d.in[keyOf(1, 1).session] != 1 {
		t.Errorf("a replaced offer counts: %d", d.in[keyOf(1, 1).session])
	}
}

// TestDeskIsBounded: a flood of unpaid offers from everywhere stops at the
// limit, and is gone a minute later.
func TestDeskIsBounded(t *testing.T) {
	d := newDesk(Limits{Offers: 1e6, Addresses: 1e6})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	now, made := begun(), 0
	for n := range 2 * maxOffers {
		k := keyOf(n, 0)
		if err := d.admit(k, message.KindBuy, k.session.String(), now); err != nil {
			refusedWith(t, "over the limit", err, message.CodeBusy)
			continue
		}
		d.put(k, openOffer{body: make([]byte, 7<<10), ends: now.Add(offerTTL)})
		made++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d open offers of 7 kB take %d kB", made, (after.HeapAlloc-before.HeapAlloc)>>10)
	if made != maxOffers || d.size() != maxOffers {
		t.Errorf("%d offers", d.size())
	}
	if err := d.admit(keyOf(1, 1), message.KindBuy, "x", now.Add(offerTTL)); err != nil || d.size() != 0 || len(d.in) != 0 {
		t.Errorf("a minute later: %v, %d offers, %d sessions", err, d.size(), len(d.in))
	}
}
