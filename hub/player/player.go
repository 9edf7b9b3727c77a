package player

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sonahub/hub/audio"
)

// Track is one opened piece of music.
type Track interface {
	audio.Source
	ID() string // what it is called in the queue
	Format() audio.Format
	From() audio.Pos   // position in the track of the first frame read
	Total() audio.Pos  // length of the whole track in frames
	Heard(p audio.Pos) // how far it was heard, in the track
	Hold(on bool)      // no purchase while on
	Why() string       // what it waits for, in plain words
	Quality() string   // what is read at present, in plain words
	Close() error
}

// Playlist opens tracks by their place in the group's queue, as it is at that
// moment. Open returns io.EOF behind the end of the queue; while an opening may
// still succeed it goes on trying, and Why says what it waits for.
type Playlist interface {
	Open(ctx context.Context, index int, from time.Duration) (Track, error)
	Why() string
}

// Heard says what the group plays.
type Heard struct {
	Index    int           // place in the queue
	Track    string        // its id
	Position time.Duration // in the track, at the instant At
	At       audio.Instant
	Quality  string
}

// Listener hears what the player does. Its methods are called by the
// conductor and must not block or call the player.
type Listener interface {
	Heard(Heard)      // a speaker plays; a few times a second
	Waits(why string) // wants to play and cannot at present
	Halted(why error) // gave up; the place is kept
	Ended()           // the queue is at its end
}

// Pacing.
const (
	tick      = 50 * time.Millisecond  // how often outputs are filled
	grid      = 20 * time.Millisecond  // length of the blocks that outputs get
	reserve   = 2 * time.Second        // filled beyond the group's lead
	behind    = 2 * time.Second        // kept after it was heard
	preload   = 15 * time.Second       // before the end, the next track is opened
	report    = 250 * time.Millisecond // how often Listener.Heard is called
	patience  = 10 * time.Second       // with no speaker reachable, the group halts
	fade      = 50 * time.Millisecond
	tight     = 150 * time.Millisecond // less than this beyond the lead is an underrun to come
	startPlus = 10 * time.Millisecond  // the conductor's own work between reading a clock and writing
	stopAfter = 200 * time.Millisecond // from a pause to silence: what outputs have handed on by then is heard, also on a machine that stalls for a moment
	startWith = 300 * time.Millisecond // a run begins with so much sound or more
	joinGrace = 250 * time.Millisecond // a member that joins has told its lead by then
	patience0 = time.Second            // from the first wait to telling people of it
)

// errNoSpeaker halts a group that nobody can hear.
var errNoSpeaker = errors.New("no speaker of this group can be reached")

// Player plays one group.
type Player struct {
	Clock    audio.Clock // nil = audio.System
	Playlist Playlist
	Listener Listener
	Log      *slog.Logger // nil = discard

	ctx    context.Context
	cancel context.CancelFunc
	asks   chan func()
	done   chan struct{}
	joins  sync.WaitGroup
	next   atomic.Uint64 // order of the commands that follow

	// All below is owned by the conductor.
	outputs  []*output
	run      *run
	earlier  []*run         // the runs before, while they still sound, oldest first
	reader   *reader        // nil = nothing is loaded
	tracks   map[Track]bool // delivered and not closed yet
	pending  []result       // read, not yet (wholly) written
	held     bool           // paused
	starved  bool           // nothing is written beyond what sounded; the next block is anchored anew
	quiet    audio.Instant  // when the last sound that was not taken back has ended
	ended    bool           // the reader is at the end of the queue
	failure  error          // why nothing more comes from the reader
	said     audio.Instant  // of the last report
	joining  int            // joins under way
	joinedBy audio.Instant  // a start waits for them until then, so that it knows their lead
	waiting  audio.Instant  // since when there is nothing to play, 0 = there is
	deaf     audio.Instant  // since when no speaker plays, 0 = one does
	order    uint64         // of the last command that was carried out
}

type output struct {
	audio.Output
	members map[string]bool
}

// Start begins the conductor. Close ends it.
func (p *Player) Start(ctx context.Context) {
	if p.Clock == nil {
		p.Clock = audio.System{}
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.asks, p.done = make(chan func(), 16), make(chan struct{})
	p.tracks = map[Track]bool{}
	go p.conduct()
}

// Close ends the group's sound, waits for everything it started and leaves
// the outputs open: they belong to the caller.
func (p *Player) Close() {
	p.cancel()
	<-p.done
	p.joins.Wait()
}

// ask runs f in the conductor, in the order of asking.
func (p *Player) ask(f func()) {
	select {
	case p.asks <- f:
	case <-p.done:
	}
}

// command runs f in the conductor and remembers by whose order.
func (p *Player) command(f func()) {
	order := p.next.Load()
	p.ask(func() {
		p.order = order
		f()
	})
}

// Number gives the commands that follow (Load, Resume, Halt) an order of the
// caller's own counting, by which it tells old news from new.
func (p *Player) Number(order uint64) { p.next.Store(order) }

// Order is the order of the last command that was carried out. It is for the
// Listener alone, inside its methods.
func (p *Player) Order() uint64 { return p.order }

// Load plays the queue's item at index from a place in it, or only prepares
// it if hold is set. What played before ends at once.
func (p *Player) Load(index int, from time.Duration, hold bool) {
	p.command(func() {
		p.cut()
		p.held, p.deaf = hold, 0
		p.swapReader(index, from)
	})
}

// Resume goes on where Halt stopped; after a failure it tries again from
// there.
func (p *Player) Resume() {
	p.command(func() {
		if !p.held || p.reader == nil {
			return
		}
		p.held, p.deaf, p.waiting = false, 0, 0
		p.reader.hold(false)
		switch {
		case p.failure != nil:
			index, from := p.place()
			p.cut()
			p.swapReader(index, from)
		case p.run != nil && p.run.heard < p.run.end:
			p.anchor(p.run.heard)
			p.rewrite(p.run.heard)
		case p.run != nil: // all that was written has sounded
			p.starved = true
		}
	})
}

// Halt stops the sound and the buying at once and keeps the place.
func (p *Player) Halt() {
	p.command(func() {
		if !p.held {
			p.halt()
		}
	})
}

func (p *Player) halt() {
	p.held = true
	if p.reader != nil {
		p.reader.hold(true)
	}
	p.silence(stopAfter)
}

// Attach adds a member to the group's sound on the given output. A join that
// fails shows in the output's status.
func (p *Player) Attach(out audio.Output, m audio.Member) {
	p.ask(func() {
		o := p.output(out)
		first := len(o.members) == 0
		o.members[m.ID] = true
		p.deaf = 0
		if first && p.run != nil {
			p.catchUp(o)
		}
		p.joining++
		p.joinedBy = p.now().Add(joinGrace)
		p.joins.Go(func() {
			if err := out.Join(p.ctx, m); err != nil && p.ctx.Err() == nil {
				p.Log.Warn("player: join", "member", m.ID, "err", err)
			}
			p.ask(func() { p.joining-- })
		})
	})
}

// Detach takes a member out of the group's sound.
func (p *Player) Detach(out audio.Output, id string) {
	p.ask(func() {
		o := p.output(out)
		delete(o.members, id)
		if err := out.Leave(id); err != nil {
			p.Log.Warn("player: leave", "member", id, "err", err)
		}
	})
}

func (p *Player) output(out audio.Output) *output {
	for _, o := range p.outputs {
		if o.Output == out {
			return o
		}
	}
	o := &output{Output: out, members: map[string]bool{}}
	p.outputs = append(p.outputs, o)
	return o
}

// each calls f for every output that has members.
func (p *Player) each(f func(audio.Output) error) {
	for _, o := range p.outputs {
		if len(o.members) == 0 {
			continue
		}
		if err := f(o.Output); err != nil {
			p.Log.Warn("player: output", "err", err)
		}
	}
}

func (p *Player) now() audio.Instant { return p.Clock.Now() }

// lead is the largest of the outputs that have members.
func (p *Player) lead() time.Duration {
	var lead time.Duration
	p.each(func(o audio.Output) error { lead = max(lead, o.Lead()); return nil })
	return lead
}
