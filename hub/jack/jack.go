// Package jack is the hub's own sound card as an audio.Output with one member.
//
// The card is held by a child process of the same binary (package child), so
// that no C library lives beside the hub's keys, cards and rates may come and
// go, and a busy hub is not heard. The child is sent everything at once and
// plays by itself; what has not sounded is kept here as well, and a new child
// is told it again. No card is no error: the member is absent, with the reason
// in one line, and plays as soon as there is one.
//
// Evidence: the card's clock is derived from the instants at which it takes
// sound. Samples are said to be untouched only if the hardware was seen to run
// at their rate and depth, unshared, at unity gain and unbent.
//
// Flush: what sounds before now + Lead may be on its way already. A flush that
// reaches behind that is heard twice.
package jack

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/playout"
	"sonahub/hub/jack/wire"
)

// Options of an Output. The zero value is ready.
type Options struct {
	ID      string           // of the one member; "" = "jack"
	Command func() *exec.Cmd // how to start the child; nil = this binary with ChildArg
	Retry   time.Duration    // between looks for a sound card; 0 = 3 s
	Ring    time.Duration    // sound kept between Write and its instant; 0 = 12 s
	Clock   audio.Clock      // the hub's clock, which the child must share; nil = audio.System
	Log     *slog.Logger     // nil = discard
}

const (
	// margin is what Lead adds to the card's latency, for the way to the child.
	margin = 30 * time.Millisecond
	// latency is that of a card that has not said so yet: oto's three periods.
	latency = 90 * time.Millisecond
	// opening is what a child needs from its start to its first sound.
	opening = 450 * time.Millisecond
	// firstRate is what a card is opened with before there is a run.
	firstRate = audio.Rate(44100)
	// maxQueue bounds what a child may leave unread.
	maxQueue = 4096
)

var _ audio.Output = (*Output)(nil)

// Output plays on the hub's sound card.
type Output struct {
	opt   Options
	spawn func() (*process, error)
	look  func() string // changes when sound cards come or go

	mu       sync.Mutex
	play     playout.Playout
	joined   bool
	gain     audio.Gain
	session  *session   // the child that lives now; nil = none
	cardRate audio.Rate // the only rate of the card, as far as known; 0 = any
	absent   string     // why there is no sound; empty while there is or may be
	fault    error      // last fault
	begun    bool       // the supervisor runs
	closed   bool

	wake chan struct{} // the supervisor should look again
	done chan struct{} // closed when it has ended
}

// New makes an output. It starts nothing until its member joins.
func New(o Options) *Output {
	out := newOutput(o)
	out.spawn = func() (*process, error) { return start(o.Command) }
	out.look = cards
	return out
}

func newOutput(o Options) *Output {
	if o.ID == "" {
		o.ID = "jack"
	}
	if o.Retry == 0 {
		o.Retry = 3 * time.Second
	}
	if o.Clock == nil {
		o.Clock = audio.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Output{opt: o, play: playout.Playout{Ring: o.Ring}, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// locked runs f unless the output is closed.
func (o *Output) locked(f func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return audio.ErrClosed
	}
	o.play.Trim(o.opt.Clock.Now())
	return f()
}

// Start begins a run; see audio.Output. A card at another rate is opened anew
// if the pause before t.Zero allows it; otherwise the run is resampled.
func (o *Output) Start(ctx context.Context, f audio.Format, t audio.Timeline) error {
	return o.locked(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.Channels > 2 {
			return fmt.Errorf("%w: %d channels for a stereo jack", audio.ErrFormat, f.Channels)
		}
		if err := o.play.Start(f, t); err != nil {
			return err
		}
		s, _ := o.play.Current()
		o.tell(&wire.Start{Run: int64(s.Run), Format: f, Line: t})
		o.nudge() // perhaps the card should be opened anew
		return nil
	})
}

// Write stores a block. The error wraps one of package playout's.
func (o *Output) Write(b *audio.Block) error {
	return o.locked(func() error {
		if err := o.play.Write(b); err != nil {
			return err
		}
		o.tellBlock(b.At, b.Channels, b.PCM)
		return nil
	})
}

// Flush takes back what lies at or after from; see audio.Output.
func (o *Output) Flush(from audio.Pos, t audio.Timeline) error {
	return o.locked(func() error {
		if err := o.play.Flush(from, t); err != nil {
			return err
		}
		o.tell(&wire.Flush{Line: t})
		o.nudge() // perhaps the card should be opened anew
		return nil
	})
}

// Join turns the jack on. It does not wait for the card.
func (o *Output) Join(ctx context.Context, m audio.Member) error {
	return o.locked(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.ID != o.opt.ID {
			return fmt.Errorf("%w: the jack is %q, not %q", audio.ErrUnknownMember, o.opt.ID, m.ID)
		}
		o.gain = m.Gain
		if o.joined {
			o.tell(&wire.Gain{Gain: o.gain})
			return nil
		}
		o.joined, o.absent, o.fault = true, "", nil
		if !o.begun {
			o.begun = true
			go o.supervise()
		}
		o.nudge()
		return nil
	})
}

// Leave turns the jack off and gives the card back.
func (o *Output) Leave(id string) error {
	return o.locked(func() error {
		if id == o.opt.ID && o.joined {
			o.joined = false
			o.session.stop("")
			o.nudge()
		}
		return nil
	})
}

// Gain sets the loudness.
func (o *Output) Gain(id string, g audio.Gain) error {
	return o.locked(func() error {
		if id != o.opt.ID || !o.joined {
			return audio.ErrUnknownMember
		}
		o.gain = g
		o.tell(&wire.Gain{Gain: g})
		return nil
	})
}

// Lead is the card's latency and a margin; more while the card is opening.
func (o *Output) Lead() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.joined {
		return 0
	}
	lead := latency + margin
	switch s := o.session; {
	case o.absent != "":
	case s == nil:
		lead = opening
	case !s.report.Settled:
		lead = max(lead, opening-o.opt.Clock.Now().Sub(s.born))
	default:
		lead = s.opened.Latency + margin
	}
	return lead
}

// Close ends the child and waits for its end.
func (o *Output) Close() error {
	o.mu.Lock()
	begun := o.begun
	o.closed, o.joined = true, false
	o.session.stop("")
	o.mu.Unlock()
	o.nudge()
	if begun {
		<-o.done
	}
	return nil
}

func (o *Output) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tell sends a message to the child, if there is one. The caller holds mu.
func (o *Output) tell(m wire.Message) {
	if o.session != nil {
		o.session.push(m)
	}
}

// tellBlock sends samples in messages that are not too long.
func (o *Output) tellBlock(at audio.Pos, channels int, pcm []int32) {
	for len(pcm) > 0 {
		n := min(len(pcm), wire.MaxSamples/channels*channels)
		o.tell(&wire.Block{At: at, PCM: pcm[:n]})
		pcm, at = pcm[n:], at+audio.Pos(n/channels)
	}
}

// replay tells a new child all that has not sounded. The caller holds mu.
func (o *Output) replay() {
	o.play.Trim(o.opt.Clock.Now())
	o.tell(&wire.Gain{Gain: o.gain})
	run := 0
	for serial := 0; ; {
		s, ok := o.play.Segment(serial)
		if !ok {
			return
		}
		if s.Run != run {
			run = s.Run
			o.tell(&wire.Start{Run: int64(run), Format: s.Format, Line: s.Line})
		} else {
			o.tell(&wire.Flush{Line: s.Line})
		}
		to := o.play.Written(s)
		for at := s.Line.At; at < to; {
			pcm, n := o.play.Read(run, at, to)
			o.tellBlock(at, s.Format.Channels, pcm)
			at += n
		}
		serial = s.Serial + 1
	}
}

// cardFor is the rate that the card should have for a run of rate r.
func (o *Output) cardFor(r audio.Rate) audio.Rate {
	if o.cardRate != 0 {
		return o.cardRate
	}
	return r
}

// wanted is the rate that the card should have now. The caller holds mu.
func (o *Output) wanted() audio.Rate {
	s, ok := o.play.Sounding(o.opt.Clock.Now())
	if !ok {
		return o.cardFor(firstRate)
	}
	return o.cardFor(s.Format.Rate)
}

// renewal tells when to open the card anew for a segment at another rate: when
// all before it has sounded, if the silence before it is long enough; or when
// nothing has been to sound for some time, for the next run will most likely
// have the rate of the last. The caller holds mu.
func (o *Output) renewal(s *session, now audio.Instant) (at audio.Instant, ok bool) {
	end := now // of what sounds before the segment
	for serial := 0; ; {
		seg, more := o.play.Segment(serial)
		if !more {
			return 0, false
		}
		other := o.cardFor(seg.Format.Rate) != s.rate
		if other && seg.Line.Instant(seg.Line.At).Sub(end) >= opening {
			return end, true
		}
		last := seg.Line.Instant(o.play.Written(seg))
		if other && seg.To == playout.Open && now.Sub(last) > idleTime {
			return now, true
		}
		end = max(end, last)
		serial = seg.Serial + 1
	}
}
