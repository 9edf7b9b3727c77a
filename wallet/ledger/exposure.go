package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sonahub/wallet"
)

// The exposure window of SNE-SPEC 7.3: money paid whose goods are not
// verified. It starts at max(4 s, what 1000 msat buys), doubles after three
// clean purchases up to 60 s, and stays under a twentieth of the hourly cap.
const (
	windowStart = 4 * time.Second
	windowMax   = 60 * time.Second
	windowFloor = wallet.Msat(1000) // the smallest sale of SNE-SPEC 7.1
	windowLeast = 2 * time.Second   // one epoch; a low hourly cap does not push the window under either
	windowLevel = 4                 // doublings from 4 s to over 60 s
	cleanNeeded = 3
	lostAllowed = 2 // purchases an origin may lose before it is blocked
)

// window is how much may be exposed at a price for a length of sound.
func window(level int, price wallet.Msat, sound time.Duration, hour wallet.Msat) wallet.Msat {
	buys := func(d time.Duration) wallet.Msat {
		ms := wallet.Msat(max(sound.Milliseconds(), 1))
		return (price*wallet.Msat(d.Milliseconds()) + ms - 1) / ms
	}
	start := max(buys(windowStart), windowFloor)
	w := min(start<<level, max(buys(windowMax), start))
	if hour > 0 {
		w = min(w, max(hour/20, windowFloor, buys(windowLeast)))
	}
	return w
}

// level reads the doublings of an origin; a clock that is not trusted keeps
// the window at its start.
func (l *Ledger) level(ctx context.Context, tx wallet.Tx, root string, rail byte) (int, error) {
	if l.Trusted != nil && !l.Trusted() {
		return 0, nil
	}
	var level int
	err := tx.QueryRowContext(ctx, "SELECT level FROM trust WHERE root = ? AND rail = ?", root, rail).Scan(&level)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return level, err
}

// exposed is what is paid to root by rail and not verified. The rounding to
// a rail's unit (under 100 msat a purchase) is not in it, or a window that is
// an exact number of epochs would never be filled.
func exposed(ctx context.Context, tx wallet.Tx, root string, rail byte) (wallet.Msat, error) {
	var sum wallet.Msat
	err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(price + fee), 0) FROM "+flight+" WHERE root = ? AND rail = ? AND "+inFlight, root, rail).Scan(&sum)
	return sum, err
}

func (l *Ledger) checkExposure(ctx context.Context, tx wallet.Tx, i wallet.Intent, rail byte, q wallet.Quote) error {
	caps, err := l.caps(ctx, tx)
	if err != nil {
		return err
	}
	level, err := l.level(ctx, tx, i.Root, rail)
	if err != nil {
		return err
	}
	open, err := exposed(ctx, tx, i.Root, rail)
	if err != nil {
		return err
	}
	w, asked := window(level, i.Price, time.Duration(i.N)*i.Epoch, caps.Hour), i.Price+q.Fee
	if open+asked > w {
		return &wallet.ExposureError{Window: w, Exposed: open, Asked: asked}
	}
	return nil
}

// Window implements wallet.Payer: what is left of the window of the first
// rail that holds money for root.
func (l *Ledger) Window(ctx context.Context, root string, perSecond wallet.Msat) (wallet.Msat, error) {
	var left wallet.Msat
	err := l.View(ctx, func(tx wallet.Tx) error {
		caps, err := l.caps(ctx, tx)
		if err != nil {
			return err
		}
		number := l.Rails[0].Number()
		for _, r := range l.Rails {
			b, err := r.Balance(ctx, tx, root)
			if err != nil {
				return err
			}
			if b > 0 {
				number = r.Number()
				break
			}
		}
		level, err := l.level(ctx, tx, root, number)
		if err != nil {
			return err
		}
		open, err := exposed(ctx, tx, root, number)
		left = max(0, window(level, min(perSecond, maxPrice), time.Second, caps.Hour)-open)
		return err
	})
	return left, err
}

// trustClean counts a purchase whose goods were good.
func (l *Ledger) trustClean(ctx context.Context, tx wallet.Tx, root string, rail byte) error {
	if l.Trusted != nil && !l.Trusted() {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO trust (root, rail, clean) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET
		level = min(level + (clean + 1) / ?3, ?4), clean = (clean + 1) % ?3`, root, rail, cleanNeeded, windowLevel)
	return err
}

// trustGone puts the window back to its start.
func trustGone(ctx context.Context, tx wallet.Tx, root string, rail byte) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO trust (root, rail) VALUES (?, ?) ON CONFLICT DO UPDATE SET level = 0, clean = 0", root, rail)
	return err
}

// trustLost counts a purchase the origin says is spent, and blocks the origin
// when that is more than a mishap.
func (l *Ledger) trustLost(ctx context.Context, tx wallet.Tx, root string, rail byte) error {
	if err := trustGone(ctx, tx, root, rail); err != nil {
		return err
	}
	var lost int
	err := tx.QueryRowContext(ctx, "UPDATE trust SET lost = lost + 1 WHERE root = ? AND rail = ? RETURNING lost", root, rail).Scan(&lost)
	if err != nil || lost <= lostAllowed {
		return err
	}
	return l.block(ctx, tx, root, "it took payment several times and delivered nothing")
}

func (l *Ledger) block(ctx context.Context, tx wallet.Tx, root, reason string) error {
	_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO blocked VALUES (?, ?, ?)", root, reason, l.Now().UnixMilli())
	return err
}

func blockedReason(ctx context.Context, tx wallet.Tx, root string) (string, bool, error) {
	var reason string
	err := tx.QueryRowContext(ctx, "SELECT reason FROM blocked WHERE root = ?", root).Scan(&reason)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return reason, err == nil, err
}

// Blocked lists the blocked origins with the reason.
func (l *Ledger) Blocked(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := l.View(ctx, func(tx wallet.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT root, reason FROM blocked")
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
		for rows.Next() {
			var root, reason string
			if err := rows.Scan(&root, &reason); err != nil {
				return err
			}
			out[root] = reason
		}
		return rows.Err()
	})
	return out, err
}

// Unblock is the owner's word that root may be paid again. The window stays
// at its start; the evidence kept against root is erased.
func (l *Ledger) Unblock(ctx context.Context, root string) error {
	return l.Update(ctx, func(tx wallet.Tx) error {
		for _, q := range []string{
			"DELETE FROM blocked WHERE root = ?",
			"UPDATE trust SET lost = 0 WHERE root = ?",
			"UPDATE purchase SET body = NULL WHERE root = ? AND state = 'faulty'",
		} {
			if _, err := tx.ExecContext(ctx, q, root); err != nil {
				return err
			}
		}
		return nil
	})
}
