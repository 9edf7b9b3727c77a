// Package books keeps the money of the reference platform: which vouchers it
// gave away, which units it signed, which tokens it took in, and what it
// handed out for them.
//
// It shares no code with the hub's ledger, on purpose: that both sides agree
// to the millisatoshi is worth something only because each adds up alone.
//
// Invariants (SNE-SPEC section 8). A token is taken in and its goods are
// granted in one transaction. A nullifier exists once. A redemption is known
// by the hash of its body: shown again it is answered again and booked once;
// a spent token in any other body changes nothing. An offer is known before its
// invoice exists; unpaid ones are dropped, paid ones booked once.
package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/origin/database"
)

// Errors a caller decides by. Nothing was booked when one is returned.
var (
	ErrSpent   = errors.New("books: token already spent")
	ErrVoucher = errors.New("books: no such voucher")
	ErrUsed    = errors.New("books: voucher already redeemed for other blinds")
	ErrUnits   = errors.New("books: voucher is worth another number of units")
)

// Books is the platform's account book. It is safe for concurrent use.
type Books struct {
	db  *sql.DB
	now func() time.Time
}

// Open opens or makes the book at path. now may be nil (time.Now).
func Open(ctx context.Context, path string, now func() time.Time) (*Books, error) {
	if now == nil {
		now = time.Now
	}
	db, err := database.Open(ctx, path, schema())
	if err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	return &Books{db: db, now: now}, nil
}

// Close closes the file.
func (b *Books) Close() error { return b.db.Close() }

// schema lists the migrations. Times are ms since 1970, amounts msat; units
// are FFXS units. Codes of vouchers are money, so only their hash is kept.
func schema() []string {
	return []string{`
CREATE TABLE vouchers(
	code_hash   BLOB PRIMARY KEY,
	units       INTEGER NOT NULL CHECK (units > 0),
	issued_ms   INTEGER NOT NULL,
	day         INTEGER,              -- of a welcome voucher: days since 1970 (UTC)
	who         BLOB,                 -- of a welcome voucher: hash of the address
	redeemed_ms INTEGER,
	blinds_hash BLOB
) WITHOUT ROWID;
CREATE INDEX vouchers_day ON vouchers(day, who) WHERE day IS NOT NULL;
CREATE TABLE redemptions(
	id        INTEGER PRIMARY KEY,
	body_hash BLOB NOT NULL UNIQUE,
	units_in  INTEGER NOT NULL CHECK (units_in >= 0),
	units_out INTEGER NOT NULL CHECK (units_out >= 0),
	time_ms   INTEGER NOT NULL
);
CREATE TABLE spent(
	nullifier  BLOB PRIMARY KEY,
	redemption INTEGER NOT NULL REFERENCES redemptions(id)
) WITHOUT ROWID;
CREATE TABLE grants(
	id          INTEGER PRIMARY KEY,
	redemption  INTEGER UNIQUE REFERENCES redemptions(id), -- NULL: opening grant
	broadcast   TEXT NOT NULL,
	tier        INTEGER NOT NULL,
	first       INTEGER NOT NULL,
	n           INTEGER NOT NULL CHECK (n BETWEEN 1 AND 30),
	amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
	units       INTEGER NOT NULL CHECK (units >= 0),
	time_ms     INTEGER NOT NULL
);
CREATE INDEX grants_goods ON grants(broadcast, tier, first);
`, `
CREATE TABLE offers(
	payment_hash BLOB PRIMARY KEY,
	amount_msat  INTEGER NOT NULL CHECK (amount_msat > 0),
	units        INTEGER NOT NULL CHECK (units >= 0), -- token units that it issues; 0: goods
	broadcast    TEXT,                                -- NULL: units
	tier         INTEGER NOT NULL,
	first        INTEGER NOT NULL,
	n            INTEGER NOT NULL,
	expires_ms   INTEGER NOT NULL,
	settled_ms   INTEGER                              -- NULL: open
) WITHOUT ROWID;
CREATE INDEX offers_open ON offers(expires_ms) WHERE settled_ms IS NULL;
ALTER TABLE grants ADD COLUMN offer BLOB REFERENCES offers(payment_hash); -- NULL: paid by tokens, or free
CREATE UNIQUE INDEX grants_offer ON grants(offer) WHERE offer IS NOT NULL;
`}
}
