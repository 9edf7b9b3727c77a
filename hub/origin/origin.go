// Package origin is the reference platform: it takes music in, encrypts and
// publishes it, and sells it by the second, as SNE-SPEC says. It is the other
// end of every test and of the first run; API.md beside this file says what it
// serves.
//
// Its parts: ingest (folder of music -> encoded epochs), publish (sealed files,
// Heads, catalogue), shelf (what there is), keyring (keys and Bundle), books
// (money), compose (music to begin with). This package is the shop: HTTP,
// sessions and sale.
//
// Invariants. A GET changes nothing but the order of the ingest. Nothing is
// granted that the books do not know. All state but the sessions survives a
// restart. It shares formats with the hub and nothing else.
package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"sonahub/hub/origin/books"
	"sonahub/hub/origin/compose"
	"sonahub/hub/origin/ingest"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/bundle"
	"sonahub/sne/session"
	"sonahub/sne/wire"
	"sonahub/wallet"
	"sonahub/wallet/ffxs/mint"
)

// Origin is a running platform.
type Origin struct {
	c        Config
	url      bundle.URL
	lock     *os.File
	shelf    *shelf.Shelf
	books    *books.Books
	ring     *keyring.Ring
	ingester *ingest.Ingester
	catalog  *catalogue
	tiers    *tierCache
	sessions *session.Table
	openings *openings
	limiter  *limiter
	desk     *desk
	creators *live.Chain
	stations *live.Stations
	server   *http.Server
	listener net.Listener

	termsMu sync.RWMutex
	terms   publish.Terms

	stop    context.CancelFunc // ends the background work
	work    sync.WaitGroup
	closing sync.Once
	closed  error
}

// Open starts a platform and returns while it still takes its music in; Ready
// waits for the first track. ctx bounds Open alone; Close ends the platform.
func Open(ctx context.Context, c Config) (*Origin, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &Origin{c: c, terms: c.terms(), openings: newOpenings(), sessions: &session.Table{Max: c.Limits.Sessions}}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.release())
	}
	o.start()
	return o, nil
}

// open takes hold of everything that has to be given back.
func (o *Origin) open(ctx context.Context) error {
	var err error
	if err = os.MkdirAll(o.c.State, 0o700); err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	if o.lock, err = lockFile(filepath.Join(o.c.State, "lock")); err != nil {
		return err
	}
	if err = o.c.folder().Clean(); err != nil {
		return err
	}
	if o.shelf, err = shelf.Open(ctx, filepath.Join(o.c.State, "shelf.db")); err != nil {
		return err
	}
	if o.books, err = books.Open(ctx, filepath.Join(o.c.State, "books.db"), o.c.Clock); err != nil {
		return err
	}
	if err = o.listen(ctx); err != nil {
		return err
	}
	if o.ring, err = keyring.Open(ctx, filepath.Join(o.c.State, "keys"), o.url.Host, o.c.Keys, o.c.Clock(), o.c.Logger); err != nil {
		return err
	}
	o.url.Root = o.ring.Root()
	o.limiter = newLimiter(o.c.Limits.Handshakes, o.c.Limits.Burst, o.c.Limits.Addresses)
	if err = o.openTill(ctx); err != nil {
		return err
	}
	o.tiers = newTierCache(o.shelf, o.ring)
	o.catalog = newCatalogue()
	if err = o.openIngest(); err != nil {
		return err
	}
	return o.openStations(ctx)
}

// openIngest sets the ingest up; without a music folder it composes first.
func (o *Origin) openIngest() error {
	g := &ingest.Ingester{
		Music: o.c.Music, Shelf: o.shelf, Creator: o.ring.Creator().Public(),
		Press:   &publish.Press{Folder: o.c.folder(), Shelf: o.shelf, Creator: o.ring.Creator(), Root: o.ring.Root(), Now: o.c.Clock},
		Workers: o.c.Workers, NoOpus: o.c.NoOpus, Limits: o.c.Ingest, Changed: o.catalog.touch, Log: o.c.Logger,
	}
	if g.Music == "" {
		g.Music = filepath.Join(o.c.State, "album")
		g.Prepare = func(ctx context.Context) error { return compose.WriteAlbum(ctx, g.Music) }
	} else if info, err := os.Stat(g.Music); err != nil {
		return fmt.Errorf("origin: music folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("origin: %s is not a folder", g.Music)
	}
	g.Init()
	o.ingester = g
	return nil
}

// start sets the background going: serving, ingest, upkeep.
func (o *Origin) start() {
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	o.server = o.newServer()
	o.work.Go(func() { o.serve() })
	o.work.Go(func() {
		if err := o.ingester.Run(ctx); err != nil && ctx.Err() == nil {
			o.c.Logger.Error("ingest stopped", "error", err)
		}
	})
	o.work.Go(func() { o.upkeep(ctx) })
	o.work.Go(func() {
		if err := o.stations.Run(ctx); err != nil && ctx.Err() == nil {
			o.c.Logger.Error("stations ended", "error", err)
		}
	})
	if o.c.Till != nil {
		o.work.Go(func() { o.collecting(ctx) })
	}
}

// URL is what a hub is given: "sne://127.0.0.1:port/<root KeyID>".
func (o *Origin) URL() string { return o.url.String() }

// Addr is where it listens.
func (o *Origin) Addr() net.Addr { return o.listener.Addr() }

// Handler is everything that it serves, for use behind another server.
func (o *Origin) Handler() http.Handler { return o.server.Handler }

// Books is the platform's account book.
func (o *Origin) Books() *books.Books { return o.books }

// Progress is how far the ingest is.
func (o *Origin) Progress() ingest.Progress { return o.ingester.Progress() }

// Watch returns a channel of the newest progress, closed at the end of the
// ingest, and a function that ends it sooner.
func (o *Origin) Watch() (<-chan ingest.Progress, func()) { return o.ingester.Watch() }

// Ready waits until the first track can be bought and the catalogue is out.
func (o *Origin) Ready(ctx context.Context) error {
	if err := o.ingester.Ready(ctx); err != nil {
		return err
	}
	return o.catalog.wait(ctx)
}

// Done waits until the whole folder is taken in and in the catalogue.
func (o *Origin) Done(ctx context.Context) error {
	if err := o.ingester.Done(ctx); err != nil {
		return err
	}
	return o.catalog.wait(ctx)
}

// Public is the folder of segments and covers, whose paths are those of the
// URLs: any web server may serve it beside this one.
func (o *Origin) Public() string { return o.c.folder().Public }

// Voucher issues a voucher by hand: prepaid units for whoever gets the code.
func (o *Origin) Voucher(ctx context.Context, units uint32) (string, error) {
	code, err := mint.NewVoucher(nil, uint64(units))
	if err != nil {
		return "", fmt.Errorf("origin: %w", err)
	}
	return code, o.books.Issue(ctx, code, int64(units))
}

// SetPrices changes what a second costs, from the next purchase on, and
// publishes a new catalogue. A hub that still goes by the old one is refused
// with ERROR 4 and loses nothing.
func (o *Origin) SetPrices(lossless, opus wallet.Msat) {
	o.termsMu.Lock()
	o.terms.Lossless, o.terms.Opus = lossless, opus
	o.termsMu.Unlock()
	o.catalog.touch()
}

func (o *Origin) currentTerms() publish.Terms {
	o.termsMu.RLock()
	defer o.termsMu.RUnlock()
	return o.terms
}

// Close ends it in order: no new requests, those under way answered until ctx
// ends, then ingest and upkeep, then the files. A second Close waits for the
// first and returns its error.
func (o *Origin) Close(ctx context.Context) error {
	o.closing.Do(func() {
		err := o.server.Shutdown(ctx)
		if err != nil { // those that did not end in time are cut off
			err = errors.Join(fmt.Errorf("origin: %w", err), o.server.Close())
		}
		o.stop()
		o.work.Wait()
		o.closed = errors.Join(err, o.release())
	})
	return o.closed
}

// release gives back whatever open took.
func (o *Origin) release() error {
	o.sessions.Close()
	var errs []error
	if o.listener != nil {
		if err := o.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if o.stations != nil {
		errs = append(errs, o.stations.Close())
	}
	if o.creators != nil {
		o.creators.Close()
	}
	if o.ring != nil {
		o.ring.Erase()
	}
	if o.books != nil {
		errs = append(errs, o.books.Close())
	}
	if o.shelf != nil {
		errs = append(errs, o.shelf.Close())
	}
	if o.lock != nil {
		errs = append(errs, o.lock.Close())
	}
	return errors.Join(errs...)
}

// listen opens the listener and fixes the URL's host and port.
func (o *Origin) listen(ctx context.Context) error {
	o.listener = o.c.Listener
	if o.listener == nil {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.c.Listen)
		if err != nil {
			return fmt.Errorf("origin: %w", err)
		}
		o.listener = l
	}
	host, port, err := net.SplitHostPort(o.listener.Addr().String())
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	ip := net.ParseIP(host)
	switch {
	case ip != nil && ip.IsUnspecified() && o.c.CertFile == "":
		o.c.Logger.Warn("listening without TLS on every address; hubs accept that on loopback and private addresses only")
	case ip != nil && o.c.CertFile == "" && !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast():
		return fmt.Errorf("origin: %s is a public address: give a certificate and a key file", host)
	}
	if ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if o.c.Host != "" {
		host = o.c.Host
	}
	o.url = bundle.URL{Host: host, Port: uint16(n)}
	return nil
}

// Root is the KeyID of the root key, which the URL pins.
func (o *Origin) Root() wire.ID { return o.ring.Root() }
