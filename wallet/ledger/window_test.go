package ledger

import (
	"testing"
	"time"

	"sonahub/wallet"
)

func TestWindowFunction(t *testing.T) {
	for _, c := range []struct {
		name  string
		level int
		price wallet.Msat
		sound time.Duration
		hour  wallet.Msat
		want  wallet.Msat
	}{
		{"4 s at the start", 0, 1000, 2 * time.Second, 0, 2000},
		{"8 s", 1, 1000, 2 * time.Second, 0, 4000},
		{"32 s", 3, 1000, 2 * time.Second, 0, 16000},
		{"60 s at most", 4, 1000, 2 * time.Second, 0, 30000},
		{"what 1000 msat buy, when that is longer", 0, 100, 2 * time.Second, 0, 1000},
		{"and it grows from there", 2, 100, 2 * time.Second, 0, 3000},
		{"a cheap stream never falls under its start", 4, 2, 2 * time.Second, 0, 1000},
		{"a twentieth of the hour", 4, 1000, 2 * time.Second, 200_000, 10_000},
		{"but never under the smallest sale", 4, 1000, 2 * time.Second, 2_000, 1000},
		{"odd prices round up, so that whole epochs fit", 0, 333, time.Second, 0, 1332},
		{"two epochs of 333", 0, 1332, 4 * time.Second, 0, 1332},
		{"the dearest there is does not overflow", 4, maxPrice, time.Millisecond, 0, 60_000 * maxPrice},
	} {
		if got := window(c.level, c.price, c.sound, c.hour); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
