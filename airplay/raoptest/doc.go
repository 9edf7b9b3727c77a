// Package raoptest is an AirPlay 1 receiver for tests: it listens on loopback,
// keeps its own clock, follows the sender's by asking for the time, and
// records which frames it would have played and when.
//
// It shares no code with the sender and can be slow, deaf, lossy, forbidding
// or switched off. It is no model of bad manners in the sender: what it
// records is what a receiver does that goes by the protocol.
package raoptest

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sonahub/hub/audio"
)

// Options are a receiver's peculiarities. The zero value is a good one.
type Options struct {
	Refuse map[string]int                // RTSP method -> status instead of 200
	Drop   func(seq uint16) bool         // packets that get lost on their first way
	Yield  bool                          // a newcomer takes it over instead of getting 453
	Mute   bool                          // never answers RTSP: accepts and is silent
	Offset time.Duration                 // its clock minus the hub's; 0 = one hour
	Log    func(format string, a ...any) // nil = none
}

// Heard is a stretch of frames that sounded without a pause.
type Heard struct {
	At  audio.Instant // hub's clock
	PCM []int32       // stereo, 16 bit
}

// Receiver is a receiver that is switched on.
type Receiver struct {
	Addr netip.AddrPort

	options Options
	gate    gate
	player  player

	mu       sync.Mutex
	listener net.Listener
	session  *session
	volume   float64
	told     bool
	methods  []string
	work     sync.WaitGroup
	closed   bool
}

// Start switches a receiver on and has it switched off at the test's end.
func Start(t testing.TB, o Options) *Receiver {
	t.Helper()
	if o.Offset == 0 {
		o.Offset = time.Hour
	}
	r := &Receiver{options: o}
	r.player.offset = o.Offset
	if err := r.listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Off)
	return r
}

func (r *Receiver) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener, r.closed = l, false
	r.Addr = l.Addr().(*net.TCPAddr).AddrPort()
	r.work.Go(func() { r.accept(l) })
	return nil
}

// Off pulls the plug.
func (r *Receiver) Off() {
	r.gate.hold(false)
	r.mu.Lock()
	r.closed = true
	if r.listener != nil {
		_ = r.listener.Close()
	}
	if r.session != nil {
		r.session.close()
	}
	r.mu.Unlock()
	r.work.Wait()
}

// On switches it on again at the same address, with nothing in its memory but
// what was heard.
func (r *Receiver) On() error { return r.listen(r.Addr.String()) }

// Stall makes it deaf and dumb, or lets it go on.
func (r *Receiver) Stall(on bool) { r.gate.hold(on) }

// Heard returns all that sounded so far.
func (r *Receiver) Heard() []Heard { return r.player.record() }

// Volume returns the last volume it was told.
func (r *Receiver) Volume() (db float64, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.volume, r.told
}

// Methods returns the RTSP requests it got, in order, without OPTIONS.
func (r *Receiver) Methods() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.methods...)
}

// Recovered returns how many lost packets came on request.
func (r *Receiver) Recovered() int {
	r.player.mu.Lock()
	defer r.player.mu.Unlock()
	return r.player.recovered
}

// gate holds up whoever passes while it is closed.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // nil: open
}

func (g *gate) hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case on && g.open == nil:
		g.open = make(chan struct{})
	case !on && g.open != nil:
		close(g.open)
		g.open = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	c := g.open
	g.mu.Unlock()
	if c != nil {
		<-c
	}
}
