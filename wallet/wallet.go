// Package wallet holds the words of money: amounts, goods, intents, proofs,
// caps, and the two interfaces by which music is paid for.
//
// It is a leaf. Three rules hold for everything built on it. Intent is
// committed before anything leaves the hub. A purchase has an id that makes
// it idempotent: repeated, it never pays twice. Caps count money in flight,
// at its largest fee, as spent. An amount is always a whole number of
// millisatoshi.
package wallet

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Msat is an amount in millisatoshi (1/1000 sat, 10^-11 bitcoin).
type Msat int64

// String writes the amount exactly, in sat: "12.345 sat".
func (m Msat) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	if m%1000 == 0 {
		return fmt.Sprintf("%s%d sat", sign, m/1000)
	}
	return fmt.Sprintf("%s%d.%03d sat", sign, m/1000, m%1000)
}

// Goods are n consecutive epochs of one tier of one broadcast, sold by one
// origin. They say what was bought, never by which rail.
type Goods struct {
	Root      string        // KeyID of the origin's root key, base32
	Broadcast string        // broadcast id, base32
	Tier      uint16        // price and quality class
	First     uint64        // first epoch
	N         int           // number of epochs, 1..30
	Epoch     time.Duration // length of a full epoch
}

// Contains reports whether epoch e of the same tier lies in the goods.
func (g Goods) Contains(e uint64) bool { return e >= g.First && e < g.First+uint64(g.N) }

// Intent is what the listener wants to buy and what it may cost.
type Intent struct {
	Goods
	Price Msat     // the hub's own price for exactly these goods; the ceiling of every offer
	Rooms []string // rooms that will hear it: each one's cap counts the whole price
}

// Proof opens a purchase: it is shown to the origin, which answers with keys.
// Shown again it gives the same keys and costs nothing.
type Proof struct {
	ID     string // the purchase's row in the ledger, and its idempotency key
	Rail   byte   // rail of SNE-SPEC section 6: 1 Lightning, 2 FFXS, 4 opening grant
	Goods         // what it opens; may be wider than what was asked, if it was bought before
	Amount Msat   // what it cost or costs
	Body   Bearer // rail 1: paid claim (sne/offer); rail 2: BUY rail body (tokens, keyset, change blinds)
	Heard  int    // leading epochs of Goods that were already heard
}

// Bearer is money in the form of bytes: whoever shows it first has it. It
// never prints itself.
type Bearer []byte

// String hides the bytes.
func (Bearer) String() string { return "redacted" }

// Format hides the bytes from every verb of fmt.
func (Bearer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the bytes from slog.
func (Bearer) LogValue() slog.Value { return slog.StringValue("redacted") }

// MarshalText hides it from JSON, also inside other values that are logged.
func (Bearer) MarshalText() ([]byte, error) { return []byte("redacted"), nil }

// Outcome is how showing a proof ended.
type Outcome int

// The outcomes of showing a proof.
const (
	Granted Outcome = iota + 1 // keys came and every one fits its commitment
	Refused                    // the origin refused and left the money untouched (price, not for sale)
	Faulty                     // paid, and a key or a segment was wrong: evidence kept, origin blocked
	Lost                       // the origin says the money is spent or forged
)

// Receipt is what the origin's answer said.
type Receipt struct {
	Outcome Outcome
	Amount  Msat   // as granted; must not exceed the intent's price
	Change  Bearer // rail 2: evaluated change blinds (Evals)
	Reason  string // for Refused, Faulty and Lost, in plain words
}

// Payer buys. It hides the rails: budget, ledger and the choice of the rail
// stand behind it.
type Payer interface {
	// Buy reserves the money, commits the intent and returns what to show to
	// the origin. If an open purchase (paid and not wholly heard, or of
	// unknown end) already covers i.First, it is returned and nothing is paid.
	// A refusal by a cap is a *CapError, by the exposure window an
	// *ExposureError, for want of money an *EmptyError, by a blocked origin a
	// *BlockedError.
	Buy(ctx context.Context, i Intent) (Proof, error)
	// Settle records the answer. Repeated with the same answer it changes nothing.
	Settle(ctx context.Context, id string, r Receipt) error
	// Heard records that the first n epochs of the purchase were heard; with
	// all of them the purchase is done and what opens it is erased.
	Heard(ctx context.Context, id string, n int) error
	// Owned lists the open purchases of a tier in the order of their epochs,
	// so that a restarted hub plays what is paid before it buys again.
	Owned(ctx context.Context, root, broadcast string, tier uint16) ([]Proof, error)
	// Window is how much may be paid to root at this moment before its keys
	// are verified (SNE-SPEC 7.3), given the price per second.
	Window(ctx context.Context, root string, perSecond Msat) (Msat, error)
}

// CapKind names a cap.
type CapKind string

// The caps of a household.
const (
	CapHour CapKind = "hour" // whole house, rolling hour
	CapDay  CapKind = "day"  // whole house, calendar day of the hub
	CapRoom CapKind = "room" // one room, calendar day
)

// CapError refuses a purchase because of a cap; nothing was paid.
type CapError struct {
	Cap   CapKind
	Room  string // id of the room, for CapRoom
	Limit Msat
	Spent Msat // with money in flight
	Asked Msat
	Until time.Time // when it may be tried again
}

func (e *CapError) Error() string {
	where := "house"
	if e.Room != "" {
		where = "room " + e.Room
	}
	return fmt.Sprintf("spending cap reached (%s, per %s): %s of %s are spent, %s more would exceed it",
		where, e.Cap, e.Spent, e.Limit, e.Asked)
}

// ExposureError refuses a purchase because too much is paid and not yet
// verified; nothing was paid. A smaller or later purchase may pass.
type ExposureError struct{ Window, Exposed, Asked Msat }

func (e *ExposureError) Error() string {
	return fmt.Sprintf("%s paid and not yet verified, %s more would exceed the window of %s", e.Exposed, e.Asked, e.Window)
}

// EmptyError says that no rail has enough money; nothing was paid.
type EmptyError struct{ Balance, Asked Msat }

func (e *EmptyError) Error() string {
	return fmt.Sprintf("prepaid balance too low: %s left, %s needed; top up to go on", e.Balance, e.Asked)
}

// BlockedError says that this origin delivered faulty goods before and is
// blocked until the owner says otherwise; nothing was paid.
type BlockedError struct{ Root, Reason string }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("purchases from this platform are stopped: %s", e.Reason)
}

// Spending is the household's money at a glance.
type Spending struct {
	Balance   Msat            // prepaid and unspent, all rails
	InFlight  Msat            // reserved or sent, end not yet known
	HourSpent Msat            // last rolling hour, with money in flight
	DayBought Msat            // today, bought
	DayHeard  Msat            // today, bought and heard
	HourCap   Msat            // 0 = no cap
	DayCap    Msat            // 0 = no cap
	RoomCap   Msat            // per room and day; 0 = no cap
	RoomSpent map[string]Msat // today, by room id
	TotalPaid Msat            // since the ledger began
}
