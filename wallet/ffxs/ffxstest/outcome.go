package ffxstest

import (
	"errors"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
)

// Outcome translates an origin's error for a ledger; false means that the end
// is not known.
func Outcome(err error) (wallet.Outcome, bool) {
	switch {
	case errors.Is(err, ffxs.ErrRefused):
		return wallet.Refused, true
	case errors.Is(err, ffxs.ErrSpent):
		return wallet.Lost, true
	}
	return 0, false
}
