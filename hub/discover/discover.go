// Package discover finds services on the home network by multicast DNS (RFC
// 6762, RFC 6763) and by addresses that the owner gave, and hands on neutral
// records. What a record means is for others to say.
//
// It browses in sweeps: a fresh search at the start, every minute and when
// asked, each compared with what is known. A record is gone when several
// sweeps in a row did not find it. Text from the network is cleaned and
// bounded, and so is the number of records. Invariants: Notify is called by
// Run's goroutine alone and in order; when Run has returned nothing is left
// running; with Off no multicast packet is ever sent.
package discover

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Record is one service of one host.
type Record struct {
	Service  string            // "_raop._tcp"
	Instance string            // "AABBCCDDEEFF@Kitchen", or the address that the owner gave
	Host     string            // "kitchen.local"
	Addrs    []netip.Addr      // IPv4 first, of each kind the last seen first; no link-local IPv6
	Port     int               // 1..65535
	TXT      map[string]string // keys in lower case
	Manual   bool              // given by the owner
}

func (r Record) equal(o Record) bool {
	return r.Host == o.Host && r.Port == o.Port && slices.Equal(r.Addrs, o.Addrs) && maps.Equal(r.TXT, o.TXT)
}

// Change says what happened to a record.
type Change int

// The changes.
const (
	Added Change = iota
	Changed
	Gone
)

// String gives the change's name in lower case.
func (c Change) String() string {
	names := [...]string{"added", "changed", "gone"}
	if c < 0 || int(c) >= len(names) {
		return "unknown"
	}
	return names[c]
}

// Event is a change and the record as it is now, or was.
type Event struct {
	Change Change
	Record Record
}

// Manual is an address that the owner gave: "host:port", tried by TCP.
type Manual struct{ Service, Address string }

// Search asks the network for a service until ctx ends and calls found, from
// one goroutine, for every answer.
type Search func(ctx context.Context, service string, on []net.Interface, found func(Record)) error

// Defaults of the parameters below.
const (
	defaultEvery  = time.Minute
	defaultListen = 3 * time.Second
	defaultMissed = 3
)

// Browser keeps an eye on the network. Set the fields before Run; the zero
// value watches AirPlay on all interfaces.
type Browser struct {
	Services   []string                        // nil = "_raop._tcp", "_airplay._tcp"
	Manual     []Manual                        // tried at every sweep
	Off        bool                            // no multicast DNS, manual addresses only
	Interfaces func() ([]net.Interface, error) // asked at every sweep; nil = all that are up and can multicast
	Every      time.Duration                   // between sweeps; 0 = 1 min
	Listen     time.Duration                   // length of a sweep; 0 = 3 s
	Missed     int                             // sweeps in a row without an answer until a record is gone; 0 = 3
	Notify     func(Event)                     // nil = nobody wants to know
	Search     Search                          // nil = multicast DNS
	Log        *slog.Logger                    // nil = discard

	once  sync.Once
	ask   chan struct{}
	mu    sync.Mutex
	known book
}

func (b *Browser) asked() chan struct{} {
	b.once.Do(func() { b.ask = make(chan struct{}, 1) })
	return b.ask
}

// Sweep asks for a sweep now, e.g. when a link came up. It does not wait.
func (b *Browser) Sweep() {
	select {
	case b.asked() <- struct{}{}:
	default: // one is asked for already
	}
}

// Records returns all that is known, by service and instance.
func (b *Browser) Records() []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known.records()
}

// Run browses until ctx ends, and returns its error.
func (b *Browser) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-b.asked():
		}
		b.sweep(ctx)
		every := b.Every
		if every <= 0 {
			every = defaultEvery
		}
		timer.Reset(every)
	}
}

// sweep searches once for everything. It ends with all that it started.
func (b *Browser) sweep(ctx context.Context) {
	listen := b.Listen
	if listen <= 0 {
		listen = defaultListen
	}
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	b.mu.Lock()
	b.known.begin()
	b.mu.Unlock()
	answers := make(chan Record)
	searches := b.start(ctx, answers)
	go func() { // ends before the loop below does
		searches.Wait()
		close(answers)
	}()
	for r := range answers {
		b.take(r)
	}
	b.finish(searches.services())
}

// take compares an answer with what is known.
func (b *Browser) take(r Record) {
	b.mu.Lock()
	e, ok := b.known.see(r)
	b.mu.Unlock()
	if ok {
		b.tell(e)
	}
}

// finish forgets what was missed too often. Services whose search failed say
// nothing about their records.
func (b *Browser) finish(failed []string) {
	missed := b.Missed
	if missed <= 0 {
		missed = defaultMissed
	}
	b.mu.Lock()
	gone := b.known.end(missed, failed)
	b.mu.Unlock()
	for _, e := range gone {
		b.tell(e)
	}
}

func (b *Browser) tell(e Event) {
	b.log().Debug("discover", "change", e.Change, "service", e.Record.Service, "instance", e.Record.Instance)
	if b.Notify != nil {
		b.Notify(e)
	}
}

func (b *Browser) log() *slog.Logger {
	if b.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return b.Log
}
