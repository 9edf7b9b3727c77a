package origin

import (
	"context"
	"sync"
	"time"

	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/publish"
)

// catalogue holds the signed pages of the newest catalogue and of the few
// before it, so that a hub in the midst of reading can go on.
type catalogue struct {
	dirty chan struct{} // one token when the pages are out of date

	mu        sync.RWMutex
	seqs      []uint64 // newest first, at most keepCatalogues
	pages     map[uint64][][]byte
	changes   uint64        // counts calls of touch
	published uint64        // how many of them the newest pages hold
	moved     chan struct{} // closed when pages are put; then there is a new one
}

const keepCatalogues = 4

func newCatalogue() *catalogue {
	return &catalogue{dirty: make(chan struct{}, 1), pages: map[uint64][][]byte{}, moved: make(chan struct{})}
}

// touch says that something changed.
func (c *catalogue) touch() {
	c.mu.Lock()
	c.changes++
	c.mu.Unlock()
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// wait returns when every change so far is published.
func (c *catalogue) wait(ctx context.Context) error {
	c.mu.RLock()
	want := c.changes
	c.mu.RUnlock()
	for {
		c.mu.RLock()
		there, moved := len(c.seqs) > 0 && c.published >= want, c.moved
		c.mu.RUnlock()
		if there {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seen returns the changes so far, to be handed to put with the pages that
// hold them.
func (c *catalogue) seen() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

// put publishes pages that hold the first so many changes.
func (c *catalogue) put(seq uint64, pages [][]byte, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages[seq] = pages
	c.seqs = append([]uint64{seq}, c.seqs...)
	if len(c.seqs) > keepCatalogues {
		delete(c.pages, c.seqs[keepCatalogues])
		c.seqs = c.seqs[:keepCatalogues]
	}
	c.published = changes
	close(c.moved)
	c.moved = make(chan struct{})
}

// newest returns page 0 of the newest catalogue, nil before the first.
func (c *catalogue) newest() []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.seqs) == 0 {
		return nil
	}
	return c.pages[c.seqs[0]][0]
}

// page returns a page of a certain catalogue, nil if it is not there.
func (c *catalogue) page(seq uint64, n uint16) []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if pages := c.pages[seq]; int(n) < len(pages) {
		return pages[n]
	}
	return nil
}

// Pace of the upkeep.
const (
	publishEvery = 250 * time.Millisecond // at most one catalogue in this time
	renewEvery   = time.Minute
)

// upkeep publishes the catalogue when it changed, renews Bundle and key sets,
// and forgets what belonged to sessions that are gone.
func (o *Origin) upkeep(ctx context.Context) {
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	pace := time.NewTicker(publishEvery)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
			if err := o.Renew(); err != nil {
				o.c.Logger.Error("cannot renew the bundle", "error", err)
			}
			o.openings.trim(o.sessions, o.c.Clock())
			continue
		case <-o.catalog.dirty:
		}
		if err := o.publishCatalogue(ctx); err != nil && ctx.Err() == nil {
			o.c.Logger.Error("cannot publish the catalogue", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// Renew makes the next Bundle and key set if they are due by the clock. It is
// called every minute; tests with a clock of their own call it too.
func (o *Origin) Renew() error {
	changed, err := o.ring.Renew(o.c.Clock())
	if changed {
		o.catalog.touch()
	}
	return err
}

func (o *Origin) publishCatalogue(ctx context.Context) error {
	changes := o.catalog.seen()
	seq, err := o.shelf.Next(ctx, "catalogue")
	if err != nil {
		return err
	}
	g := o.ring.Current()
	pages, err := o.signCatalogue(g, seq)
	if err != nil {
		return err
	}
	o.catalog.put(seq, pages, changes)
	return nil
}

func (o *Origin) signCatalogue(g *keyring.Generation, seq uint64) ([][]byte, error) {
	terms := o.currentTerms()
	items := append(o.stationItems(terms), terms.Items(o.ingester.Offers(), o.ring.Creator().Public().KeyID())...)
	return publish.Pages(items, g, seq, o.c.Clock())
}
