package console

import (
	"strings"
	"testing"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

func evening() room.House {
	return room.House{
		Rooms: []room.Room{
			{ID: "k", Name: "Kitchen", Group: "main", Speaker: room.Speaker{State: "playing"}},
			{ID: "l", Name: "Lounge", Speaker: room.Speaker{State: "idle"}, Silent: "at its cap"},
			{ID: "j", Name: "Jack", Group: "main", Speaker: room.Speaker{State: "absent", Why: "no sound card"}},
		},
		Groups: []room.Group{{
			ID: "main", Transport: room.Playing, Rung: "FLAC lossless 16 bit",
			Queue: room.Queue{Items: []room.Track{{ID: "a", Title: "Evil\x1b[2J", Artist: "Nobody", MsatPerS: 500}}},
		}},
	}
}

// TestLine wants what plays where, why what does not, and no escape sequence
// of a stranger's title on the terminal.
func TestLine(t *testing.T) {
	want := `playing "Evil\x1b[2J" by "Nobody" (FLAC lossless 16 bit) in Kitchen; Lounge: at its cap`
	if got := Line(evening()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := Rooms(evening()), "Kitchen, Lounge, Jack: no sound card"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want = "1800 sat an hour; today bought 2 sat, heard 1 sat; left 9.500 sat"
	if got := Money(evening(), wallet.Spending{DayBought: 2000, DayHeard: 1000, Balance: 9500}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNarrator wants a line for a change, silence for none, and money alone
// at most once in a pause.
func TestNarrator(t *testing.T) {
	var out strings.Builder
	start := time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	n := narrator{w: &out, since: start}
	h, pause := evening(), time.Minute
	for _, step := range []struct {
		after time.Duration
		spent wallet.Msat
		pause bool
		want  int // lines so far
	}{
		{0, 0, false, 2}, {time.Second, 500, false, 2}, {2 * time.Second, 1000, true, 3}, {61 * time.Second, 1500, true, 3}, {63 * time.Second, 1500, true, 4}, {200 * time.Second, 1500, true, 4},
	} {
		if step.pause {
			h.Groups[0].Transport = room.Paused
		}
		now := start.Add(step.after)
		if n.curious(h, now, pause) {
			n.tell(h, wallet.Spending{DayBought: step.spent}, now, pause)
		}
		if got := strings.Count(out.String(), "\n"); got != step.want {
			t.Fatalf("after %v there are %d lines, want %d:\n%s", step.after, got, step.want, out.String())
		}
	}
}
