package ffxs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// TopUp turns a voucher into units and returns their worth. A voucher whose
// exchange was cut off is finished by the same call, or by Finish.
func (p *Purse) TopUp(ctx context.Context, root, code string) (wallet.Msat, error) {
	code = strings.ToLower(strings.TrimSpace(code)) // as typed by a person
	v, err := token.ParseVoucher(code)
	if err != nil {
		return 0, ErrVoucher
	}
	sets, err := p.sets(ctx, root)
	if err != nil {
		return 0, err
	}
	var s issue
	err = p.store.Update(ctx, func(tx wallet.Tx) error {
		s, err = p.intendTopUp(ctx, tx, root, code, v.Units, sets)
		return err
	})
	if err != nil {
		return 0, err
	}
	p.step(StepIssueCommitted)
	if err := p.topUp(ctx, s, code); err != nil {
		return 0, err
	}
	return wallet.Msat(v.Units) * unit(sets), nil
}

// intendTopUp writes the issue of a voucher, or finds the one that is pending.
func (p *Purse) intendTopUp(ctx context.Context, tx wallet.Tx, root, code string, units uint64, sets []keySet) (issue, error) {
	sum := sha256.Sum256([]byte(root + " " + code))
	ref := hex.EncodeToString(sum[:])
	old, err := readIssues(ctx, tx, "kind = 'topup' AND ref = ?", ref)
	if err != nil {
		return issue{}, err
	}
	if len(old) > 0 && old[0].state == "pending" {
		return old[0], nil
	}
	if len(old) > 0 && old[0].state == "done" {
		return issue{}, ErrVoucherUsed
	}
	if len(old) > 0 { // refused before: perhaps it is good by now
		if _, err := tx.ExecContext(ctx, "DELETE FROM ffxs_issue WHERE id = ?", old[0].id); err != nil {
			return issue{}, err
		}
	}
	if err := p.checkLimit(ctx, tx, root, units, unit(sets)); err != nil {
		return issue{}, err
	}
	s := issue{root: root, kind: "topup", ref: ref, set: sets[0]}
	var ok bool
	if s.shape, ok = spread(sets[0], units); !ok {
		return issue{}, fmt.Errorf("ffxs: a voucher of %d units does not fit this platform's denominations", units)
	}
	if s.batch, err = p.seed.voucherBatch(root, sets[0].id, code); err != nil {
		return issue{}, err
	}
	if s.sealed, err = p.Key.Seal([]byte("ffxs voucher "+ref), []byte(code)); err != nil {
		return issue{}, err
	}
	return s, s.write(ctx, tx)
}

// checkLimit refuses more than the owner wants to lie at one origin; money
// set aside and top-ups under way count.
func (p *Purse) checkLimit(ctx context.Context, tx wallet.Tx, root string, units uint64, unit wallet.Msat) error {
	var there int64
	limit := p.Limit
	err := tx.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(sum(1 << denom), 0) FROM ffxs_token WHERE root = ?1 AND holder NOT LIKE 'lost:%') +
		(SELECT coalesce(sum(units), 0) FROM ffxs_issue WHERE root = ?1 AND kind = 'topup' AND state = 'pending'),
		(SELECT coalesce(limit_msat, ?2) FROM ffxs_root WHERE root = ?1)`, root, p.Limit).Scan(&there, &limit)
	if err != nil {
		return err
	}
	balance, asked := wallet.Msat(there)*unit, wallet.Msat(units)*unit
	if balance+asked > limit {
		return &LimitError{Limit: limit, Balance: balance, Asked: asked}
	}
	return nil
}

// topUp sends the blinds of s and takes the tokens in.
func (p *Purse) topUp(ctx context.Context, s issue, code string) error {
	o, err := p.Origin(s.root)
	if err != nil {
		return fmt.Errorf("ffxs: %w", err)
	}
	blinds, _, err := p.blind(s)
	if err != nil {
		return err
	}
	evals, err := o.TopUp(ctx, s.set.id, blinds.Append(nil), code)
	if errors.Is(err, ErrRefused) || errors.Is(err, ErrSpent) {
		end := p.store.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
			if open, err := pending(ctx, tx, s); err != nil || !open {
				return err
			}
			return s.end(ctx, tx, "refused")
		})
		if errors.Is(err, ErrSpent) {
			err = ErrVoucherUsed
		}
		return errors.Join(fmt.Errorf("ffxs: top-up: %w", err), end)
	}
	if err != nil {
		return fmt.Errorf("ffxs: top-up: %w", err)
	}
	p.step(StepIssueAnswered)
	outs, err := p.finalize(s, evals)
	if err != nil {
		return fmt.Errorf("ffxs: top-up: %w", err)
	}
	err = p.store.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
		if open, err := pending(ctx, tx, s); err != nil || !open {
			return err
		}
		return p.credit(ctx, tx, s, outs, "")
	})
	if err == nil {
		p.step(StepIssueCredited)
	}
	return err
}

// pending reports whether s is still open: another call may have ended it.
func pending(ctx context.Context, tx wallet.Tx, s issue) (bool, error) {
	now, err := readIssues(ctx, tx, "i.id = ?", s.id)
	return err == nil && len(now) == 1 && now[0].state == "pending", err
}

// Finish sends pending top-ups and swaps of root again. Call it at start.
func (p *Purse) Finish(ctx context.Context, root string) error {
	var open []issue
	err := p.store.View(ctx, func(tx wallet.Tx) (err error) {
		open, err = readIssues(ctx, tx, "i.root = ? AND i.state = 'pending' AND (kind = 'topup' OR ref LIKE 'swap:%')", root)
		return err
	})
	for _, s := range open {
		if s.kind == "swap" {
			err = errors.Join(err, p.swap(ctx, s))
			continue
		}
		code, bad := p.Key.Open([]byte("ffxs voucher "+s.ref), s.sealed)
		if bad == nil {
			bad = p.topUp(ctx, s, string(code))
		}
		err = errors.Join(err, bad)
	}
	return err
}
