package airplay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sonahub/airplay/raop"
	"sonahub/hub/audio"
)

// Bounds of a member's own affairs.
const (
	farewell   = 800 * time.Millisecond // for TEARDOWN
	clockWait  = time.Second            // for the receiver's first question for the time
	clockAlive = 10 * time.Second       // without a question for so long it may not follow our clock
	poll       = 10 * time.Millisecond
	lookAgain  = 5 * time.Second // between looks at a speaker that somebody else took
	probeWait  = time.Second
	steady     = 5 * time.Second // a session that held so long was good
)

// errTaken is what a member says that lost its speaker to another sender.
var errTaken = errors.New("somebody else has taken the speaker; play again to take it back")

// fresh is the next packet of a room that has not begun.
const fresh = int64(-1)

// member is one room. Everything below the channels is guarded by Output.mu.
type member struct {
	id     string
	cancel context.CancelFunc
	wake   chan struct{} // something below wants doing
	again  chan struct{} // somebody wants to hear it here again
	done   chan struct{} // closed when its goroutine has ended

	gain    audio.Gain
	session *raop.Session // nil: not connected
	at      netip.AddrPort
	err     error
	gen     int           // generation that its receiver is prepared for
	dirty   bool          // the receiver holds packets
	next    int64         // next packet to send, or fresh
	first   bool          // next is its first since a start or a flush
	begins  audio.Instant // when its first packet sounds
	stalled bool
	sync    audio.Instant // next synchronisation packet
	syncs   int
	check   bool    // ask for a sign of life
	told    float64 // volume that it was told
	track   int     // last Describe that it was told
}

func (r *member) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// insist has a speaker taken back that somebody else took.
func (r *member) insist() {
	select {
	case r.again <- struct{}{}:
	default: // asked for already
	}
}

// run keeps one member connected until ctx ends. after is the farewell of the
// same speaker's earlier membership.
func (o *Output) run(ctx context.Context, r *member, after <-chan struct{}) {
	defer close(r.done)
	defer r.cancel()
	if after != nil {
		select {
		case <-after:
		case <-ctx.Done():
			return
		}
	}
	wait := or(o.RetryMin, defaultRetryMin)
	for ctx.Err() == nil {
		s, err := o.connect(ctx, r)
		if err == nil {
			began := time.Now()
			err = o.serve(ctx, r, s)
			if time.Since(began) > steady { // else two hubs would snatch a speaker from each other for ever
				wait = or(o.RetryMin, defaultRetryMin)
			}
			o.part(ctx, r, s, err)
		}
		if ctx.Err() != nil {
			return
		}
		if hungUp(err) && o.yield(ctx, r) {
			continue
		}
		o.fail(r, err)
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, or(o.RetryMax, defaultRetryMax))
	}
}

// hungUp says whether it was the other end that ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// yield is called when a speaker has ended a session. If it is
// still there, somebody else took it: we are a guest, and leave it to them
// until somebody asks for sound here again or it goes away. It reports whether
// to connect at once.
func (o *Output) yield(ctx context.Context, r *member) bool {
	select {
	case <-r.again: // asked for before it was taken
	default:
	}
	for told := false; o.listens(ctx, r); told = true {
		if !told {
			o.fail(r, errTaken)
		}
		select {
		case <-ctx.Done():
			return true
		case <-r.again:
			return true
		case <-time.After(lookAgain):
		}
	}
	return false
}

// listens says whether the speaker takes connections.
func (o *Output) listens(ctx context.Context, r *member) bool {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	o.mu.Lock()
	at := r.at
	o.mu.Unlock()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return false
	}
	_ = conn.Close() // it has told what we wanted to know
	return true
}

func (o *Output) fail(r *member, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.err = err
	o.log().Info("airplay: speaker is not there", "speaker", r.id, "err", err)
}

// connect opens a session at the first address that lets us in.
func (o *Output) connect(ctx context.Context, r *member) (*raop.Session, error) {
	speaker, ok := o.Directory.Speaker(r.id)
	if !ok {
		return nil, errors.New("the speaker has gone from the network")
	}
	if err := speaker.usable(); err != nil {
		return nil, err
	}
	var errs []error
	for _, addr := range speaker.Addrs {
		s, err := o.dial(ctx, r, speaker, addr)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if refusal := (*raop.Refusal)(nil); errors.As(err, &refusal) {
			break // it was reached and said no
		}
	}
	return nil, errors.Join(errs...)
}

// dial goes through the hand-shake, sets the volume before there is any sound,
// and waits for the receiver to ask for the time.
func (o *Output) dial(ctx context.Context, r *member, sp Speaker, addr netip.AddrPort) (*raop.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, or(o.Connect, defaultConnect))
	defer cancel()
	o.mu.Lock()
	timing, gain, head := o.timing, r.gain, o.grid.head
	cfg := raop.Config{Addr: addr, AuthSetup: sp.authSetup(), Client: o.client, Log: o.log(),
		Seq: o.grid.seqOf(head), Time: o.grid.timeOf(head), Packet: o.resend}
	o.mu.Unlock()
	if timing == nil {
		return nil, audio.ErrClosed
	}
	cfg.TimingPort = timing.Port()
	timing.Admit(addr.Addr())
	asked, _ := timing.Asked(addr.Addr())
	s, err := raop.Dial(ctx, cfg)
	if err == nil {
		err = s.Volume(ctx, volume(gain))
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err != nil {
		timing.Dismiss(addr.Addr())
		return nil, err
	}
	o.awaitClock(ctx, timing, addr.Addr(), asked)
	if !o.settle(ctx, r, s, addr, gain) {
		timing.Dismiss(addr.Addr())
		return nil, errors.Join(audio.ErrClosed, s.Close())
	}
	return s, nil
}

// settle makes a session the member's, unless that is not wanted any more.
func (o *Output) settle(ctx context.Context, r *member, s *raop.Session, at netip.AddrPort, told audio.Gain) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || ctx.Err() != nil {
		return false
	}
	r.session, r.at, r.err = s, at, nil
	r.gen, r.dirty, r.next, r.check, r.stalled, r.told, r.track = o.gen, false, fresh, false, false, volume(told), 0
	o.poke()
	return true
}

// awaitClock gives the receiver time for its first question. One that never
// asks is taken all the same.
func (o *Output) awaitClock(ctx context.Context, t *raop.Timing, a netip.Addr, before int) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	end := time.NewTimer(clockWait)
	defer end.Stop()
	for {
		if n, _ := t.Asked(a); n > before {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// resend finds a packet for retransmission.
func (o *Output) resend(seq uint16) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.grid.bySeq(seq)
}

// part ends a session: politely if it was we who wanted it.
func (o *Output) part(ctx context.Context, r *member, s *raop.Session, why error) {
	o.mu.Lock()
	if r.session == s {
		r.session = nil
	}
	r.err = why
	addr, timing := r.at.Addr(), o.timing
	o.mu.Unlock()
	if ctx.Err() != nil {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		if err := s.Teardown(bye); err != nil {
			o.log().Debug("airplay: farewell", "speaker", r.id, "err", err)
		}
	}
	if err := s.Close(); err != nil {
		o.log().Debug("airplay: close", "speaker", r.id, "err", err)
	}
	if timing != nil {
		timing.Dismiss(addr)
	}
}
