package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/wallet"
)

// expireEvery is how often Buy looks for expired rows by itself.
const expireEvery = 10 * time.Minute

// Recover shows every purchase of unknown end again and settles what the
// answer says, so that nothing stays in flight for want of a listener. show
// asks the origin with p.Body; if it cannot (origin away), it returns an
// error and the purchase stays as it is. The number of purchases still in
// flight is returned with the errors of show.
func (l *Ledger) Recover(ctx context.Context, show func(context.Context, wallet.Proof) (wallet.Receipt, error)) (int, error) {
	var rows []row
	err := l.View(ctx, func(tx wallet.Tx) (err error) {
		rows, err = selectRows(ctx, tx, flight, inFlight+" ORDER BY bought_at")
		return err
	})
	if err != nil {
		return 0, err
	}
	left, failed := 0, error(nil)
	for _, r := range rows {
		if err := l.recoverRow(ctx, r, show); err != nil {
			left++
			failed = errors.Join(failed, fmt.Errorf("purchase %s: %w", r.id, err))
		}
	}
	return left, failed
}

// recoverRow looks at the row again first: whoever listens may have settled it
// since, and the money of one that was refused is in another purchase by now.
func (l *Ledger) recoverRow(ctx context.Context, r row, show func(context.Context, wallet.Proof) (wallet.Receipt, error)) error {
	err := l.View(ctx, func(tx wallet.Tx) (err error) {
		r, err = selectRow(ctx, tx, r.id)
		return err
	})
	if err != nil || !r.state.unsettled() {
		return err
	}
	p, err := l.pay(ctx, r)
	if err != nil {
		return err
	}
	receipt, err := show(ctx, p)
	if err != nil {
		return err
	}
	return l.Settle(ctx, r.id, receipt)
}

// Expire ends purchases that were open for longer than Keep. A paid one is
// done: what opens it is erased, the money stays bought. One of unknown end
// is given to its rail, which finds out or leaves it in flight.
func (l *Ledger) Expire(ctx context.Context) error {
	if err := l.expire(ctx); err != nil {
		return err
	}
	var rows []row
	err := l.View(ctx, func(tx wallet.Tx) (err error) {
		rows, err = selectRows(ctx, tx, flight, inFlight+" AND bought_at <= ?", l.Now().Add(-l.Keep).UnixMilli())
		return err
	})
	for _, r := range rows {
		err = errors.Join(err, l.resume(ctx, r))
	}
	return err
}

func (l *Ledger) resume(ctx context.Context, r row) error {
	rail, err := l.rail(r.rail)
	if err != nil {
		return err
	}
	receipt, err := rail.Resume(ctx, r.id)
	if err != nil {
		return fmt.Errorf("ledger: resume %s on rail %s: %w", r.id, rail.Name(), err)
	}
	return l.Settle(ctx, r.id, receipt)
}

// expire erases what opens paid purchases older than Keep.
func (l *Ledger) expire(ctx context.Context) error {
	now := l.Now()
	l.expired.Store(now.UnixMilli())
	return l.Update(ctx, func(tx wallet.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE purchase INDEXED BY purchase_settled SET state = 'done', body = NULL WHERE state = 'settled' AND bought_at <= ?", now.Add(-l.Keep).UnixMilli())
		return err
	})
}

// expireNow runs expire now and then.
func (l *Ledger) expireNow(ctx context.Context) error {
	if l.Now().UnixMilli()-l.expired.Load() < expireEvery.Milliseconds() {
		return nil
	}
	return l.expire(ctx)
}
