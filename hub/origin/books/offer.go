package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/origin/database"
)

// ErrOffer says that there is no such open offer.
var ErrOffer = errors.New("books: no such open offer")

// Offer is something offered for a Lightning payment: goods, or token units.
// It is written down before its invoice is made, so that no payment can come
// that the book does not know.
type Offer struct {
	PaymentHash [32]byte
	AmountMsat  int64
	Goods       *Goods // nil for units
	Units       int64  // token units it issues; 0 for goods
	Expires     time.Time
}

// Offer writes an offer down.
func (b *Books) Offer(ctx context.Context, o Offer) error {
	var g Goods
	var broadcast sql.NullString
	if o.Goods != nil {
		g, broadcast = *o.Goods, sql.NullString{String: o.Goods.Broadcast, Valid: true}
	}
	if (o.Goods == nil) == (o.Units == 0) {
		return errors.New("books: an offer is of goods or of units")
	}
	_, err := b.db.ExecContext(ctx, `
INSERT INTO offers(payment_hash, amount_msat, units, broadcast, tier, first, n, expires_ms) VALUES (?,?,?,?,?,?,?,?)`,
		o.PaymentHash[:], o.AmountMsat, o.Units, broadcast, g.Tier, int64(g.First), g.N, o.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("books: %w", err)
	}
	return nil
}

// Sold books a paid offer: its goods, or its units, are handed out. Repeated it
// changes nothing. ErrOffer if it was never made, or dropped.
func (b *Books) Sold(ctx context.Context, hash [32]byte) error {
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error {
		var g Goods
		var broadcast sql.NullString
		var settled sql.NullInt64
		err := tx.QueryRowContext(ctx, "SELECT amount_msat, broadcast, tier, first, n, settled_ms FROM offers WHERE payment_hash = ?", hash[:]).
			Scan(&g.AmountMsat, &broadcast, &g.Tier, &g.First, &g.N, &settled)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrOffer
		case err != nil:
			return err
		case settled.Valid:
			return nil
		}
		now := b.now().UnixMilli()
		if broadcast.Valid {
			g.Broadcast = broadcast.String
			if err := insertGrant(ctx, tx, sql.NullInt64{}, hash[:], g, now); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE offers SET settled_ms = ? WHERE payment_hash = ?", now, hash[:])
		return err
	})
	if err != nil && !errors.Is(err, ErrOffer) {
		return fmt.Errorf("books: %w", err)
	}
	return err
}

// Drop forgets an offer whose invoice can no longer be paid. One that was paid
// stays.
func (b *Books) Drop(ctx context.Context, hash [32]byte) error {
	_, err := b.db.ExecContext(ctx, "DELETE FROM offers WHERE payment_hash = ? AND settled_ms IS NULL", hash[:])
	if err != nil {
		return fmt.Errorf("books: %w", err)
	}
	return nil
}

// OpenOffers lists the offers whose end is not known, the oldest first.
func (b *Books) OpenOffers(ctx context.Context) ([]Offer, error) {
	rows, err := b.db.QueryContext(ctx, "SELECT payment_hash, amount_msat, units, expires_ms FROM offers INDEXED BY offers_open WHERE settled_ms IS NULL ORDER BY expires_ms")
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	defer rows.Close()
	var out []Offer
	for rows.Next() {
		var o Offer
		var hash []byte
		var ms int64
		if err := rows.Scan(&hash, &o.AmountMsat, &o.Units, &ms); err != nil {
			return nil, fmt.Errorf("books: %w", err)
		}
		copy(o.PaymentHash[:], hash)
		o.Expires = time.UnixMilli(ms)
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return out, nil
}
