package live

import (
	"testing"
	"time"
)

// TestDue wants the next epoch one epoch after the last one, what was missed in
// a short stop at once, and a long stop forgotten.
func TestDue(t *testing.T) {
	last := time.UnixMilli(1_700_000_000_000)
	for name, c := range map[string]struct {
		now, want time.Duration // after the last epoch
	}{
		"in time":             {300 * time.Millisecond, 2 * time.Second},
		"a little late":       {2100 * time.Millisecond, 2 * time.Second},
		"a short stop":        {11 * time.Second, 2 * time.Second},
		"the longest of them": {18 * time.Second, 2 * time.Second},
		"a long stop":         {18*time.Second + time.Millisecond, 18*time.Second + time.Millisecond},
		"a clock set back":    {-time.Hour, -time.Hour},
	} {
		now := last.Add(c.now)
		st := &Station{of: &Stations{c: Config{Clock: func() time.Time { return now }}}, row: row{EpochMs: 2000}, kept: []epochRow{{7, last.UnixMilli()}}}
		if got := st.due(); !got.Equal(last.Add(c.want)) {
			t.Errorf("%s: due %v after the last epoch, want %v", name, got.Sub(last), c.want)
		}
	}
}

// TestForSale walks through the sale window.
func TestForSale(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	now := start
	st := &Station{of: &Stations{c: Config{Clock: func() time.Time { return now }}}, plan: Plan{Window: 10 * time.Second}, row: row{EpochMs: 2000, Size: 20}}
	for n := range uint64(8) {
		st.kept = append(st.kept, epochRow{12 + n, start.Add(time.Duration(n) * 2 * time.Second).UnixMilli()})
	}
	for after, want := range map[time.Duration]uint64{
		0: 12, 10 * time.Second: 12, 10*time.Second + 1*time.Millisecond: 13, 12 * time.Second: 13, 23 * time.Second: 19, time.Hour: 20,
	} {
		now = start.Add(after)
		if got := st.forSale(); got != want {
			t.Errorf("after %v epoch %d is for sale, want %d", after, got, want)
		}
	}
}
