package database

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "a ?#%.db") // a name that a careless DSN would break on
	first := []string{"CREATE TABLE a(x INTEGER); INSERT INTO a VALUES (1)"}
	second := append(first, "INSERT INTO a SELECT x+1 FROM a")
	for _, migrations := range [][]string{first, second, second} {
		db, err := Open(ctx, path, migrations)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(ctx, path, second)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sum int
	if err := db.QueryRow("SELECT sum(x) FROM a").Scan(&sum); err != nil || sum != 3 {
		t.Errorf("sum = %d, %v; want 3", sum, err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %s", pragma, got, err, want)
		}
	}
	if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", s.Mode(), err)
	}
	if db, err := Open(ctx, path, first); err == nil {
		t.Error("a file of a newer version was opened")
		_ = db.Close()
	}
}

func TestUpdateLeavesNoTraceOfAFailure(t *testing.T) {
	ctx := context.Background()
	db, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), []string{"CREATE TABLE a(x INTEGER)"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	no := errors.New("no")
	err = Update(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO a VALUES (1)"); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatalf("got %v", err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows left, %v", n, err)
	}
}
