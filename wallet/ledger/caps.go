package ledger

import (
	"context"
	"fmt"
	"time"

	"sonahub/wallet"
)

// Caps are the caps in force.
func (l *Ledger) Caps(ctx context.Context) (wallet.Caps, error) {
	var c wallet.Caps
	err := l.View(ctx, func(tx wallet.Tx) (err error) {
		c, err = l.caps(ctx, tx)
		return err
	})
	return c, err
}

func (l *Ledger) caps(ctx context.Context, tx wallet.Tx) (wallet.Caps, error) {
	c := l.Config.Caps
	rows, err := tx.QueryContext(ctx, "SELECT kind, msat FROM cap")
	if err != nil {
		return c, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	for rows.Next() {
		var kind wallet.CapKind
		var msat wallet.Msat
		if err := rows.Scan(&kind, &msat); err != nil {
			return c, err
		}
		switch kind {
		case wallet.CapHour:
			c.Hour = msat
		case wallet.CapDay:
			c.Day = msat
		case wallet.CapRoom:
			c.Room = msat
		}
	}
	return c, rows.Err()
}

// SetCaps sets the owner's caps; they outlive a restart.
func (l *Ledger) SetCaps(ctx context.Context, c wallet.Caps) error {
	if c.Hour < 0 || c.Day < 0 || c.Room < 0 {
		return fmt.Errorf("ledger: a cap cannot be negative")
	}
	return l.Update(ctx, func(tx wallet.Tx) error {
		for kind, msat := range map[wallet.CapKind]wallet.Msat{wallet.CapHour: c.Hour, wallet.CapDay: c.Day, wallet.CapRoom: c.Room} {
			if _, err := tx.ExecContext(ctx, "INSERT INTO cap VALUES (?, ?) ON CONFLICT DO UPDATE SET msat = excluded.msat", kind, msat); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkCaps refuses a purchase that would exceed a cap.
func (l *Ledger) checkCaps(ctx context.Context, tx wallet.Tx, now time.Time, rooms []string, asked wallet.Msat) error {
	caps, err := l.caps(ctx, tx)
	if err != nil {
		return err
	}
	if caps.Hour > 0 {
		spent, err := spentSince(ctx, tx, now.Add(-time.Hour))
		if err != nil {
			return err
		}
		if spent+asked > caps.Hour {
			until, err := hourFrees(ctx, tx, now, caps.Hour, asked)
			if err != nil {
				return err
			}
			return &wallet.CapError{Cap: wallet.CapHour, Limit: caps.Hour, Spent: spent, Asked: asked, Until: until}
		}
	}
	if caps.Day > 0 {
		all, err := spentToday(ctx, tx, l.today(now))
		if err != nil {
			return err
		}
		if spent := all[house]; spent+asked > caps.Day {
			return &wallet.CapError{Cap: wallet.CapDay, Limit: caps.Day, Spent: spent, Asked: asked, Until: l.tomorrow(now, caps.Day, asked)}
		}
	}
	if caps.Room == 0 {
		return nil
	}
	spent, err := spentToday(ctx, tx, l.today(now))
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if spent[room]+asked > caps.Room {
			return &wallet.CapError{Cap: wallet.CapRoom, Room: room, Limit: caps.Room, Spent: spent[room], Asked: asked, Until: l.tomorrow(now, caps.Room, asked)}
		}
	}
	return nil
}

// A cap counts everything bought since a time, at its largest cost, except
// what was refused; and money in flight whatever its age. The two are asked
// for apart, so that each has its index.
const (
	countsRecent = "purchase INDEXED BY purchase_time WHERE state <> 'failed' AND bought_at > ?1"
	countsOld    = flight + " WHERE " + inFlight + " AND bought_at <= ?1"
	countsOlder  = flight + " WHERE " + inFlight + " AND bought_at < ?1 AND bought_at / 900000 * 900000 + 900000 <= ?1"
)

func spentSince(ctx context.Context, tx wallet.Tx, since time.Time) (wallet.Msat, error) {
	var sum wallet.Msat
	err := tx.QueryRowContext(ctx, `SELECT (SELECT coalesce(sum(cost), 0) FROM `+countsRecent+`)
		+ (SELECT coalesce(sum(cost), 0) FROM `+countsOld+`)`, since.UnixMilli()).Scan(&sum)
	return sum, err
}

// house stands for all rooms together.
const house = ""

// spentToday sums the quarters of an hour that end after the day's start, by
// room, and adds older money in flight.
func spentToday(ctx context.Context, tx wallet.Tx, day time.Time) (map[string]wallet.Msat, error) {
	rows, err := tx.QueryContext(ctx, `SELECT room, sum(msat) FROM (
		SELECT room, msat FROM spent WHERE at > ?1 - 900000
		UNION ALL SELECT '', cost FROM `+countsOlder+`
		UNION ALL SELECT room, cost FROM (SELECT id, cost FROM `+countsOlder+`) CROSS JOIN purchase_room ON purchase = id
		) GROUP BY room`, day.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	out := map[string]wallet.Msat{}
	for rows.Next() {
		var room string
		var sum wallet.Msat
		if err := rows.Scan(&room, &sum); err != nil {
			return nil, err
		}
		out[room] = sum
	}
	return out, rows.Err()
}

// today is when the hub's calendar day began.
func (l *Ledger) today(now time.Time) time.Time {
	y, m, d := now.In(l.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, l.Zone)
}

// tomorrow is when a daily cap starts anew; zero if waiting does not help.
func (l *Ledger) tomorrow(now time.Time, limit, asked wallet.Msat) time.Time {
	if asked > limit {
		return time.Time{}
	}
	y, m, d := now.In(l.Zone).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, l.Zone)
}

// hourFrees is when enough has left the rolling hour; zero if waiting does
// not help.
func hourFrees(ctx context.Context, tx wallet.Tx, now time.Time, limit, asked wallet.Msat) (time.Time, error) {
	if asked > limit {
		return time.Time{}, nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT cost, bought_at FROM "+countsRecent+" UNION ALL SELECT cost, bought_at FROM "+countsOld+" ORDER BY bought_at DESC", now.Add(-time.Hour).UnixMilli())
	if err != nil {
		return time.Time{}, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	sum := asked
	for rows.Next() {
		var cost wallet.Msat
		var at int64
		if err := rows.Scan(&cost, &at); err != nil {
			return time.Time{}, err
		}
		if sum += cost; sum > limit {
			return time.UnixMilli(at).Add(time.Hour), rows.Err()
		}
	}
	return now, rows.Err()
}
