package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/origin/database"
)

// Goods are consecutive epochs of one tier and what they cost.
type Goods struct {
	Broadcast  string
	Tier       uint16
	First      uint64
	N          uint8 // 1..30
	AmountMsat int64 // exact price of the sound
	Units      int64 // the same in whole units, rounded up
}

// Grant is a row of the book: goods that were handed out.
type Grant struct {
	Goods
	BodyHash [32]byte // zero for an opening grant
	Time     time.Time
	Free     bool // opening grant
	Offer    bool // paid by Lightning
}

// Redemption is one body that takes tokens in: a purchase, or a swap if Goods
// is nil. UnitsIn = Goods.Units + UnitsOut must hold; the caller has checked
// every token.
type Redemption struct {
	BodyHash   [32]byte
	Nullifiers [][32]byte
	UnitsIn    int64 // worth of the tokens
	UnitsOut   int64 // worth of the change or of the swapped tokens
	Goods      *Goods
}

// Booked looks for a redemption by its body. The goods are as they were
// booked then, whatever they cost now; nil for a swap.
func (b *Books) Booked(ctx context.Context, body [32]byte) (goods *Goods, ok bool, err error) {
	var g Goods
	var broadcast sql.NullString
	err = b.db.QueryRowContext(ctx, `
SELECT g.broadcast, coalesce(g.tier,0), coalesce(g.first,0), coalesce(g.n,0), coalesce(g.amount_msat,0), coalesce(g.units,0)
FROM redemptions r LEFT JOIN grants g ON g.redemption = r.id WHERE r.body_hash = ?`, body[:]).
		Scan(&broadcast, &g.Tier, &g.First, &g.N, &g.AmountMsat, &g.Units)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("books: %w", err)
	case !broadcast.Valid:
		return nil, true, nil
	}
	g.Broadcast = broadcast.String
	return &g, true, nil
}

// Redeem takes the tokens in and books the goods, in one transaction. The
// same body again changes nothing and is no error. ErrSpent if any token was
// spent in another body; then nothing is booked.
func (b *Books) Redeem(ctx context.Context, r Redemption) error {
	var worth int64
	if r.Goods != nil {
		worth = r.Goods.Units
	}
	if r.UnitsIn != worth+r.UnitsOut {
		return fmt.Errorf("books: %d units in, %d for goods and %d out", r.UnitsIn, worth, r.UnitsOut)
	}
	if len(r.Nullifiers) == 0 && r.UnitsIn != 0 {
		return errors.New("books: units without tokens")
	}
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error {
		var known int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM redemptions WHERE body_hash = ?", r.BodyHash[:]).Scan(&known); err != nil {
			return err
		}
		if known > 0 { // the body names its tokens: all are spent, and in this very body
			return nil
		}
		return b.book(ctx, tx, r)
	})
	if err != nil && !errors.Is(err, ErrSpent) {
		return fmt.Errorf("books: %w", err)
	}
	return err
}

func (b *Books) book(ctx context.Context, tx *sql.Tx, r Redemption) error {
	now := b.now().UnixMilli()
	res, err := tx.ExecContext(ctx, "INSERT INTO redemptions(body_hash, units_in, units_out, time_ms) VALUES (?,?,?,?)",
		r.BodyHash[:], r.UnitsIn, r.UnitsOut, now)
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for _, n := range r.Nullifiers {
		res, err := tx.ExecContext(ctx, "INSERT INTO spent(nullifier, redemption) VALUES (?,?) ON CONFLICT DO NOTHING", n[:], id)
		if err != nil {
			return err
		}
		if rows, err := res.RowsAffected(); err != nil {
			return err
		} else if rows != 1 { // also a token that occurs twice in one body
			return ErrSpent
		}
	}
	if r.Goods == nil {
		return nil
	}
	return insertGrant(ctx, tx, sql.NullInt64{Int64: id, Valid: true}, nil, *r.Goods, now)
}

// Give books an opening grant: goods for nothing.
func (b *Books) Give(ctx context.Context, g Goods) error {
	g.AmountMsat, g.Units = 0, 0
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error {
		return insertGrant(ctx, tx, sql.NullInt64{}, nil, g, b.now().UnixMilli())
	})
	if err != nil {
		return fmt.Errorf("books: %w", err)
	}
	return nil
}

// insertGrant books what was handed out: for a redemption, for an offer, or
// for neither.
func insertGrant(ctx context.Context, tx *sql.Tx, redemption sql.NullInt64, offer []byte, g Goods, now int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO grants(redemption, offer, broadcast, tier, first, n, amount_msat, units, time_ms) VALUES (?,?,?,?,?,?,?,?,?)",
		redemption, offer, g.Broadcast, g.Tier, int64(g.First), g.N, g.AmountMsat, g.Units, now)
	return err
}
