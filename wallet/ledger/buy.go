package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"sonahub/wallet"
)

// maxPrice bounds a purchase (10 BTC): far above any, low enough that no
// product with a duration overflows.
const maxPrice = 1_000_000_000_000

// Buy implements wallet.Payer.
func (l *Ledger) Buy(ctx context.Context, i wallet.Intent) (wallet.Proof, error) {
	if err := check(i); err != nil {
		return wallet.Proof{}, err
	}
	if err := l.expireNow(ctx); err != nil {
		return wallet.Proof{}, err
	}
	for range 5 {
		r, err := l.reserve(ctx, i)
		if errors.Is(err, wallet.ErrAgain) {
			continue
		}
		if err != nil {
			return wallet.Proof{}, err
		}
		return l.pay(ctx, r)
	}
	return wallet.Proof{}, fmt.Errorf("ledger: buy: %w", wallet.ErrAgain)
}

func check(i wallet.Intent) error {
	switch {
	case i.Root == "" || i.Broadcast == "":
		return errors.New("ledger: goods without origin or broadcast")
	case i.N < 1 || i.N > 30:
		return fmt.Errorf("ledger: a purchase has 1 to 30 epochs, not %d", i.N)
	case i.First > math.MaxInt64-30:
		return errors.New("ledger: epoch out of range")
	case i.Epoch < time.Millisecond:
		return errors.New("ledger: goods without length of an epoch")
	case i.Price <= 0 || i.Price > maxPrice:
		return fmt.Errorf("ledger: price of %d msat", i.Price)
	}
	return nil
}

// reserve finds the open purchase that covers i.First, or sets the money for
// a new one aside. It talks to the network before its transaction, never in it.
func (l *Ledger) reserve(ctx context.Context, i wallet.Intent) (row, error) {
	var have row
	var found bool
	err := l.View(ctx, func(tx wallet.Tx) (err error) {
		have, found, err = l.covered(ctx, tx, i)
		return err
	})
	if err != nil || found {
		return have, err
	}
	rail, quote, err := l.quote(ctx, i)
	if err != nil {
		return row{}, err
	}
	err = l.Update(ctx, func(tx wallet.Tx) (err error) {
		// Again, now that nobody else writes.
		if have, found, err = l.covered(ctx, tx, i); err != nil || found {
			return err
		}
		have, err = l.intend(ctx, tx, i, rail, quote)
		return err
	})
	if err == nil && !found {
		l.step(StepIntentCommitted)
	}
	return have, err
}

// covered looks for an open purchase with i.First in it. It refuses goods
// that run into a later one, and blocked origins.
func (l *Ledger) covered(ctx context.Context, tx wallet.Tx, i wallet.Intent) (row, bool, error) {
	open, err := l.openRows(ctx, tx, i.Goods, i.First, i.First+uint64(i.N))
	if err != nil {
		return row{}, false, err
	}
	if len(open) > 0 && open[0].Contains(i.First) {
		return open[0], true, nil
	}
	if len(open) > 0 {
		return row{}, false, &wallet.OverlapError{Next: open[0].First}
	}
	reason, blocked, err := blockedReason(ctx, tx, i.Root)
	if err == nil && blocked {
		err = &wallet.BlockedError{Root: i.Root, Reason: reason}
	}
	return row{}, false, err
}

// quote asks the rails in order. If all are empty, the first one's answer
// tells how much is missing.
func (l *Ledger) quote(ctx context.Context, i wallet.Intent) (wallet.Rail, wallet.Quote, error) {
	var first error
	for _, r := range l.Rails {
		q, err := r.Quote(ctx, i)
		if err == nil {
			return r, q, nil
		}
		if first == nil {
			first = err
		}
		if empty := (*wallet.EmptyError)(nil); !errors.As(err, &empty) {
			l.Log.WarnContext(ctx, "rail cannot pay", "rail", r.Name(), "error", err)
		}
	}
	return nil, wallet.Quote{}, first
}

// intend writes the row: caps, exposure, money and intent are one transaction.
func (l *Ledger) intend(ctx context.Context, tx wallet.Tx, i wallet.Intent, rail wallet.Rail, q wallet.Quote) (row, error) {
	now := l.Now()
	if err := l.checkCaps(ctx, tx, now, i.Rooms, q.Cost); err != nil {
		return row{}, err
	}
	if err := l.checkExposure(ctx, tx, i, rail.Number(), q); err != nil {
		return row{}, err
	}
	r := row{Goods: i.Goods, id: rand.Text(), rail: rail.Number(), price: i.Price, fee: q.Fee, cost: q.Cost, state: Intent, bought: now}
	body, err := rail.Prepare(ctx, tx, r.id, i, q)
	if err != nil {
		return row{}, err
	}
	if len(body) > 0 {
		r.state = Redeeming // whoever holds the body can spend it from here on
	}
	if r.sealed, err = l.seal(r.id, body); err != nil {
		return row{}, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO purchase ("+columns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL,?,0,'',?,?)",
		r.id, r.rail, r.Root, r.Broadcast, r.Tier, int64(r.First), r.N, r.Epoch.Milliseconds(),
		r.price, r.fee, r.cost, r.state, r.sealed, now.UnixMilli())
	if err != nil {
		return row{}, fmt.Errorf("ledger: write intent: %w", err)
	}
	for _, room := range i.Rooms {
		if room == house {
			continue // no room: the house is counted by itself
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO purchase_room VALUES (?, ?)", r.id, room); err != nil {
			return row{}, fmt.Errorf("ledger: write room: %w", err)
		}
	}
	l.step(StepIntentWriting)
	return r, nil
}

// pay lets the rail send what it sends by itself, and opens the row. A row
// that stayed at INTENT in a crash goes on here: the rail pays an id once.
func (l *Ledger) pay(ctx context.Context, r row) (wallet.Proof, error) {
	p, err := l.proof(r)
	if err != nil {
		return wallet.Proof{}, err
	}
	if r.state == Intent {
		rail, err := l.rail(r.rail)
		if err != nil {
			return wallet.Proof{}, err
		}
		if p.Body, err = rail.Pay(ctx, r.id, p.Body); err != nil {
			return wallet.Proof{}, fmt.Errorf("ledger: pay: %w", err)
		}
		l.step(StepPaid)
		sealed, err := l.seal(r.id, p.Body)
		if err != nil {
			return wallet.Proof{}, err
		}
		err = l.Update(context.WithoutCancel(ctx), func(tx wallet.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE purchase SET state = 'sent', body = ? WHERE id = ? AND state = 'intent'", sealed, r.id)
			return err
		})
		if err != nil {
			return wallet.Proof{}, fmt.Errorf("ledger: write payment: %w", err)
		}
	}
	l.step(StepBodyOut)
	return p, nil
}

// Owned implements wallet.Payer.
func (l *Ledger) Owned(ctx context.Context, root, broadcast string, tier uint16) ([]wallet.Proof, error) {
	var out []wallet.Proof
	err := l.View(ctx, func(tx wallet.Tx) error {
		rows, err := l.openRows(ctx, tx, wallet.Goods{Root: root, Broadcast: broadcast, Tier: tier}, 0, math.MaxInt64)
		if err != nil {
			return err
		}
		for _, r := range rows {
			p, err := l.proof(r)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}
