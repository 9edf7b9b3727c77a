package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"sonahub/hub/player"
	"sonahub/hub/room"
	"sonahub/hub/stream"
	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/fetch"
	"sonahub/sne/sale"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

const settingPin = "pin" // what is known of the platform's root, JSON

// newClient makes a client of the platform. The pin survives restarts, so
// that an old Bundle is never believed again.
func (h *Hub) newClient(ctx context.Context) (*sale.Client, error) {
	cfg := sale.Config{
		URL: h.cfg.origin, Plain: h.cfg.Plain, Typed: true, Exhibit: h.exhibit, Log: h.log,
		SavePin: func(p bundle.Pin) error {
			text, err := json.Marshal(p)
			if err != nil {
				return err
			}
			return h.store.Set(context.WithoutCancel(ctx), settingPin, string(text))
		},
	}
	text, have, err := h.store.Setting(ctx, settingPin)
	if err != nil {
		return nil, err
	}
	if have {
		var pin bundle.Pin
		if err := json.Unmarshal([]byte(text), &pin); err != nil {
			return nil, fmt.Errorf("stored pin: %w", err)
		}
		if pin.Root == h.cfg.origin.Root { // another root is another platform
			cfg.Pin = pin
		}
	}
	return sale.NewClient(cfg)
}

// exhibit keeps a proof of fraud as a file that anybody can judge with
// "sonahub ctl verify-exhibit". Handing it on is the owner's decision.
func (h *Hub) exhibit(raw []byte) {
	path, err := h.exhibits.Save(raw)
	if err != nil {
		h.log.Error("a proof of fraud could not be kept", "err", err)
		return
	}
	h.log.Warn("a proof of fraud was kept", "file", path)
}

// base is the platform's address outside SNE.
func (h *Hub) base() string {
	scheme := "https://"
	if h.cfg.Plain {
		scheme = "http://"
	}
	return scheme + h.cfg.origin.HostPort()
}

// shelf is the platform's catalogue as the hub saw it last.
type shelf struct {
	mu    sync.Mutex
	items map[string]catalog.Item
	why   string // what the last Open waited for
}

func (s *shelf) item(id string) (catalog.Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[id]
	return i, ok
}

func (s *shelf) put(items []catalog.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = make(map[string]catalog.Item, len(items))
	for _, i := range items {
		s.items[i.ID.String()] = i
	}
}

func (s *shelf) say(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
}

func (s *shelf) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// keepBrowsing looks at the catalogue again and again, more often while there
// is none.
func (h *Hub) keepBrowsing(ctx context.Context) error {
	last := "" // a fault is logged once, not every second
	for {
		pause := browseEvery
		switch err := h.browse(ctx); {
		case err != nil && ctx.Err() == nil:
			if text := err.Error(); text != last {
				h.log.Warn("catalogue", "err", err)
				last = text
			}
			pause = browseSoon
		case last != "":
			last = ""
			h.log.Info("catalogue: the platform answers again")
			h.money.poke()
		}
		if len(h.house.State().Library) == 0 {
			pause = browseSoon
		}
		if !wait(ctx.Done(), pause) {
			return ctx.Err()
		}
	}
}

// browse fetches the catalogue and shows it as the library. The first one
// fills an empty queue.
func (h *Hub) browse(ctx context.Context) error {
	c, err := h.client.Catalog(ctx)
	if err != nil {
		if !errors.Is(err, fetch.ErrBusy) { // busy is a platform that is starting up
			h.notice(noticePlatform, unreachable)
		}
		return fmt.Errorf("catalogue: %w", err)
	}
	h.notice(noticePlatform, "")
	h.shelf.put(c.Items)
	library := make([]room.Track, 0, len(c.Items))
	for _, i := range c.Items {
		library = append(library, track(i))
	}
	if !sameLibrary(h.house.State().Library, library) {
		h.house.note(room.Stocked{Library: library})
	}
	return h.fillQueue(ctx)
}

const unreachable = "The music platform cannot be reached; what is paid for plays on."

func sameLibrary(a, b []room.Track) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// track is a catalogue item in the words of the house.
func track(i catalog.Item) room.Track {
	t := room.Track{
		Live: i.Kind == catalog.KindLive,
		ID:   i.ID.String(), Title: i.Title, Artist: i.Artist, Album: i.Album, Index: i.Index,
		Length: time.Duration(i.Ms) * time.Millisecond, CreatorKeyID: i.Creator.String(),
	}
	if !i.Art.IsZero() {
		t.Art = i.Art.String()
	}
	if rungs := stream.Ladder(i); len(rungs) > 0 {
		for _, tier := range i.Tiers {
			if tier.Tier == rungs[0].Tier {
				t.MsatPerS, t.Quality = tier.PriceMsatS, tier.Name
			}
		}
	}
	return t
}

// Art returns a cover of the catalogue by its hash.
func (h *Hub) Art(ctx context.Context, hash string) ([]byte, string, error) {
	id, err := wire.ParseID(hash)
	if err != nil {
		return nil, "", fmt.Errorf("cover: %w", fs.ErrNotExist)
	}
	data, err := h.client.Blob(ctx, id)
	if errors.Is(err, fetch.ErrNotFound) {
		return nil, "", fmt.Errorf("cover: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, "", fmt.Errorf("cover: %w", err)
	}
	return data, http.DetectContentType(data), nil
}

// playlist opens the tracks of the main group's queue.
type playlist struct{ h *Hub }

// Why says what Open waits for.
func (p playlist) Why() string { return p.h.shelf.said() }

// Open opens the queue's item at index. What may pass by itself is tried
// until the context ends: a platform that is away, a piece still being
// prepared.
func (p playlist) Open(ctx context.Context, index int, from time.Duration) (player.Track, error) {
	defer p.h.shelf.say("")
	for pause := firstReopen; ; pause = min(2*pause, lastReopen) {
		source, err := p.open(ctx, index, from)
		if err == nil {
			return source, nil
		}
		if !mayPass(err) || ctx.Err() != nil {
			return nil, err
		}
		p.h.shelf.say(plainly(err))
		if !wait(ctx.Done(), pause) {
			return nil, ctx.Err()
		}
	}
}

// Pauses between tries to open a track.
const (
	firstReopen = 200 * time.Millisecond
	lastReopen  = 2 * time.Second
)

// errNotListed: the catalogue has not come yet, or lacks the piece.
var errNotListed = errors.New("the platform does not offer this piece at present")

func (p playlist) open(ctx context.Context, index int, from time.Duration) (player.Track, error) {
	g, _ := p.h.house.State().Group("")
	if index >= len(g.Queue.Items) {
		return nil, io.EOF
	}
	item, ok := p.h.shelf.item(g.Queue.Items[index].ID)
	if !ok {
		return nil, errNotListed
	}
	source, err := stream.Open(ctx, stream.Config{
		Shop: p.h.session, Payer: p.h.money, Root: p.h.cfg.origin.Root.String(), Item: item, From: from, Meter: &p.h.meter,
		Rooms:   func() []string { return p.h.house.listeners(g.ID) },
		OverCap: p.h.overCap, Exhibit: p.h.exhibit, Log: p.h.log,
	})
	if err != nil {
		return nil, err
	}
	return source, nil
}

func mayPass(err error) bool {
	var f *fetch.Error
	return errors.Is(err, errNotListed) || errors.As(err, &f) && !errors.Is(err, fetch.ErrGone)
}

func plainly(err error) string {
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return "the platform is still preparing this piece"
	case errors.Is(err, fetch.ErrUnreachable):
		return "the music platform does not answer"
	}
	return err.Error()
}

// overCap silences a room at its cap, so that the others play on.
func (h *Hub) overCap(e *wallet.CapError) bool {
	return h.house.silence(e.Room, fmt.Sprintf("This room has had its %s of music for today. Take the music here again %s, or raise the cap.",
		e.Limit, after(e.Until)))
}
