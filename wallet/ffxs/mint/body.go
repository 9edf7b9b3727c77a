package mint

import (
	"crypto/rand"
	"fmt"
	"io"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// Redeem is the body of BUY rail 2 and of SWAP, taken apart: what is spent,
// and the blinded points for change or for the new tokens.
type Redeem struct {
	TokensKeySet [32]byte      // key set of the tokens
	Tokens       wallet.Bearer // for Verify of that set's Mint
	TokenUnits   uint64        // what they claim to be worth
	BlindsKeySet [32]byte      // key set of the blinds
	Blinds       []byte        // for Evaluate of that set's Mint
	BlindUnits   uint64        // sum of the blinds
}

// ParseRedeem takes a body apart; only its shape is checked.
func ParseRedeem(body []byte) (Redeem, error) {
	r, err := token.ParseRedeem(body)
	if err != nil {
		return Redeem{}, err
	}
	return Redeem{
		TokensKeySet: r.Spend.KeySet,
		Tokens:       r.Spend.Append(nil),
		TokenUnits:   r.Spend.Units(),
		BlindsKeySet: r.KeySet,
		Blinds:       r.Blinds.Append(nil),
		BlindUnits:   r.Blinds.Units(),
	}, nil
}

// Units is the sum of Blinds.
func Units(blinds []byte) (uint64, error) {
	v, err := token.ParseBlinds(blinds)
	if err != nil {
		return 0, err
	}
	return v.Units(), nil
}

// NewVoucher makes the code of a voucher. It is good for nothing until the
// issuer's books know it. A nil source is crypto/rand.
func NewVoucher(source io.Reader, units uint64) (string, error) {
	if units == 0 || units > token.MaxVoucherUnits {
		return "", fmt.Errorf("mint: a voucher holds 1 to %d units, not %d", uint64(token.MaxVoucherUnits), units)
	}
	if source == nil {
		source = rand.Reader
	}
	v := token.Voucher{Units: units}
	if _, err := io.ReadFull(source, v.Secret[:]); err != nil {
		return "", fmt.Errorf("mint: voucher: %w", err)
	}
	return v.Code(), nil
}

// ParseVoucher reads the worth of a code that is in its canonical form.
func ParseVoucher(code string) (units uint64, err error) {
	v, err := token.ParseVoucher(code)
	return v.Units, err
}
