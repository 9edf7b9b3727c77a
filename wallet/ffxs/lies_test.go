package ffxs_test

import (
	"errors"
	"testing"

	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ffxs/ffxstest"
	"sonahub/wallet/ffxs/token"
)

// bad answers: each is a well-formed lie.
func badAnswers() map[string]func([]byte) []byte {
	change := func(f func(token.Evals) token.Evals) func([]byte) []byte {
		return func(b []byte) []byte {
			e, err := token.ParseEvals(b)
			if err != nil {
				return b
			}
			return f(e).Append(nil)
		}
	}
	return map[string]func([]byte) []byte{
		"nothing":        func([]byte) []byte { return nil },
		"no groups":      func([]byte) []byte { return []byte{0} },
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"left over":      func(b []byte) []byte { return append(b, 0) },
		"junk points":    func([]byte) []byte { return ffxstest.Junk(2) },
		"proof flipped":  change(func(e token.Evals) token.Evals { e[0].Proof[40] ^= 1; return e }),
		"proof is zero":  change(func(e token.Evals) token.Evals { e[0].Proof = [64]byte{}; return e }),
		"scalar too big": change(func(e token.Evals) token.Evals { e[0].Proof[63] = 0xff; return e }),
		"group missing":  change(func(e token.Evals) token.Evals { return e[1:] }),
		"identity":       change(func(e token.Evals) token.Evals { e[0].Points[0] = token.Point{}; return e }),
		"no point":       change(func(e token.Evals) token.Evals { e[0].Points[0][31] = 0xff; return e }),
		"other denomination's": change(func(e token.Evals) token.Evals {
			e[0].Points[0], e[1].Points[0] = e[1].Points[0], e[0].Points[0]
			return e
		}),
		"proof of the other denomination": change(func(e token.Evals) token.Evals {
			e[0].Proof, e[1].Proof = e[1].Proof, e[0].Proof
			return e
		}),
	}
}

func TestTopUpRefusesLies(t *testing.T) {
	for name, lie := range badAnswers() {
		s, p, o := empty(t)
		o.Tamper = func(_ string, b []byte) []byte { return lie(b) }
		code := o.Voucher(t, 7)
		if _, err := p.TopUp(t.Context(), root, code); !errors.Is(err, ffxs.ErrProof) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := sums(t, p); got != (ffxs.Sums{}) {
			t.Errorf("%s: became money: %+v", name, got)
		}
		o.Tamper = nil // the origin mends its ways: nothing is lost
		if err := p.Finish(t.Context(), root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := sums(t, p); got.Free != 7 {
			t.Errorf("%s: %+v", name, got)
		}
		audit(t, s)
	}
}

func TestChangeThatLies(t *testing.T) {
	for name, lie := range badAnswers() {
		s, p, o := empty(t)
		// One token of 16: a price of 10 leaves a change of 6, in two groups.
		if _, err := p.TopUp(t.Context(), root, o.Voucher(t, 16)); err != nil {
			t.Fatal(err)
		}
		fold(t, p, o)
		i := s.Intent(0)
		i.Price = 1000
		proof := prepare(t, s, "one", i)
		r, err := o.Show(proof, i.Price)
		if err != nil || r.Outcome != wallet.Granted {
			t.Fatalf("%d, %v: %s", r.Outcome, err, r.Reason)
		}
		r.Change = lie(r.Change)
		fault, err := settle(t, s, "one", r)
		if err != nil || fault == "" {
			t.Errorf("%s: fault %q, %v", name, fault, err)
		}
		if got := sums(t, p); got != (ffxs.Sums{ToppedUp: 16, Spent: 16}) {
			t.Errorf("%s: %+v", name, got)
		}
		audit(t, s)
	}
}
