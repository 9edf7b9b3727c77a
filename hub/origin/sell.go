package origin

import (
	"context"
	"crypto/sha256"
	"errors"

	"sonahub/hub/audio"
	"sonahub/hub/origin/books"
	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/mint"
)

// buy answers a BUY: by Lightning, by tokens, or by the opening grant.
func (o *Origin) buy(ctx context.Context, c *call, body []byte) (message.Kind, []byte, error) {
	b, err := message.ParseBuy(body)
	if err != nil {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	var grant *message.Grant
	switch b.Rail {
	case message.RailLightning:
		return o.sell(ctx, c, message.KindBuy, body, func() (*deal, error) { return o.drawEpochs(ctx, b) })
	case message.RailFFXS:
		grant, err = o.redeem(ctx, b, message.BodyHash(message.KindBuy, body))
	case message.RailOpening:
		grant, err = o.opening(ctx, c.session, b)
	default:
		err = refusal(message.CodeUnsupported)
	}
	if err != nil {
		return 0, nil, err
	}
	defer eraseKeys(grant.Keys)
	out, err := grant.Marshal()
	return message.KindGrant, out, err
}

func eraseKeys(keys []kdf.Secret) {
	for i := range keys {
		keys[i].Erase()
	}
}

// redeem is BUY rail 2. Whatever refuses, refuses before the one transaction
// that takes the tokens in; a body that is booked is answered again.
func (o *Origin) redeem(ctx context.Context, b *message.Buy, hash [32]byte) (*message.Grant, error) {
	r, err := mint.ParseRedeem(b.Body)
	if err != nil {
		return nil, refusal(message.CodeBadRequest)
	}
	goods, booked, err := o.books.Booked(ctx, hash)
	if err != nil {
		return nil, err
	}
	if !booked {
		if goods, err = o.price(ctx, b.Range); err != nil {
			return nil, err
		}
	}
	evals, spend, err := o.money(r, goods.Units, booked)
	if err != nil {
		return nil, err
	}
	if !booked {
		err := o.books.Redeem(ctx, books.Redemption{BodyHash: hash, Nullifiers: spend.Nullifiers,
			UnitsIn: int64(spend.Units), UnitsOut: int64(r.BlindUnits), Goods: goods})
		if errors.Is(err, books.ErrSpent) {
			return nil, refusal(message.CodeToken)
		}
		if err != nil {
			return nil, err
		}
	}
	return o.grant(ctx, b.Range, uint64(goods.AmountMsat), evals)
}

// price returns what a Range costs now, or refuses a Range that is not for
// sale.
func (o *Origin) price(ctx context.Context, g message.Range) (*books.Goods, error) {
	if s := o.stations.Get(g.Broadcast); s != nil {
		return o.stationPrice(s, g)
	}
	t, err := o.tiers.get(ctx, g.Broadcast, g.Tier)
	if errors.Is(err, shelf.ErrUnknown) {
		return nil, refusal(message.CodeNotFound)
	}
	if err != nil {
		return nil, err
	}
	end := g.First + uint64(g.N)
	if end > t.tree.Size() {
		return nil, refusal(message.CodeNotFound)
	}
	var frames uint64
	for _, rec := range t.records[g.First:end] {
		frames += uint64(rec.Frames)
	}
	return o.goods(g, frames, t.head)
}

// goods books what so many frames of a Range cost now.
func (o *Origin) goods(g message.Range, frames uint64, h *manifest.Head) (*books.Goods, error) {
	amount, ok := o.currentTerms().Price(g.Tier, frames, audio.Rate(h.Rate))
	if !ok {
		return nil, refusal(message.CodeNotFound)
	}
	return &books.Goods{Broadcast: g.Broadcast.String(), Tier: g.Tier, First: g.First, N: g.N,
		AmountMsat: int64(amount), Units: int64(o.ring.Issuing().PriceUnits(amount))}, nil
}

// money checks the tokens of a body and evaluates its blinds. units is what
// the goods cost. A body that is booked was checked then.
func (o *Origin) money(r mint.Redeem, units int64, booked bool) (evals []byte, spend mint.Spend, err error) {
	change := o.ring.Issuing()
	if r.BlindUnits > 0 {
		m, ok := o.ring.Mint(r.BlindsKeySet)
		if !ok || (!booked && !o.c.Clock().Before(m.Terms().IssueUntil)) {
			return nil, spend, refusal(message.CodeKeySet)
		}
		change = m
	}
	if !booked {
		m, ok := o.ring.Mint(r.TokensKeySet)
		if !ok {
			return nil, spend, refusal(message.CodeKeySet)
		}
		if r.TokenUnits != uint64(units)+r.BlindUnits {
			return nil, spend, refusal(message.CodePrice)
		}
		if spend, err = m.Verify(r.Tokens); err != nil {
			return nil, spend, tokenRefusal(err, message.CodeToken)
		}
	}
	if evals, err = change.Evaluate(r.Blinds); err != nil {
		return nil, spend, tokenRefusal(err, message.CodeBadRequest)
	}
	return evals, spend, nil
}

// tokenRefusal translates the mint's refusals; forged is what ErrToken means
// at this place.
func tokenRefusal(err error, forged message.ErrorCode) error {
	switch {
	case errors.Is(err, mint.ErrToken):
		return refusal(forged)
	case errors.Is(err, mint.ErrKeySet):
		return refusal(message.CodeKeySet)
	case errors.Is(err, mint.ErrMalformed):
		return refusal(message.CodeBadRequest)
	}
	return err
}

// opening is BUY rail 4: the leading epochs, once per session and broadcast.
func (o *Origin) opening(ctx context.Context, id wire.SessionID, b *message.Buy) (*message.Grant, error) {
	if len(b.Body) > 0 {
		return nil, refusal(message.CodeBadRequest)
	}
	goods, err := o.price(ctx, b.Range) // that it is for sale; the price is not asked
	if err != nil {
		return nil, err
	}
	if o.stations.Get(b.Range.Broadcast) != nil || b.Range.First+uint64(b.Range.N) > uint64(o.c.FreeEpochs) || !o.openings.take(id, b.Range.Broadcast) {
		return nil, refusal(message.CodePrice)
	}
	if err := o.books.Give(ctx, *goods); err != nil {
		o.openings.giveBack(id, b.Range.Broadcast)
		return nil, err
	}
	return o.grant(ctx, b.Range, 0, nil)
}

// grant gives the keys of a Range.
func (o *Origin) grant(ctx context.Context, g message.Range, amount uint64, evals []byte) (*message.Grant, error) {
	out := &message.Grant{Range: g, AmountMsat: amount, Keys: make([]kdf.Secret, g.N), Evals: evals}
	if amount > 0 {
		out.Split = []message.Share{{Role: publish.Role, Msat: amount}}
	}
	if s := o.stations.Get(g.Broadcast); s != nil {
		return out, stationKeys(ctx, s, g, out.Keys)
	}
	var master kdf.Secret
	defer master.Erase()
	if err := o.shelf.Master(ctx, &master, g.Broadcast); err != nil {
		return nil, err
	}
	for i := range out.Keys {
		e := segment.Epoch{Broadcast: g.Broadcast, Tier: g.Tier, Number: g.First + uint64(i)}
		if err := segment.EpochSecret(&out.Keys[i], &master, e); err != nil {
			eraseKeys(out.Keys)
			return nil, err
		}
	}
	return out, nil
}

// topUp answers a TOPUP, by Lightning or by voucher. What is booked is answered
// again, also when its key set signs nothing new any more.
func (o *Origin) topUp(ctx context.Context, c *call, body []byte) (message.Kind, []byte, error) {
	t, err := message.ParseTopUp(body)
	if err != nil {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	if t.Rail == message.TopUpLightning {
		return o.sell(ctx, c, message.KindTopUp, body, func() (*deal, error) { return o.drawUnits(t) })
	}
	if t.Rail != message.TopUpVoucher {
		return 0, nil, refusal(message.CodeUnsupported)
	}
	code, err := message.ParseVoucher(t.Body)
	if err != nil {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	blinds := sha256.Sum256(append(t.KeySet[:], t.Blinds...))
	repeat, err := o.books.Redeemed(ctx, code, blinds)
	if err != nil {
		return 0, nil, err
	}
	m, ok := o.ring.Mint(t.KeySet)
	if !ok || (!repeat && !o.c.Clock().Before(m.Terms().IssueUntil)) {
		return 0, nil, refusal(message.CodeKeySet)
	}
	units, err := mint.Units(t.Blinds)
	if err != nil || units == 0 {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	evals, err := m.Evaluate(t.Blinds) // before the voucher is used: bad points must not cost it
	if err != nil {
		return 0, nil, tokenRefusal(err, message.CodeBadRequest)
	}
	switch err := o.books.RedeemVoucher(ctx, code, int64(units), blinds); {
	case errors.Is(err, books.ErrVoucher):
		return 0, nil, refusal(message.CodeCredential)
	case errors.Is(err, books.ErrUsed):
		return 0, nil, refusal(message.CodeToken)
	case errors.Is(err, books.ErrUnits):
		return 0, nil, refusal(message.CodePrice)
	case err != nil:
		return 0, nil, err
	}
	return tokens(t.KeySet, evals)
}

// swap answers a SWAP: tokens for the same number of new units.
func (o *Origin) swap(ctx context.Context, body []byte) (message.Kind, []byte, error) {
	r, err := mint.ParseRedeem(body)
	if err != nil || r.BlindUnits == 0 {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	hash := message.BodyHash(message.KindSwap, body)
	_, booked, err := o.books.Booked(ctx, hash)
	if err != nil {
		return 0, nil, err
	}
	evals, spend, err := o.money(r, 0, booked)
	if err != nil {
		return 0, nil, err
	}
	if !booked {
		err := o.books.Redeem(ctx, books.Redemption{BodyHash: hash, Nullifiers: spend.Nullifiers,
			UnitsIn: int64(spend.Units), UnitsOut: int64(r.BlindUnits)})
		if errors.Is(err, books.ErrSpent) {
			return 0, nil, refusal(message.CodeToken)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	return tokens(r.BlindsKeySet, evals)
}

func tokens(keySet wire.ID, evals []byte) (message.Kind, []byte, error) {
	t := message.Tokens{KeySet: keySet, Evals: evals}
	out, err := t.Marshal()
	return message.KindTokens, out, err
}
