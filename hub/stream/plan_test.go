package stream

import (
	"testing"
	"time"
)

// TestPlan walks a listener through a track and checks the two promises of
// the ahead window. To see it fail: raise leastAhead to 4, or largestLot to 5.
func TestPlan(t *testing.T) {
	const epoch, step = 2 * time.Second, 50 * time.Millisecond
	for _, play := range []time.Duration{0, 3 * time.Second, 10 * time.Second, time.Minute, 4 * time.Minute} {
		var heard, bought time.Duration
		lots := 0
		for heard <= play {
			for {
				n := Plan(bought-heard, heard, epoch, lots)
				if n == 0 {
					break
				}
				bought += time.Duration(n) * epoch
				lots++
				if waste, allowed := bought-heard, max(heard, 2*epoch); waste > allowed || waste > mostAhead {
					t.Fatalf("after %v %v are bought and not heard", heard, waste)
				}
			}
			if bought <= heard {
				t.Fatalf("after %v nothing is left to hear", heard)
			}
			if heard >= time.Minute && bought-heard < 34*time.Second {
				t.Fatalf("after %v only %v are in hand", heard, bought-heard)
			}
			heard += step
		}
		if play == 3*time.Second && bought-play > 7*time.Second {
			t.Errorf("a skip after 3 s wastes %v", bought-play)
		}
		if play == 4*time.Minute && lots > 60 {
			t.Errorf("%d purchases in four minutes", lots)
		}
	}
}

func TestPrice(t *testing.T) {
	for _, c := range []struct {
		perSecond    int64
		frames, rate uint64
		want         int64
	}{{500, 96000, 48000, 1000}, {500, 88200, 44100, 1000}, {500, 1, 48000, 1}, {300, 13, 44100, 1}, {0, 96000, 48000, 0}} {
		if got := price(c.perSecond, c.frames, c.rate); int64(got) != c.want {
			t.Errorf("%d msat/s for %d frames at %d: %d msat, want %d", c.perSecond, c.frames, c.rate, got, c.want)
		}
	}
}
