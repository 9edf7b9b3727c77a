// Package virtual is the speaker that needs no speaker: an audio.Output of any
// number of members that plays in the hub's own time and keeps what it would
// have sounded, as WAV files with the instant and position of every block
// beside them, or in memory.
//
// It is what a house without speakers shows, and what every test compares with
// the source by hash. Invariants: at unity gain no sample is touched; a frame
// sounds once, at its instant or never; what was not there in time is told as
// a gap and never invented.
package virtual

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/playout"
)

// Lead is what a virtual speaker asks for between Write and sound.
const Lead = 100 * time.Millisecond

// tick is how often sound is told. An instant is never missed by that: a
// piece carries its own.
const tick = 10 * time.Millisecond

// maxQueue bounds the pieces that wait for a slow disk; what comes later is
// then a gap.
const maxQueue = 4096

// Options of an Output. The zero value plays into nothing.
type Options struct {
	Dir     string                    // folder of the files, <Dir>/<id>/0001.wav and 0001.jsonl; "" = no files
	Keep    time.Duration             // sound kept on disk per member, the oldest file goes first; 0 = 1 h
	Ring    time.Duration             // sound kept between Write and its instant; 0 = 12 s
	Clock   audio.Clock               // the hub's clock; nil = audio.System. In a synctest bubble it must follow time.Now
	Capture func(id string, p Played) // told what sounds, in order, one call at a time; nil = nobody. It must not call the Output
	Log     *slog.Logger              // nil = discard
}

// Played is a stretch of frames that one member sounded, or missed.
type Played struct {
	Run    int // counts Start calls from 1
	Format audio.Format
	At     audio.Instant // of the first frame
	Pos    audio.Pos     // of the first frame
	Frames audio.Pos
	PCM    []int32 // shared, not to be changed; nil = a gap: the frames were not there in time
}

var _ audio.Output = (*Output)(nil)

// Output plays for virtual speakers. Any id may join.
type Output struct {
	opt Options

	mu      sync.Mutex
	play    playout.Playout
	members []*member
	queue   []told
	closed  bool

	wake chan struct{} // the queue has something, or the end has come
	done chan struct{} // closed when the pacer has ended
}

// told is a piece on its way from the clock to the files.
type told struct {
	m    *member
	gain audio.Gain
	Played
	left bool // nothing follows: close the member's files
}

// New makes an output and starts its pacer; Close ends it.
func New(o Options) *Output {
	if o.Keep == 0 {
		o.Keep = time.Hour
	}
	if o.Clock == nil {
		o.Clock = audio.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	out := &Output{
		opt:  o,
		play: playout.Playout{Ring: o.Ring},
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	go out.pace()
	return out
}

// Start begins a run; see audio.Output.
func (o *Output) Start(ctx context.Context, f audio.Format, t audio.Timeline) error {
	return o.change(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return o.play.Start(f, t)
	})
}

// Write stores a block. The error wraps one of package playout's.
func (o *Output) Write(b *audio.Block) error {
	return o.change(func() error { return o.play.Write(b) })
}

// Flush takes back what lies at or after from; see audio.Output.
func (o *Output) Flush(from audio.Pos, t audio.Timeline) error {
	return o.change(func() error { return o.play.Flush(from, t) })
}

// Join adds a member, which sounds from this moment on.
func (o *Output) Join(ctx context.Context, m audio.Member) error {
	return o.change(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if known := o.find(m.ID); known != nil {
			known.gain = m.Gain
			return nil
		}
		now := o.opt.Clock.Now()
		o.members = append(o.members, newMember(o.opt, m, playout.NewCursor(now)))
		return nil
	})
}

// Leave silences and removes a member.
func (o *Output) Leave(id string) error {
	return o.change(func() error {
		for i, m := range o.members {
			if m.id == id {
				o.members = append(o.members[:i:i], o.members[i+1:]...)
				o.queue = append(o.queue, told{m: m, left: true})
				break
			}
		}
		return nil
	})
}

// Gain sets a member's loudness from now on.
func (o *Output) Gain(id string, g audio.Gain) error {
	return o.change(func() error {
		m := o.find(id)
		if m == nil {
			return audio.ErrUnknownMember
		}
		m.gain = g
		return nil
	})
}

// Stall makes a member deaf, or lets it come back: a fault for tests. The
// frames that pass meanwhile are a gap.
func (o *Output) Stall(id string, stalled bool) error {
	return o.change(func() error {
		m := o.find(id)
		if m == nil {
			return audio.ErrUnknownMember
		}
		if m.stalled && !stalled {
			m.cursor.Skip(o.opt.Clock.Now())
		}
		m.stalled = stalled
		return nil
	})
}

// Lead is 100 ms as long as somebody listens.
func (o *Output) Lead() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.members) == 0 {
		return 0
	}
	return Lead
}

// Status reports every member in the order of joining.
func (o *Output) Status() []audio.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.opt.Clock.Now()
	all := make([]audio.Status, 0, len(o.members))
	for _, m := range o.members {
		all = append(all, m.status(&o.play, now))
	}
	return all
}

// Close ends all members and completes their files.
func (o *Output) Close() error {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		o.advance()
		for _, m := range o.members {
			o.queue = append(o.queue, told{m: m, left: true})
		}
		o.members = nil
	}
	o.mu.Unlock()
	o.nudge()
	<-o.done
	return nil
}

// change runs f after everything that sounds before this moment was told, so
// that f cannot take back what was heard.
func (o *Output) change(f func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	o.advance()
	return f()
}

func (o *Output) find(id string) *member {
	for _, m := range o.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// advance queues what began to sound since the last time. The caller holds mu.
func (o *Output) advance() {
	now := o.opt.Clock.Now()
	for _, m := range o.members {
		if m.stalled || len(o.queue) > maxQueue {
			continue
		}
		for _, p := range m.cursor.Advance(&o.play, now) {
			m.heard(p)
			o.queue = append(o.queue, told{m: m, gain: m.gain, Played: Played(p)})
		}
	}
	o.play.Trim(now)
}

func (o *Output) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// pace tells the sound as time goes by; it alone touches files and Capture, so
// that a slow disk holds up nobody.
func (o *Output) pace() {
	defer close(o.done)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		o.mu.Lock()
		if !o.closed {
			o.advance()
		}
		queue, closed := o.queue, o.closed
		o.queue = nil
		o.mu.Unlock()
		for _, x := range queue {
			x.m.tell(x)
		}
		if closed {
			return
		}
		select {
		case <-t.C:
		case <-o.wake:
		}
	}
}
