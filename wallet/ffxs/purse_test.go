package ffxs_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ffxs/token"
	"sonahub/wallet/railtest"
)

func sums(t *testing.T, p *ffxs.Purse) ffxs.Sums {
	t.Helper()
	all, err := p.Sums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all[root]
}

func audit(t *testing.T, s *railtest.Subject) {
	t.Helper()
	err := s.Store.View(t.Context(), func(tx wallet.Tx) error {
		_, err := s.Rail.Audit(t.Context(), tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// empty is a purse without money.
func empty(t *testing.T) (*railtest.Subject, *ffxs.Purse, *ffxstest.Origin) {
	t.Helper()
	o := ffxstest.New(t)
	p := newPurse(t, o)
	s := &railtest.Subject{Rail: p, Root: root, Show: o.Show}
	s.Store = railtest.OpenStore(t, p)
	return s, p, o
}

func TestVoucherEndings(t *testing.T) {
	s, p, o := empty(t)
	top := func(code string) error { _, err := p.TopUp(t.Context(), root, code); return err }
	if err := top("hello"); !errors.Is(err, ffxs.ErrVoucher) {
		t.Errorf("no voucher: %v", err)
	}
	code := o.Voucher(t, 100)
	if err := top("  " + code + "\n"); err != nil {
		t.Errorf("as typed by a person: %v", err)
	}
	if err := top(code); !errors.Is(err, ffxs.ErrVoucherUsed) {
		t.Errorf("again: %v", err)
	}
	if err := newTopUp(t, o, code); !errors.Is(err, ffxs.ErrVoucherUsed) {
		t.Errorf("used by another hub: %v", err)
	}
	foreign := ffxstest.New(t).Voucher(t, 50)
	if err := top(foreign); !errors.Is(err, ffxs.ErrVoucherUsed) {
		t.Errorf("unknown to the origin: %v", err)
	}
	if err := p.SetLimit(t.Context(), root, 15_000); err != nil {
		t.Fatal(err)
	}
	var l *ffxs.LimitError
	if err := top(o.Voucher(t, 51)); !errors.As(err, &l) || l.Balance != 10_000 || l.Asked != 5_100 || l.Limit != 15_000 {
		t.Errorf("over the limit: %v", err)
	}
	if err := top(o.Voucher(t, 50)); err != nil {
		t.Errorf("up to the limit: %v", err)
	}
	if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 150, Free: 150}) {
		t.Errorf("%+v", got)
	}
	if b, err := p.RootBalance(t.Context(), root); err != nil || b != 15_000 {
		t.Errorf("%s, %v", b, err)
	}
	audit(t, s)
}

// While a top-up waits for its answer, Finish sends the same one again and takes
// the units in. A refusal that comes afterwards does not undo that.
func TestTopUpRefusedTooLate(t *testing.T) {
	s, p, o := empty(t)
	code := o.Voucher(t, 77)
	first := true
	o.After = func(string) error {
		if !first {
			return nil
		}
		first = false
		if err := p.Finish(context.Background(), root); err != nil {
			t.Error(err)
		}
		return ffxs.ErrRefused
	}
	if _, err := p.TopUp(t.Context(), root, code); !errors.Is(err, ffxs.ErrRefused) {
		t.Fatal(err)
	}
	if _, err := p.TopUp(t.Context(), root, code); !errors.Is(err, ffxs.ErrVoucherUsed) {
		t.Errorf("again: %v", err)
	}
	if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 77, Free: 77}) {
		t.Errorf("%+v", got)
	}
	audit(t, s)
}

func newTopUp(t *testing.T, o *ffxstest.Origin, code string) error {
	t.Helper()
	p := newPurse(t, o)
	railtest.OpenStore(t, p)
	_, err := p.TopUp(t.Context(), root, code)
	return err
}

// The answer to a top-up gets lost: the same call, or Finish, ends it once.
func TestTopUpFinishes(t *testing.T) {
	for name, finish := range map[string]func(*ffxs.Purse, string) error{
		"by the same call": func(p *ffxs.Purse, code string) error {
			_, err := p.TopUp(context.Background(), root, code)
			return err
		},
		"by Finish": func(p *ffxs.Purse, _ string) error { return p.Finish(context.Background(), root) },
	} {
		s, p, o := empty(t)
		lost := errors.New("connection lost")
		o.After = func(string) error { return lost }
		code := o.Voucher(t, 77)
		if _, err := p.TopUp(t.Context(), root, code); !errors.Is(err, lost) {
			t.Fatalf("%s: %v", name, err)
		}
		if got := sums(t, p); got != (ffxs.Sums{}) {
			t.Fatalf("%s: units before the answer: %+v", name, got)
		}
		o.After = nil
		o.Rotate(t) // what was sent once must be sent again as it was
		if err := finish(p, code); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := p.Finish(t.Context(), root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 77, Free: 77}) || o.Issued() != 77 {
			t.Fatalf("%s: %+v, issued %d", name, got, o.Issued())
		}
		audit(t, s)
	}
}

// A file restored from before a top-up gets the same units again by the
// voucher that was used.
func TestVoucherAgainAfterRestore(t *testing.T) {
	s, p, o := empty(t)
	code := o.Voucher(t, 40)
	stop := errors.New("dropped")
	// A View drops what is written: the file never saw the top-up.
	err := s.Store.View(t.Context(), func(wallet.Tx) error { return stop })
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	var first, second []byte
	o.Tamper = func(_ string, b []byte) []byte { first, second = second, bytes.Clone(b); return b[:1] }
	if _, err := p.TopUp(t.Context(), root, code); !errors.Is(err, ffxs.ErrProof) {
		t.Fatal(err)
	}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM ffxs_issue")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Tamper = func(_ string, b []byte) []byte { first, second = second, bytes.Clone(b); return b }
	if _, err := p.TopUp(t.Context(), root, code); err != nil {
		t.Fatal(err)
	}
	a, err := token.ParseEvals(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := token.ParseEvals(second)
	if err != nil || a[0].Points[0] != b[0].Points[0] {
		t.Fatalf("other blinds for the same voucher, %v", err)
	}
	if got := sums(t, p); got.Free != 40 {
		t.Fatalf("%+v", got)
	}
}

// prepare sets the money for an intent aside.
func prepare(t *testing.T, s *railtest.Subject, id string, i wallet.Intent) wallet.Proof {
	t.Helper()
	q, err := s.Rail.Quote(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	p := wallet.Proof{ID: id, Rail: 2, Goods: i.Goods, Amount: q.Cost}
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) (err error) {
		p.Body, err = s.Rail.Prepare(t.Context(), tx, id, i, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func settle(t *testing.T, s *railtest.Subject, id string, r wallet.Receipt) (fault string, err error) {
	t.Helper()
	err = s.Store.Update(t.Context(), func(tx wallet.Tx) (err error) {
		fault, err = s.Rail.Settle(t.Context(), tx, id, r)
		return err
	})
	return fault, err
}

// fold makes one token per denomination of what is there, by a new key set.
func fold(t *testing.T, p *ffxs.Purse, o *ffxstest.Origin) {
	t.Helper()
	o.Rotate(t)
	if err := p.Refresh(t.Context(), root); err != nil {
		t.Fatal(err)
	}
}

// A spend holds 32 tokens. Sixty of one unit pay 50 only after a swap.
func TestSwapWhenTokensAreMany(t *testing.T) {
	s, p, o := empty(t)
	for range 60 {
		if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
	swaps := 0
	o.Before = func(op string) error {
		if op == "swap" {
			swaps++
		}
		return nil
	}
	i := s.Intent(0)
	i.Price = 5_000
	proof := prepare(t, s, "one", i)
	r, err := o.Show(proof, i.Price)
	if err != nil || r.Outcome != wallet.Granted || swaps != 1 {
		t.Fatalf("%d swaps, outcome %d, %v: %s", swaps, r.Outcome, err, r.Reason)
	}
	if fault, err := settle(t, s, "one", r); fault != "" || err != nil {
		t.Fatalf("%q, %v", fault, err)
	}
	if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 60, Free: 10, Spent: 50}) {
		t.Fatalf("%+v", got)
	}
	audit(t, s)
}

// The answer to a swap gets lost, or is a lie: the tokens stay set aside, and
// Finish ends it. An origin that refuses leaves them free; one that calls
// them spent has them written off.
func TestSwapEndings(t *testing.T) {
	for name, c := range map[string]struct {
		after  error
		lie    func([]byte) []byte
		want   ffxs.Sums // after the first try
		finish ffxs.Sums // after Finish with an honest origin
	}{
		"lost answer": {after: errors.New("connection lost"), want: ffxs.Sums{ToppedUp: 20, Held: 20}, finish: ffxs.Sums{ToppedUp: 20, Free: 20}},
		"lie":         {lie: badAnswers()["proof flipped"], want: ffxs.Sums{ToppedUp: 20, Held: 20}, finish: ffxs.Sums{ToppedUp: 20, Free: 20}},
		"refused":     {after: ffxs.ErrRefused, want: ffxs.Sums{ToppedUp: 20, Free: 20}, finish: ffxs.Sums{ToppedUp: 20, Free: 20}},
		"spent":       {after: ffxs.ErrSpent, want: ffxs.Sums{ToppedUp: 20, Lost: 20}, finish: ffxs.Sums{ToppedUp: 20, Lost: 20}},
	} {
		s, p, o := empty(t)
		if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 20)); err != nil {
			t.Fatal(err)
		}
		o.Rotate(t)
		o.After = func(op string) error {
			if op == "swap" {
				return c.after
			}
			return nil
		}
		if c.lie != nil {
			o.Tamper = func(_ string, b []byte) []byte { return c.lie(b) }
		}
		if err := p.Refresh(t.Context(), root); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := sums(t, p); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		o.After, o.Tamper = nil, nil
		if err := p.Finish(t.Context(), root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := sums(t, p); got != c.finish {
			t.Errorf("%s: finished: %+v", name, got)
		}
		audit(t, s)
	}
}

// While a purchase's tokens are being exchanged, an origin rightly calls its
// body spent: that must not write the money off.
func TestResumeAndShowCross(t *testing.T) {
	s, p, o := empty(t)
	if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 64)); err != nil {
		t.Fatal(err)
	}
	i := s.Intent(0)
	proof := prepare(t, s, "one", i)
	lost := errors.New("connection lost")
	o.After = func(string) error { return lost }
	if _, err := p.Resume(t.Context(), "one"); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	o.After = nil
	r, err := o.Show(proof, i.Price)
	if err != nil || r.Outcome != wallet.Lost {
		t.Fatalf("outcome %d, %v", r.Outcome, err)
	}
	if _, err := settle(t, s, "one", r); err == nil {
		t.Fatal("written off while its end is not known")
	}
	if _, err := settle(t, s, "one", wallet.Receipt{Outcome: wallet.Refused}); err == nil {
		t.Fatal("given back while its end is not known")
	}
	if r, err = p.Resume(t.Context(), "one"); err != nil || r.Outcome != wallet.Refused {
		t.Fatalf("outcome %d, %v", r.Outcome, err)
	}
	if _, err := settle(t, s, "one", r); err != nil {
		t.Fatal(err)
	}
	if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 64, Free: 64}) {
		t.Fatalf("%+v", got)
	}
	audit(t, s)
}

func TestKeySetsChange(t *testing.T) {
	s, p, o := empty(t)
	if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 100)); err != nil {
		t.Fatal(err)
	}
	o.Rotate(t)
	i := s.Intent(0)
	i.Price = 3_300 // old tokens are spent first, change comes in new ones
	proof := prepare(t, s, "one", i)
	r, err := o.Show(proof, i.Price)
	if err != nil || r.Outcome != wallet.Granted {
		t.Fatalf("%d, %v: %s", r.Outcome, err, r.Reason)
	}
	if fault, err := settle(t, s, "one", r); fault != "" || err != nil {
		t.Fatalf("%q, %v", fault, err)
	}
	o.Before = func(op string) error {
		if op == "keysets" {
			return errors.New("away")
		}
		return nil
	}
	if _, err := s.Rail.Quote(t.Context(), s.Intent(5)); err != nil {
		t.Fatalf("known key sets must do while the origin is away: %v", err)
	}
	audit(t, s)
}

// stubborn is an origin whose answers about key sets can be replaced.
type stubborn struct {
	*ffxstest.Origin
	ids [][32]byte
	set []byte
}

func (s stubborn) KeySets(context.Context) ([][32]byte, error)      { return s.ids, nil }
func (s stubborn) KeySet(context.Context, [32]byte) ([]byte, error) { return s.set, nil }

func TestKeySetsRefused(t *testing.T) {
	o := ffxstest.New(t)
	ids, err := o.KeySets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good, err := o.KeySet(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(good)
	other[3]++ // another worth of a unit
	for name, s := range map[string]stubborn{
		"none":  {o, nil, good},
		"five":  {o, [][32]byte{ids[0], ids[0], ids[0], ids[0], ids[0]}, good},
		"other": {o, ids, other},
		"junk":  {o, [][32]byte{token.KeySetID([]byte("x"))}, []byte("x")},
	} {
		p := newPurse(t, s)
		railtest.OpenStore(t, p)
		if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 5)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The worth of a unit is one value per root for ever.
func TestUnitNeverChanges(t *testing.T) {
	o := ffxstest.New(t)
	s := &stubborn{Origin: o}
	var err error
	if s.ids, err = o.KeySets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.set, err = o.KeySet(t.Context(), s.ids[0]); err != nil {
		t.Fatal(err)
	}
	p := newPurse(t, s)
	railtest.OpenStore(t, p)
	if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 5)); err != nil {
		t.Fatal(err)
	}
	dear := bytes.Clone(s.set)
	dear[3]++
	s.set, s.ids = dear, [][32]byte{token.KeySetID(dear)}
	if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 5)); err == nil || !strings.Contains(err.Error(), "worth of a unit") {
		t.Fatalf("the origin changed the worth of a unit: %v", err)
	}
}
