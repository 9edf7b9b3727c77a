package stream

import "time"

// The ahead window: what may be bought and not yet heard.
const (
	leastAhead = 2                // epochs: enough for the largest lead of an output
	mostAhead  = 40 * time.Second // an outage of 30 s after a minute is not heard
)

// largestLot is how many epochs one purchase has when the window is wide.
// With three epochs of 2 s the window stays filled to 34 s or more, so that a
// 30 s outage finds enough; with five it would fall to 30 s before each
// purchase.
const largestLot = 3

// Plan says how many epochs may be bought now.
//
// bought is what is bought and not yet heard, heard what was heard of the
// track since it was started or sought, epoch the length of an epoch, lots
// how many purchases were made since the start. The answer is 0 while there
// is nothing to buy. It follows that a skip wastes at most what was heard
// plus two epochs.
func Plan(bought, heard, epoch time.Duration, lots int) int {
	limit := min(max(heard, leastAhead*epoch), mostAhead)
	want := min(lots+1, largestLot) // the first lot is one epoch: it is heard soonest
	if lots == 0 {
		want = 1
	}
	fit := int((limit - bought) / epoch)
	if fit >= want {
		return want
	}
	// A narrow window takes what fits, but only once half of it is used up:
	// otherwise every second would have its own purchase.
	if fit > 0 && bought <= limit/2 {
		return fit
	}
	return 0
}
