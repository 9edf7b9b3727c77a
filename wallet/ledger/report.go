package ledger

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sonahub/wallet"
)

// Spending is the household's money at a glance.
func (l *Ledger) Spending(ctx context.Context) (wallet.Spending, error) {
	var s wallet.Spending
	err := l.View(ctx, func(tx wallet.Tx) error {
		now := l.Now()
		caps, err := l.caps(ctx, tx)
		if err != nil {
			return err
		}
		s.HourCap, s.DayCap, s.RoomCap = caps.Hour, caps.Day, caps.Room
		for _, r := range l.Rails {
			b, err := r.Balance(ctx, tx, "")
			if err != nil {
				return err
			}
			s.Balance += b
		}
		if s.HourSpent, err = spentSince(ctx, tx, now.Add(-time.Hour)); err != nil {
			return err
		}
		if s.RoomSpent, err = spentToday(ctx, tx, l.today(now)); err != nil {
			return err
		}
		delete(s.RoomSpent, house)
		return tx.QueryRowContext(ctx, `SELECT
			(SELECT coalesce(sum(cost), 0) FROM `+flight+` WHERE `+inFlight+`),
			coalesce(sum(cost), 0), coalesce(sum(cost * heard / n), 0), (SELECT msat FROM paid)
			FROM purchase INDEXED BY purchase_time WHERE `+bought+` AND bought_at >= ?`, l.today(now).UnixMilli()).
			Scan(&s.InFlight, &s.DayBought, &s.DayHeard, &s.TotalPaid)
	})
	return s, err
}

// bought picks purchases whose money is gone.
const bought = "state IN ('settled','done','faulty','lost')"

// Totals are the sums an auditor compares with the origin's books.
type Totals struct {
	Granted  wallet.Msat // amounts as granted, of settled, done and faulty purchases
	Cost     wallet.Msat // what left the hub for them: whole units of the rail, fees
	InFlight wallet.Msat // end not known; at the most it can cost
	Lost     wallet.Msat // cost of lost purchases
	Faulty   wallet.Msat // cost of faulty ones (also in Cost)
	Goods    []GoodsTotal
}

// GoodsTotal is one tier of one broadcast, settled, done and faulty.
type GoodsTotal struct {
	Root, Broadcast   string
	Tier              uint16
	Purchases, Epochs int
	Granted, Cost     wallet.Msat
}

// Totals adds up the whole ledger.
func (l *Ledger) Totals(ctx context.Context) (Totals, error) {
	var t Totals
	err := l.View(ctx, func(tx wallet.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT
			coalesce(sum(cost) FILTER (WHERE `+inFlight+`), 0),
			coalesce(sum(cost) FILTER (WHERE state = 'lost'), 0),
			coalesce(sum(cost) FILTER (WHERE state = 'faulty'), 0) FROM purchase`).Scan(&t.InFlight, &t.Lost, &t.Faulty)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT root, broadcast, tier, count(*), sum(n), sum(coalesce(amount, 0)), sum(cost)
			FROM purchase WHERE state IN ('settled','done','faulty') GROUP BY root, broadcast, tier ORDER BY root, broadcast, tier`)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
		for rows.Next() {
			var g GoodsTotal
			if err := rows.Scan(&g.Root, &g.Broadcast, &g.Tier, &g.Purchases, &g.Epochs, &g.Granted, &g.Cost); err != nil {
				return err
			}
			t.Granted += g.Granted
			t.Cost += g.Cost
			t.Goods = append(t.Goods, g)
		}
		return rows.Err()
	})
	return t, err
}

// Entry is one purchase as it is exported; no secret is in it.
type Entry struct {
	ID        string      `json:"id"`
	Time      time.Time   `json:"time"`
	Rail      string      `json:"rail"`
	Root      string      `json:"root"`
	Broadcast string      `json:"broadcast"`
	Tier      uint16      `json:"tier"`
	First     uint64      `json:"first"`
	Epochs    int         `json:"epochs"`
	Heard     int         `json:"heard"`
	Price     wallet.Msat `json:"price_msat"`
	Cost      wallet.Msat `json:"cost_msat"`
	Granted   wallet.Msat `json:"granted_msat"`
	State     State       `json:"state"`
	Reason    string      `json:"reason,omitempty"`
	Rooms     []string    `json:"rooms"`
}

// Entries reads all purchases, oldest first.
func (l *Ledger) Entries(ctx context.Context) ([]Entry, error) {
	var out []Entry
	err := l.View(ctx, func(tx wallet.Tx) error {
		rooms, err := roomsOf(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := selectRows(ctx, tx, "purchase", "TRUE ORDER BY bought_at, id")
		if err != nil {
			return err
		}
		for _, r := range rows {
			name := strconv.Itoa(int(r.rail))
			if rail, err := l.rail(r.rail); err == nil {
				name = rail.Name()
			}
			out = append(out, Entry{ID: r.id, Time: r.bought.UTC(), Rail: name, Root: r.Root, Broadcast: r.Broadcast,
				Tier: r.Tier, First: r.First, Epochs: r.N, Heard: r.heard, Price: r.price, Cost: r.cost,
				Granted: wallet.Msat(r.amount.Int64), State: r.state, Reason: r.reason, Rooms: rooms[r.id]})
		}
		return nil
	})
	return out, err
}

func roomsOf(ctx context.Context, tx wallet.Tx) (map[string][]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT purchase, room FROM purchase_room ORDER BY purchase, room")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	out := map[string][]string{}
	for rows.Next() {
		var id, room string
		if err := rows.Scan(&id, &room); err != nil {
			return nil, err
		}
		out[id] = append(out[id], room)
	}
	return out, rows.Err()
}

// Format is a form of export.
type Format string

// The forms of export.
const (
	JSON Format = "json" // an array of Entry
	CSV  Format = "csv"  // a heading and one line a purchase; RFC 4180
)

// Export writes all purchases to w.
func (l *Ledger) Export(ctx context.Context, w io.Writer, f Format) error {
	entries, err := l.Entries(ctx)
	if err != nil {
		return err
	}
	switch f {
	case JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(entries)
	case CSV:
		return writeCSV(w, entries)
	}
	return fmt.Errorf("ledger: export: no format %q", f)
}

func writeCSV(w io.Writer, entries []Entry) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"id", "time", "rail", "root", "broadcast", "tier", "first", "epochs", "heard", "price_msat", "cost_msat", "granted_msat", "state", "reason", "rooms"}); err != nil {
		return err
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	for _, e := range entries {
		err := c.Write([]string{e.ID, e.Time.Format(time.RFC3339Nano), e.Rail, e.Root, e.Broadcast, n(int64(e.Tier)), n(int64(e.First)),
			n(int64(e.Epochs)), n(int64(e.Heard)), n(int64(e.Price)), n(int64(e.Cost)), n(int64(e.Granted)), string(e.State), cell(e.Reason), cell(strings.Join(e.Rooms, " "))})
		if err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// cell keeps a spreadsheet from taking text, which may come from an origin,
// for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}
