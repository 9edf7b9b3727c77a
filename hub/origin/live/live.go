// Package live is the reference platform's stations: broadcasts that never end,
// made from a playlist of the tracks that were taken in, and paced by the
// clock.
//
// Source: SNE-SPEC sections 3.1 (live), 3.4 and 6. Each station has a creator
// key of its own. For each epoch a fresh random secret is drawn, the sound is
// sealed under it, and then one transaction makes it part of the broadcast:
// secret, record, hashes of the tree, the new signed Head and the place in the
// playlist. So a station goes on after a restart, or a crash at any point, with
// the next number, the same tree and the next sound; and no number ever has two
// keys, because nobody learns of an epoch before that transaction.
//
// An epoch is for sale for Window from its own time. Then its secret is
// overwritten, on disk too, its files go, and a little later its record; the
// hashes stay, 64 bytes an epoch, so that every size that ever had a Head can be
// proved.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

// Refusals of epochs.
var (
	ErrNotYet = errors.New("live: not broadcast yet")
	ErrGone   = errors.New("live: the key is erased")
)

// Plan is what the owner wants of a station.
type Plan struct {
	Name     string        // for people; it also identifies the station over restarts
	Playlist string        // folder or .m3u file below the music folder; "" = all of it
	EpochMs  int           // 1000 to 10000, a multiple of 20; 0 = 2000; fixed at the first start
	Window   time.Duration // how long an epoch is for sale; 0 = 10 min
}

// Defaults and bounds of a Plan.
const (
	defaultWindow = 10 * time.Minute
	leastEpochs   = 4 // that a window has
	maxName       = 100
	maxStations   = 64
)

func (p Plan) check() (Plan, error) {
	if p.EpochMs == 0 {
		p.EpochMs = publish.EpochMs
	}
	if p.Window == 0 {
		p.Window = defaultWindow
	}
	switch {
	case p.Name == "" || len(p.Name) > maxName:
		return p, fmt.Errorf("live: a station's name has 1 to %d bytes", maxName)
	case p.EpochMs < 1000 || p.EpochMs > 10000 || p.EpochMs%20 != 0:
		return p, fmt.Errorf("live: station %q: epochs of %d ms", p.Name, p.EpochMs)
	case p.Window < leastEpochs*p.every():
		return p, fmt.Errorf("live: station %q: a window of %v", p.Name, p.Window)
	}
	return p, nil
}

func (p Plan) every() time.Duration { return time.Duration(p.EpochMs) * time.Millisecond }

// Config of all stations.
type Config struct {
	Path     string // of the database
	Music    func() string
	Shelf    *shelf.Shelf
	Press    *publish.Press // seals and names the files
	Root     wire.ID        // KeyID of the platform's root
	Creators Creators
	Dead     func(creator wire.ID) bool // revoked; such a station ends. nil = none is
	Random   io.Reader                  // nil = the system's generator
	Clock    func() time.Time           // nil = time.Now
	Changed  func()                     // called when All has something new; nil = nobody wants to know
	Log      *slog.Logger               // nil = discard
}

// Creators keeps the stations' own keys.
type Creators interface {
	// Creator returns the key of that name and version, made when first asked
	// for. The caller erases it.
	Creator(name string, version uint64) (*composite.SecretKey, error)
}

// Stations are all stations of a platform. They are safe for concurrent use.
type Stations struct {
	c  Config
	db *store

	mu  sync.RWMutex
	all []*Station // in the order of the plans
}

// Open opens the stations, without starting them.
func Open(ctx context.Context, c Config, plans []Plan) (*Stations, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Dead == nil {
		c.Dead = func(wire.ID) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(plans) > maxStations {
		return nil, fmt.Errorf("live: %d stations, at most %d are possible", len(plans), maxStations)
	}
	s := &Stations{c: c}
	var err error
	if s.db, err = openStore(ctx, c.Path); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, p := range plans {
		if p, err = p.check(); err == nil && seen[p.Name] {
			err = fmt.Errorf("live: two stations are called %q", p.Name)
		}
		var st *Station
		if err == nil {
			seen[p.Name] = true
			st, err = s.open(ctx, p)
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.all = append(s.all, st)
	}
	return s, nil
}

// Run keeps all stations on the air until ctx ends. One whose creator is revoked
// leaves it; the others go on.
func (s *Stations) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, st := range s.All() {
		g.Go(func() error {
			if err := st.run(ctx); err != nil && ctx.Err() == nil {
				s.c.Log.Error("station ended", "station", st.plan.Name, "error", err)
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// All lists the stations, also those that are not on the air yet.
func (s *Stations) All() []*Station {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*Station(nil), s.all...)
}

// Get returns the station of a broadcast, or nil.
func (s *Stations) Get(b wire.ID) *Station {
	return s.find(func(st *Station) bool { return !b.IsZero() && st.broadcast() == b })
}

// Key returns the public key of a station's creator, or nil.
func (s *Stations) Key(creator wire.ID) *composite.PublicKey {
	if st := s.find(func(st *Station) bool { return st.creator.KeyID() == creator }); st != nil {
		return st.creator
	}
	return nil
}

func (s *Stations) find(is func(*Station) bool) *Station {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, st := range s.all {
		if is(st) {
			return st
		}
	}
	return nil
}

// Close erases the keys in memory and closes the database. Run must have ended.
func (s *Stations) Close() error {
	for _, st := range s.All() {
		st.key.Erase()
	}
	return s.db.close()
}
