package ffxs

import (
	"context"
	"fmt"

	"sonahub/wallet"
)

// Sums are one root's units by where they are.
type Sums struct {
	ToppedUp uint64 // by vouchers
	Free     uint64 // can be spent
	Held     uint64 // set aside for purchases and exchanges
	Lost     uint64 // written off
	Spent    uint64 // gone for goods, less the change that came back
}

// Sums adds up the purse of every root.
func (p *Purse) Sums(ctx context.Context) (map[string]Sums, error) {
	var out map[string]Sums
	err := p.store.View(ctx, func(tx wallet.Tx) (err error) {
		out, err = sums(ctx, tx)
		return err
	})
	return out, err
}

func sums(ctx context.Context, tx wallet.Tx) (map[string]Sums, error) {
	out := map[string]Sums{}
	add := func(query string, place func(*Sums) []any) error {
		rows, err := tx.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
		for rows.Next() {
			var root string
			var v Sums
			if err := rows.Scan(append([]any{&root}, place(&v)...)...); err != nil {
				return err
			}
			have := out[root]
			out[root] = Sums{have.ToppedUp + v.ToppedUp, have.Free + v.Free, have.Held + v.Held, have.Lost + v.Lost, have.Spent + v.Spent}
		}
		return rows.Err()
	}
	err := add("SELECT root, sum(units) FROM ffxs_issue WHERE kind = 'topup' AND state = 'done' GROUP BY root",
		func(s *Sums) []any { return []any{&s.ToppedUp} })
	if err != nil {
		return nil, err
	}
	err = add(`SELECT root,
		coalesce(sum(1 << denom) FILTER (WHERE holder = ''), 0),
		coalesce(sum(1 << denom) FILTER (WHERE holder LIKE 'purchase:%' OR holder LIKE 'swap:%'), 0),
		coalesce(sum(1 << denom) FILTER (WHERE holder LIKE 'lost:%'), 0) FROM ffxs_token GROUP BY root`,
		func(s *Sums) []any { return []any{&s.Free, &s.Held, &s.Lost} })
	if err != nil {
		return nil, err
	}
	err = add("SELECT root, sum(units - credited) FROM ffxs_spend WHERE state = 'spent' GROUP BY root",
		func(s *Sums) []any { return []any{&s.Spent} })
	return out, err
}

// Audit implements wallet.Rail.
func (p *Purse) Audit(ctx context.Context, tx wallet.Tx) ([]wallet.Movement, error) {
	all, err := sums(ctx, tx)
	if err != nil {
		return nil, err
	}
	for root, s := range all {
		if s.ToppedUp != s.Free+s.Held+s.Lost+s.Spent {
			return nil, fmt.Errorf("purse of %s: %d units topped up, but %d free, %d set aside, %d lost and %d spent",
				root, s.ToppedUp, s.Free, s.Held, s.Lost, s.Spent)
		}
	}
	if err := auditHeld(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, (units - change) * unit_msat, state FROM ffxs_spend")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out []wallet.Movement
	for rows.Next() {
		var m wallet.Movement
		if err := rows.Scan(&m.ID, &m.Cost, &m.State); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// auditHeld checks that every purchase holds the tokens its row says.
func auditHeld(ctx context.Context, tx wallet.Tx) error {
	var bad int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ffxs_spend s WHERE
		(SELECT coalesce(sum(1 << denom), 0) FROM ffxs_token WHERE holder = 'purchase:' || s.id) <> CASE state WHEN 'held' THEN units ELSE 0 END`).Scan(&bad)
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d purchases do not hold the tokens that they should", bad)
	}
	return err
}
