// Package ledger is the household's book of purchases. It implements
// wallet.Payer over a set of rails: caps, exposure window, choice of the rail
// and the states of every purchase.
//
// Source: SNE-SPEC 7.2 to 8.
//
//	INTENT -> SENT ------.
//	                      +-> SETTLED -> DONE        (or FAULTY, LOST later)
//	REDEEMING (bearer) --'
//	   \-> FAILED (refused, money back) | FAULTY | LOST
//
// Invariants: a row is durable before anything leaves the hub, and in the
// same transaction as the caps it was measured by and the money it sets
// aside, so that two buyers cannot pass a cap together. An epoch that an open
// row covers is never paid again: its proof is shown again. Money in flight
// counts as spent, at the most it can cost, for as long as its end is not
// known. A clock that is set back does not free a cap, because later rows
// keep counting.
//
// The file is SQLite in WAL mode with synchronous=FULL: each commit is one
// sync of the log, where a rollback journal would need three or four, and
// both are durable. There is one connection, hence one writer. secure_delete
// is on, the log is truncated when the ledger closes, and what opens a
// purchase lies in it only sealed with the device key, because flash memory
// keeps old pages whatever the database does.
package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"sonahub/wallet"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

var _ wallet.Payer = (*Ledger)(nil)
var _ wallet.Store = (*Ledger)(nil)

// Config says where the money lies and by which rules it is spent.
type Config struct {
	Path    string           // SQLite file; its folder exists, -wal and -shm lie beside it
	Key     *wallet.Key      // seals what opens a purchase
	Rails   []wallet.Rail    // in the order in which they are tried
	Caps    wallet.Caps      // until the owner sets others; zero value = wallet.DefaultCaps
	Keep    time.Duration    // how long a paid, unheard purchase stays open; 0 = 24 h
	Now     func() time.Time // nil = time.Now
	Zone    *time.Location   // of the calendar day; nil = time.Local
	Trusted func() bool      // whether the clock is trusted (SNE-SPEC 2.3); nil = it is
	Step    func(string)     // called at each named step, see Steps; nil outside crash tests
	Log     *slog.Logger     // nil = discard
}

// Ledger is safe for concurrent use.
type Ledger struct {
	Config
	db      *sql.DB
	expired atomic.Int64 // when Expire last ran, ms since 1970
}

// The named steps of a purchase, in their order. A process may die at each
// of them.
const (
	StepIntentWriting    = "intent-writing"    // in the transaction, before its commit
	StepIntentCommitted  = "intent-committed"  // money set aside, nothing has left
	StepPaid             = "paid"              // the rail has sent (no bearer rail), not yet written
	StepBodyOut          = "body-out"          // the caller is about to get the proof
	StepSettleWriting    = "settle-writing"    // in the transaction
	StepSettledCommitted = "settled-committed" // end booked
	StepHeardWriting     = "heard-writing"     // in the transaction
	StepHeardCommitted   = "heard-committed"
)

// Steps lists the names that Config.Step is called with.
func Steps() []string {
	return []string{StepIntentWriting, StepIntentCommitted, StepPaid, StepBodyOut,
		StepSettleWriting, StepSettledCommitted, StepHeardWriting, StepHeardCommitted}
}

// Open opens or makes the file, brings its tables up to date and opens the
// rails. A file sealed with another device key is refused (wallet.ErrSealed).
func Open(ctx context.Context, c Config) (*Ledger, error) {
	if c.Key == nil || len(c.Rails) == 0 {
		return nil, errors.New("ledger: a device key and at least one rail are needed")
	}
	if c.Caps == (wallet.Caps{}) {
		c.Caps = wallet.DefaultCaps()
	}
	if c.Keep == 0 {
		c.Keep = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{Config: c}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("ledger: open %s: %w", c.Path, err)
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context) error {
	// SQLite would make the file by the umask; -wal and -shm take its mode.
	f, err := os.OpenFile(l.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)",
		"synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)", "trusted_schema(OFF)"}}
	u := url.URL{Scheme: "file", OmitHost: true, Path: l.Path, RawQuery: q.Encode()}
	if l.db, err = sql.Open("sqlite", u.String()); err != nil {
		return err
	}
	l.db.SetMaxOpenConns(1)
	if err := l.prepare(ctx); err != nil {
		return errors.Join(err, l.db.Close())
	}
	return nil
}

func (l *Ledger) prepare(ctx context.Context) error {
	if err := l.migrate(ctx); err != nil {
		return err
	}
	if err := l.checkKey(ctx); err != nil {
		return err
	}
	for _, r := range l.Rails {
		if err := r.Open(ctx, l); err != nil {
			return fmt.Errorf("rail %s: %w", r.Name(), err)
		}
	}
	return l.expire(ctx)
}

// Close ends the ledger and truncates the log.
func (l *Ledger) Close() error {
	_, err := l.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, l.db.Close())
}

// Update commits what do wrote, durably; see wallet.Store. Once begun it
// does not stop for a cancelled context: transactions are short, and one that
// may or may not be there helps nobody.
func (l *Ledger) Update(ctx context.Context, do func(wallet.Tx) error) error {
	return l.transact(ctx, do, (*sql.Tx).Commit)
}

// View runs do on a consistent state and drops what it wrote.
func (l *Ledger) View(ctx context.Context, do func(wallet.Tx) error) error {
	return l.transact(ctx, do, (*sql.Tx).Rollback)
}

func (l *Ledger) transact(ctx context.Context, do func(wallet.Tx) error, end func(*sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := l.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return end(tx)
}

func (l *Ledger) step(name string) {
	if l.Step != nil {
		l.Step(name)
	}
}

// rail finds the rail that a row was paid by.
func (l *Ledger) rail(number byte) (wallet.Rail, error) {
	for _, r := range l.Rails {
		if r.Number() == number {
			return r, nil
		}
	}
	return nil, fmt.Errorf("ledger: rail %d is not set up", number)
}
