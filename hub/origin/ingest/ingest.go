// Package ingest takes a folder of music files in and makes broadcasts of
// them, in the background and in the order in which they are wanted.
//
// Every readable file is listed as soon as it was looked at. Then each is
// encoded: lossless first for all of them, Opus afterwards; what was asked for
// last comes first. One track is encoded at a time, its epochs side by side,
// so that the first track can be bought within seconds.
//
// Invariants. A file that cannot be read is named with the reason and skipped;
// it never ends the work. What is finished is not done again after a restart:
// a file is known by path, size and time, or, if those changed, by its
// content. The Opus tier is made from the published lossless segments, so both
// tiers have exactly the same frames on the same grid of epochs, whatever
// became of the file meanwhile. Nothing outside of the folder is read.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

// Ingester does the work. Its exported fields are set once, before Run.
type Ingester struct {
	Music   string // folder to take in
	Shelf   *shelf.Shelf
	Press   *publish.Press
	Creator *composite.PublicKey
	Workers int  // encoders side by side; 0 = GOMAXPROCS-1, at least 1
	NoOpus  bool // lossless only
	Limits  Limits

	// Prepare puts files into Music before it is looked at; nil = nothing to do.
	Prepare func(ctx context.Context) error
	// Changed is called when Offers has something new; it must not block.
	Changed func()
	Log     *slog.Logger // nil = discard

	mu       sync.Mutex
	root     string   // Music without symbolic links, once it was looked for
	entries  []*entry // in the order of the folder
	byID     map[wire.ID]*entry
	skipped  []Skipped
	asked    uint64 // counts requests, so that the latest wins
	phase    string
	current  *entry
	watchers map[chan Progress]struct{}
	wake     chan struct{} // holds one token when there may be new work
	listed   bool          // Offers is worth publishing
	scanned  bool          // the whole folder was looked at
	err      error         // of Run
	ended    chan struct{} // closed when Run returns
}

// entry is one listed track and how far it is.
type entry struct {
	track shelf.Track
	src   shelf.Source
	tiers []uint16 // complete
	asked uint64   // 0 = never
	doing float64  // seconds of the current tier that are done
	fail  string   // why it was given up in this run
	plain bool     // its Opus tier was given up in this run
}

func (e *entry) has(tier uint16) bool { return slices.Contains(e.tiers, tier) }

// Init makes the ingester ready for its other methods; Run does the work.
func (g *Ingester) Init() {
	if g.Log == nil {
		g.Log = slog.New(slog.DiscardHandler)
	}
	if g.Workers <= 0 {
		g.Workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if g.Changed == nil {
		g.Changed = func() {}
	}
	g.Limits = g.Limits.orDefault()
	g.phase = PhaseScanning
	g.byID = map[wire.ID]*entry{}
	g.watchers = map[chan Progress]struct{}{}
	g.wake = make(chan struct{}, 1)
	g.ended = make(chan struct{})
}

// Run looks through the folder and encodes what is new, until all is done or
// ctx ends. Its error is ctx's, or that the folder or the store cannot be
// used.
func (g *Ingester) Run(ctx context.Context) (err error) {
	defer func() { g.finish(err) }()
	if g.Prepare != nil {
		if err := g.Prepare(ctx); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
	}
	root, err := resolve(g.Music)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.root = root
	g.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := g.look(ctx, root)
		g.mu.Lock()
		g.listed, g.scanned = true, err == nil
		g.mu.Unlock()
		g.poke()
		g.changed()
		return err
	})
	group.Go(func() error { return g.work(ctx) })
	return group.Wait()
}

// Offers lists the tracks in the order of the folder.
func (g *Ingester) Offers() []publish.Offer {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]publish.Offer, 0, len(g.entries))
	for _, e := range g.entries {
		if e.fail == "" {
			out = append(out, publish.Offer{Track: e.track, Tiers: slices.Clone(e.tiers)})
		}
	}
	return out
}

// Ask says that somebody wants this track now. It is encoded next.
func (g *Ingester) Ask(b wire.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.byID[b]; e != nil {
		g.asked++
		e.asked = g.asked
	}
}

// work encodes until nothing is left, or ctx ends.
func (g *Ingester) work(ctx context.Context) error {
	for {
		e, tier, more := g.next()
		if e == nil {
			if !more {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-g.wake:
			}
			continue
		}
		err := g.encode(ctx, e, tier)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g.done(ctx, e, tier, err)
	}
}

// next chooses the track to encode: lossless before Opus, the latest asked
// first, then in order. more tells whether there may be work later.
func (g *Ingester) next() (e *entry, tier uint16, more bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, tier := range []uint16{publish.TierLossless, publish.TierOpus} {
		if tier == publish.TierOpus && (g.NoOpus || !g.scanned) {
			break
		}
		var best *entry
		for _, e := range g.entries {
			if e.fail == "" && !e.has(tier) && !(e.plain && tier == publish.TierOpus) && (best == nil || e.asked > best.asked) {
				best = e
			}
		}
		if best != nil {
			best.doing = 0
			g.current = best
			g.phase = phaseOf(tier)
			return best, tier, true
		}
	}
	return nil, 0, !g.scanned
}

// done books the end of a tier.
func (g *Ingester) done(ctx context.Context, e *entry, tier uint16, err error) {
	if err == nil {
		track, terr := g.Shelf.Track(ctx, e.track.Broadcast) // now with its exact length
		g.mu.Lock()
		if terr == nil {
			e.track = track
		}
		e.tiers = append(e.tiers, tier)
		slices.Sort(e.tiers)
		e.doing = 0
		g.current = nil
		g.mu.Unlock()
		g.Log.Debug("tier published", "broadcast", e.track.Broadcast.String(), "title", e.track.Title, "tier", tier)
	} else {
		g.giveUp(ctx, e, tier, err)
	}
	g.tell()
	g.changed()
}

// changed tells that the offers changed, once they are worth publishing.
func (g *Ingester) changed() {
	g.mu.Lock()
	listed := g.listed
	g.mu.Unlock()
	if listed {
		g.Changed()
	}
}

// giveUp takes a track out after a failure. A file that turned out to be
// unreadable is remembered; anything else is tried again at the next start.
func (g *Ingester) giveUp(ctx context.Context, e *entry, tier uint16, err error) {
	reason := err.Error()
	if r, ok := unreadable(err); ok {
		reason = r
		src := e.src
		src.Broadcast, src.Reason = wire.ID{}, r
		if perr := g.Shelf.PutSource(ctx, src); perr != nil {
			g.Log.Error("cannot remember an unreadable file", "error", perr)
		}
	}
	g.Log.Warn("track skipped", "path", e.src.Path, "tier", tier, "reason", reason)
	g.mu.Lock()
	e.fail = reason
	if e.has(publish.TierLossless) { // it can still be bought without Opus
		e.fail, e.plain = "", true
	}
	g.current = nil
	g.mu.Unlock()
	g.skip(e.src.Path, reason)
}

func (g *Ingester) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

var errChanged = errors.New("the file changed while it was read")
