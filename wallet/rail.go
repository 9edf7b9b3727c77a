package wallet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Tx is a transaction of the ledger's file, as *sql.Tx offers it. A rail
// keeps its purse behind the same Tx as the ledger its row, so that both
// commit or neither does.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Store runs transactions on the ledger's file. Inside do nothing else may be
// asked of the Store: it has one connection.
type Store interface {
	// Update commits what do wrote if do returns nil, durably.
	Update(ctx context.Context, do func(Tx) error) error
	// View runs do on a consistent state; what it writes is dropped.
	View(ctx context.Context, do func(Tx) error) error
}

// ErrAgain is returned by Rail.Prepare when what Quote saw has changed since:
// the ledger asks for a new quote.
var ErrAgain = errors.New("purse changed, ask again")

// Rail is one way to pay. The ledger drives it:
//
//	Quote (network allowed) -> caps -> Prepare (in the ledger's transaction)
//	-> Pay (network allowed) -> the caller shows the proof -> Settle
//
// A rail holds no state of a purchase outside the Store.
type Rail interface {
	// Number is the rail's number on the wire (SNE-SPEC section 6).
	Number() byte
	// Name names the rail in the ledger's file and in the log.
	Name() string
	// Schema lists the statements that bring the rail's tables from one
	// version to the next; entries are only ever added.
	Schema() []string
	// Open is called once, after the schema is there.
	Open(ctx context.Context, s Store) error
	// Quote says what the purchase would cost, and makes the purse ready for
	// it. It may exchange money for the same amount of money, never spend it.
	// Too little is an *EmptyError.
	Quote(ctx context.Context, i Intent) (Quote, error)
	// Prepare sets the money of purchase id aside within tx. Nothing is sent.
	Prepare(ctx context.Context, tx Tx, id string, i Intent, q Quote) (Bearer, error)
	// Pay sends the money, if this rail sends it by itself; a bearer rail
	// returns body unchanged. Repeated, it pays once.
	Pay(ctx context.Context, id string, body Bearer) (Bearer, error)
	// Settle books within tx how purchase id ended: Granted and Faulty spend
	// what was set aside and take in the change, Refused gives it back, Lost
	// writes it off. A fault is what is wrong with the answer itself (change
	// that does not verify): the money is gone, and the origin is to blame.
	Settle(ctx context.Context, tx Tx, id string, r Receipt) (fault string, err error)
	// Resume finds out how purchase id ended without showing its proof, and
	// makes that end final at the other side; the ledger then calls Settle
	// with the receipt. Repeated, it gives the same end. An error means: not
	// known yet, ask later.
	Resume(ctx context.Context, id string) (Receipt, error)
	// Balance is what can be spent at root; the empty root means all.
	Balance(ctx context.Context, tx Tx, root string) (Msat, error)
	// Audit checks the rail's own sums and reports what its purse says about
	// every purchase that moved money.
	Audit(ctx context.Context, tx Tx) ([]Movement, error)
}

// Quote is the price of a purchase on one rail.
type Quote struct {
	Cost Msat // the most that can leave: price, rounding and largest fee
	Fee  Msat // part of Cost that is a fee
}

// Movement is one purchase as a rail's purse has it.
type Movement struct {
	ID    string // the purchase
	Cost  Msat
	State MovementState
}

// MovementState says where the money of a movement is.
type MovementState string

// The states of a movement.
const (
	MoneyHeld  MovementState = "held"  // set aside, end unknown
	MoneySpent MovementState = "spent" // gone for goods
	MoneyFreed MovementState = "freed" // back in the purse
	MoneyLost  MovementState = "lost"  // written off
)

// Caps bound what a household spends. Zero means no cap.
type Caps struct {
	Hour Msat // whole house, rolling hour
	Day  Msat // whole house, calendar day
	Room Msat // one room, calendar day
}

// DefaultCaps are what a new household starts with. Lossless play at the
// usual 500 msat a second costs 1,800 sat an hour: it fits under Hour for
// ever, with room for skips, while two runaway streams (3,600) do not. Day
// ends eleven hours of it, Room eight hours in one room.
func DefaultCaps() Caps {
	return Caps{Hour: 3_000_000, Day: 20_000_000, Room: 15_000_000}
}

// OverlapError refuses a purchase that would pay a second time for epochs
// that are already paid and open; nothing was paid. The goods before Next can
// be bought, those from Next on are there.
type OverlapError struct{ Next uint64 }

func (e *OverlapError) Error() string {
	return fmt.Sprintf("epochs from %d on are already paid", e.Next)
}
