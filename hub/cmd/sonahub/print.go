package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"sonahub/hub/api"
	"sonahub/wallet"
)

// show prints one view of the state, in words or as JSON.
func (r *remote) show(ctx context.Context, what string) error {
	s, _, err := r.state(ctx)
	if err != nil {
		return err
	}
	if r.json {
		var view any = s
		switch what {
		case "rooms":
			view = s.Rooms
		case "spent":
			view = s.Spending
		}
		enc := json.NewEncoder(r.out)
		enc.SetIndent("", "  ")
		return enc.Encode(view)
	}
	w := tabwriter.NewWriter(r.out, 0, 4, 2, ' ', 0)
	switch what {
	case "rooms":
		printRooms(w, s)
	case "spent":
		printSpent(w, s)
	default:
		printStatus(w, s)
	}
	return w.Flush()
}

func printStatus(w io.Writer, s api.State) {
	for _, g := range s.Groups {
		fmt.Fprintf(w, "%s", g.Transport)
		if g.Current < len(g.Queue) {
			t := g.Queue[g.Current]
			at := time.Duration(g.PositionMs) * time.Millisecond
			fmt.Fprintf(w, "\t%q by %q\t%v of %v\t%s", t.Title, t.Artist, at.Round(time.Second),
				(time.Duration(t.LengthMs) * time.Millisecond).Round(time.Second), g.Rung)
		}
		if g.Why != "" {
			fmt.Fprintf(w, "\t%s", g.Why)
		}
		fmt.Fprintln(w)
	}
	if s.Notice != "" {
		fmt.Fprintln(w, s.Notice)
	}
	printRooms(w, s)
}

func printRooms(w io.Writer, s api.State) {
	for _, r := range s.Rooms {
		volume := fmt.Sprintf("%d %%", r.Volume)
		if r.Muted {
			volume += " muted"
		}
		why := r.Speaker.Why
		if r.Silent != "" {
			why = r.Silent
		}
		fmt.Fprintf(w, "  %s\t%s\t%s (%s)\t%s\t%s\n", r.ID, r.Name, r.Speaker.State, r.Speaker.Evidence, volume, why)
	}
}

func printSpent(w io.Writer, s api.State) {
	if s.Spending == nil {
		fmt.Fprintln(w, "the hub does not say")
		return
	}
	m := s.Spending
	for _, row := range []struct {
		name string
		msat int64
	}{
		{"today bought", m.DayBoughtMsat}, {"today heard", m.DayHeardMsat}, {"this hour", m.HourSpentMsat},
		{"in flight", m.InFlightMsat}, {"left", m.BalanceMsat}, {"cap per hour", m.HourCapMsat}, {"cap per day", m.DayCapMsat}, {"cap per room and day", m.RoomCapMsat},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, wallet.Msat(row.msat))
	}
}
