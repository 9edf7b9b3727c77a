package origin

import (
	"context"
	"time"

	"sonahub/wallet"
)

// Till takes Lightning payments. It is an interface so that this platform is
// tied to no node software; commands plug wallet/lightning/till in, tests
// origintest.Till.
type Till interface {
	// Node is the key of the node that invoices name as their payee; it does
	// not change while the platform runs.
	Node(ctx context.Context) ([33]byte, error)
	// AddInvoice makes a BOLT11 invoice that reveals exactly this preimage when
	// it is paid, with the hash of a description instead of one. Keysend and
	// AMP must be off: there the payer picks the preimage.
	AddInvoice(ctx context.Context, preimage [32]byte, amount wallet.Msat, descriptionHash [32]byte, expiry time.Duration) (bolt11 string, err error)
	// Settled reports whether an invoice was paid. One that is not known was not.
	Settled(ctx context.Context, paymentHash [32]byte) (bool, error)
	// Cancel makes sure that an invoice can no longer be paid, and reports
	// whether it was. It must not guess: after an error it is asked again.
	Cancel(ctx context.Context, paymentHash [32]byte) (settled bool, err error)
}
