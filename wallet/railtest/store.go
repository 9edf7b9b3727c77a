// Package railtest is the conformance suite of wallet.Rail and wallet.Payer:
// what every rail and every ledger must do, whatever stands behind it.
//
// Source: SNE-SPEC 7.2, 7.3 and 8; the comments of wallet.Rail and
// wallet.Payer.
package railtest

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // driver "sqlite"

	"sonahub/wallet"
)

var _ wallet.Store = (*Store)(nil)

// Store is a plain wallet.Store on a file of its own, for a rail without a
// ledger.
type Store struct{ db *sql.DB }

// OpenStore makes a file with the tables of a rail and opens the rail on it.
func OpenStore(t testing.TB, r wallet.Rail) *Store {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "rail.db")+"?_txlock=immediate&_pragma=foreign_keys(ON)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, q := range r.Schema() {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	s := &Store{db: db}
	if err := r.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Update implements wallet.Store.
func (s *Store) Update(ctx context.Context, do func(wallet.Tx) error) error {
	return s.transact(ctx, do, (*sql.Tx).Commit)
}

// View implements wallet.Store.
func (s *Store) View(ctx context.Context, do func(wallet.Tx) error) error {
	return s.transact(ctx, do, (*sql.Tx).Rollback)
}

func (s *Store) transact(ctx context.Context, do func(wallet.Tx) error, end func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return end(tx)
}
