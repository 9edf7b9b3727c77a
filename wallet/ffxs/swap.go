package ffxs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// Refresh exchanges all free tokens of older key sets for tokens of the
// issuing one, 32 at a time. Call it now and then: an old set ends.
func (p *Purse) Refresh(ctx context.Context, root string) error {
	sets, err := p.sets(ctx, root)
	if err != nil {
		return err
	}
	for {
		swapped, err := p.exchange(ctx, root, sets[1:], sets[0])
		if err != nil || !swapped {
			return err
		}
	}
}

// consolidate makes fewer tokens of many: one exchange, of an older key set
// if there is one, else of the smallest tokens.
func (p *Purse) consolidate(ctx context.Context, root string, sets []keySet) error {
	swapped, err := p.exchange(ctx, root, sets[1:], sets[0])
	if err != nil || swapped {
		return err
	}
	if swapped, err = p.exchange(ctx, root, sets[:1], sets[0]); err == nil && !swapped {
		return wallet.ErrAgain
	}
	return err
}

// exchange swaps up to 32 of the smallest free tokens of the oldest of the
// given sets; false means that there are none.
func (p *Purse) exchange(ctx context.Context, root string, from []keySet, to keySet) (bool, error) {
	var s issue
	found := false
	err := p.store.Update(ctx, func(tx wallet.Tx) error {
		for k := len(from) - 1; k >= 0 && !found; k-- {
			have, _, err := freeTokens(ctx, tx, root, from[k].id)
			if err != nil {
				return err
			}
			pick := smallest(have)
			if pick.count() == 0 {
				continue
			}
			holder := "swap:" + rand.Text()
			if err := hold(ctx, tx, root, selection{set: from[k], pick: pick}, holder); err != nil {
				return err
			}
			if s, err = p.intendSwap(ctx, tx, root, holder, to); err != nil {
				return err
			}
			found = true
		}
		return nil
	})
	if err != nil || !found {
		return false, err
	}
	return true, p.swap(ctx, s)
}

// smallest picks as many of the smallest tokens as one spend holds.
func smallest(have shape) shape {
	var out shape
	left := uint8(token.MaxTokens)
	for d := range have {
		out[d] = min(have[d], left)
		left -= out[d]
	}
	return out
}

// intendSwap writes the exchange of what holder has.
func (p *Purse) intendSwap(ctx context.Context, tx wallet.Tx, root, holder string, to keySet) (issue, error) {
	spend, err := p.held(ctx, tx, holder)
	if err != nil {
		return issue{}, err
	}
	s := issue{root: root, kind: "swap", ref: holder, set: to}
	var ok bool
	if s.shape, ok = fewest(to, spend.Units()); !ok {
		return s, fmt.Errorf("ffxs: %d units do not fit the key set", spend.Units())
	}
	if s.batch, err = p.seed.spendBatch(ctx, tx, spend.Append(nil)); err != nil {
		return s, err
	}
	return s, s.write(ctx, tx)
}

// swap sends an exchange that is written down and books its end.
func (p *Purse) swap(ctx context.Context, s issue) error {
	p.step(StepIssueCommitted)
	evals, err := p.askSwap(ctx, s)
	if errors.Is(err, ErrRefused) || errors.Is(err, ErrSpent) {
		holder, state := "", "refused"
		if errors.Is(err, ErrSpent) {
			holder, state = "lost:"+s.ref, "lost"
		}
		end := p.store.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
			if open, err := pending(ctx, tx, s); err != nil || !open {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE ffxs_token SET holder = ? WHERE holder = ?", holder, s.ref); err != nil {
				return err
			}
			return s.end(ctx, tx, state)
		})
		return errors.Join(fmt.Errorf("ffxs: swap: %w", err), end)
	}
	if err != nil {
		return fmt.Errorf("ffxs: swap: %w", err)
	}
	p.step(StepIssueAnswered)
	err = p.store.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
		if open, err := pending(ctx, tx, s); err != nil || !open {
			return err
		}
		if err := p.settleSwap(ctx, tx, s, evals); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE ffxs_token SET holder = '' WHERE holder = ?", s.ref)
		return err
	})
	if err == nil {
		p.step(StepIssueCredited)
	}
	return err
}

// askSwap shows the tokens that s holds, with the blinds of s.
func (p *Purse) askSwap(ctx context.Context, s issue) ([]byte, error) {
	o, err := p.Origin(s.root)
	if err != nil {
		return nil, err
	}
	var spend token.Spend
	err = p.store.View(ctx, func(tx wallet.Tx) (err error) {
		spend, err = p.held(ctx, tx, s.ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	blinds, _, err := p.blind(s)
	if err != nil {
		return nil, err
	}
	return o.Swap(ctx, spend.Append(nil), s.set.id, blinds.Append(nil))
}

// settleSwap puts the new tokens in the place of the old ones, under the same
// holder.
func (p *Purse) settleSwap(ctx context.Context, tx wallet.Tx, s issue, evals []byte) error {
	outs, err := p.finalize(s, evals)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM ffxs_token WHERE holder = ?", s.ref); err != nil {
		return err
	}
	return p.credit(ctx, tx, s, outs, s.ref)
}

// Resume implements wallet.Rail: it exchanges the tokens of the purchase for
// others. If the origin does that, they were never spent; if it calls them
// spent, they went for the goods.
func (p *Purse) Resume(ctx context.Context, id string) (wallet.Receipt, error) {
	s, err := p.intendResume(ctx, id)
	if err != nil {
		return wallet.Receipt{}, err
	}
	p.step(StepIssueCommitted)
	evals, err := p.askSwap(ctx, s)
	switch {
	case errors.Is(err, ErrSpent):
		// The change is a sign for Settle that this end is the exchange's own.
		return wallet.Receipt{Outcome: wallet.Lost, Change: wallet.Bearer{0}, Reason: "it was paid and its goods were never fetched"}, nil
	case err != nil:
		return wallet.Receipt{}, fmt.Errorf("ffxs: resume: %w", err)
	}
	p.step(StepIssueAnswered)
	return wallet.Receipt{Outcome: wallet.Refused, Change: evals, Reason: "it was never redeemed"}, nil
}

// intendResume writes the exchange of a purchase's tokens, or finds it.
func (p *Purse) intendResume(ctx context.Context, id string) (issue, error) {
	var root string
	err := p.store.View(ctx, func(tx wallet.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT root FROM ffxs_spend WHERE id = ? AND state = 'held'", id).Scan(&root)
	})
	if err != nil {
		return issue{}, fmt.Errorf("ffxs: resume %s: %w", id, err)
	}
	sets, err := p.sets(ctx, root)
	if err != nil {
		return issue{}, err
	}
	var s issue
	err = p.store.Update(ctx, func(tx wallet.Tx) error {
		old, err := readIssues(ctx, tx, "kind = 'swap' AND ref = ? AND i.state = 'pending'", holderOf(id))
		if err != nil {
			return err
		}
		if len(old) > 0 {
			s = old[0]
			return nil
		}
		s, err = p.intendSwap(ctx, tx, root, holderOf(id), sets[0])
		return err
	})
	return s, err
}
