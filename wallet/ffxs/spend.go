package ffxs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// maxSwaps bounds how often one quote exchanges small tokens for large ones.
const maxSwaps = 16

// errResuming keeps a purchase in flight whose tokens are being exchanged:
// only the end of that exchange says where the money is.
var errResuming = errors.New("ffxs: the tokens of this purchase are being exchanged, its end is not known yet")

// priceUnits is how many units pay for an amount.
func priceUnits(price, unit wallet.Msat) uint64 { return uint64((price + unit - 1) / unit) }

// Quote implements wallet.Rail. If the money is there, but in more than 32
// tokens or under several key sets, tokens are swapped until one spend holds it.
func (p *Purse) Quote(ctx context.Context, i wallet.Intent) (wallet.Quote, error) {
	sets, err := p.sets(ctx, i.Root)
	if err != nil {
		return wallet.Quote{}, err
	}
	units := priceUnits(i.Price, unit(sets))
	q := wallet.Quote{Cost: wallet.Msat(units) * unit(sets)}
	for range maxSwaps {
		var total uint64
		var ok bool
		err := p.store.View(ctx, func(tx wallet.Tx) error {
			c, err := p.selectTokens(ctx, tx, i.Root, sets, units)
			total, ok = c.total, c.ok
			return err
		})
		if err != nil || ok {
			return q, err
		}
		if total < units {
			return q, &wallet.EmptyError{Balance: wallet.Msat(total) * unit(sets), Asked: q.Cost}
		}
		if err := p.consolidate(ctx, i.Root, sets); err != nil {
			return q, err
		}
	}
	return q, fmt.Errorf("ffxs: %d units do not fit into one spend", units)
}

// selection is a choice of tokens of one key set.
type selection struct {
	set   keySet
	pick  shape
	ok    bool
	total uint64 // units in all usable sets
}

// selectTokens chooses free tokens for a number of units, of the oldest key
// set first.
func (p *Purse) selectTokens(ctx context.Context, tx wallet.Tx, root string, sets []keySet, units uint64) (selection, error) {
	var out selection
	for k := len(sets) - 1; k >= 0; k-- {
		have, sum, err := freeTokens(ctx, tx, root, sets[k].id)
		if err != nil {
			return out, err
		}
		out.total += sum
		if out.ok {
			continue
		}
		if pick, ok := choose(have, units); ok {
			out.set, out.pick, out.ok = sets[k], pick, true
		}
	}
	return out, nil
}

// freeTokens counts the free tokens of one set; more than 255 of a kind
// count as 255, which is more than a spend can hold.
func freeTokens(ctx context.Context, tx wallet.Tx, root string, set [32]byte) (shape, uint64, error) {
	rows, err := tx.QueryContext(ctx, `SELECT denom, count(*) FROM ffxs_token t JOIN ffxs_issue i ON i.id = t.issue
		WHERE t.root = ? AND holder = '' AND keyset = ? GROUP BY denom`, root, set[:])
	if err != nil {
		return shape{}, 0, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var have shape
	var sum uint64
	for rows.Next() {
		var d uint8
		var n uint64
		if err := rows.Scan(&d, &n); err != nil {
			return have, 0, err
		}
		if int(d) >= len(have) {
			return have, 0, fmt.Errorf("ffxs: token of denomination %d in the purse", d)
		}
		have[d] = uint8(min(n, 255))
		sum += n << d
	}
	return have, sum, rows.Err()
}

// hold sets the chosen tokens aside for holder.
func hold(ctx context.Context, tx wallet.Tx, root string, s selection, holder string) error {
	for d, n := range s.pick {
		if n == 0 {
			continue
		}
		res, err := tx.ExecContext(ctx, `UPDATE ffxs_token SET holder = ? WHERE id IN (SELECT t.id FROM ffxs_token t JOIN ffxs_issue i ON i.id = t.issue
			WHERE t.root = ? AND holder = '' AND denom = ? AND keyset = ? ORDER BY t.id LIMIT ?)`, holder, root, d, s.set.id[:], n)
		if err != nil {
			return err
		}
		if got, err := res.RowsAffected(); err != nil || got != int64(n) {
			return errors.Join(wallet.ErrAgain, err)
		}
	}
	return nil
}

// held builds the tokens that holder has: always in the same order, so always
// the same bytes.
func (p *Purse) held(ctx context.Context, tx wallet.Tx, holder string) (token.Spend, error) {
	rows, err := tx.QueryContext(ctx, `SELECT keyset, batch, denom, i, y FROM ffxs_token t JOIN ffxs_issue s ON s.id = t.issue
		WHERE holder = ? ORDER BY denom, t.id`, holder)
	if err != nil {
		return token.Spend{}, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out token.Spend
	for rows.Next() {
		var set, b, y []byte
		var d uint8
		var i int
		if err := rows.Scan(&set, &b, &d, &i, &y); err != nil {
			return out, err
		}
		if len(set) != 32 || len(b) != len(batch{}) || len(y) != 64 {
			return out, errors.New("ffxs: token row is damaged")
		}
		out.KeySet = [32]byte(set)
		t, err := p.seed.input(out.KeySet, batch(b), d, i)
		if err != nil {
			return out, err
		}
		if n := len(out.Groups); n == 0 || out.Groups[n-1].Denom != d {
			out.Groups = append(out.Groups, token.Group{Denom: d})
		}
		g := &out.Groups[len(out.Groups)-1]
		g.Tokens = append(g.Tokens, token.Token{T: t, Y: [64]byte(y)})
	}
	return out, rows.Err()
}

// holderOf names a purchase as the holder of tokens.
func holderOf(id string) string { return "purchase:" + id }

// Prepare implements wallet.Rail: tokens are set aside, change is derived and
// written down, and the body of BUY (rail 2) is built.
func (p *Purse) Prepare(ctx context.Context, tx wallet.Tx, id string, i wallet.Intent, _ wallet.Quote) (wallet.Bearer, error) {
	sets, err := listSets(ctx, tx, i.Root)
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, wallet.ErrAgain
	}
	units := priceUnits(i.Price, unit(sets))
	s, err := p.selectTokens(ctx, tx, i.Root, sets, units)
	if err != nil {
		return nil, err
	}
	if !s.ok {
		return nil, wallet.ErrAgain
	}
	if err := hold(ctx, tx, i.Root, s, holderOf(id)); err != nil {
		return nil, err
	}
	body := token.Redeem{KeySet: sets[0].id}
	if body.Spend, err = p.held(ctx, tx, holderOf(id)); err != nil {
		return nil, err
	}
	change := s.pick.units() - units
	if change > 0 {
		sh, ok := fewest(sets[0], change)
		if !ok {
			return nil, fmt.Errorf("ffxs: key set has no denominations for a change of %d units", change)
		}
		c := issue{root: i.Root, kind: "change", ref: id, set: sets[0], shape: sh}
		if c.batch, err = p.seed.spendBatch(ctx, tx, body.Spend.Append(nil)); err != nil {
			return nil, err
		}
		if err := c.write(ctx, tx); err != nil {
			return nil, err
		}
		if body.Blinds, _, err = p.blind(c); err != nil {
			return nil, err
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO ffxs_spend (id, root, units, change, unit_msat, state) VALUES (?, ?, ?, ?, ?, 'held')",
		id, i.Root, int64(s.pick.units()), int64(change), unit(sets))
	return body.Append(nil), err
}

// Pay implements wallet.Rail: the caller shows the body by itself.
func (p *Purse) Pay(_ context.Context, _ string, body wallet.Bearer) (wallet.Bearer, error) {
	return body, nil
}

// Settle implements wallet.Rail.
func (p *Purse) Settle(ctx context.Context, tx wallet.Tx, id string, r wallet.Receipt) (string, error) {
	var state string
	err := tx.QueryRowContext(ctx, "SELECT state FROM ffxs_spend WHERE id = ?", id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("ffxs: no tokens were set aside for purchase %s", id)
	}
	if err != nil || state != string(wallet.MoneyHeld) {
		return "", err
	}
	resuming, err := readIssues(ctx, tx, "kind = 'swap' AND ref = ? AND i.state = 'pending'", holderOf(id))
	if err != nil {
		return "", err
	}
	change, err := readIssues(ctx, tx, "kind = 'change' AND ref = ?", id)
	if err != nil {
		return "", err
	}
	switch r.Outcome {
	case wallet.Granted, wallet.Faulty:
		for _, s := range resuming { // it comes too late to be accepted
			if err := s.end(ctx, tx, "refused"); err != nil {
				return "", err
			}
		}
		return p.settleSpent(ctx, tx, id, change, r)
	case wallet.Refused:
		return "", p.settleFreed(ctx, tx, id, change, resuming, r)
	default:
		// Shown while its tokens were being exchanged, a body is rightly called spent.
		if len(resuming) > 0 && len(r.Change) == 0 {
			return "", errResuming
		}
		return "", settleLost(ctx, tx, id, append(change, resuming...))
	}
}

// settleSpent removes the tokens and takes the change in. Change that does
// not verify is gone: that is a fault of the origin.
func (p *Purse) settleSpent(ctx context.Context, tx wallet.Tx, id string, change []issue, r wallet.Receipt) (fault string, err error) {
	var credited uint64
	for _, c := range change {
		outs, bad := p.finalize(c, r.Change)
		switch {
		case errors.Is(bad, ErrProof):
			fault = "the change it gave back does not verify"
			err = c.end(ctx, tx, "lost")
		case bad != nil:
			err = bad
		default:
			credited = c.shape.units()
			err = p.credit(ctx, tx, c, outs, "")
		}
		if err != nil {
			return "", err
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM ffxs_token WHERE holder = ?", holderOf(id)); err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, "UPDATE ffxs_spend SET state = 'spent', credited = ? WHERE id = ?", int64(credited), id)
	if r.Outcome == wallet.Faulty {
		fault = "" // the caller knows of a worse one
	}
	return fault, err
}

// settleFreed gives the tokens back: the same ones, or those that Resume
// exchanged them for.
func (p *Purse) settleFreed(ctx context.Context, tx wallet.Tx, id string, change, resuming []issue, r wallet.Receipt) error {
	if len(resuming) > 0 {
		if len(r.Change) == 0 {
			return errResuming
		}
		if err := p.settleSwap(ctx, tx, resuming[0], r.Change); err != nil {
			return err
		}
	}
	for _, c := range change {
		if err := c.end(ctx, tx, "refused"); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE ffxs_token SET holder = '' WHERE holder = ?", holderOf(id)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE ffxs_spend SET state = 'freed' WHERE id = ?", id)
	return err
}

// settleLost writes the tokens off. They stay in the file, where a later
// word of the origin could still make them good.
func settleLost(ctx context.Context, tx wallet.Tx, id string, issues []issue) error {
	for _, c := range issues {
		if err := c.end(ctx, tx, "lost"); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE ffxs_token SET holder = ? WHERE holder = ?", "lost:"+id, holderOf(id)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE ffxs_spend SET state = 'lost' WHERE id = ?", id)
	return err
}
