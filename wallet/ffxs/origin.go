package ffxs

import (
	"context"
	"errors"
	"fmt"

	"sonahub/wallet"
)

// Origin is what the purse asks of the issuer of one root. An
// implementation wraps ErrRefused around an answer that leaves all money
// where it was, and ErrSpent around the answer "spent or forged". Any other
// error means that the end is not known: the purse repeats the same bytes.
type Origin interface {
	// KeySets are the ids that the origin's Bundle lists, the issuing one first.
	KeySets(ctx context.Context) ([][32]byte, error)
	// KeySet is the key set with this id.
	KeySet(ctx context.Context, id [32]byte) ([]byte, error)
	// TopUp turns a voucher into evaluated blinds. Repeated with the same
	// arguments it gives the same answer.
	TopUp(ctx context.Context, keyset [32]byte, blinds []byte, voucher string) (evals []byte, err error)
	// Swap exchanges tokens for evaluated blinds of the same worth. Repeated
	// with the same arguments it gives the same answer.
	Swap(ctx context.Context, tokens []byte, keyset [32]byte, blinds []byte) (evals []byte, err error)
}

var (
	// ErrRefused says that the origin refused and nothing was spent.
	ErrRefused = errors.New("refused by the origin")
	// ErrSpent says that the origin calls the money spent or forged.
	ErrSpent = errors.New("spent or forged, says the origin")
	// ErrVoucher says that a code is no voucher.
	ErrVoucher = errors.New("this is not a voucher code")
	// ErrVoucherUsed says that a voucher has been turned into units before.
	ErrVoucherUsed = errors.New("this voucher was used already")
	// ErrProof says that an answer of the origin does not verify.
	ErrProof = errors.New("answer of the origin does not verify")
)

// LimitError refuses a top-up that would exceed the owner's prepaid limit;
// the voucher stays good.
type LimitError struct{ Limit, Balance, Asked wallet.Msat }

func (e *LimitError) Error() string {
	return fmt.Sprintf("prepaid limit of %s for this platform: %s are there, %s more would exceed it", e.Limit, e.Balance, e.Asked)
}
