package books

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// used is how many bytes of the file hold something.
func used(t *testing.T, b *Books) int64 {
	t.Helper()
	var pages, free, size int64
	for query, v := range map[string]*int64{"PRAGMA page_count": &pages, "PRAGMA freelist_count": &free, "PRAGMA page_size": &size} {
		if err := b.db.QueryRowContext(t.Context(), query).Scan(v); err != nil {
			t.Fatal(err)
		}
	}
	return (pages - free) * size
}

func number(kind byte, n int) (id [32]byte) {
	id[0] = kind
	binary.BigEndian.PutUint64(id[1:], uint64(n)*0x9e3779b97f4a7c15) // spread, as hashes are
	return id
}

// TestGrowth measures what the books keep for ever of each thing that happens,
// and that it is bounded by what was paid: an unpaid offer leaves nothing, and
// units that nobody uses cost one row of their top-up, however many they are.
// A spent token stays for ever: it is what says that it is spent.
func TestGrowth(t *testing.T) {
	const n = 400
	now := time.Unix(1_700_000_000, 0)
	goods := &Goods{Broadcast: "ie6s2dotlrzx4r5hudfiwzhzqmgjblqf2qrs3jyxbb3yeaoyzgtq", Tier: 2, N: 5, AmountMsat: 5000}
	offers := func(ctx context.Context, b *Books, from int, paid bool) error {
		for i := range n {
			hash := number('o', from+i)
			if err := b.Offer(ctx, Offer{PaymentHash: hash, AmountMsat: 5000, Goods: goods, Expires: now}); err != nil {
				return err
			}
			end := b.Drop
			if paid {
				end = b.Sold
			}
			if err := end(ctx, hash); err != nil {
				return err
			}
		}
		return nil
	}
	tops := func(ctx context.Context, b *Books, from int, units int64) error {
		for i := range n {
			code := fmt.Sprintf("%d-%d", units, from+i)
			if err := b.Issue(ctx, code, units); err != nil {
				return err
			}
			if err := b.RedeemVoucher(ctx, code, units, number('b', from+i)); err != nil {
				return err
			}
		}
		return nil
	}
	redeem := func(ctx context.Context, b *Books, from, tokens int) error {
		for i := range n {
			r := Redemption{BodyHash: number('r', from+i), UnitsIn: 50, Goods: &Goods{Broadcast: goods.Broadcast, Tier: 2, First: uint64(i), N: 5, AmountMsat: 5000, Units: 50}}
			for k := range tokens {
				r.Nullifiers = append(r.Nullifiers, number('n', (from+i)*32+k))
			}
			if err := b.Redeem(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}
	for _, x := range []struct {
		what string
		most int64 // bytes each
		do   func(ctx context.Context, b *Books, from int) error
	}{
		{"an offer that nobody pays", 0, func(ctx context.Context, b *Books, from int) error { return offers(ctx, b, from, false) }},
		{"a purchase by Lightning", 512, func(ctx context.Context, b *Books, from int) error { return offers(ctx, b, from, true) }},
		{"a top-up of 1 unit that nobody uses", 256, func(ctx context.Context, b *Books, from int) error { return tops(ctx, b, from, 1) }},
		{"a top-up of 20000 units that nobody uses", 256, func(ctx context.Context, b *Books, from int) error { return tops(ctx, b, from, 20000) }},
		{"a purchase of 1 token", 512, func(ctx context.Context, b *Books, from int) error { return redeem(ctx, b, from, 1) }},
		{"a purchase of 8 tokens", 512 + 7*96, func(ctx context.Context, b *Books, from int) error { return redeem(ctx, b, from, 8) }},
	} {
		t.Run(x.what, func(t *testing.T) {
			b := open(t, filepath.Join(t.TempDir(), "books.db"), func() time.Time { return now })
			b.db.SetMaxOpenConns(1)
			if _, err := b.db.ExecContext(t.Context(), "PRAGMA synchronous=OFF"); err != nil { // sizes are measured, not crashes
				t.Fatal(err)
			}
			if err := x.do(t.Context(), b, 0); err != nil { // the file has its shape
				t.Fatal(err)
			}
			before := used(t, b)
			for round := range 2 {
				if err := x.do(t.Context(), b, (1+round)*n); err != nil {
					t.Fatal(err)
				}
			}
			each := float64(used(t, b)-before) / (2 * n)
			t.Logf("%s: %.0f bytes", x.what, each)
			if each > float64(x.most) {
				t.Errorf("%s leaves %.0f bytes, at most %d were thought", x.what, each, x.most)
			}
			if x.most > 0 && each == 0 {
				t.Errorf("%s leaves nothing", x.what)
			}
		})
	}
}
