package snetest

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
)

// Refusals of a payment.
var (
	ErrInvoice = errors.New("snetest: no such invoice")
	ErrPaid    = errors.New("snetest: invoice is paid already")
	ErrClosed  = errors.New("snetest: invoice has expired or was cancelled")
)

// Till is Lightning in memory: an invoice is a string that anybody can read,
// and paying it reveals its preimage. Whoever pays also tells the routing
// nodes in between.
type Till struct {
	Node    [33]byte         // key that invoices name as their payee
	Network string           // default "regtest"
	Now     func() time.Time // nil = time.Now

	mu     sync.Mutex
	all    map[[32]byte]*invoice
	routed []kdf.Secret
}

type invoice struct {
	offer.Invoice
	preimage kdf.Secret
	ends     time.Time
	settled  bool
	closed   bool
}

const bolt11 = "lnsnetest1"

func (t *Till) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// Add makes an invoice.
func (t *Till) Add(preimage kdf.Secret, amountMsat uint64, description [32]byte, expiry time.Duration) (string, error) {
	inv := offer.Invoice{
		PaymentHash: offer.PaymentHash(&preimage), DescriptionHash: description, AmountMsat: amountMsat,
		Payee: t.Node, Network: t.Network, Expiry: uint32(expiry / time.Second), MinFinalCLTV: 40,
	}
	if inv.Network == "" {
		inv.Network = "regtest"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[[32]byte]*invoice)
	}
	if t.all[inv.PaymentHash] != nil {
		return "", errors.New("snetest: payment hash is used already")
	}
	t.all[inv.PaymentHash] = &invoice{Invoice: inv, preimage: preimage, ends: t.now().Add(expiry)}
	return Encode(inv)
}

// Encode writes an invoice as a string, whatever it says.
func Encode(inv offer.Invoice) (string, error) {
	var w wire.Writer
	w.Raw(inv.PaymentHash[:])
	w.Raw(inv.DescriptionHash[:])
	w.U64(inv.AmountMsat)
	w.Raw(inv.Payee[:])
	w.X16([]byte(inv.Network), 20)
	w.U32(inv.Expiry)
	w.U32(inv.MinFinalCLTV)
	w.U8(map[bool]uint8{true: 1}[inv.AMP])
	raw, err := w.Bytes()
	return bolt11 + hex.EncodeToString(raw), err
}

// Decode reads it again; it has the shape of sale.Config.Invoice.
func Decode(_ context.Context, text string) (offer.Invoice, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, bolt11))
	if err != nil {
		return offer.Invoice{}, err
	}
	r := wire.NewReader(raw)
	inv := offer.Invoice{PaymentHash: r.ID(), DescriptionHash: r.ID(), AmountMsat: r.U64()}
	r.Fixed(inv.Payee[:])
	inv.Network, inv.Expiry, inv.MinFinalCLTV, inv.AMP = r.Text(20), r.U32(), r.U32(), r.U8() == 1
	return inv, r.Close()
}

// Pay pays an invoice and returns its preimage.
func (t *Till) Pay(text string) (*kdf.Secret, error) {
	inv, err := Decode(context.Background(), text)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.all[inv.PaymentHash]
	switch {
	case held == nil:
		return nil, ErrInvoice
	case held.settled:
		return nil, ErrPaid
	case held.closed || t.now().After(held.ends):
		return nil, ErrClosed
	}
	held.settled = true
	t.routed = append(t.routed, held.preimage)
	p := held.preimage
	return &p, nil
}

// Routed is what a routing node on the way saw: the preimage of every payment.
func (t *Till) Routed() []kdf.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]kdf.Secret(nil), t.routed...)
}

// Settled reports whether an invoice is paid.
func (t *Till) Settled(hash [32]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[hash] != nil && t.all[hash].settled
}

// Cancel closes an invoice that is not paid, and reports whether it was paid.
func (t *Till) Cancel(hash [32]byte) (settled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.all[hash]
	if held == nil {
		return false
	}
	held.closed = !held.settled
	return held.settled
}

// Open counts the invoices that could still be paid.
func (t *Till) Open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, held := range t.all {
		if !held.settled && !held.closed {
			n++
		}
	}
	return n
}
