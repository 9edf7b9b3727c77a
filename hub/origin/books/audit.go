package books

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sonahub/hub/origin/database"
)

// Audit is the platform's side of the account, added up by SQL of its own.
type Audit struct {
	Sums       []Sum // paid grants by broadcast and tier, in that order
	AmountMsat int64 // exact price of all paid grants
	PaidUnits  int64 // units kept for them; each grant is rounded up to whole units

	Grants, Epochs         int64 // paid
	FreeGrants, FreeEpochs int64 // opening grants

	VouchersIssued, VouchersRedeemed         int64
	VoucherUnitsIssued, VoucherUnitsRedeemed int64

	OfferMsat  int64 // paid by Lightning, for goods and units together
	OfferUnits int64 // units sold by Lightning
	OpenOffers int64 // offers that may still be paid

	UnitsIssued int64 // all token units ever signed: top-ups, change, swaps
	UnitsSpent  int64 // all token units ever taken in
	Outstanding int64 // UnitsIssued - UnitsSpent: what hubs still hold

	EpochsTwice int64 // epochs that occur in more than one paid grant
	Unbalanced  int64 // redemptions whose units do not add up; always 0
}

// Sum is what one tier of one broadcast earned.
type Sum struct {
	Broadcast  string
	Tier       uint16
	AmountMsat int64
	Units      int64
	Grants     int64
	Epochs     int64
}

// Audit adds everything up, in one consistent view.
func (b *Books) Audit(ctx context.Context) (Audit, error) {
	var a Audit
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error { return a.read(ctx, tx) })
	if err != nil {
		return Audit{}, fmt.Errorf("books: audit: %w", err)
	}
	return a, nil
}

func (a *Audit) read(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `
SELECT broadcast, tier, sum(amount_msat), sum(units), count(*), sum(n)
FROM grants WHERE redemption IS NOT NULL OR offer IS NOT NULL GROUP BY broadcast, tier ORDER BY broadcast, tier`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s Sum
		if err := rows.Scan(&s.Broadcast, &s.Tier, &s.AmountMsat, &s.Units, &s.Grants, &s.Epochs); err != nil {
			return err
		}
		a.Sums = append(a.Sums, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, `
SELECT coalesce(sum(amount_msat),0), coalesce(sum(units),0),
	count(paid), coalesce(sum(n) FILTER (WHERE paid IS NOT NULL),0),
	count(*) - count(paid), coalesce(sum(n) FILTER (WHERE paid IS NULL),0)
FROM (SELECT *, coalesce(redemption, offer) AS paid FROM grants)`).Scan(&a.AmountMsat, &a.PaidUnits, &a.Grants, &a.Epochs, &a.FreeGrants, &a.FreeEpochs)
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, `
SELECT count(*), count(redeemed_ms), coalesce(sum(units),0), coalesce(sum(units) FILTER (WHERE redeemed_ms IS NOT NULL),0)
FROM vouchers`).Scan(&a.VouchersIssued, &a.VouchersRedeemed, &a.VoucherUnitsIssued, &a.VoucherUnitsRedeemed)
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, `
SELECT coalesce(sum(r.units_in),0), coalesce(sum(r.units_out),0),
	count(*) FILTER (WHERE r.units_in <> r.units_out + coalesce(g.units,0))
FROM redemptions r LEFT JOIN grants g ON g.redemption = r.id`).Scan(&a.UnitsSpent, &a.UnitsIssued, &a.Unbalanced)
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, `
SELECT coalesce(sum(amount_msat) FILTER (WHERE settled_ms IS NOT NULL),0), coalesce(sum(units) FILTER (WHERE settled_ms IS NOT NULL),0),
	count(*) FILTER (WHERE settled_ms IS NULL)
FROM offers`).Scan(&a.OfferMsat, &a.OfferUnits, &a.OpenOffers)
	if err != nil {
		return err
	}
	a.UnitsIssued += a.VoucherUnitsRedeemed + a.OfferUnits
	a.Outstanding = a.UnitsIssued - a.UnitsSpent
	return tx.QueryRowContext(ctx, `
WITH RECURSIVE step(i) AS (VALUES (0) UNION ALL SELECT i+1 FROM step WHERE i < 29)
SELECT count(*) FROM (
	SELECT 1 FROM grants JOIN step ON i < n WHERE redemption IS NOT NULL OR offer IS NOT NULL
	GROUP BY broadcast, tier, first+i HAVING count(*) > 1)`).Scan(&a.EpochsTwice)
}

// Grants lists every grant, paid and free, oldest first.
func (b *Books) Grants(ctx context.Context) ([]Grant, error) {
	rows, err := b.db.QueryContext(ctx, `
SELECT g.broadcast, g.tier, g.first, g.n, g.amount_msat, g.units, g.time_ms, g.redemption IS NULL AND g.offer IS NULL, g.offer IS NOT NULL, r.body_hash
FROM grants g LEFT JOIN redemptions r ON r.id = g.redemption ORDER BY g.id`)
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	defer rows.Close()
	var out []Grant
	for rows.Next() {
		var g Grant
		var ms int64
		var body []byte
		if err := rows.Scan(&g.Broadcast, &g.Tier, &g.First, &g.N, &g.AmountMsat, &g.Units, &ms, &g.Free, &g.Offer, &body); err != nil {
			return nil, fmt.Errorf("books: %w", err)
		}
		copy(g.BodyHash[:], body)
		g.Time = time.UnixMilli(ms)
		out = append(out, g)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return out, nil
}
