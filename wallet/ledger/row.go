package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sonahub/wallet"
)

// State is where a purchase stands.
type State string

// The states of a purchase.
const (
	Intent    State = "intent"    // money set aside, the rail has not sent it yet
	Sent      State = "sent"      // sent by the rail, goods not verified
	Redeeming State = "redeeming" // bearer proof out, goods not verified
	Settled   State = "settled"   // paid, every key verified, not wholly heard
	Done      State = "done"      // heard, or expired
	Failed    State = "failed"    // refused; the money is back
	Faulty    State = "faulty"    // paid for bad goods; proof kept as evidence
	Lost      State = "lost"      // paid and gone
)

// unsettled reports whether the end of the money is not known yet.
func (s State) unsettled() bool { return s == Intent || s == Sent || s == Redeeming }

// inFlight is the same in SQL, and isOpen adds what is paid and not heard; both
// are word for word the conditions of an index.
const (
	inFlight = "state IN ('intent','sent','redeeming')"
	flight   = "purchase INDEXED BY purchase_flight" // a ledger of years has few of them: never look for them by time
	isOpen   = "state IN ('intent','sent','redeeming','settled')"
)

// ErrUnknown says that no purchase has this id.
var ErrUnknown = errors.New("ledger: no such purchase")

// ErrFinal says that a purchase has already ended another way.
var ErrFinal = errors.New("ledger: purchase has ended otherwise")

// row is a purchase as it lies in the file.
type row struct {
	wallet.Goods
	id     string
	rail   byte
	price  wallet.Msat
	fee    wallet.Msat
	cost   wallet.Msat
	amount sql.NullInt64
	state  State
	heard  int
	reason string
	sealed []byte
	bought time.Time
}

const columns = "id, rail, root, broadcast, tier, first, n, epoch_ms, price, fee, cost, amount, state, heard, reason, body, bought_at"

type scanner interface{ Scan(dest ...any) error }

func scanRow(s scanner) (row, error) {
	var r row
	var epoch, bought int64
	err := s.Scan(&r.id, &r.rail, &r.Root, &r.Broadcast, &r.Tier, &r.First, &r.N, &epoch,
		&r.price, &r.fee, &r.cost, &r.amount, &r.state, &r.heard, &r.reason, &r.sealed, &bought)
	r.Epoch = time.Duration(epoch) * time.Millisecond
	r.bought = time.UnixMilli(bought)
	return r, err
}

// selectRows reads the rows of a table (purchase, or flight) that a condition picks.
func selectRows(ctx context.Context, tx wallet.Tx, from, where string, args ...any) ([]row, error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+columns+" FROM "+from+" WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out []row
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func selectRow(ctx context.Context, tx wallet.Tx, id string) (row, error) {
	r, err := scanRow(tx.QueryRowContext(ctx, "SELECT "+columns+" FROM purchase WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return r, err
}

// seal hides a proof for one row; an empty one is not stored.
func (l *Ledger) seal(id string, body wallet.Bearer) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	return l.Key.Seal([]byte("purchase "+id), body)
}

// proof opens a row.
func (l *Ledger) proof(r row) (wallet.Proof, error) {
	p := wallet.Proof{ID: r.id, Rail: r.rail, Goods: r.Goods, Amount: r.cost, Heard: r.heard}
	if len(r.sealed) == 0 {
		return p, nil
	}
	body, err := l.Key.Open([]byte("purchase "+r.id), r.sealed)
	if err != nil {
		return p, fmt.Errorf("purchase %s: %w", r.id, err)
	}
	p.Body = body
	return p, nil
}

// openRows reads the open purchases of a tier that meet [first, end), in the
// order of their epochs.
func (l *Ledger) openRows(ctx context.Context, tx wallet.Tx, g wallet.Goods, first, end uint64) ([]row, error) {
	since := l.Now().Add(-l.Keep).UnixMilli()
	return selectRows(ctx, tx, "purchase INDEXED BY purchase_open", isOpen+" AND root = ? AND broadcast = ? AND tier = ? AND first < ? AND first + n > ? AND (state <> 'settled' OR bought_at > ?) ORDER BY first",
		g.Root, g.Broadcast, g.Tier, int64(end), int64(first), since)
}
