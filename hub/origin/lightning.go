package origin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/origin/books"
	"sonahub/hub/origin/publish"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
	"sonahub/wallet"
	"sonahub/wallet/ffxs/mint"
)

// deal is one offer in the making.
type deal struct {
	head  *offer.Head
	plain []byte // of the lock
	entry books.Offer
}

// sell answers a BUY or a TOPUP by Lightning with an OFFER: the one that it
// made before, or a new one from draw.
func (o *Origin) sell(ctx context.Context, c *call, kind message.Kind, body []byte, draw func() (*deal, error)) (message.Kind, []byte, error) {
	if o.c.Till == nil {
		return 0, nil, refusal(message.CodeUnsupported)
	}
	if c.offered { // one in an exchange, or the answer could outgrow it
		return 0, nil, tooMany(message.CodeRate, time.Second)
	}
	now := time.Now()
	key := deskKey{c.session, message.BodyHash(kind, body)}
	if held, ok := o.desk.repeat(key, now); ok {
		c.offered = true
		return message.KindOffer, held, nil
	}
	if err := o.desk.admit(key, kind, c.address, now); err != nil {
		return 0, nil, err
	}
	d, err := draw()
	if err != nil {
		return 0, nil, err
	}
	defer clear(d.plain)
	if d.head.AmountMsat < offer.MinAmount {
		return 0, nil, refusal(message.CodePrice)
	}
	out, err := o.make(ctx, c, d, now)
	if err != nil {
		return 0, nil, err
	}
	o.desk.put(key, openOffer{body: out, kind: kind, hash: d.head.PaymentHash, ends: now.Add(offerTTL)})
	c.offered = true
	return message.KindOffer, out, nil
}

// make locks the goods under a fresh preimage, writes the offer down, and asks
// the till for its invoice. The preimage is then the till's alone.
func (o *Origin) make(ctx context.Context, c *call, d *deal, now time.Time) ([]byte, error) {
	g, ok := o.ring.ByID(c.bundle)
	if !ok {
		return nil, fmt.Errorf("origin: offer under a bundle that is gone")
	}
	var p kdf.Secret
	defer p.Erase()
	if err := kdf.Random(nil, p[:]); err != nil {
		return nil, err
	}
	d.head.Bundle, d.head.TTL = g.ID, uint32(offerTTL/time.Second)
	made, err := offer.Build(g.Online, c.base, &p, d.head, d.plain)
	if err != nil {
		return nil, err
	}
	d.entry.PaymentHash, d.entry.AmountMsat = d.head.PaymentHash, int64(d.head.AmountMsat)
	d.entry.Expires = o.c.Clock().Add(offerTTL)
	if err := o.books.Offer(ctx, d.entry); err != nil {
		return nil, err
	}
	made.Bolt11, err = o.c.Till.AddInvoice(ctx, p, wallet.Msat(d.head.AmountMsat), offer.DescriptionHash(made.TBS), offerTTL)
	if err != nil { // if there is an invoice after all, the collector finds it
		o.c.Logger.Error("no invoice", "error", err)
		return nil, tooMany(message.CodeBusy, time.Second)
	}
	return made.Marshal()
}

// drawEpochs prices a Range and takes its keys out of the store.
func (o *Origin) drawEpochs(ctx context.Context, b *message.Buy) (*deal, error) {
	if len(b.Body) > 0 {
		return nil, refusal(message.CodeBadRequest)
	}
	goods, err := o.price(ctx, b.Range)
	if err != nil {
		return nil, err
	}
	goods.Units = 0 // not paid by tokens
	records, err := o.records(ctx, b.Range)
	if err != nil {
		return nil, err
	}
	h := &offer.Head{Goods: offer.GoodsEpochs, AmountMsat: uint64(goods.AmountMsat), Range: b.Range}
	h.Split = []message.Share{{Role: publish.Role, Msat: h.AmountMsat}}
	for _, rec := range records {
		leaf, err := rec.Leaf()
		if err != nil {
			return nil, err
		}
		h.Leaves = append(h.Leaves, leaf)
	}
	grant, err := o.grant(ctx, b.Range, h.AmountMsat, nil)
	if err != nil {
		return nil, err
	}
	defer eraseKeys(grant.Keys)
	d := &deal{head: h, plain: make([]byte, 0, len(kdf.Secret{})*len(grant.Keys)), entry: books.Offer{Goods: goods}}
	for i := range grant.Keys {
		d.plain = append(d.plain, grant.Keys[i][:]...)
	}
	return d, nil
}

// records are those of a Range that is for sale, of a title or of a station.
func (o *Origin) records(ctx context.Context, g message.Range) ([]*manifest.Record, error) {
	s := o.stations.Get(g.Broadcast)
	if s == nil {
		t, err := o.tiers.get(ctx, g.Broadcast, g.Tier)
		if err != nil {
			return nil, err
		}
		return t.records[g.First : g.First+uint64(g.N)], nil
	}
	head, _ := s.Head()
	if head == nil { // it left the air this moment
		return nil, refusal(message.CodeNotFound)
	}
	page, err := s.Records(ctx, head.TreeSize, g.First, int(g.N))
	if err != nil {
		return nil, err
	}
	return manifest.VerifyRecords(head, g.First, int(g.N), page)
}

// drawUnits evaluates Blinds for a payment to come.
func (o *Origin) drawUnits(t *message.TopUp) (*deal, error) {
	if len(t.Body) > 0 {
		return nil, refusal(message.CodeBadRequest)
	}
	m, ok := o.ring.Mint(t.KeySet)
	if !ok || !o.c.Clock().Before(m.Terms().IssueUntil) {
		return nil, refusal(message.CodeKeySet)
	}
	units, err := mint.Units(t.Blinds)
	if err != nil || units == 0 {
		return nil, refusal(message.CodeBadRequest)
	}
	evals, err := m.Evaluate(t.Blinds)
	if err != nil {
		return nil, tokenRefusal(err, message.CodeBadRequest)
	}
	return &deal{
		head: &offer.Head{
			Goods: offer.GoodsTokens, AmountMsat: units * uint64(m.Unit()), KeySet: t.KeySet, Units: uint32(units),
			BlindsHash: wire.ID(sha256.Sum256(t.Blinds)),
		},
		plain: evals, entry: books.Offer{Units: int64(units)},
	}, nil
}

// Pace of the collector.
const (
	collectEvery = 5 * time.Second
	collectAfter = 30 * time.Second // an invoice is cancelled this long after its end, when nothing is in flight any more
)

// collecting books what was paid, and clears away what was not.
func (o *Origin) collecting(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := o.Collect(ctx); err != nil && ctx.Err() == nil {
			o.c.Logger.Error("cannot collect offers", "error", err)
		}
	}
}

// Collect asks the till about every open offer: paid ones are booked, expired
// ones cancelled and forgotten. It is called every few seconds; tests that look
// into the books call it too. An offer that the till cannot tell about is asked
// for again next time.
func (o *Origin) Collect(ctx context.Context) error {
	if o.c.Till == nil {
		return nil
	}
	open, err := o.books.OpenOffers(ctx)
	if err != nil {
		return err
	}
	now := o.c.Clock()
	var errs []error
	for _, x := range open {
		errs = append(errs, o.collect(ctx, x, now))
	}
	return errors.Join(errs...)
}

func (o *Origin) collect(ctx context.Context, x books.Offer, now time.Time) error {
	over := now.After(x.Expires.Add(collectAfter))
	settled, err := false, error(nil)
	if over {
		settled, err = o.c.Till.Cancel(ctx, x.PaymentHash)
	} else {
		settled, err = o.c.Till.Settled(ctx, x.PaymentHash)
	}
	switch {
	case err != nil:
		return fmt.Errorf("origin: till: %w", err)
	case settled:
		err = o.books.Sold(ctx, x.PaymentHash)
	case over:
		err = o.books.Drop(ctx, x.PaymentHash)
	default:
		return nil
	}
	o.desk.final(x.PaymentHash)
	return err
}

// openTill lets the Bundle name the till's node.
func (o *Origin) openTill(ctx context.Context) error {
	o.desk = newDesk(o.c.Limits)
	var nodes [][33]byte
	if o.c.Till != nil {
		node, err := o.c.Till.Node(ctx)
		if err != nil {
			return fmt.Errorf("origin: till: %w", err)
		}
		nodes = append(nodes, node)
	}
	return o.ring.SetNodes(nodes, o.c.Clock())
}
