package ffxs

import (
	"testing"
	"time"

	"sonahub/wallet/ffxs/mint"
	"sonahub/wallet/ffxs/token"
)

// benchMint is a key set and its issuer.
func benchMint(tb testing.TB) (keySet, func(blinds []byte) []byte) {
	tb.Helper()
	m, err := mint.New(mint.Seed{1}, mint.Terms{IssueUntil: time.UnixMilli(0), RedeemUntil: time.UnixMilli(0).Add(mint.MinRedeem)})
	if err != nil {
		tb.Fatal(err)
	}
	ks, err := token.ParseKeySet(m.KeySet())
	if err != nil {
		tb.Fatal(err)
	}
	return keySet{KeySet: ks, id: m.ID()}, func(blinds []byte) []byte {
		out, err := m.Evaluate(blinds)
		if err != nil {
			tb.Fatal(err)
		}
		return out
	}
}
