// Package sale is the hub's side of everything between a listener and an
// origin: it fetches and verifies what is public, keeps a session alive, and
// turns a payment into epoch keys that provably fit the manifest.
//
// Use one Client for each playing group, and never one for two: within a
// session purchases can be linked to each other.
//
// Invariants: nothing is returned that was not verified down to the pinned
// root; a request whose answer was lost is repeated byte for byte, then asked
// again in a new session, and acts once either way, because every message is
// idempotent by its body; one exchange is outstanding at a time. The package
// moves no money and stores nothing: the wallet wrote down the body of a
// redemption before it comes here, and may send it again after a crash.
package sale

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/fetch"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
)

// Errors of this package. Others are *message.Error (the origin refused),
// *fetch.Error, and those of bundle, manifest, catalog and segment.
var (
	ErrAnswer       = errors.New("sne: origin answered something else than was asked")
	ErrCommit       = errors.New("sne: key does not fit the manifest")
	ErrObject       = errors.New("sne: segment is not the one in the manifest")
	ErrChange       = errors.New("sne: change does not fit what was asked for")
	ErrRange        = errors.New("sne: not a range that can be bought")
	ErrStaleCatalog = errors.New("sne: catalogue is older than one already seen")
)

// Config of a Client.
type Config struct {
	URL        bundle.URL             // fixes host and root
	Plain      bool                   // http instead of https: only to loopback, or to a private address with Typed
	Typed      bool                   // the owner typed this address himself
	Pin        bundle.Pin             // as stored; zero = nothing seen yet
	SavePin    func(bundle.Pin) error // called before a new pin is relied upon; nil = not stored
	Clock      func() bundle.Clock    // nil = the system's clock, trusted
	Random     io.Reader              // nil = the system's generator
	Log        *slog.Logger           // nil = discard
	Fetch      fetch.Options          // deadlines and TLS; its address rules are set from the fields above
	MaxCatalog int                    // bytes of JSON in all pages; default 16 MiB

	Exhibit func(exhibit []byte) // keeps a proof of fraud (package exhibit); nil = not kept

	Invoice func(ctx context.Context, bolt11 string) (offer.Invoice, error) // reads an invoice and verifies its signature; nil = no offers
	Network string                                                          // that the hub pays in; default "bitcoin"
}

// Client talks to one origin. It is safe for concurrent use and has no
// goroutine of its own.
type Client struct {
	cfg    Config
	log    *slog.Logger
	origin *fetch.Client

	bundles gate // held while a Bundle is fetched
	buying  *lane
	topping *lane // top-ups and swaps use sessions of their own

	saving sync.Mutex // held while a pin is stored

	mu       sync.Mutex // guards what follows; never held over I/O
	pin      bundle.Pin
	current  *bundle.Bundle
	fetched  time.Time
	stopped  error // a split view: nothing is done any more
	listing  *catalog.Catalog
	heads    map[headKey]heldHead
	creators map[wire.ID]*composite.PublicKey
	edges    []*edge
	liars    []string // URLs of edges that delivered something else than was recorded
}

type headKey struct {
	broadcast wire.ID
	tier      uint16
}

type heldHead struct {
	head    *manifest.Head
	fetched time.Time
}

// NewClient makes a client; it does no I/O yet.
func NewClient(cfg Config) (*Client, error) {
	if cfg.Pin.Root.IsZero() {
		cfg.Pin = bundle.NewPin(cfg.URL)
	}
	if cfg.Pin.Root != cfg.URL.Root || cfg.Pin.Host != cfg.URL.Host {
		return nil, bundle.ErrRoot
	}
	if cfg.Clock == nil {
		cfg.Clock = func() bundle.Clock { return bundle.Clock{Now: time.Now(), Trusted: true} }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Network == "" {
		cfg.Network = "bitcoin"
	}
	if cfg.MaxCatalog <= 0 {
		cfg.MaxCatalog = 16 << 20
	}
	scheme := "https://"
	if cfg.Plain {
		scheme = "http://"
	}
	cfg.Fetch.Typed, cfg.Fetch.Edge = cfg.Typed, false
	origin, err := fetch.New(scheme+cfg.URL.HostPort(), cfg.Fetch)
	if err != nil {
		return nil, err
	}
	return &Client{
		cfg: cfg, log: cfg.Log, origin: origin, pin: cfg.Pin,
		bundles: newGate(), buying: newLane(), topping: newLane(),
		heads:    make(map[headKey]heldHead),
		creators: make(map[wire.ID]*composite.PublicKey),
	}, nil
}

// Close erases the sessions. It waits for exchanges under way; end their
// contexts first.
func (c *Client) Close() error {
	for _, l := range []*lane{c.buying, c.topping} {
		l.gate <- struct{}{}
		l.drop()
		l.gate.leave()
	}
	c.setEdges(nil)
	c.origin.Close()
	return nil
}

// Pin returns the pin as it stands now.
func (c *Client) Pin() bundle.Pin {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pin
}

// Key is an epoch secret. It prints as "redacted"; Erase it when the epoch has
// been played.
type Key = kdf.Secret
