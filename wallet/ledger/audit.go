package ledger

import (
	"context"
	"errors"
	"fmt"

	"sonahub/wallet"
)

// ErrBooks is wrapped by every disagreement that Verify finds.
var ErrBooks = errors.New("ledger: books do not agree")

// Verify compares the ledger's rows with what each rail's purse says, row by
// row, after the rail has checked its own sums.
func (l *Ledger) Verify(ctx context.Context) error {
	return l.View(ctx, func(tx wallet.Tx) error {
		for _, rail := range l.Rails {
			moves, err := rail.Audit(ctx, tx)
			if err != nil {
				return fmt.Errorf("%w: rail %s: %w", ErrBooks, rail.Name(), err)
			}
			rows, err := selectRows(ctx, tx, "purchase", "rail = ?", rail.Number())
			if err != nil {
				return err
			}
			if err := compare(rows, moves); err != nil {
				return fmt.Errorf("%w: rail %s: %w", ErrBooks, rail.Name(), err)
			}
		}
		return checkPaid(ctx, tx)
	})
}

// checkPaid compares the running totals, of which the caps live, with the rows.
func checkPaid(ctx context.Context, tx wallet.Tx) error {
	for what, query := range map[string]string{
		"paid in all": "SELECT (SELECT msat FROM paid), coalesce(sum(cost), 0) FROM purchase WHERE " + bought,
		"spent":       "SELECT (SELECT coalesce(sum(msat), 0) FROM spent WHERE room = ''), coalesce(sum(cost), 0) FROM purchase WHERE state <> 'failed'",
		"spent in rooms": `SELECT (SELECT coalesce(sum(msat), 0) FROM spent WHERE room <> ''), coalesce(sum(cost), 0)
			FROM purchase JOIN purchase_room ON purchase = id WHERE state <> 'failed'`,
	} {
		var kept, sum wallet.Msat
		if err := tx.QueryRowContext(ctx, query).Scan(&kept, &sum); err != nil {
			return err
		}
		if kept != sum {
			return fmt.Errorf("%w: %s %s, the rows add up to %s", ErrBooks, kept, what, sum)
		}
	}
	return nil
}

func compare(rows []row, moves []wallet.Movement) error {
	purse := make(map[string]wallet.Movement, len(moves))
	for _, m := range moves {
		if _, twice := purse[m.ID]; twice {
			return fmt.Errorf("two movements for purchase %s", m.ID)
		}
		purse[m.ID] = m
	}
	for _, r := range rows {
		m, ok := purse[r.id]
		if !ok {
			return fmt.Errorf("purchase %s has moved no money", r.id)
		}
		delete(purse, r.id)
		if m.Cost != r.cost || !agrees(r.state, m.State) {
			return fmt.Errorf("purchase %s: ledger has %s at %s, purse %s at %s", r.id, r.state, r.cost, m.State, m.Cost)
		}
	}
	for id := range purse {
		return fmt.Errorf("money moved for purchase %s, which the ledger does not know", id)
	}
	return nil
}

// agrees reports whether money is where a row's state says. A lost purchase
// may have been paid before its goods were lost.
func agrees(s State, m wallet.MovementState) bool {
	switch s {
	case Intent, Sent, Redeeming:
		return m == wallet.MoneyHeld
	case Settled, Done, Faulty:
		return m == wallet.MoneySpent
	case Failed:
		return m == wallet.MoneyFreed
	case Lost:
		return m == wallet.MoneyLost || m == wallet.MoneySpent
	}
	return false
}
