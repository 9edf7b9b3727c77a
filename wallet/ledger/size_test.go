package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ledger"
	"sonahub/wallet/railtest"
)

// fill writes days of purchases behind the ledger's back.
func (h *house) fill(t testing.TB, days, perDay int) {
	t.Helper()
	err := h.Update(t.Context(), func(tx wallet.Tx) error {
		_, err := tx.ExecContext(t.Context(), `WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < ?1 * ?2)
			INSERT INTO purchase (id, rail, root, broadcast, tier, first, n, epoch_ms, price, fee, cost, amount, state, heard, bought_at)
			SELECT 'old' || i, 1, 'aroot', 'b' || (i / 100), 2, i, 5, 2000, 5, 0, 5, 5, 'done', 5, ?3 - i * (86400000 / ?2) FROM k`,
			days, perDay, h.clock.now().UnixMilli())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(t.Context(), "INSERT INTO purchase_room SELECT id, 'hall' FROM purchase")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A file of version 1 keeps its money when it is brought up to date.
func TestMigration(t *testing.T) {
	h := newHouse(t, func(c *ledger.Config) { c.Path += ".new" })
	db := rawDB(t, filepath.Join(filepath.Dir(h.conf.Path), "old.db"))
	first, err := os.ReadFile("schema/1.sql")
	if err != nil {
		t.Fatal(err)
	}
	h.conf.Path = filepath.Join(filepath.Dir(h.conf.Path), "old.db")
	at := h.clock.now().UnixMilli()
	for _, q := range []string{
		"CREATE TABLE migration (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID; INSERT INTO migration VALUES ('ledger', 1)",
		string(first),
		(&railtest.Coin{}).Schema()[0] + "; INSERT INTO migration VALUES ('rail coin', 1)",
		"INSERT INTO coin VALUES ('a', 700, 'spent'), ('b', 50, 'freed'), ('c', 9, 'held')",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []struct {
		id, state string
		cost      int
	}{{"a", "done", 700}, {"b", "failed", 50}, {"c", "sent", 9}} {
		_, err := db.Exec(`INSERT INTO purchase (id, rail, root, broadcast, tier, first, n, epoch_ms, price, fee, cost, state, bought_at)
			VALUES (?, 1, 'aroot', 'b', 2, 5, 1, 2000, ?, 0, ?, ?, ?)`, r.id, r.cost, r.cost, r.state, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO purchase_room VALUES (?, 'hall')", r.id); err != nil {
			t.Fatal(err)
		}
	}
	h.reopen()
	if err := h.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := h.Spending(t.Context())
	if err != nil || s.TotalPaid != 700 || s.InFlight != 9 || s.RoomSpent["hall"] != 709 || s.HourSpent != 709 || s.DayBought != 700 {
		t.Fatalf("%+v, %v", s, err)
	}
}

// A purchase must not read the rows of the past: the questions it asks name
// their index, and this test breaks if a schema takes one away.
func TestOldRowsAreNotRead(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(t, 3, 100)
	p := h.mustPlay(0)
	s, err := h.Spending(t.Context())
	if err != nil || s.TotalPaid != 1000 { // the old rows came without their history
		t.Fatalf("%+v, %v", s, err)
	}
	if err := h.Verify(t.Context()); !errors.Is(err, ledger.ErrBooks) {
		t.Fatalf("300 rows out of nowhere went unnoticed: %v", err)
	}
	if own, err := h.Owned(t.Context(), root, "b", 2); err != nil || len(own) != 1 || own[0].ID != p.ID {
		t.Fatalf("%v, %v", own, err)
	}
	for _, index := range []string{"purchase_time", "purchase_flight", "purchase_open"} {
		broken := newHouse(t, nil)
		if _, err := rawDB(t, broken.conf.Path).Exec("DROP INDEX " + index); err != nil {
			t.Fatal(err)
		}
		if _, err := broken.buy(0); err == nil {
			t.Errorf("a purchase without %s: some question would read every row", index)
		}
	}
}

// BenchmarkBuyInAnOldLedger is a purchase after twelve days of continuous play.
func BenchmarkBuyInAnOldLedger(b *testing.B) {
	h := newHouse(b, func(c *ledger.Config) { c.Caps = wallet.Caps{Hour: 1 << 50, Day: 1 << 50, Room: 1 << 50} })
	h.fill(b, 12, 8640)
	n := uint64(0)
	for b.Loop() {
		n++
		p := h.mustPlay(n)
		if err := h.Heard(b.Context(), p.ID, 1); err != nil {
			b.Fatal(err)
		}
	}
}
