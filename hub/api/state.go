package api

import (
	"context"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// The JSON forms. Times are milliseconds, money is whole millisatoshi.

// State is everything there is to see.
type State struct {
	Name     string    `json:"name"`
	Version  uint64    `json:"version"`
	Notice   string    `json:"notice,omitempty"`
	Loading  string    `json:"loading,omitempty"`
	Owner    bool      `json:"owner"`
	Rooms    []Room    `json:"rooms"`
	Groups   []Group   `json:"groups"`
	Library  []Track   `json:"library,omitzero"` // left out of an event when it is as before
	Spending *Spending `json:"spending,omitempty"`
}

// Room is one place in the house with its speaker.
type Room struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Volume  int     `json:"volume"`
	Muted   bool    `json:"muted"`
	Group   string  `json:"group,omitempty"`
	Silent  string  `json:"silent,omitempty"`
	Speaker Speaker `json:"speaker"`
}

// Speaker is what the room's speaker said of itself.
type Speaker struct {
	Kind     string `json:"kind"`
	State    string `json:"state"`
	Evidence string `json:"evidence"`
	BitExact bool   `json:"bit_exact"`
	Why      string `json:"why,omitempty"`
	Address  string `json:"address,omitempty"` // for owners only
}

// Group is one or more rooms that play the same thing.
type Group struct {
	ID         string  `json:"id"`
	Transport  string  `json:"transport"`
	PositionMs int64   `json:"position_ms"` // at the time of the answer
	Rung       string  `json:"rung,omitempty"`
	Why        string  `json:"why,omitempty"`
	Current    int     `json:"current"`
	Queue      []Track `json:"queue"`
	CanUndo    bool    `json:"can_undo"`
}

// Track is one piece of the catalogue.
type Track struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Artist      string `json:"artist"`
	Album       string `json:"album"`
	Index       int    `json:"index,omitempty"`
	Art         string `json:"art,omitempty"`
	LengthMs    int64  `json:"length_ms"`
	Live        bool   `json:"live,omitempty"`
	MsatPerS    int64  `json:"msat_per_s"`
	Quality     string `json:"quality"`
	BroughtDown bool   `json:"brought_down,omitempty"`
}

// Spending is the household's money; a cap of 0 is no cap.
type Spending struct {
	BalanceMsat   int64            `json:"balance_msat"`
	InFlightMsat  int64            `json:"in_flight_msat"`
	PerHourMsat   int64            `json:"per_hour_msat"` // of what plays now
	HourSpentMsat int64            `json:"hour_spent_msat"`
	DayBoughtMsat int64            `json:"day_bought_msat"`
	DayHeardMsat  int64            `json:"day_heard_msat"`
	HourCapMsat   int64            `json:"hour_cap_msat"`
	DayCapMsat    int64            `json:"day_cap_msat"`
	RoomCapMsat   int64            `json:"room_cap_msat"`
	RoomSpentMsat map[string]int64 `json:"room_spent_msat"`
	TotalPaidMsat int64            `json:"total_paid_msat"`
}

// Done answers a command that was accepted: what it changed is in the state
// from this version on.
type Done struct {
	Version uint64 `json:"version"`
}

// snapshot puts house and money together. When the money cannot be read it is
// left out and logged: music and rooms are shown all the same.
func (h *Handler) snapshot(ctx context.Context, house room.House, owner bool) State {
	s := newState(house, h.Now(), owner)
	money, err := h.Hub.Spending(ctx)
	if err != nil {
		h.Logger.Error("cannot read the spending", "err", err)
		return s
	}
	s.Spending = newSpending(money, house)
	return s
}

func newState(house room.House, now time.Time, owner bool) State {
	s := State{
		Name: house.Name, Version: house.Version, Notice: house.Notice, Loading: house.Loading, Owner: owner,
		Rooms:   make([]Room, 0, len(house.Rooms)),
		Groups:  make([]Group, 0, len(house.Groups)),
		Library: newTracks(house.Library),
	}
	for _, r := range house.Rooms {
		out := Room{
			ID: r.ID, Name: r.Name, Volume: r.Volume, Muted: r.Muted, Group: r.Group, Silent: r.Silent,
			Speaker: Speaker{
				Kind: r.Speaker.Kind, State: r.Speaker.State, Evidence: r.Speaker.Evidence,
				BitExact: r.Speaker.BitExact, Why: r.Speaker.Why,
			},
		}
		if owner {
			out.Speaker.Address = r.Speaker.Address
		}
		s.Rooms = append(s.Rooms, out)
	}
	for _, g := range house.Groups {
		s.Groups = append(s.Groups, Group{
			ID: g.ID, Transport: string(g.Transport), PositionMs: g.PositionAt(now).Milliseconds(),
			Rung: g.Rung, Why: g.Why, Current: g.Queue.Current, Queue: newTracks(g.Queue.Items), CanUndo: g.Left != nil,
		})
	}
	return s
}

func newTracks(tracks []room.Track) []Track {
	out := make([]Track, 0, len(tracks))
	for _, t := range tracks {
		out = append(out, Track{
			ID: t.ID, Title: t.Title, Artist: t.Artist, Album: t.Album, Index: t.Index, Art: t.Art,
			LengthMs: t.Length.Milliseconds(), Live: t.Live, MsatPerS: t.MsatPerS, Quality: t.Quality, BroughtDown: t.BroughtDown,
		})
	}
	return out
}

func newSpending(m wallet.Spending, house room.House) *Spending {
	s := &Spending{
		BalanceMsat: int64(m.Balance), InFlightMsat: int64(m.InFlight), HourSpentMsat: int64(m.HourSpent),
		DayBoughtMsat: int64(m.DayBought), DayHeardMsat: int64(m.DayHeard),
		HourCapMsat: int64(m.HourCap), DayCapMsat: int64(m.DayCap), RoomCapMsat: int64(m.RoomCap),
		RoomSpentMsat: make(map[string]int64, len(m.RoomSpent)), TotalPaidMsat: int64(m.TotalPaid),
	}
	for id, v := range m.RoomSpent {
		s.RoomSpentMsat[id] = int64(v)
	}
	for _, g := range house.Groups {
		if t, ok := g.Track(); ok && g.Transport == room.Playing {
			s.PerHourMsat += t.MsatPerS * 3600
		}
	}
	return s
}
