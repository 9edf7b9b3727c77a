package console

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// Hub is what the status line needs to know.
type Hub interface {
	State() room.House
	Changed(version uint64) <-chan struct{}
	Spending(ctx context.Context) (wallet.Spending, error)
}

// Narrate writes a line whenever something changes that people care about,
// and what was spent at most every pause, until ctx ends.
func Narrate(ctx context.Context, w io.Writer, h Hub, pause time.Duration) {
	var last string
	var spoke time.Time
	for {
		house := h.State()
		line := Line(house)
		if spending, err := h.Spending(ctx); err == nil {
			if line != last || time.Since(spoke) >= pause {
				fmt.Fprintf(w, "%s  %s%s\n", time.Now().Format("15:04:05"), line, Money(house, spending)) //nolint:errcheck // a closed terminal is no fault of the music
				last, spoke = line, time.Now()
			}
		}
		t := time.NewTimer(pause)
		select {
		case <-h.Changed(house.Version):
			t.Reset(250 * time.Millisecond) // a burst of changes is one line
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// Line says what plays where.
func Line(h room.House) string {
	g, _ := h.Group("")
	var b strings.Builder
	b.WriteString(string(g.Transport))
	if t, ok := g.Track(); ok && g.Transport != room.Stopped {
		fmt.Fprintf(&b, " %q", t.Title)
		if t.Artist != "" {
			fmt.Fprintf(&b, " by %q", t.Artist)
		}
		if g.Rung != "" {
			fmt.Fprintf(&b, " (%s)", g.Rung)
		}
	}
	var on []string
	for _, r := range h.Members(g.ID) {
		name := r.Name
		if r.Speaker.State != "playing" {
			name += ": " + r.Speaker.State
			if r.Speaker.Why != "" && r.Speaker.State != "ready" {
				name += ", " + r.Speaker.Why
			}
		}
		on = append(on, name)
	}
	if len(on) == 0 {
		on = []string{"no room"}
	}
	fmt.Fprintf(&b, " in [%s]", strings.Join(on, " | "))
	if idle := len(h.Rooms) - len(h.Members(g.ID)); idle > 0 {
		fmt.Fprintf(&b, ", %d more", idle)
	}
	for _, why := range []string{g.Why, h.Notice, h.Loading} {
		if why != "" {
			b.WriteString("  -- " + why)
		}
	}
	return b.String()
}

// Money says what it costs and what was spent.
func Money(h room.House, s wallet.Spending) string {
	g, _ := h.Group("")
	out := ""
	if t, ok := g.Track(); ok {
		out = fmt.Sprintf("  %v an hour,", wallet.Msat(t.MsatPerS)*3600)
	}
	return fmt.Sprintf("%s  today bought %v, heard %v, left %v", out, s.DayBought, s.DayHeard, s.Balance)
}
