package origin

import (
	"sync"
	"time"

	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Limits on offers (SNE-SPEC section 6).
const (
	maxOpenOffers = 4                // in one session
	maxOpenTopUps = 1                // of them
	offerTTL      = 60 * time.Second // how long one may be paid
	repeatLeft    = 10 * time.Second // less life than this, and a repeat is a new offer
	maxOffers     = 4096             // in all sessions: about 30 MB
)

// deskKey says what an offer answers: the same BUY or TOPUP in the same session
// gets the same offer.
type deskKey struct {
	session wire.SessionID
	body    [32]byte // message.BodyHash: kind, rail and goods
}

// openOffer is an offer that may still be paid.
type openOffer struct {
	body []byte       // of the OFFER message, for the repeat
	kind message.Kind // of what it answers
	hash [32]byte
	ends time.Time
}

// desk holds the offers that are open: built once, repeated byte for byte, and
// bounded in number for a session, an address and the house. Offers end with
// their time, with their payment, or with the process; what was paid is in the
// books.
type desk struct {
	address *limiter // BUY
	tops    *limiter // TOPUP, by address
	pace    *limiter // by session

	mu   sync.Mutex
	open map[deskKey]openOffer
	in   map[wire.SessionID]int // how many are open
}

func newDesk(l Limits) *desk {
	return &desk{
		address: newLimiter(l.Offers, int(max(1, l.Offers)), l.Addresses),
		tops:    newLimiter(l.Offers/50, 1, l.Addresses),
		pace:    newLimiter(l.Offers/5, int(max(1, l.Offers/5)), l.Addresses),
		open:    map[deskKey]openOffer{}, in: map[wire.SessionID]int{},
	}
}

// repeat returns an offer again that was made before.
func (d *desk) repeat(k deskKey, now time.Time) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.open[k]
	if !ok || o.ends.Sub(now) <= repeatLeft {
		return nil, false
	}
	return o.body, true
}

// admit says whether a new offer may be made, or when to ask again.
func (d *desk) admit(k deskKey, kind message.Kind, address string, now time.Time) error {
	d.mu.Lock()
	d.sweep(now)
	full := len(d.open) >= maxOffers
	retry, crowded := d.crowded(k.session, kind, now)
	d.mu.Unlock()
	if full {
		return tooMany(message.CodeBusy, 5*time.Second)
	}
	if crowded {
		return tooMany(message.CodeRate, retry)
	}
	if ok, retry := d.pace.allow(k.session.String(), now); !ok {
		return tooMany(message.CodeRate, retry)
	}
	perAddress := d.address
	if kind == message.KindTopUp {
		perAddress = d.tops
	}
	if ok, retry := perAddress.allow(address, now); !ok {
		return tooMany(message.CodeRate, retry)
	}
	return nil
}

func tooMany(c message.ErrorCode, retry time.Duration) error {
	return &message.Error{Code: c, RetryMs: uint32(retry.Milliseconds())}
}

// crowded reports whether a session has all the offers that it may, and when
// the first of them ends.
func (d *desk) crowded(id wire.SessionID, kind message.Kind, now time.Time) (time.Duration, bool) {
	if d.in[id] == 0 {
		return 0, false
	}
	retry, same := offerTTL, 0
	for k, o := range d.open {
		if k.session == id {
			retry = min(retry, o.ends.Sub(now))
			if o.kind == kind {
				same++
			}
		}
	}
	if d.in[id] < maxOpenOffers && (kind != message.KindTopUp || same < maxOpenTopUps) {
		return 0, false
	}
	return max(retry, time.Second), true
}

// put keeps an offer. One that it replaces is forgotten here; its invoice ends
// by itself.
func (d *desk) put(k deskKey, o openOffer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.open[k]; !ok {
		d.in[k.session]++
	}
	d.open[k] = o
}

// final forgets an offer that was paid or cancelled.
func (d *desk) final(hash [32]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, o := range d.open {
		if o.hash == hash {
			d.drop(k)
		}
	}
}

// sweep forgets offers whose time is over.
func (d *desk) sweep(now time.Time) {
	for k, o := range d.open {
		if !now.Before(o.ends) {
			d.drop(k)
		}
	}
}

func (d *desk) drop(k deskKey) {
	delete(d.open, k)
	if d.in[k.session]--; d.in[k.session] <= 0 {
		delete(d.in, k.session)
	}
}

// size counts the offers that are open.
func (d *desk) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}
