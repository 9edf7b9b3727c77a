package sale

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
)

// ErrNoInvoices means that nobody reads invoices here: offers are not asked for.
var ErrNoInvoices = errors.New("sne: this hub does not pay by Lightning")

// maxHeld is more than an origin may leave open in one session.
const maxHeld = 8

// heldOffer is what a lane keeps of an offer until it has expired: the session
// may get it once more, under the salt of the exchange that carried it first.
type heldOffer struct {
	salt kdf.Secret
	tbs  [32]byte // SHA-256
	sent time.Time
	ttl  time.Duration
}

// dropOffers forgets all salts.
func (l *lane) dropOffers() {
	for _, h := range l.held {
		h.salt.Erase()
	}
	l.held = nil
}

// expireOffers forgets the salts of offers that the session cannot get again.
func (l *lane) expireOffers(now time.Time) {
	for hash, h := range l.held {
		if now.Sub(h.sent) > h.ttl {
			h.salt.Erase()
			delete(l.held, hash)
		}
	}
}

// remember keeps the salt of a verified offer.
func (l *lane) remember(c *offer.Claim) {
	if l.held[c.PaymentHash] != nil || len(l.held) >= maxHeld {
		return
	}
	if l.held == nil {
		l.held = make(map[[32]byte]*heldOffer)
	}
	l.held[c.PaymentHash] = &heldOffer{salt: c.Salt, tbs: sha256.Sum256(c.TBS), sent: l.sent, ttl: time.Duration(c.TTL) * time.Second}
}

// heldCopy is what offer.Verify asks.
func (l *lane) heldCopy(hash [32]byte) *offer.Held {
	h := l.held[hash]
	if h == nil {
		return nil
	}
	return &offer.Held{Salt: h.salt, TBS: h.tbs, Sent: h.sent}
}

// Offer asks for the epochs of records by Lightning (BUY rail 1) and does step
// 2 of the listener's order, the invoice included. price is the hub's own, in
// msat. What comes back may be paid until its Deadline, once the segments are
// there; the wallet writes it down first. Asked again in the same session it is
// the same offer. Errors: *message.Error, offer.ErrOffer and what
// offer.Verify gives.
func (c *Client) Offer(ctx context.Context, records []*manifest.Record, price uint64) (*offer.Claim, error) {
	rng, err := rangeOf(records)
	if err != nil {
		return nil, err
	}
	body, err := (&message.Buy{Rail: message.RailLightning, Range: rng}).Marshal()
	if err != nil {
		return nil, err
	}
	return c.offer(ctx, c.buying, message.KindBuy, body, offer.Want{Price: price, Records: records})
}

// OfferTokens asks for evaluations of blinds by Lightning (TOPUP rail 1), in a
// session of its own. price is the ceiling in msat. Otherwise as Offer.
func (c *Client) OfferTokens(ctx context.Context, keyset wire.ID, blinds []byte, price uint64) (*offer.Claim, error) {
	raw, err := c.KeySet(ctx, keyset)
	if err != nil {
		return nil, err
	}
	body, err := (&message.TopUp{Rail: message.TopUpLightning, KeySet: keyset, Blinds: blinds}).Marshal()
	if err != nil {
		return nil, err
	}
	defer c.endTopping()
	return c.offer(ctx, c.topping, message.KindTopUp, body, offer.Want{Price: price, KeySet: raw, Blinds: blinds})
}

func (c *Client) offer(ctx context.Context, l *lane, kind message.Kind, body []byte, w offer.Want) (*offer.Claim, error) {
	if c.cfg.Invoice == nil {
		return nil, ErrNoInvoices
	}
	if err := l.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer l.gate.leave()
	var base kdf.Secret
	l.base = &base
	defer func() { base.Erase(); l.base = nil }()
	raw, err := c.askIn(ctx, l, kind, body, message.KindOffer)
	if err != nil {
		return nil, err
	}
	o, err := message.ParseOffer(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	w.Bundle, w.Base, w.Held, w.Sent, w.Now = l.from, &base, l.heldCopy, l.sent, time.Now()
	claim, err := offer.Verify(o, w)
	if err != nil {
		return nil, err
	}
	l.remember(claim)
	if err := c.checkInvoice(ctx, claim, l); err != nil {
		claim.Erase()
		return nil, err
	}
	return claim, nil
}

func (c *Client) checkInvoice(ctx context.Context, claim *offer.Claim, l *lane) error {
	inv, err := c.cfg.Invoice(ctx, claim.Bolt11)
	if err != nil {
		return fmt.Errorf("sne: invoice: %w", err)
	}
	return claim.CheckInvoice(inv, l.from.LightningNodes, c.cfg.Network)
}

// Unlock turns a paid Claim, as the ledger kept it, into the keys of records.
// It needs no origin. Beside a *BadKeysError the Grant holds the good keys;
// the error also wraps the *offer.FaultError, for which the Claim is the proof.
func Unlock(records []*manifest.Record, claim []byte) (*Grant, error) {
	rng, err := rangeOf(records)
	if err != nil {
		return nil, err
	}
	c, err := offer.ParseClaim(claim)
	if err != nil {
		return nil, err
	}
	defer c.Erase()
	if c.Goods != offer.GoodsEpochs || c.Range != rng {
		return nil, fmt.Errorf("%w: the purchase is of other epochs", ErrRange)
	}
	u, err := c.Unlock()
	if u == nil {
		return nil, err
	}
	g := &Grant{Range: rng, AmountMsat: c.AmountMsat, Split: c.Split, Keys: u.Keys}
	var fault *offer.FaultError
	if errors.As(err, &fault) {
		return g, fmt.Errorf("%w: %w", &BadKeysError{Epochs: fault.Epochs}, err)
	}
	return g, err
}
