// Package card is the machine's sound card through oto: PulseAudio or PipeWire
// if a server runs, ALSA otherwise.
//
// oto allows one opening in the life of a process, even after a failed try,
// loads libasound only then, and lets its library talk on standard error: so
// only the jack's child process imports this with the intent to call it. oto
// hides what the hardware does; package card reads it from /proc.
package card

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/ebitengine/oto/v3"

	"sonahub/hub/audio"
	"sonahub/hub/jack/child"
	"sonahub/hub/jack/render"
)

const (
	period    = 30 * time.Millisecond // that oto is asked to write at a time; it keeps two of them
	frameSize = 4 * render.Channels   // bytes: 32-bit floats, which hold 24-bit samples exactly
)

// Card is an opened card.
type Card struct {
	ctx    *oto.Context
	player *oto.Player
	info   child.Info
	block  audio.Pos // frames that oto keeps ahead of the card
	fill   func([]float64)
	buf    []float64
}

// Open opens the default card at a rate. Its error is one clear line.
func Open(ctx context.Context, rate audio.Rate) (child.Device, error) {
	c, ready, err := oto.NewContext(&oto.NewContextOptions{
		SampleRate:      int(rate),
		ChannelCount:    render.Channels,
		Format:          oto.FormatFloat32LE,
		BufferSize:      2 * period,
		ApplicationName: "Sona Hub",
	})
	if err != nil {
		return nil, explain(err, "/dev/snd")
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("the sound card does not open: %w", ctx.Err())
	}
	if err := c.Err(); err != nil {
		return nil, explain(err, "/dev/snd")
	}
	card := &Card{ctx: c}
	card.describe(rate, inspect("/proc"))
	return card, nil
}

// describe tells what the hardware was found to be, and how long sound is
// under way in it. When oto takes a piece, its two pieces before are still to
// sound: the next frame sounds a whole buffer and that piece later.
func (c *Card) describe(rate audio.Rate, hw hardware) {
	c.info = child.Info{Name: hw.name, Rate: hw.rate, Bits: hw.bits, Inexact: hw.inexact(rate)}
	if hw.rate > 0 && hw.buffer > 0 && hw.period > 0 {
		piece := hw.period.Duration(hw.rate)
		c.block = rate.Frames(piece) + 1
		if hw.rate == rate {
			c.block = hw.period
		}
		c.info.Latency = hw.buffer.Duration(hw.rate) + piece
		return
	}
	// A sound server asks for as much as it likes, at most for the whole.
	c.block = rate.Frames(2 * period)
	c.info.Name = "the system's default device"
	c.info.Latency, c.info.Ahead = 3*period, period
}

// Info tells what is known of the card.
func (c *Card) Info() child.Info { return c.info }

// Play begins to play what fill gives.
func (c *Card) Play(fill func([]float64)) {
	c.fill = fill
	c.player = c.ctx.NewPlayer(reader{c})
	c.player.SetBufferSize(int(c.block) * frameSize)
	c.player.Play()
}

// Buffered returns the frames that oto holds for the card.
func (c *Card) Buffered() audio.Pos { return audio.Pos(c.player.BufferedSize() / frameSize) }

// Err returns why the card plays no more.
func (c *Card) Err() error {
	if err := c.ctx.Err(); err != nil {
		return explain(err, "/dev/snd")
	}
	return c.player.Err()
}

// Close stops the play. The card itself is only given back at the end of the
// process.
func (c *Card) Close() error {
	c.player.PauseAndStopReading()
	return nil
}

// reader is what oto reads from: it never ends and never gives less than it
// is asked for, because what oto does not get it makes up.
type reader struct{ *Card }

func (r reader) Read(p []byte) (int, error) {
	n := len(p) / frameSize * render.Channels
	if cap(r.buf) < n {
		r.Card.buf = make([]float64, n)
	}
	dst := r.Card.buf[:n]
	r.fill(dst)
	for i, x := range dst {
		binary.LittleEndian.PutUint32(p[4*i:], math.Float32bits(float32(x)))
	}
	return n * 4, nil
}
