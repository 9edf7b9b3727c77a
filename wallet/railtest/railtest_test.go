package railtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ledger"
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

// folder is a place in memory where there is one, so that syncs cost nothing.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "wallet")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newPurse(t testing.TB, o ffxs.Origin, step func(string)) *ffxs.Purse {
	t.Helper()
	p, err := ffxs.New(ffxs.Config{Key: newKey(t), Origin: func(string) (ffxs.Origin, error) { return o, nil }, Step: step})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, c ledger.Config) *ledger.Ledger {
	t.Helper()
	c.Key = newKey(t)
	l, err := ledger.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a second Close, where a test closed it, may fail
	return l
}

func TestCoinConformance(t *testing.T) {
	railtest.Rail(t, func(t *testing.T) *railtest.Subject {
		n := &railtest.Network{}
		c := &railtest.Coin{Funds: 5 * 4_957, Fee: 7, Network: n}
		s := &railtest.Subject{Rail: c, Root: root, Funds: c.Funds, Show: n.Show}
		s.Store = railtest.OpenStore(t, c)
		s.Reopen = func(t testing.TB) wallet.Rail {
			again := &railtest.Coin{Funds: c.Funds, Fee: c.Fee, Network: n}
			if err := again.Open(t.Context(), s.Store); err != nil {
				t.Fatal(err)
			}
			return again
		}
		return s
	})
}

func TestLedgerOverFFXS(t *testing.T) {
	railtest.Payer(t, func(t *testing.T) *railtest.PayerSubject {
		o, path := ffxstest.New(t), filepath.Join(folder(t), "money.db")
		p := newPurse(t, o, nil)
		l := open(t, ledger.Config{Path: path, Rails: []wallet.Rail{p}})
		if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 2_000)); err != nil {
			t.Fatal(err)
		}
		return &railtest.PayerSubject{
			Payer: l, Root: root, Funds: 200_000, Show: o.Show,
			Reopen: func(t testing.TB) railtest.Books {
				return open(t, ledger.Config{Path: path, Rails: []wallet.Rail{newPurse(t, o, nil)}})
			},
		}
	})
}

func TestLedgerOverCoin(t *testing.T) {
	railtest.Payer(t, func(t *testing.T) *railtest.PayerSubject {
		n, path := &railtest.Network{}, filepath.Join(folder(t), "money.db")
		config := func() ledger.Config {
			return ledger.Config{Path: path, Rails: []wallet.Rail{&railtest.Coin{Funds: 200_000, Network: n}}}
		}
		return &railtest.PayerSubject{
			Payer: open(t, config()), Root: root, Funds: 200_000, Show: n.Show,
			Reopen: func(t testing.TB) railtest.Books { return open(t, config()) },
		}
	})
}
