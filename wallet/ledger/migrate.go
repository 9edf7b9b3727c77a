package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"sonahub/wallet"
)

// base are the tables that say how far the others are: which schema each
// owner (the ledger, each rail) has reached, and a sealed word by which a
// wrong device key is noticed before any money is.
const base = `
CREATE TABLE IF NOT EXISTS migration (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seal (one INTEGER PRIMARY KEY CHECK (one = 1), word BLOB NOT NULL) STRICT;`

// migrate brings the tables of the ledger and of every rail up to date, each
// version in a transaction of its own.
func (l *Ledger) migrate(ctx context.Context) error {
	err := l.Update(ctx, func(tx wallet.Tx) error {
		_, err := tx.ExecContext(ctx, base)
		return err
	})
	if err != nil {
		return err
	}
	own, err := ownSchema()
	if err != nil {
		return err
	}
	if err := l.migrateOwner(ctx, "ledger", own); err != nil {
		return err
	}
	for _, r := range l.Rails {
		if err := l.migrateOwner(ctx, "rail "+r.Name(), r.Schema()); err != nil {
			return err
		}
	}
	return nil
}

func ownSchema() ([]string, error) {
	files, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range files {
		b, err := schemaFiles.ReadFile(fmt.Sprintf("schema/%d.sql", i+1))
		if err != nil {
			return nil, err
		}
		out = append(out, string(b))
	}
	return out, nil
}

func (l *Ledger) migrateOwner(ctx context.Context, owner string, schema []string) error {
	for {
		var done bool
		err := l.Update(ctx, func(tx wallet.Tx) error {
			var have int
			err := tx.QueryRowContext(ctx, "SELECT version FROM migration WHERE owner = ?", owner).Scan(&have)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if have > len(schema) {
				return fmt.Errorf("tables of %s are of version %d, this program knows %d: a newer one wrote them", owner, have, len(schema))
			}
			if done = have == len(schema); done {
				return nil
			}
			if _, err := tx.ExecContext(ctx, schema[have]); err != nil {
				return fmt.Errorf("schema %d of %s: %w", have+1, owner, err)
			}
			_, err = tx.ExecContext(ctx, "INSERT INTO migration VALUES (?, ?) ON CONFLICT DO UPDATE SET version = excluded.version", owner, have+1)
			return err
		})
		if err != nil || done {
			return err
		}
	}
}

// checkKey refuses a device key that does not fit the file.
func (l *Ledger) checkKey(ctx context.Context) error {
	place := []byte("ledger word")
	return l.Update(ctx, func(tx wallet.Tx) error {
		var word []byte
		err := tx.QueryRowContext(ctx, "SELECT word FROM seal").Scan(&word)
		if errors.Is(err, sql.ErrNoRows) {
			if word, err = l.Key.Seal(place, []byte(rand.Text())); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "INSERT INTO seal VALUES (1, ?)", word)
			return err
		}
		if err != nil {
			return err
		}
		_, err = l.Key.Open(place, word)
		return err
	})
}
