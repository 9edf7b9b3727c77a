package ffxs_test

import (
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/railtest"
)

const root = "aroot"

func newKey(t testing.TB) *wallet.Key {
	t.Helper()
	k, err := wallet.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newPurse makes a purse that knows one origin.
func newPurse(t testing.TB, o ffxs.Origin) *ffxs.Purse {
	t.Helper()
	p, err := ffxs.New(ffxs.Config{Key: newKey(t), Origin: func(string) (ffxs.Origin, error) { return o, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newSubject is a purse with some units, on a store without a ledger.
func newSubject(t testing.TB, units uint64) (*railtest.Subject, *ffxs.Purse, *ffxstest.Origin) {
	t.Helper()
	o := ffxstest.New(t)
	p := newPurse(t, o)
	s := &railtest.Subject{Rail: p, Root: root, Funds: wallet.Msat(units) * 100, Show: o.Show}
	s.Store = railtest.OpenStore(t, p)
	s.Reopen = func(t testing.TB) wallet.Rail {
		again := newPurse(t, o)
		if err := again.Open(t.Context(), s.Store); err != nil {
			t.Fatal(err)
		}
		return again
	}
	if got, err := p.TopUp(t.Context(), root, o.Voucher(t, units)); err != nil || got != s.Funds {
		t.Fatalf("topped up %s: %v", got, err)
	}
	return s, p, o
}

func TestRailConformance(t *testing.T) {
	railtest.Rail(t, func(t *testing.T) *railtest.Subject {
		s, _, _ := newSubject(t, 333)
		return s
	})
}
