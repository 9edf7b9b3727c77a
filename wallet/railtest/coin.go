package railtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"sonahub/wallet"
)

var _ wallet.Rail = (*Coin)(nil)

// Network is the far side of a Coin: it pays each id once and sells what was
// paid. It outlives a crash of the hub.
type Network struct {
	Before func(id string) error // an error here: the payment was never sent
	After  func(id string) error // an error here: it was paid, the answer got lost

	mu   sync.Mutex
	paid map[string]wallet.Msat
}

// Paid is what arrived, and how many payments that were.
func (n *Network) Paid() (wallet.Msat, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var sum wallet.Msat
	for _, v := range n.paid {
		sum += v
	}
	return sum, len(n.paid)
}

func (n *Network) pay(id string, cost wallet.Msat) error {
	if n.Before != nil {
		if err := n.Before(id); err != nil {
			return err
		}
	}
	n.mu.Lock()
	if n.paid == nil {
		n.paid = map[string]wallet.Msat{}
	}
	n.paid[id] = cost
	n.mu.Unlock()
	if n.After != nil {
		return n.After(id)
	}
	return nil
}

func (n *Network) isPaid(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.paid[id]
	return ok
}

// Show presents a proof of payment to the seller.
func (n *Network) Show(p wallet.Proof, price wallet.Msat) (wallet.Receipt, error) {
	if !n.isPaid(p.ID) || string(p.Body) != "paid "+p.ID {
		return wallet.Receipt{Outcome: wallet.Refused, Reason: "not paid"}, nil
	}
	return wallet.Receipt{Outcome: wallet.Granted, Amount: price}, nil
}

// Coin is a rail that sends its money by itself and gets a proof back, as
// Lightning does: the opposite of a bearer rail.
type Coin struct {
	Funds   wallet.Msat
	Fee     wallet.Msat // of each payment
	Network *Network
	store   wallet.Store
}

// Number implements wallet.Rail.
func (c *Coin) Number() byte { return 1 }

// Name implements wallet.Rail.
func (c *Coin) Name() string { return "coin" }

// Schema implements wallet.Rail.
func (c *Coin) Schema() []string {
	return []string{"CREATE TABLE coin (id TEXT PRIMARY KEY, cost INTEGER NOT NULL, state TEXT NOT NULL) STRICT"}
}

// Open implements wallet.Rail.
func (c *Coin) Open(_ context.Context, s wallet.Store) error {
	c.store = s
	return nil
}

// Balance implements wallet.Rail.
func (c *Coin) Balance(ctx context.Context, tx wallet.Tx, _ string) (wallet.Msat, error) {
	var out wallet.Msat
	err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(cost), 0) FROM coin WHERE state <> 'freed'").Scan(&out)
	return c.Funds - out, err
}

// Quote implements wallet.Rail.
func (c *Coin) Quote(ctx context.Context, i wallet.Intent) (wallet.Quote, error) {
	q := wallet.Quote{Cost: i.Price + c.Fee, Fee: c.Fee}
	err := c.store.View(ctx, func(tx wallet.Tx) error {
		b, err := c.Balance(ctx, tx, i.Root)
		if err == nil && b < q.Cost {
			err = &wallet.EmptyError{Balance: b, Asked: q.Cost}
		}
		return err
	})
	return q, err
}

// Prepare implements wallet.Rail.
func (c *Coin) Prepare(ctx context.Context, tx wallet.Tx, id string, _ wallet.Intent, q wallet.Quote) (wallet.Bearer, error) {
	b, err := c.Balance(ctx, tx, "")
	if err != nil {
		return nil, err
	}
	if b < q.Cost {
		return nil, wallet.ErrAgain
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO coin VALUES (?, ?, 'held')", id, q.Cost)
	return nil, err
}

// Pay implements wallet.Rail.
func (c *Coin) Pay(ctx context.Context, id string, _ wallet.Bearer) (wallet.Bearer, error) {
	var cost wallet.Msat
	err := c.store.View(ctx, func(tx wallet.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT cost FROM coin WHERE id = ?", id).Scan(&cost)
	})
	if err != nil {
		return nil, err
	}
	if err := c.Network.pay(id, cost); err != nil {
		return nil, err
	}
	return wallet.Bearer("paid " + id), nil
}

// Settle implements wallet.Rail.
func (c *Coin) Settle(ctx context.Context, tx wallet.Tx, id string, r wallet.Receipt) (string, error) {
	var state wallet.MovementState
	err := tx.QueryRowContext(ctx, "SELECT state FROM coin WHERE id = ?", id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("coin: no money was set aside for %s", id)
	}
	if err != nil || state != wallet.MoneyHeld {
		return "", err
	}
	switch r.Outcome {
	case wallet.Refused:
		state = wallet.MoneyFreed
	case wallet.Lost:
		state = wallet.MoneyLost
	default:
		state = wallet.MoneySpent
	}
	_, err = tx.ExecContext(ctx, "UPDATE coin SET state = ? WHERE id = ?", state, id)
	return "", err
}

// Resume implements wallet.Rail.
func (c *Coin) Resume(_ context.Context, id string) (wallet.Receipt, error) {
	if c.Network.isPaid(id) {
		return wallet.Receipt{Outcome: wallet.Lost, Reason: "paid, never fetched"}, nil
	}
	return wallet.Receipt{Outcome: wallet.Refused, Reason: "never sent"}, nil
}

// Audit implements wallet.Rail.
func (c *Coin) Audit(ctx context.Context, tx wallet.Tx) ([]wallet.Movement, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, cost, state FROM coin")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out []wallet.Movement
	for rows.Next() {
		var m wallet.Movement
		if err := rows.Scan(&m.ID, &m.Cost, &m.State); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
