// Package app builds, supervises and closes the whole hub. Only the commands
// and the lab import it.
//
// Start order: state folder, house file, platform client, ledger, speakers,
// player, page and socket, then the parts that run for ever (discovery,
// catalogue, money's loose ends). Close runs the other way round, so that
// nobody speaks to a part that is gone and the last word of the player is
// still written to the ledger.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sonahub/hub/player"
	"sonahub/hub/room"
	"sonahub/hub/store"
	"sonahub/hub/stream"
	"sonahub/hub/virtual"
	"sonahub/sne/exhibit"
	"sonahub/sne/sale"
	"sonahub/wallet"
)

// mainGroup is the id of the house's one group.
const mainGroup = "main"

// Options are what tests and the commands give beside the Config.
type Options struct {
	Log      *slog.Logger                      // nil = discard
	Code     func(code string)                 // is told every new one-time code of the page; nil = nobody
	Captured func(id string, p virtual.Played) // hears what virtual rooms play; nil = nobody
	Step     func(name string)                 // crash tests: called at the ledger's named steps; nil in production
}

// Hub is the running appliance. It satisfies the interfaces that the page,
// the API and the remote declare.
type Hub struct {
	*house
	cfg     checked
	log     *slog.Logger
	store   *store.Store
	client  *sale.Client // for everything but buying
	session *sale.Client // for the main group's purchases alone
	money   *money
	shelf   shelf
	meter   stream.Meter
	lock    *os.File // the state folder is ours

	exhibits exhibit.Folder // proofs of fraud

	speakers speakers
	player   *player.Player
	news     *news    // from the player's conductor, which must not wait
	asked    uint64   // commands that went to the player; guarded by the house
	filled   []string // ids that the hub itself put into the queue; the catalogue part owns it
	parts    *supervisor
	servers  *servers
	saved    saved
	begun    bool // only a house that was shown is worth writing down
	closing  sync.Once
	closed   error
}

// Open starts a hub and returns when it serves; music and rooms come as they
// are found. On an error nothing is left running.
func Open(ctx context.Context, cfg Config, o Options) (h *Hub, err error) {
	c, err := cfg.check()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h = &Hub{cfg: c, log: o.Log, news: newNews(), saved: saved{rooms: map[string]room.Room{}}}
	h.exhibits.Path = filepath.Join(c.State, "exhibits")
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
			h = nil
		}
	}()
	if h.lock, err = openFolder(c.State); err != nil {
		return h, err
	}
	var damaged string
	if h.store, damaged, err = openStore(ctx, c.State, time.Now()); err != nil {
		return h, fmt.Errorf("house file: %w", err)
	}
	first, resume, err := h.restore(ctx)
	if err != nil {
		return h, err
	}
	h.house = newHouse(first, h.carryOut)
	if damaged != "" {
		h.log.Warn("house file", "damaged", damaged)
		h.notice(noticeFile, damaged)
	}
	if h.client, err = h.newClient(ctx); err != nil {
		return h, fmt.Errorf("platform: %w", err)
	}
	if h.session, err = h.newClient(ctx); err != nil {
		return h, fmt.Errorf("platform: %w", err)
	}
	if h.money, err = openMoney(ctx, c, h, o.Step); err != nil {
		return h, err
	}
	h.openSpeakers(o.Captured)
	h.player = &player.Player{Playlist: playlist{h}, Listener: h.news, Log: h.log}
	h.news.player = h.player
	h.player.Start(ctx)
	h.parts = newSupervisor(ctx, h.log)
	if h.servers, err = h.serve(o.Code); err != nil {
		return h, err
	}
	h.begin(resume)
	return h, nil
}

// How often the parts look.
const (
	browseEvery = 10 * time.Second
	browseSoon  = time.Second // while there is nothing to offer yet
	listenEvery = 500 * time.Millisecond
	saveEvery   = 400 * time.Millisecond
)

// begin starts the parts that run for ever, and the music if it was playing
// when the hub was cut off, or if the owner wants it.
func (h *Hub) begin(resume bool) {
	h.begun = true
	h.parts.run("news", h.hearNews)
	h.parts.run("save", h.save)
	h.parts.every("speakers", listenEvery, h.listen)
	h.parts.run("catalogue", h.keepBrowsing)
	h.parts.run("money", h.keepMoney)
	h.parts.run("discovery", h.discovery)
	ctx := h.parts.ctx
	if h.cfg.Jack {
		h.appear(ctx, kindJack, "This machine", room.Speaker{Kind: kindJack, State: "idle", Evidence: "derived"})
	}
	if h.cfg.Virtual > 0 {
		h.addVirtual(ctx, h.cfg.Virtual)
	} else if h.cfg.Virtual < 0 {
		h.parts.wg.Go(func() { h.fallBack(ctx) })
	}
	g, _ := h.house.State().Group(mainGroup)
	switch {
	case resume:
		h.resume(g)
	case len(g.Queue.Items) > 0 && h.cfg.Play:
		if g.Position > 0 {
			h.resume(g)
			return
		}
		if err := h.house.Do(ctx, room.Play{}); err != nil {
			h.log.Warn("not playing", "err", err)
		}
	case len(g.Queue.Items) > 0 && g.Position > 0:
		h.player.Load(g.Queue.Current, g.Position, true)
	}
}

// Spending is the household's money at a glance.
func (h *Hub) Spending(ctx context.Context) (wallet.Spending, error) { return h.money.Spending(ctx) }

// Ledger is the hub's ledger, for the remote and for audits.
func (h *Hub) Ledger() *money { return h.money }

// Close drains in order: no more commands, silence, last words, files. It is
// safe on a hub that opened only in part; a second call waits for the first
// and returns its error.
func (h *Hub) Close(ctx context.Context) error {
	h.closing.Do(func() { h.closed = h.close(ctx) })
	return h.closed
}

func (h *Hub) close(ctx context.Context) error {
	var all []error
	if h.servers != nil {
		all = append(all, h.servers.close(ctx))
	}
	if h.player != nil {
		h.player.Halt()
	}
	if h.parts != nil {
		h.parts.stop()
	}
	if h.player != nil {
		h.player.Close()
	}
	if h.speakers.known != nil {
		for _, o := range h.speakers.outputs() {
			all = append(all, o.Close())
		}
	}
	if h.begun {
		all = append(all, h.saveNow(ctx, false))
	}
	for _, c := range []*sale.Client{h.session, h.client} {
		if c != nil {
			all = append(all, c.Close())
		}
	}
	if h.money != nil {
		all = append(all, h.money.Close())
	}
	if h.store != nil {
		all = append(all, h.store.Close())
	}
	if h.lock != nil {
		all = append(all, h.lock.Close())
	}
	return errors.Join(all...)
}
