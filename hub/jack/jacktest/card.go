// Package jacktest is a sound card for tests of the jack: it takes sound as
// ALSA does through oto, period by period at the pace of its own crystal, and
// keeps what sounded and when.
package jacktest

import (
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/jack/child"
)

// Channels of the card.
const Channels = 2

// periods that the card's buffer holds; one more waits outside of it.
const periods = 2

// Card is a child.Device. Its fields are to be set before Play.
type Card struct {
	Rate   audio.Rate
	Chunk  int                                      // frames that are filled at a time; 0 = a period
	Period time.Duration                            // taken at a time; 0 = 30 ms
	PPM    float64                                  // how much faster than the clock its crystal is
	Clock  audio.Clock                              // nil = audio.System
	Heard  func(at audio.Instant, stereo []float64) // told every period with the instant of its first frame
	Shape  func(child.Info) child.Info              // what else is to be claimed of the card; nil = as it is

	mu      sync.Mutex
	waiting []float64 // filled, not taken
	err     error
	held    bool

	end  chan struct{}
	done chan struct{}
}

var _ child.Device = (*Card)(nil)

func (c *Card) period() time.Duration {
	if c.Period == 0 {
		return 30 * time.Millisecond
	}
	return c.Period
}

func (c *Card) now() audio.Instant {
	if c.Clock == nil {
		return audio.System{}.Now()
	}
	return c.Clock.Now()
}

// Info claims a direct 24-bit card.
func (c *Card) Info() child.Info {
	i := child.Info{Name: "test card", Rate: c.Rate, Bits: 24, Latency: (periods + 1) * c.period()}
	if c.Shape != nil {
		i = c.Shape(i)
	}
	return i
}

// Play begins to take sound.
func (c *Card) Play(fill func([]float64)) {
	c.end, c.done = make(chan struct{}), make(chan struct{})
	go c.run(fill)
}

// Buffered returns how many frames wait outside of the card's buffer.
func (c *Card) Buffered() audio.Pos {
	c.mu.Lock()
	defer c.mu.Unlock()
	return audio.Pos(len(c.waiting) / Channels)
}

// Err returns what Break was told.
func (c *Card) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Break pulls the plug.
func (c *Card) Break(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Hold stops the card from taking sound, or lets it go on.
func (c *Card) Hold(held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
}

// Close ends the play.
func (c *Card) Close() error {
	if c.end != nil {
		close(c.end)
		<-c.done
		c.end = nil
	}
	return nil
}

// run takes period after period. Number k sounds at zero + k periods and is
// taken two periods earlier, when it fits into the buffer; the first ones fit
// at once. If the card is kept from that for longer than its buffer lasts, it
// runs dry: zero moves.
func (c *Card) run(fill func([]float64)) {
	defer close(c.done)
	frames := int(c.Rate.Frames(c.period()))
	at := func(zero audio.Instant, k int) audio.Instant {
		d := audio.Pos(k * frames).Duration(c.Rate)
		return zero.Add(d - time.Duration(float64(d)*c.PPM*1e-6))
	}
	zero := c.now()
	c.refill(fill, frames)
	for k := 0; ; k++ {
		if !c.until(at(zero, k-periods)) {
			return
		}
		if late := c.now().Sub(at(zero, k)); k > 0 && late > 0 {
			zero = zero.Add(late)
		}
		c.mu.Lock()
		taken := c.waiting[: frames*Channels : frames*Channels]
		c.waiting = c.waiting[frames*Channels:]
		c.mu.Unlock()
		if c.Heard != nil {
			c.Heard(at(zero, k), taken)
		}
		c.refill(fill, frames)
	}
}

// refill asks for more until a period waits.
func (c *Card) refill(fill func([]float64), frames int) {
	chunk := c.Chunk
	if chunk == 0 {
		chunk = frames
	}
	for int(c.Buffered()) < frames {
		buf := make([]float64, chunk*Channels)
		fill(buf)
		c.mu.Lock()
		c.waiting = append(c.waiting, buf...)
		c.mu.Unlock()
	}
}

// until waits for an instant, and as long as the card is held; false at the
// end.
func (c *Card) until(i audio.Instant) bool {
	for {
		c.mu.Lock()
		held := c.held
		c.mu.Unlock()
		d := i.Sub(c.now())
		if held {
			d = max(d, time.Millisecond)
		}
		if d <= 0 {
			select {
			case <-c.end:
				return false
			default:
				return true
			}
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-c.end:
			t.Stop()
			return false
		}
	}
}
