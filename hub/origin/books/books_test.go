package books

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, path string, now func() time.Time) *Books {
	t.Helper()
	b, err := Open(context.Background(), path, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func id(n byte) [32]byte { return [32]byte{n} }

func buy(body byte, first uint64, change int64, tokens ...byte) Redemption {
	r := Redemption{BodyHash: id(body), UnitsIn: 20 + change, UnitsOut: change,
		Goods: &Goods{Broadcast: "b", Tier: 2, First: first, N: 2, AmountMsat: 1950, Units: 20}}
	for _, n := range tokens {
		r.Nullifiers = append(r.Nullifiers, id(n))
	}
	return r
}

func audit(t *testing.T, b *Books) Audit {
	t.Helper()
	a, err := b.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRedeemIsIdempotentAndNothingIsSpentTwice(t *testing.T) {
	ctx, b := context.Background(), open(t, filepath.Join(t.TempDir(), "books.db"), nil)
	for _, step := range []struct {
		name string
		r    Redemption
		want error
	}{
		{"first", buy(1, 0, 12, 1, 2), nil},
		{"same body again", buy(1, 0, 12, 1, 2), nil},
		{"other body, same tokens", buy(2, 2, 12, 1, 2), ErrSpent},
		{"other body, one spent token of two", buy(3, 2, 12, 9, 2), ErrSpent},
		{"the fresh token of the refused body is untouched", buy(4, 2, 0, 9), nil},
		{"one token twice in a body", buy(5, 4, 0, 7, 7), ErrSpent},
		{"swap", Redemption{BodyHash: id(6), Nullifiers: [][32]byte{id(20)}, UnitsIn: 8, UnitsOut: 8}, nil},
		{"swap again", Redemption{BodyHash: id(6), Nullifiers: [][32]byte{id(20)}, UnitsIn: 8, UnitsOut: 8}, nil},
		{"swap of a spent token", Redemption{BodyHash: id(7), Nullifiers: [][32]byte{id(1)}, UnitsIn: 8, UnitsOut: 8}, ErrSpent},
	} {
		if err := b.Redeem(ctx, step.r); !errors.Is(err, step.want) || (step.want == nil && err != nil) {
			t.Errorf("%s: got %v, want %v", step.name, err, step.want)
		}
	}
	if err := b.Redeem(ctx, Redemption{BodyHash: id(8), Nullifiers: [][32]byte{id(30)}, UnitsIn: 8, UnitsOut: 9}); err == nil {
		t.Error("units out of nothing were booked")
	}
	a := audit(t, b)
	want := []Sum{{Broadcast: "b", Tier: 2, AmountMsat: 3900, Units: 40, Grants: 2, Epochs: 4}}
	if !slices.Equal(a.Sums, want) || a.AmountMsat != 3900 || a.PaidUnits != 40 {
		t.Errorf("sums %+v, %d msat, %d units", a.Sums, a.AmountMsat, a.PaidUnits)
	}
	if a.UnitsSpent != 32+20+8 || a.UnitsIssued != 12+8 || a.EpochsTwice != 0 || a.Unbalanced != 0 {
		t.Errorf("audit %+v", a)
	}
	g, ok, err := b.Booked(ctx, id(1))
	if err != nil || !ok || g.AmountMsat != 1950 || g.N != 2 {
		t.Errorf("booked: %+v %v %v", g, ok, err)
	}
	if g, ok, err := b.Booked(ctx, id(6)); err != nil || !ok || g != nil {
		t.Errorf("a swap is booked as %+v %v %v", g, ok, err)
	}
	if _, ok, err := b.Booked(ctx, id(3)); err != nil || ok {
		t.Errorf("a refused body is booked (%v)", err)
	}
}

func TestDoubleSpendRaceHasOneWinner(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "books.db"), nil)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = b.Redeem(context.Background(), buy(byte(10+i), uint64(2*i), 0, 1)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrSpent) {
			t.Error(err)
		}
	}
	if a := audit(t, b); won != 1 || a.Grants != 1 || a.UnitsSpent != 20 {
		t.Errorf("%d bodies won, %d grants", won, a.Grants)
	}
}

func TestAuditSeesEpochsSoldTwiceAndFreeOnes(t *testing.T) {
	ctx, b := context.Background(), open(t, filepath.Join(t.TempDir(), "books.db"), nil)
	for i, first := range []uint64{0, 1, 5} {
		if err := b.Redeem(ctx, buy(byte(i), first, 0, byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Give(ctx, Goods{Broadcast: "b", Tier: 2, First: 0, N: 1, AmountMsat: 999}); err != nil {
		t.Fatal(err)
	}
	a := audit(t, b)
	if a.EpochsTwice != 1 || a.FreeGrants != 1 || a.FreeEpochs != 1 || a.Grants != 3 || a.AmountMsat != 3*1950 {
		t.Errorf("%+v", a)
	}
	grants, err := b.Grants(ctx)
	if err != nil || len(grants) != 4 || !grants[3].Free || grants[3].AmountMsat != 0 || grants[2].BodyHash != id(2) {
		t.Errorf("%+v %v", grants, err)
	}
}

func TestVouchers(t *testing.T) {
	now := time.Date(2026, 5, 1, 22, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "books.db")
	ctx, b := context.Background(), open(t, path, func() time.Time { return now })
	q := Quota{PerAddress: 1, PerDay: 2}
	var quota *QuotaError
	if err := b.Welcome(ctx, "100-a", 100, "10.0.0.1", q); err != nil {
		t.Fatal(err)
	}
	if err := b.Welcome(ctx, "100-b", 100, "10.0.0.1", q); !errors.As(err, &quota) || quota.RetryAfter != 2*time.Hour {
		t.Errorf("second of one address: %v", err)
	}
	if err := b.Welcome(ctx, "100-b", 100, "10.0.0.2", q); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil { // the limits survive a restart
		t.Fatal(err)
	}
	b = open(t, path, func() time.Time { return now })
	if err := b.Welcome(ctx, "100-c", 100, "10.0.0.3", q); !errors.As(err, &quota) {
		t.Errorf("third of the day: %v", err)
	}
	now = now.Add(3 * time.Hour)
	if err := b.Welcome(ctx, "100-c", 100, "10.0.0.1", q); err != nil {
		t.Errorf("next day: %v", err)
	}
	for _, step := range []struct {
		code  string
		units int64
		blind byte
		want  error
	}{
		{"100-x", 100, 1, ErrVoucher}, {"100-a", 99, 1, ErrUnits}, {"100-a", 100, 1, nil},
		{"100-a", 100, 1, nil}, {"100-a", 100, 2, ErrUsed}, {"100-b", 100, 2, nil},
	} {
		if err := b.RedeemVoucher(ctx, step.code, step.units, id(step.blind)); !errors.Is(err, step.want) {
			t.Errorf("%+v: %v", step, err)
		}
	}
	if err := b.Issue(ctx, "7-z", 7); err != nil {
		t.Fatal(err)
	}
	a := audit(t, b)
	if a.VouchersIssued != 4 || a.VouchersRedeemed != 2 || a.VoucherUnitsIssued != 307 || a.UnitsIssued != 200 || a.Outstanding != 200 {
		t.Errorf("%+v", a)
	}
}
