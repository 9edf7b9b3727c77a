// Package child is the process that holds the sound card: it hears from the
// hub what is to sound (package wire), lets package render decide which frame
// the card gets next, and tells how it goes.
//
// It lives as long as its standard input and one opening of a card: another
// rate or another card is another child. It holds all that is written, so
// that a busy hub is not heard.
package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/resample"
	"sonahub/hub/jack/render"
	"sonahub/hub/jack/wire"
)

// Info is what is known about an opened card.
type Info struct {
	Name    string        // for people
	Rate    audio.Rate    // of the hardware; 0 = unknown
	Bits    int           // of the hardware; 0 = unknown
	Latency time.Duration // from the taking of a frame to its sounding
	Ahead   time.Duration // most that a frame may wait before it is taken
	Inexact string        // why samples may be altered on their way; empty if they are not
}

// Device is a sound card at a fixed rate, in stereo.
type Device interface {
	Info() Info
	// Play begins to take sound: fill is called whenever there is room, by one
	// goroutine at a time, and fills dst with interleaved stereo, full scale +-1.
	Play(fill func(dst []float64))
	// Buffered returns how many frames were filled that the card has not taken.
	// It may be called from within fill.
	Buffered() audio.Pos
	// Err returns why the card plays no more, nil as long as it does.
	Err() error
	// Close ends the play; fill is not called any more.
	Close() error
}

// Options of Run.
type Options struct {
	Open  func(ctx context.Context, rate audio.Rate) (Device, error) // opens the card
	Clock audio.Clock                                                // nil = audio.System
}

const (
	reportEvery = 100 * time.Millisecond
	openTime    = 10 * time.Second // within which a card must open
	deaf        = 3 * time.Second  // a card that takes nothing for so long has stopped
	ahead       = 2 * time.Second  // a card that is so far ahead of time keeps none
)

// Run speaks with the hub until in ends. The error says why it ended earlier.
func Run(in io.Reader, out io.Writer, o Options) error {
	if o.Clock == nil {
		o.Clock = audio.System{}
	}
	c := &child{Options: o, out: out, filters: map[audio.Rate]*resample.Filter{}}
	if err := c.send(&wire.Hello{Version: wire.Version}); err != nil {
		return err
	}
	r := wire.NewReader(bufio.NewReaderSize(in, 1<<16))
	m, err := r.Next()
	if err != nil {
		return ended(err)
	}
	hello, ok := m.(*wire.Hello)
	if !ok || hello.Version != wire.Version {
		return fmt.Errorf("jack/child: the hub speaks another language (%T)", m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	c.dev, err = o.Open(ctx, hello.Rate)
	cancel()
	if err != nil {
		return c.send(&wire.Failed{Why: err.Error()})
	}
	return errors.Join(c.run(r, hello.Rate), c.dev.Close())
}

// ended makes nil of an end of the hub, at whatever byte.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// child is one life of the process.
type child struct {
	Options
	dev     Device
	info    Info
	filters map[audio.Rate]*resample.Filter // of the runs so far

	outMu sync.Mutex
	out   io.Writer

	mu     sync.Mutex
	render *render.Renderer
	clock  render.Clock
	begun  audio.Instant // of the first fill
	last   audio.Instant // of the last fill
	filled audio.Pos
}

func (c *child) send(m wire.Message) error {
	c.outMu.Lock()
	defer c.outMu.Unlock()
	if _, err := c.out.Write(wire.Append(nil, m)); err != nil {
		return fmt.Errorf("jack/child: %w", err)
	}
	return nil
}

// run plays on the opened card.
func (c *child) run(r *wire.Reader, rate audio.Rate) error {
	c.info = c.dev.Info()
	var err error
	if c.render, err = render.New(rate, c.info.Bits); err != nil {
		return err
	}
	c.clock.Rate = rate
	if err := c.send(&wire.Opened{Name: c.info.Name, Rate: c.info.Rate, Bits: c.info.Bits,
		Latency: c.info.Latency + c.info.Ahead, Inexact: c.info.Inexact}); err != nil {
		return err
	}
	c.begun = c.Clock.Now()
	c.last = c.begun
	c.dev.Play(c.fill)

	end := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() { c.report(end) })
	defer reporter.Wait()
	defer close(end)
	for {
		m, err := r.Next()
		if err != nil {
			return ended(err)
		}
		if err := c.handle(m); err != nil {
			return err
		}
	}
}

// handle does what the hub says.
func (c *child) handle(m wire.Message) error {
	var filter *resample.Filter
	if start, ok := m.(*wire.Start); ok {
		var err error
		if filter, err = c.filter(start.Format.Rate); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := m.(type) {
	case *wire.Start:
		return c.render.Start(m.Run, m.Format, m.Line, filter)
	case *wire.Block:
		return c.render.Write(m.At, m.PCM)
	case *wire.Flush:
		return c.render.Flush(m.Line)
	case *wire.Gain:
		c.render.SetGain(m.Gain)
		return nil
	}
	return fmt.Errorf("jack/child: unexpected %T", m)
}

// filter makes a filter while the card plays on; only the reading goroutine
// calls it.
func (c *child) filter(rate audio.Rate) (*resample.Filter, error) {
	if c.filters[rate] == nil {
		f, err := c.render.Filter(rate)
		if err != nil {
			return nil, err
		}
		if len(c.filters) > 8 { // nobody plays so many rates
			clear(c.filters)
		}
		c.filters[rate] = f
	}
	return c.filters[rate], nil
}

// fill is the card's call for more.
func (c *child) fill(dst []float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.Clock.Now()
	c.clock.Observe(c.filled-c.dev.Buffered(), c.last)
	if c.clock.Settled() {
		c.render.Render(dst, c.clock.Instant(c.filled).Add(c.info.Latency), c.clock.PPM())
	} else {
		clear(dst)
	}
	c.filled += audio.Pos(len(dst) / render.Channels)
}

// report tells the hub several times a second how it goes, until the card
// fails.
func (c *child) report(end <-chan struct{}) {
	t := time.NewTicker(reportEvery)
	defer t.Stop()
	for {
		select {
		case <-end:
			return
		case <-t.C:
		}
		var m wire.Message
		rep, err := c.state()
		if m = rep; err != nil {
			m = &wire.Failed{Why: err.Error()}
		}
		if c.send(m) != nil || err != nil {
			return // the hub is gone or will be: the reading side sees its end
		}
	}
}

func (c *child) state() (*wire.Report, error) {
	if err := c.dev.Err(); err != nil {
		return nil, fmt.Errorf("the sound card stopped: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Clock.Now()
	if now.Sub(c.last) > deaf {
		return nil, errors.New("the sound card takes no more sound")
	}
	if c.filled.Duration(c.clock.Rate)-now.Sub(c.begun) > ahead {
		return nil, errors.New("the sound card keeps no time (a null device?)")
	}
	r := c.render.Report(now)
	return &wire.Report{At: now, Run: r.Run, Heard: r.Heard, Settled: c.clock.Settled(), Playing: r.Playing,
		Late: r.Late, PPM: c.clock.PPM(), Missing: r.Missing, Slips: r.Slips, Inexact: r.Inexact}, nil
}
