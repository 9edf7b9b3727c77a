package ffxs

import "sonahub/wallet/ffxs/token"

// choose picks tokens worth at least units out of have: exactly that much if
// it can be done with at most token.MaxTokens of them, else the choice with
// the fewest tokens and points of change. It says false if no choice is small
// enough, or if there is not enough.
//
// Denominations divide one another, so taking the largest that fit first
// finds an exact sum whenever there is one, with the fewest tokens.
func choose(have shape, units uint64) (pick shape, ok bool) {
	if units == 0 || have.units() < units {
		return shape{}, false
	}
	left, best := units, 0
	var taken shape
	for d := token.MaxDenoms - 1; d >= 0; d-- {
		n := min(uint64(have[d]), left>>d)
		taken[d] = uint8(n)
		left -= n << d
		// One token more of this denomination covers what is left, with change.
		if left > 0 && uint64(have[d]) > n {
			over := taken
			over[d]++
			work := over.count() + bits(1<<d-left)
			if over.count() <= token.MaxTokens && (best == 0 || work <= best) {
				pick, best = over, work
			}
		}
	}
	if left == 0 && taken.count() <= token.MaxTokens {
		return taken, true
	}
	return pick, best > 0
}

func bits(v uint64) int {
	n := 0
	for ; v > 0; v &= v - 1 {
		n++
	}
	return n
}

// fewest splits units into as few tokens of a key set as possible.
func fewest(set keySet, units uint64) (shape, bool) {
	var out shape
	n := 0
	for k := len(set.Keys) - 1; k >= 0; k-- {
		d := set.Keys[k].Denom
		take := units >> d
		if n += int(min(take, token.MaxPoints+1)); n > token.MaxPoints {
			return shape{}, false
		}
		out[d] = uint8(take)
		units -= take << d
	}
	return out, units == 0
}

// spread splits units so that many prices can be paid exactly: two (or one)
// of each small denomination, and the rest in as few tokens as possible.
func spread(set keySet, units uint64) (shape, bool) {
	for each := uint8(2); each > 0; each-- {
		var ladder shape
		sum := uint64(0)
		for _, k := range set.Keys {
			step := uint64(each) << k.Denom
			if sum+step > units {
				break
			}
			ladder[k.Denom] = each
			sum += step
		}
		rest, ok := fewest(set, units-sum)
		if !ok || ladder.count()+rest.count() > token.MaxPoints {
			continue
		}
		for d := range ladder {
			ladder[d] += rest[d]
		}
		return ladder, true
	}
	return fewest(set, units)
}
