package ffxs

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
	"sonahub/wallet/railtest"
)

func set(denoms ...uint8) keySet {
	var s keySet
	for _, d := range denoms {
		s.Keys = append(s.Keys, token.PublicKey{Denom: d, Key: token.Point{1}})
	}
	return s
}

func fullSet() keySet {
	var d []uint8
	for i := range uint8(20) {
		d = append(d, i)
	}
	return set(d...)
}

func of(counts ...uint8) (s shape) {
	copy(s[:], counts)
	return s
}

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct {
		have  shape
		units uint64
		want  shape
		ok    bool
	}{
		"nothing to pay":             {of(1), 0, shape{}, false},
		"not enough":                 {of(1, 1), 4, shape{}, false},
		"exact, largest first":       {of(2, 2, 2), 6, of(0, 1, 1), true},
		"exact from small ones":      {of(4, 1), 5, of(3, 1), true},
		"change of one":              {of(0, 0, 1), 3, of(0, 0, 1), true},
		"exact before change":        {of(3, 0, 1), 3, of(3), true},
		"fewest tokens and change":   {of(0, 3, 0, 0, 1), 5, of(0, 3), true},
		"one large, not a heap":      {of(0, 31, 0, 0, 0, 0, 1), 63, of(0, 0, 0, 0, 0, 0, 1), true},
		"33 small ones are too many": {of(40), 33, shape{}, false},
		"32 small ones are not":      {of(40), 32, of(32), true},
		"heap avoided with change":   {of(40, 0, 0, 0, 0, 0, 1), 33, of(0, 0, 0, 0, 0, 0, 1), true},
	} {
		got, ok := choose(c.have, c.units)
		if ok != c.ok || got != c.want {
			t.Errorf("%s: %v %v, want %v", name, got, ok, c.want)
		}
	}
}

// Whatever is chosen is there, is enough, fits one spend, and is exact when
// an exact choice of a size that fits exists.
func TestChooseProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var have shape
		for d := range 8 {
			have[d] = uint8(rnd.IntN(6))
		}
		units := 1 + rnd.Uint64N(have.units()+1)
		pick, ok := choose(have, units)
		if !ok {
			if have.units() >= units {
				t.Fatalf("%v cannot pay %d", have, units) // at most 40 tokens: one with change always fits
			}
			continue
		}
		for d := range pick {
			if pick[d] > have[d] {
				t.Fatalf("%v pays %d with %v", have, units, pick)
			}
		}
		if pick.units() < units || pick.count() > token.MaxTokens {
			t.Fatalf("%v pays %d with %v", have, units, pick)
		}
		if pick.units() != units && reachable(have, units) {
			t.Fatalf("%v pays %d with %v, and could exactly", have, units, pick)
		}
	}
}

// reachable says by exhaustion whether units can be made of at most 32 tokens:
// fewest[u] is the least number of tokens for u units.
func reachable(have shape, units uint64) bool {
	fewest := make([]int, units+1)
	for u := range fewest {
		fewest[u] = 1 << 20
	}
	fewest[0] = 0
	for d := range have {
		for range have[d] {
			for u := int(units); u >= 1<<d; u-- {
				fewest[u] = min(fewest[u], fewest[u-1<<d]+1)
			}
		}
	}
	return fewest[units] <= token.MaxTokens
}

func TestSplits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, s := range []keySet{fullSet(), set(0, 1, 2, 3), set(0, 4, 8, 12)} {
		for range 3000 {
			units := 1 + rnd.Uint64N(50_000)
			for name, split := range map[string]func(keySet, uint64) (shape, bool){"fewest": fewest, "spread": spread} {
				got, ok := split(s, units)
				if !ok {
					continue // too many points for these denominations
				}
				if got.units() != units || got.count() > token.MaxPoints {
					t.Fatalf("%s of %d: %v", name, units, got)
				}
			}
			if _, one := fewest(s, units); one {
				if _, ok := spread(s, units); !ok {
					t.Fatalf("%d units can be split, and spread cannot", units)
				}
			}
		}
	}
	if got, ok := spread(fullSet(), 20_000); !ok || got[0] < 2 || got[6] < 2 || got.count() > 40 {
		t.Errorf("20,000 units as %v (%d tokens)", got, got.count())
	}
	if _, ok := fewest(set(3), 4); ok {
		t.Error("4 units of tokens of 8")
	}
	if _, ok := fewest(set(0), 65); ok {
		t.Error("65 points")
	}
}

// A restored file must not derive what exists already; the same voucher must
// derive the same again.
func TestDerivation(t *testing.T) {
	p := &Purse{}
	s := openTestSeed(t, p)
	var a, b, c batch
	err := p.store.View(t.Context(), func(tx wallet.Tx) (err error) {
		a, err = s.spendBatch(t.Context(), tx, []byte("tokens"))
		return err // the counter is dropped with the view, as by a restored file
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.store.View(t.Context(), func(tx wallet.Tx) (err error) {
		if b, err = s.spendBatch(t.Context(), tx, []byte("other tokens")); err != nil {
			return err
		}
		c, err = s.spendBatch(t.Context(), tx, []byte("other tokens"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a == b || b == c {
		t.Error("two batches are one")
	}
	v1, _ := s.voucherBatch("r", [32]byte{1}, "code")
	v2, _ := s.voucherBatch("r", [32]byte{1}, "code")
	v3, _ := s.voucherBatch("r", [32]byte{1}, "edoc")
	v4, _ := s.voucherBatch("q", [32]byte{1}, "code")
	v5, _ := s.voucherBatch("r", [32]byte{2}, "code")
	if v1 != v2 || v1 == v3 || v1 == v4 || v1 == v5 {
		t.Error("batch of a voucher")
	}
	seen := map[[32]byte]bool{}
	for _, set := range [][32]byte{{1}, {2}} {
		for _, b := range []batch{a, b} {
			for d := range uint8(3) {
				for i := range 3 {
					in, err := s.input(set, b, d, i)
					if err != nil || seen[in] {
						t.Fatalf("input %x again, %v", in, err)
					}
					seen[in] = true
				}
			}
		}
	}
}

func openTestSeed(t *testing.T, p *Purse) seed {
	t.Helper()
	k, err := wallet.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p.Key = k
	railtest.OpenStore(t, p)
	first := p.seed
	if err := p.Open(context.Background(), p.store); err != nil || p.seed != first || first == (seed{}) {
		t.Fatalf("the seed changed, %v", err)
	}
	return p.seed
}

func BenchmarkIssue16(b *testing.B) {
	k, err := wallet.NewKey(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	p := &Purse{Config: Config{Key: k}, seed: seed{1}}
	m, answer := benchMint(b)
	s := issue{set: m, batch: batch{1}, shape: of(2, 2, 2, 2, 2, 2, 2, 2)}
	blinds, _, err := p.blind(s)
	if err != nil {
		b.Fatal(err)
	}
	evals := answer(blinds.Append(nil))
	b.Run("Blind", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := p.blind(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("BlindAndFinalize", func(b *testing.B) {
		start := time.Now()
		for b.Loop() {
			if _, err := p.finalize(s, evals); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/float64(b.N)/16, "us/token")
	})
}
