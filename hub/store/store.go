// Package store keeps the state of the house between starts: rooms, the
// queue, the place in it, paired phones, what is known of the platform.
//
// One SQLite file, not the ledger's: a volume slider must never wait for
// money or harm it, so this file trades the last half second for speed
// (synchronous=NORMAL) where the ledger does not. Migrations are embedded and
// run at Open; a file of a newer hub is refused untouched.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"time"

	"modernc.org/sqlite" // the driver registers itself
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open house file. It is safe for concurrent use.
type Store struct{ db *sql.DB }

// ErrDamaged says that the file is no house file any more: a power cut on a
// bad card, or something else wrote over it. Nothing was changed in it.
var ErrDamaged = errors.New("the file is damaged")

// Open opens or makes the file at path (0600).
func Open(ctx context.Context, path string) (*Store, error) {
	// SQLite would make the file by the umask; -wal and -shm take its mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)", "foreign_keys(1)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	db.SetMaxOpenConns(1)
	s := &Store{db}
	err = s.check(ctx)
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return s, nil
}

// check reads the whole file once. It is small, and damage that is found here
// does not come up in the middle of the music.
func (s *Store) check(ctx context.Context) error {
	var said string
	err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&said)
	switch {
	case Damaged(err):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return err
	case said != "ok":
		return fmt.Errorf("%w: %s", ErrDamaged, said)
	}
	return nil
}

// Damaged reports whether SQLite says that a file, this package's or another
// one's, is not what it wrote.
func Damaged(err error) bool {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return false
	}
	code := fault.Code() & 0xff // without the detail
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// Close writes everything out.
func (s *Store) Close() error { return s.db.Close() }

// migrate runs the migrations that the file has not seen yet, each in a
// transaction with its number.
func (s *Store) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(names)
	var have int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have > len(names) {
		return fmt.Errorf("the file is of a newer hub (version %d, this one knows %d)", have, len(names))
	}
	for i := have; i < len(names); i++ {
		text, err := migrations.ReadFile(names[i])
		if err != nil {
			return err
		}
		if err := s.tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", i+1))
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
	}
	return nil
}

func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	if _, err := s.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Setting returns a value that was set, and whether it was.
func (s *Store) Setting(ctx context.Context, name string) (string, bool, error) {
	var v string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM setting WHERE name = ?", name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("store: %w", err)
	}
	return v, true, nil
}

// Set keeps a value under a name.
func (s *Store) Set(ctx context.Context, name, value string) error {
	return s.exec(ctx, "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
}

// Put keeps the hash of a paired device's cookie.
func (s *Store) Put(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.exec(ctx, "INSERT OR REPLACE INTO device VALUES (?, ?)", hash[:], at.UnixMilli())
}

// Has reports whether a device with this hash is paired.
func (s *Store) Has(ctx context.Context, hash [32]byte) (bool, error) {
	var n int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM device WHERE hash = ?", hash[:]).Scan(&n); err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return n > 0, nil
}

// Revoke forgets a device. An unknown one is no error.
func (s *Store) Revoke(ctx context.Context, hash [32]byte) error {
	return s.exec(ctx, "DELETE FROM device WHERE hash = ?", hash[:])
}
