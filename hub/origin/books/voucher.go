package books

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/origin/database"
)

// Quota limits what is given away. Zero means nothing is given.
type Quota struct {
	PerAddress int // welcome vouchers per address and day (UTC)
	PerDay     int // welcome vouchers per day (UTC) over all addresses
}

// QuotaError says that no more is given away today.
type QuotaError struct{ RetryAfter time.Duration }

func (e *QuotaError) Error() string {
	return fmt.Sprintf("books: no more welcome vouchers today, try again in %s", e.RetryAfter.Round(time.Second))
}

// Issue books a voucher that the platform's owner sold or gave by hand.
func (b *Books) Issue(ctx context.Context, code string, units int64) error {
	h := codeHash(code)
	_, err := b.db.ExecContext(ctx, "INSERT INTO vouchers(code_hash, units, issued_ms) VALUES (?,?,?)", h[:], units, b.now().UnixMilli())
	if err != nil {
		return fmt.Errorf("books: %w", err)
	}
	return nil
}

// Welcome books a voucher for a new hub at an address, within the quota;
// over it the error is a *QuotaError. The address is kept as a hash.
func (b *Books) Welcome(ctx context.Context, code string, units int64, address string, q Quota) error {
	now := b.now().UTC()
	day := now.Unix() / 86400
	h, who := codeHash(code), sha256.Sum256([]byte("welcome\x00"+address))
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error {
		var all, his int
		err := tx.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (WHERE who = ?) FROM vouchers WHERE day = ?", who[:], day).Scan(&all, &his)
		if err != nil {
			return err
		}
		if all >= q.PerDay || his >= q.PerAddress {
			return &QuotaError{RetryAfter: time.Unix((day+1)*86400, 0).Sub(now)}
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO vouchers(code_hash, units, issued_ms, day, who) VALUES (?,?,?,?,?)",
			h[:], units, now.UnixMilli(), day, who[:])
		return err
	})
	var quota *QuotaError
	if err != nil && !errors.As(err, &quota) {
		return fmt.Errorf("books: %w", err)
	}
	return err
}

// Redeemed reports whether the voucher was turned into exactly these blinds
// before.
func (b *Books) Redeemed(ctx context.Context, code string, blinds [32]byte) (bool, error) {
	h := codeHash(code)
	var before []byte
	err := b.db.QueryRowContext(ctx, "SELECT blinds_hash FROM vouchers WHERE code_hash = ?", h[:]).Scan(&before)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("books: %w", err)
	}
	return before != nil && string(before) == string(blinds[:]), nil
}

// RedeemVoucher turns a voucher into the units of exactly these blinds. The
// same blinds again are no error; others are ErrUsed.
func (b *Books) RedeemVoucher(ctx context.Context, code string, units int64, blinds [32]byte) error {
	h := codeHash(code)
	err := database.Update(ctx, b.db, func(tx *sql.Tx) error {
		var worth int64
		var before []byte
		err := tx.QueryRowContext(ctx, "SELECT units, blinds_hash FROM vouchers WHERE code_hash = ?", h[:]).Scan(&worth, &before)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrVoucher
		case err != nil:
			return err
		case before != nil && string(before) == string(blinds[:]):
			return nil
		case before != nil:
			return ErrUsed
		case worth != units:
			return ErrUnits
		}
		_, err = tx.ExecContext(ctx, "UPDATE vouchers SET redeemed_ms = ?, blinds_hash = ? WHERE code_hash = ?", b.now().UnixMilli(), blinds[:], h[:])
		return err
	})
	if err == nil || errors.Is(err, ErrVoucher) || errors.Is(err, ErrUsed) || errors.Is(err, ErrUnits) {
		return err
	}
	return fmt.Errorf("books: %w", err)
}

func codeHash(code string) [32]byte { return sha256.Sum256([]byte("voucher\x00" + code)) }
