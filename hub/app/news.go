package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sonahub/hub/player"
	"sonahub/hub/room"
	"sonahub/wallet"
)

// maxNews bounds what the player has said and nobody has heard yet. Reports
// of the place replace each other, and of the rest there is one for each
// command, so that this is never reached by a hub that is alive.
const maxNews = 256

// news takes what the player says without ever making it wait, and keeps
// after which command it was said. It is a player.Listener.
type news struct {
	player *player.Player
	wake   chan struct{}

	mu   sync.Mutex
	list []report
}

type report struct {
	room.Event
	order uint64
}

func newNews() *news { return &news{wake: make(chan struct{}, 1)} }

func (n *news) tell(e room.Event) {
	x := report{e, n.player.Order()}
	n.mu.Lock()
	if last := len(n.list) - 1; last >= 0 && replaces(e, n.list[last].Event) {
		n.list[last] = x
	} else if len(n.list) < maxNews {
		n.list = append(n.list, x)
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// replaces reports whether two pieces of news in a row are of one kind of
// which only the newer matters.
func replaces(now, before room.Event) bool {
	switch now.(type) {
	case room.Heard:
		_, same := before.(room.Heard)
		return same
	case room.Waits:
		_, same := before.(room.Waits)
		return same
	}
	return false
}

// take returns what was said since the last time, oldest first.
func (n *news) take() []report {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// Heard tells what is playing.
func (n *news) Heard(x player.Heard) {
	n.tell(room.Heard{Group: mainGroup, Index: x.Index, Track: x.Track, Position: x.Position, At: time.Now(), Rung: x.Quality})
}

// Waits tells what is missing.
func (n *news) Waits(why string) { n.tell(room.Waits{Group: mainGroup, Why: why}) }

// Halted tells that the group gave up.
func (n *news) Halted(err error) { n.tell(room.Halted{Group: mainGroup, Why: sentence(err)}) }

// Ended tells that the queue is at its end.
func (n *news) Ended() { n.tell(room.Ended{Group: mainGroup}) }

// command numbers the command that goes to the player next; the caller holds
// the house. What the player said before it is overtaken.
func (h *Hub) command() {
	h.asked++
	h.player.Number(h.asked)
}

// hearNews takes in what the player says, but for what a later command has
// overtaken.
func (h *Hub) hearNews(ctx context.Context) error {
	for {
		for _, x := range h.news.take() {
			h.house.noteIf(x.Event, func() bool { return x.order == h.asked })
		}
		select {
		case <-h.news.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sentence is a fault as people read it, with the next step where there is
// one.
func sentence(err error) string {
	var cap *wallet.CapError
	var empty *wallet.EmptyError
	switch {
	case errors.As(err, &cap):
		return fmt.Sprintf("The spending cap per %s (%s) is reached. Press play again %s, or raise the cap.", cap.Cap, cap.Limit, after(cap.Until))
	case errors.As(err, &empty):
		return fmt.Sprintf("The prepaid balance (%s) is used up. Top up to go on.", empty.Balance)
	}
	return err.Error()
}

// after says when a cap has room again, as far as that is known.
func after(t time.Time) string {
	if t.IsZero() {
		return "later"
	}
	return "after " + t.Local().Format("15:04 on 2 January")
}
