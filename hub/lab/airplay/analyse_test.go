package airplay

import (
	"math/rand/v2"
	"testing"
)

func noise(frames int) []int16 {
	r := rand.New(rand.NewPCG(7, 7))
	out := make([]int16, 2*frames)
	for i := range out {
		out[i] = int16(r.IntN(20000) - 10000)
	}
	return out
}

// TestCompare checks the judge itself on recordings whose faults are known.
func TestCompare(t *testing.T) {
	src := noise(4 * window)
	lead := make([]int16, 2*777)
	put := func(parts ...[]int16) []int16 {
		out := append([]int16(nil), lead...)
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	cut := 2 * (window + 3000)
	altered := put(src)
	altered[2*777+5000]++
	for name, c := range map[string]struct {
		played []int16
		want   Verdict
	}{
		"as it was":      {put(src, lead), Verdict{Start: 777, Windows: 4, Good: 4, MinCorr: 1, Equal: true}},
		"one sample off": {altered, Verdict{Start: 777, Windows: 4, Good: 4, MinCorr: 0.99}},
		"a frame more":   {put(src[:cut], src[cut-2:]), Verdict{Start: 777, Windows: 4, Good: 4, MinCorr: 0.999, Slips: 1, Off: 1}},
		"a frame less":   {put(src[:cut], src[cut+2:]), Verdict{Start: 777, Windows: 4, Good: 4, MinCorr: 0.999, Slips: 1, Off: 1}},
		"a dropout":      {put(src[:cut], make([]int16, 2*2000), src[cut+4000:]), Verdict{Start: 777, Dropouts: 1, Windows: 4, Good: 3, MinCorr: 0.9}},
		"a jump":         {put(src[:cut], src[cut+200:]), Verdict{Start: 777, Windows: 4, Good: 3, MinCorr: 0.1, Off: 100}},
		"cut short":      {put(src[:cut]), Verdict{Start: 777, Windows: 4, Good: 1, MinCorr: 0}},
		"something else": {put(noise(100)), Verdict{Start: -1}},
	} {
		if name == "something else" {
			for i := range c.played {
				c.played[i] /= 3
			}
		}
		got := Compare(src, c.played, 0.999)
		if got.MinCorr < c.want.MinCorr {
			t.Errorf("%s: worst correlation %f", name, got.MinCorr)
		}
		got.MinCorr = c.want.MinCorr
		if name == "a jump" {
			got.Slips = 0 // of a piece that was lost they mean nothing
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
