package bench

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ledger"
)

// money buys one epoch after the other with prepaid tokens, the ledger on
// disk, and takes the platform's own work (an origin in memory) out.
func (b *bench) money(t *testing.T) {
	const purchases = 150
	dir, root := b.home.dir, "bench"
	key, err := wallet.LoadKey(filepath.Join(dir, "bench.key"))
	if err != nil {
		t.Fatal(err)
	}
	seller := ffxstest.New(t)
	purse, err := ffxs.New(ffxs.Config{Key: key, Origin: func(string) (ffxs.Origin, error) { return seller, nil }})
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_800_000_000_000)
	l, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(dir, "money.db"), Key: key, Rails: []wallet.Rail{purse}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := purse.TopUp(t.Context(), root, seller.Voucher(t, purchases*10)); err != nil {
		t.Fatal(err)
	}
	sync, done, err := synced(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var buy, settle, heard, whole, disk []time.Duration
	for n := range purchases {
		now = now.Add(2 * time.Second) // as it is heard: the caps are not what is measured
		i := wallet.Intent{Goods: wallet.Goods{Root: root, Broadcast: "b", Tier: 1, First: uint64(n), N: 1, Epoch: 2 * time.Second}, Price: 1000}
		start := time.Now()
		p, err := l.Buy(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		buy = append(buy, time.Since(start))
		r, err := seller.Show(p, i.Price)
		if err != nil || r.Outcome != wallet.Granted {
			t.Fatal(r, err)
		}
		start = time.Now()
		if err := l.Settle(t.Context(), p.ID, r); err != nil {
			t.Fatal(err)
		}
		settle = append(settle, time.Since(start))
		start = time.Now()
		if err := l.Heard(t.Context(), p.ID, 1); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, time.Since(start))
		whole = append(whole, buy[n]+settle[n]+heard[n])
		start = time.Now()
		if err := sync(); err != nil {
			t.Fatal(err)
		}
		disk = append(disk, time.Since(start))
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	b.table.Add(Figure{What: "one purchase in the hub: buy, settle, heard", Measured: fmt.Sprintf("%s (%s + %s + %s)", ms(median(whole)), ms(median(buy)), ms(median(settle)), ms(median(heard))),
		Beside: "one bare append and fsync " + ms(median(disk)),
		On:     fmt.Sprintf("FFXS, ledger on disk, %d purchases, medians, the seller's work taken out", purchases)})
}
