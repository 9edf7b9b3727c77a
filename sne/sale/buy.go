package sale

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// Grant is what a purchase gave.
type Grant struct {
	Range      message.Range
	AmountMsat uint64          // the origin's price; the wallet compares it with its own
	Split      []message.Share // who gets how much of it
	Keys       []*Key          // one for each epoch; nil where the key did not fit
	Evals      []byte          // change, checked for shape; the wallet verifies the proofs
}

// Erase overwrites the keys.
func (g *Grant) Erase() {
	for _, k := range g.Keys {
		k.Erase()
	}
}

// BadKeysError names the epochs whose key does not fit the commitment in the
// manifest. The Grant beside it holds the good ones.
type BadKeysError struct{ Epochs []uint64 }

func (e *BadKeysError) Error() string {
	return fmt.Sprintf("sne: bought keys do not fit the manifest: epochs %v", e.Epochs)
}

// Is makes the error one of ErrCommit.
func (e *BadKeysError) Is(target error) bool { return target == ErrCommit }

// Grant asks for the opening grant: the first free epochs of a broadcast, which
// the catalogue names. records are verified and consecutive.
func (c *Client) Grant(ctx context.Context, records []*manifest.Record) (*Grant, error) {
	return c.buy(ctx, message.RailOpening, records, nil)
}

// Redeem buys the epochs of records with FFXS tokens. body is the rail body
// (Tokens; keyset_id; Blinds) exactly as the wallet wrote it down; the same
// body gives the same grant again, in any session. Beside a *BadKeysError or
// ErrChange the Grant is returned with what is good of it.
func (c *Client) Redeem(ctx context.Context, records []*manifest.Record, body []byte) (*Grant, error) {
	return c.buy(ctx, message.RailFFXS, records, body)
}

// Follow asks again for a purchase only to learn how it ended: also where its
// goods cannot be verified any more, because their creator was revoked or their
// records are gone. The Grant has no keys, and change that was checked for
// shape alone. Errors: as Redeem.
func (c *Client) Follow(ctx context.Context, rng message.Range, body []byte) (*Grant, error) {
	r, err := message.ParseRedeem(body)
	if err != nil {
		return nil, err
	}
	m, err := c.askGrant(ctx, message.RailFFXS, rng, body)
	if err != nil {
		return nil, err
	}
	return check(m, nil, r.Change)
}

func (c *Client) buy(ctx context.Context, rail message.Rail, records []*manifest.Record, body []byte) (*Grant, error) {
	rng, err := rangeOf(records)
	if err != nil {
		return nil, err
	}
	var change message.Blinds
	if rail == message.RailFFXS {
		r, err := message.ParseRedeem(body)
		if err != nil {
			return nil, err
		}
		change = r.Change
	}
	g, err := c.askGrant(ctx, rail, rng, body)
	if err != nil {
		return nil, err
	}
	return check(g, records, change)
}

func (c *Client) askGrant(ctx context.Context, rail message.Rail, rng message.Range, body []byte) (*message.Grant, error) {
	buy, err := (&message.Buy{Rail: rail, Range: rng, Body: body}).Marshal()
	if err != nil {
		return nil, err
	}
	raw, err := c.ask(ctx, c.buying, message.KindBuy, buy, message.KindGrant)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	g, err := message.ParseGrant(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if g.Range != rng {
		return nil, fmt.Errorf("%w: another range", ErrAnswer)
	}
	g.Evals = bytes.Clone(g.Evals) // raw is erased
	return g, nil
}

// check keeps the keys that fit and names those that do not.
func check(m *message.Grant, records []*manifest.Record, change message.Blinds) (*Grant, error) {
	g := &Grant{Range: m.Range, AmountMsat: m.AmountMsat, Split: m.Split, Keys: make([]*Key, len(records))}
	var bad []uint64
	for i, rec := range records {
		if !segment.Fits(&m.Keys[i], rec.Epoch, rec.Commit) {
			bad = append(bad, rec.Number)
			continue
		}
		k := m.Keys[i]
		g.Keys[i] = &k
	}
	for i := range m.Keys {
		m.Keys[i].Erase()
	}
	var errs []error
	if bad != nil {
		errs = append(errs, &BadKeysError{Epochs: bad})
	}
	if err := fitChange(m.Evals, change); err != nil {
		errs = append(errs, fmt.Errorf("%w: %w", ErrChange, err))
	} else {
		g.Evals = m.Evals
	}
	return g, errors.Join(errs...)
}

func fitChange(raw []byte, blinds message.Blinds) error {
	evals, err := message.ParseEvals(raw)
	if err != nil {
		return err
	}
	return evals.Fits(blinds)
}

// rangeOf wants 1 to 30 consecutive epochs of one tier.
func rangeOf(records []*manifest.Record) (message.Range, error) {
	if len(records) == 0 || len(records) > message.MaxRange {
		return message.Range{}, fmt.Errorf("%w: %d epochs", ErrRange, len(records))
	}
	first := records[0].Epoch
	for i, rec := range records {
		want := first
		want.Number += uint64(i)
		if rec.Epoch != want {
			return message.Range{}, fmt.Errorf("%w: epochs are not consecutive", ErrRange)
		}
	}
	return message.Range{Broadcast: first.Broadcast, Tier: first.Tier, First: first.Number, N: uint8(len(records))}, nil
}

// TopUp turns a voucher into evaluations of blinds, in a session of its own.
// The same voucher and blinds give the same answer again.
func (c *Client) TopUp(ctx context.Context, keyset wire.ID, blinds []byte, voucher string) ([]byte, error) {
	rail, err := message.MarshalVoucher(voucher)
	if err != nil {
		return nil, err
	}
	body, err := (&message.TopUp{Rail: message.TopUpVoucher, KeySet: keyset, Blinds: blinds, Body: rail}).Marshal()
	if err != nil {
		return nil, err
	}
	shape, err := message.ParseBlinds(blinds)
	if err != nil {
		return nil, err
	}
	return c.tokens(ctx, message.KindTopUp, body, keyset, shape)
}

// Swap exchanges tokens for evaluations of new blinds. body is (Tokens;
// keyset_id; Blinds) as for Redeem; the same body gives the same answer again.
func (c *Client) Swap(ctx context.Context, body []byte) ([]byte, error) {
	r, err := message.ParseRedeem(body)
	if err != nil {
		return nil, err
	}
	return c.tokens(ctx, message.KindSwap, body, r.KeySet, r.Change)
}

// tokens uses a session that ends with the answer, so that a top-up cannot be
// linked to purchases.
func (c *Client) tokens(ctx context.Context, kind message.Kind, body []byte, keyset wire.ID, blinds message.Blinds) ([]byte, error) {
	defer c.endTopping()
	raw, err := c.ask(ctx, c.topping, kind, body, message.KindTokens)
	if err != nil {
		return nil, err
	}
	t, err := message.ParseTokens(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if t.KeySet != keyset {
		return nil, fmt.Errorf("%w: another keyset", ErrAnswer)
	}
	if err := fitChange(t.Evals, blinds); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return append([]byte(nil), t.Evals...), nil
}

func (c *Client) endTopping() {
	c.topping.gate <- struct{}{}
	c.topping.drop()
	c.topping.gate.leave()
}
