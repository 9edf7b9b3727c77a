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

// Hub is what the narrator needs to know.
type Hub interface {
	State() room.House
	Changed(version uint64) <-chan struct{}
	Spending(ctx context.Context) (wallet.Spending, error)
}

const (
	burst   = 250 * time.Millisecond // changes that come together are told together
	settled = 3 * time.Second        // by then a sound card has said whether it is there
)

// Narrate writes a line when something changes that people care about, and
// what was spent at most once every pause, until ctx ends. A house in which
// nothing happens is silent.
func Narrate(ctx context.Context, w io.Writer, h Hub, pause time.Duration) {
	n := narrator{w: w, since: time.Now()}
	for {
		house := h.State()
		if spending, err := h.Spending(ctx); err == nil {
			n.tell(house, spending, time.Now(), pause)
		}
		t := time.NewTimer(min(pause, settled))
		select {
		case <-h.Changed(house.Version):
			t.Reset(burst)
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

// narrator remembers what it has said.
type narrator struct {
	w           io.Writer
	since       time.Time
	rooms, line string
	spent       string
	spoke       time.Time // when it last spoke of money
}

func (n *narrator) tell(h room.House, s wallet.Spending, now time.Time, pause time.Duration) {
	if rooms := Rooms(h); rooms != n.rooms && (!opening(h) || now.Sub(n.since) >= settled) {
		n.say(now, "rooms: "+rooms)
		n.rooms = rooms
	}
	line, spent := Line(h), Money(h, s)
	switch {
	case line != n.line:
		n.say(now, line+"  |  "+spent)
	case spent != n.spent && now.Sub(n.spoke) >= pause:
		n.say(now, spent)
	default:
		return
	}
	n.line, n.spent, n.spoke = line, spent, now
}

func (n *narrator) say(now time.Time, text string) {
	fmt.Fprintf(n.w, "%s  %s\n", now.Format("15:04:05"), text) //nolint:errcheck // a closed terminal is no fault of the music
}

// opening reports whether a room has not said yet whether it is there.
func opening(h room.House) bool {
	for _, r := range h.Rooms {
		if r.Speaker.State == "joining" || r.Speaker.State == "idle" && r.Group != "" {
			return true
		}
	}
	return len(h.Rooms) == 0
}

// Rooms lists the rooms of the house, and why one is not to be had.
func Rooms(h room.House) string {
	var out []string
	for _, r := range h.Rooms {
		name := r.Name
		if r.Speaker.State == "absent" {
			name += ": " + r.Speaker.Why
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return "none found yet"
	}
	return strings.Join(out, ", ")
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
		switch {
		case r.Speaker.State == "absent": // Rooms says why
		case r.Speaker.State == "stalled":
			on = append(on, r.Name+" (stalled: "+r.Speaker.Why+")")
		default:
			on = append(on, r.Name)
		}
	}
	if len(on) == 0 {
		on = []string{"no room"}
	}
	fmt.Fprintf(&b, " in %s", strings.Join(on, ", "))
	var silent []string
	for _, r := range h.Rooms {
		if r.Silent != "" {
			silent = append(silent, r.Name+": "+r.Silent)
		}
	}
	for _, why := range append([]string{g.Why, h.Notice}, silent...) {
		if why != "" {
			b.WriteString("; " + why)
		}
	}
	return b.String()
}

// Money says what it costs and what was spent.
func Money(h room.House, s wallet.Spending) string {
	g, _ := h.Group("")
	out := ""
	if t, ok := g.Track(); ok {
		out = fmt.Sprintf("%v an hour; ", wallet.Msat(t.MsatPerS)*3600)
	}
	return fmt.Sprintf("%stoday bought %v, heard %v; left %v", out, s.DayBought, s.DayHeard, s.Balance)
}
