// Package airplay plays one group's sound on AirPlay rooms. It speaks AirPlay
// 1 (RAOP) today; rooms that can do more will get it beside that, behind the
// same Output.
//
// All rooms of an Output share one packet grid: every packet is encoded once,
// kept in one ring for retransmission and paced by one scheduler, so that N
// rooms cost one encode. Packet n holds frames n*352 and on, forever; an epoch
// ties a stretch of packets to the hub's clock, and receivers learn of it by
// synchronisation packets. A flush that takes back what is already on its way
// ends the epoch: at that instant the receivers are told to forget, and the
// next epoch begins on the new timeline.
//
// Invariants: no method waits for a speaker; one speaker's trouble is nobody
// else's (a socket each, sends that never block, requests in the member's own
// goroutine); samples of 44.1 kHz and up to 16 bit go out untouched, volume is
// the speaker's affair; nothing is sent earlier than Ahead before it sounds.
package airplay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sonahub/airplay/raop"
	"sonahub/hub/audio"
)

var _ audio.Output = (*Output)(nil)

// Defaults of the parameters below.
const (
	defaultAhead     = time.Second
	defaultConnect   = 5 * time.Second
	defaultRequest   = 3 * time.Second
	defaultKeepAlive = 10 * time.Second
	defaultRetryMin  = 500 * time.Millisecond
	defaultRetryMax  = 10 * time.Second
	defaultName      = "Sona Hub"
)

// Output is an audio.Output for the AirPlay rooms of one group. Set the fields
// before the first call; only Directory is required. Nothing runs before the
// first Join.
type Output struct {
	Directory Directory     // where members live
	Clock     audio.Clock   // served to the speakers; nil = audio.System
	Log       *slog.Logger  // nil = discard
	Name      string        // shown by some speakers; "" = "Sona Hub"
	Listen    string        // local address of the timing responder; "" = ":0"
	Ahead     time.Duration // how long before its sound a packet is sent, which is Lead; 0 = 1 s
	Connect   time.Duration // for one connection and hand-shake; 0 = 5 s
	Request   time.Duration // for any other request; 0 = 3 s
	KeepAlive time.Duration // between signs of life; 0 = 10 s
	RetryMin  time.Duration // first wait after a failure, doubled each time; 0 = 0.5 s
	RetryMax  time.Duration // longest wait; 0 = 10 s

	mu      sync.Mutex
	grid    grid
	conv    *converter // of the present run; nil before Start
	rooms   []*member  // in the order of joining
	leaving map[string]<-chan struct{}
	gen     int           // grows with every end of an epoch; members follow it by a flush
	cut     audio.Instant // when the receivers must forget what they hold; 0 = never
	track   Metadata
	tracks  int // counts Describe
	timing  *raop.Timing
	client  raop.Client
	wake    chan struct{} // to the scheduler
	stop    context.CancelFunc
	work    sync.WaitGroup
	closed  bool
}

// Metadata is what speakers may show.
type Metadata struct {
	Title, Artist, Album string
	Artwork              []byte    // JPEG or PNG up to 1 MB
	From, To             audio.Pos // the track on the present run; equal = unknown
}

func or(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

func (o *Output) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

func (o *Output) clock() audio.Clock {
	if o.Clock == nil {
		return audio.System{}
	}
	return o.Clock
}

func (o *Output) ahead() time.Duration { return or(o.Ahead, defaultAhead) }

// Start begins a run; see audio.Output.
func (o *Output) Start(_ context.Context, f audio.Format, t audio.Timeline) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	conv, err := newConverter(f, t.At)
	if err != nil {
		return err
	}
	if t.Rate != f.Rate {
		return fmt.Errorf("%w: timeline of %d Hz for %v", audio.ErrFormat, t.Rate, f)
	}
	if !o.sounding(o.clock().Now()) { // not merely the next track
		o.insist()
	}
	o.drain()
	if err := o.grid.play.Start(conv.wire, conv.line(t)); err != nil {
		return fmt.Errorf("airplay: start: %w", err)
	}
	o.conv = conv
	o.poke()
	return nil
}

// insist tells the members that somebody wants to hear something.
func (o *Output) insist() {
	for _, r := range o.rooms {
		r.insist()
	}
}

// drain moves the end of a resampled run out of the converter.
func (o *Output) drain() {
	if o.conv == nil {
		return
	}
	if b := o.conv.tail(); b != nil {
		if err := o.grid.play.Write(b); err != nil {
			o.log().Debug("airplay: end of a run is lost", "err", err)
		}
	}
}

// Write takes a block; see audio.Output. It refuses what does not follow the
// last block, and what is further ahead than the ring (12 s).
func (o *Output) Write(b *audio.Block) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	if o.conv == nil {
		return fmt.Errorf("airplay: write before start")
	}
	if b.Format != o.conv.source || b.Frames() == 0 || len(b.PCM)%b.Channels != 0 {
		return fmt.Errorf("%w: %v in a run of %v", audio.ErrFormat, b.Format, o.conv.source)
	}
	if wire := o.conv.convert(b); wire != nil {
		if err := o.grid.play.Write(wire); err != nil {
			return fmt.Errorf("airplay: %w", err)
		}
	}
	o.poke()
	return nil
}

// Flush takes back what was written from a position on; see audio.Output.
func (o *Output) Flush(from audio.Pos, t audio.Timeline) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	if o.conv == nil {
		return fmt.Errorf("airplay: flush before start")
	}
	if t.At != from || t.Rate != o.conv.source.Rate {
		return fmt.Errorf("airplay: flush from %d onto a timeline at %d, %d Hz", from, t.At, t.Rate)
	}
	line := o.conv.line(t)
	when, sent := o.grid.withdrawn(line.At)
	if err := o.grid.play.Flush(line.At, line); err != nil {
		return fmt.Errorf("airplay: %w", err)
	}
	o.conv.restart(from)
	o.insist()
	if sent && (o.cut == 0 || when < o.cut) {
		o.cut = max(when, 1)
	}
	o.poke()
	return nil
}

// Join adds a speaker that the Directory knows and returns without waiting
// for it; Status tells how far it is.
func (o *Output) Join(ctx context.Context, m audio.Member) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return audio.ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("airplay: join: %w", ctx.Err())
	}
	if r := o.find(m.ID); r != nil {
		r.gain = m.Gain
		r.poke()
		r.insist()
		return nil
	}
	if _, ok := o.Directory.Speaker(m.ID); !ok {
		return fmt.Errorf("%w: %q", audio.ErrUnknownMember, m.ID)
	}
	if err := o.begin(); err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.Background())
	r := &member{id: m.ID, gain: m.Gain, cancel: cancel, wake: make(chan struct{}, 1), again: make(chan struct{}, 1), done: make(chan struct{}), next: fresh}
	after := o.leaving[m.ID]
	o.rooms = append(o.rooms, r)
	o.work.Go(func() { o.run(life, r, after) })
	return nil
}

// begin starts what all members share.
func (o *Output) begin() error {
	if o.timing != nil {
		return nil
	}
	listen := o.Listen
	if listen == "" {
		listen = ":0"
	}
	timing, err := raop.NewTiming(listen, o.clock())
	if err != nil {
		return fmt.Errorf("airplay: %w", err)
	}
	name := o.Name
	if name == "" {
		name = defaultName
	}
	o.timing = timing
	o.client = raop.Client{Name: name, DACPID: rand.Uint64(), ActiveRemote: rand.Uint32()}
	// Receivers take RTP time 0 for "none": odd and multiples of 352 never meet it.
	o.grid.seq, o.grid.time, o.grid.ssrc = uint16(rand.Uint32()), rand.Uint32()|1, rand.Uint32()
	o.wake = make(chan struct{}, 1)
	o.leaving = map[string]<-chan struct{}{}
	life, cancel := context.WithCancel(context.Background())
	o.stop = cancel
	o.work.Go(func() { o.pace(life) })
	return nil
}

func (o *Output) find(id string) *member {
	for _, r := range o.rooms {
		if r.id == id {
			return r
		}
	}
	return nil
}

// Leave silences a speaker and removes it; the farewell goes on behind.
func (o *Output) Leave(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	r := o.find(id)
	if r == nil {
		return nil
	}
	o.rooms = slices.DeleteFunc(o.rooms, func(x *member) bool { return x == r })
	o.leaving[id] = r.done
	r.session = nil
	r.cancel()
	return nil
}

// Gain sets a speaker's volume; see volume for the scale.
func (o *Output) Gain(id string, g audio.Gain) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	r := o.find(id)
	if r == nil {
		return fmt.Errorf("%w: %q", audio.ErrUnknownMember, id)
	}
	r.gain = g
	r.poke()
	return nil
}

// Describe tells the speakers what is playing, as far as they care.
func (o *Output) Describe(m Metadata) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.track = m
	o.tracks++
	for _, r := range o.rooms {
		r.poke()
	}
}

// Lead is how long before its sound a frame must be here: Ahead.
func (o *Output) Lead() time.Duration { return o.ahead() }

// Close says farewell to all speakers, a second at most, and ends everything.
func (o *Output) Close() error {
	o.mu.Lock()
	o.closed = true
	for _, r := range o.rooms {
		r.cancel()
		r.session = nil
	}
	o.rooms = nil
	timing, stop := o.timing, o.stop
	o.timing, o.stop = nil, nil
	o.mu.Unlock()
	if timing == nil {
		o.work.Wait()
		return nil
	}
	stop()
	o.work.Wait()
	if err := timing.Close(); err != nil {
		return errors.Join(errors.New("airplay: close"), err)
	}
	return nil
}

// poke wakes the scheduler.
func (o *Output) poke() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake, or there is none yet
	}
}
