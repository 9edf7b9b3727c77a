package ledger

import (
	"context"
	"fmt"

	"sonahub/wallet"
)

// Settle implements wallet.Payer. Unknown ids are ErrUnknown; an answer that
// contradicts an end already booked is ErrFinal.
func (l *Ledger) Settle(ctx context.Context, id string, r wallet.Receipt) error {
	if r.Outcome < wallet.Granted || r.Outcome > wallet.Lost {
		return fmt.Errorf("ledger: settle: no such outcome %d", r.Outcome)
	}
	// An answer that came is booked, even if the listener has gone meanwhile.
	err := l.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
		p, err := selectRow(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.state.unsettled() {
			err = l.settleOpen(ctx, tx, p, r)
		} else {
			err = l.settleAgain(ctx, tx, p, r)
		}
		l.step(StepSettleWriting)
		return err
	})
	if err != nil {
		return err
	}
	l.step(StepSettledCommitted)
	return nil
}

// settleOpen books the end of money in flight.
func (l *Ledger) settleOpen(ctx context.Context, tx wallet.Tx, p row, r wallet.Receipt) error {
	if r.Outcome == wallet.Granted && (r.Amount < 0 || r.Amount > p.price) {
		r.Outcome, r.Reason = wallet.Faulty, fmt.Sprintf("it charged %s where %s was agreed", r.Amount, p.price)
	}
	rail, err := l.rail(p.rail)
	if err != nil {
		return err
	}
	fault, err := rail.Settle(ctx, tx, p.id, r)
	if err != nil {
		return fmt.Errorf("ledger: settle on rail %s: %w", rail.Name(), err)
	}
	if fault != "" {
		r.Outcome, r.Reason = wallet.Faulty, fault
	}
	switch r.Outcome {
	case wallet.Granted:
		if err := l.trustClean(ctx, tx, p.Root, p.rail); err != nil {
			return err
		}
		state := Settled
		if p.heard == p.N {
			state = Done
		}
		return l.move(ctx, tx, p, state, r)
	case wallet.Refused:
		return l.move(ctx, tx, p, Failed, r)
	case wallet.Faulty:
		return l.fault(ctx, tx, p, r)
	default:
		if err := l.trustLost(ctx, tx, p.Root, p.rail); err != nil {
			return err
		}
		return l.move(ctx, tx, p, Lost, r)
	}
}

// settleAgain hears an answer for money whose end is booked. The same answer
// changes nothing. Goods that were granted and turn out bad, or that the
// origin no longer gives, are noted; the money stays spent.
func (l *Ledger) settleAgain(ctx context.Context, tx wallet.Tx, p row, r wallet.Receipt) error {
	switch {
	case r.Outcome == wallet.Granted && (p.state == Settled || p.state == Done),
		r.Outcome == wallet.Refused && p.state == Failed,
		r.Outcome == wallet.Faulty && p.state == Faulty,
		r.Outcome == wallet.Lost && p.state == Lost:
		return nil
	case p.state == Settled && r.Outcome == wallet.Faulty:
		r.Amount = wallet.Msat(p.amount.Int64)
		return l.fault(ctx, tx, p, r)
	case p.state == Settled:
		r.Amount = wallet.Msat(p.amount.Int64)
		if err := l.trustLost(ctx, tx, p.Root, p.rail); err != nil {
			return err
		}
		return l.move(ctx, tx, p, Lost, r)
	}
	return fmt.Errorf("%w: %s is %s", ErrFinal, p.id, p.state)
}

func (l *Ledger) fault(ctx context.Context, tx wallet.Tx, p row, r wallet.Receipt) error {
	if r.Reason == "" {
		r.Reason = "it delivered something other than what was paid for"
	}
	if err := trustGone(ctx, tx, p.Root, p.rail); err != nil {
		return err
	}
	if err := l.block(ctx, tx, p.Root, r.Reason); err != nil {
		return err
	}
	return l.move(ctx, tx, p, Faulty, r)
}

// move writes the new state. What opens the purchase stays only where it is
// still needed: SETTLED to hear it, FAULTY as evidence.
func (l *Ledger) move(ctx context.Context, tx wallet.Tx, p row, to State, r wallet.Receipt) error {
	l.Log.InfoContext(ctx, "purchase", "id", p.id, "from", p.state, "to", to, "cost", p.cost, "reason", r.Reason)
	reason := []rune(r.Reason)
	keep := to == Settled || to == Faulty
	var amount any
	if to != Failed {
		amount = min(max(r.Amount, 0), p.price) // what an origin claims beyond that was not paid
	}
	_, err := tx.ExecContext(ctx, "UPDATE purchase SET state = ?, amount = ?, reason = ?, body = CASE WHEN ? THEN body END WHERE id = ?",
		to, amount, string(reason[:min(len(reason), 500)]), keep, p.id)
	return err
}

// Heard implements wallet.Payer. The count never falls.
func (l *Ledger) Heard(ctx context.Context, id string, n int) error {
	err := l.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
		p, err := selectRow(ctx, tx, id)
		if err != nil {
			return err
		}
		if n < 0 || n > p.N {
			return fmt.Errorf("ledger: %d epochs heard of a purchase of %d", n, p.N)
		}
		if n <= p.heard {
			return nil
		}
		state := p.state
		if n == p.N && state == Settled {
			state = Done
		}
		_, err = tx.ExecContext(ctx, "UPDATE purchase SET heard = ?, state = ?, body = CASE WHEN ? THEN NULL ELSE body END WHERE id = ?",
			n, state, state == Done, id)
		l.step(StepHeardWriting)
		return err
	})
	if err != nil {
		return err
	}
	l.step(StepHeardCommitted)
	return nil
}
