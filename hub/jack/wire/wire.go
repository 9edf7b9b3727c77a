// Package wire is the language between the hub and the child process that
// holds the sound card, spoken over the child's standard input and output.
//
// A message is one byte of kind, four bytes of length (little endian) and that
// many bytes. Both sides begin with Hello and end the talk if the versions
// differ. Instants are CLOCK_MONOTONIC, which both processes share. Nothing
// is allocated from an unchecked length: a message is at most MaxMessage long,
// a text at most MaxText, a block at most MaxSamples.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"sonahub/hub/audio"
)

// Version changes with every change of a message.
const Version = 1

// Limits of messages.
const (
	MaxSamples = 1 << 16             // of one block
	MaxText    = 1 << 10             // bytes
	MaxMessage = 4*MaxSamples + 1024 // bytes after the head
)

const headSize = 5

// ErrProtocol is wrapped by every error about bytes that are no message.
var ErrProtocol = errors.New("jack/wire: bad message")

// Message is one of the structs below.
type Message interface {
	kind() byte
	append(b []byte) []byte
	parse(p *parser)
}

// Hello opens the talk, in both directions.
type Hello struct {
	Version uint16
	Rate    audio.Rate // hub to child: open the card at this rate
}

// Start begins a run; see audio.Output.
type Start struct {
	Run    int64 // the hub's number of the run, for reports
	Format audio.Format
	Line   audio.Timeline
}

// Block carries samples of the present run.
type Block struct {
	At  audio.Pos
	PCM []int32
}

// Flush takes back what lies at or after Line.At.
type Flush struct{ Line audio.Timeline }

// Gain sets the loudness.
type Gain struct{ Gain audio.Gain }

// Opened says that the card plays, child to hub.
type Opened struct {
	Name    string        // of the card, for people
	Rate    audio.Rate    // of the card itself; 0 = unknown
	Bits    int           // of the card itself; 0 = unknown
	Latency time.Duration // from the last moment at which sound is needed to its sounding
	Inexact string        // why samples may not reach the card untouched; empty if they do
}

// Failed says that there is no card, child to hub; the child ends after it.
type Failed struct{ Why string }

// Report tells how it goes, child to hub, several times a second.
type Report struct {
	At      audio.Instant // when this was so
	Run     int64         // of Heard
	Heard   audio.Pos     // the position that sounds at At
	Settled bool          // the card's clock is known: sound can begin at its instant
	Playing bool          // a run sounds
	Late    time.Duration // how much later than its instant the sound is
	PPM     float64       // the card's crystal against the hub's clock, parts per million
	Missing audio.Pos     // frames that were not there in time, since the child began
	Slips   int64         // times that the sound had to jump to stay in time
	Inexact string        // why the samples are altered at present; empty if they are not
}

const (
	kindHello byte = iota + 1
	kindStart
	kindBlock
	kindFlush
	kindGain
	kindOpened
	kindFailed
	kindReport
)

func (*Hello) kind() byte  { return kindHello }
func (*Start) kind() byte  { return kindStart }
func (*Block) kind() byte  { return kindBlock }
func (*Flush) kind() byte  { return kindFlush }
func (*Gain) kind() byte   { return kindGain }
func (*Opened) kind() byte { return kindOpened }
func (*Failed) kind() byte { return kindFailed }
func (*Report) kind() byte { return kindReport }

// blank returns an empty message of a kind, nil if there is none.
func blank(kind byte) Message {
	switch kind {
	case kindHello:
		return &Hello{}
	case kindStart:
		return &Start{}
	case kindBlock:
		return &Block{}
	case kindFlush:
		return &Flush{}
	case kindGain:
		return &Gain{}
	case kindOpened:
		return &Opened{}
	case kindFailed:
		return &Failed{}
	case kindReport:
		return &Report{}
	}
	return nil
}

// Append appends the message to b.
func Append(b []byte, m Message) []byte {
	at := len(b)
	b = append(b, m.kind(), 0, 0, 0, 0)
	b = m.append(b)
	binary.LittleEndian.PutUint32(b[at+1:], uint32(len(b)-at-headSize))
	return b
}

// Reader reads messages from a stream.
type Reader struct {
	r   io.Reader
	buf []byte
}

// NewReader returns a reader; r should be buffered.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next message: io.EOF at an end between two messages,
// io.ErrUnexpectedEOF within one, and an error that wraps ErrProtocol for bytes
// that are none.
func (r *Reader) Next() (Message, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, err
	}
	m, n := blank(head[0]), binary.LittleEndian.Uint32(head[1:])
	if m == nil {
		return nil, fmt.Errorf("%w: kind %d", ErrProtocol, head[0])
	}
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes long", ErrProtocol, n)
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, n)
	}
	buf := r.buf[:n]
	if _, err := io.ReadFull(r.r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	p := parser{b: buf}
	m.parse(&p)
	if p.bad || len(p.b) != 0 {
		return nil, fmt.Errorf("%w: kind %d with %d bytes", ErrProtocol, head[0], n)
	}
	return m, nil
}

// parser takes fields off the front; bad stays set after the first fault.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) take(n int) []byte {
	if p.bad || len(p.b) < n {
		p.bad = true
		return make([]byte, 8) // a fixed field is at most that long
	}
	head := p.b[:n]
	p.b = p.b[n:]
	return head
}

func (p *parser) u16() uint16      { return binary.LittleEndian.Uint16(p.take(2)) }
func (p *parser) i32() int         { return int(int32(binary.LittleEndian.Uint32(p.take(4)))) }
func (p *parser) i64() int64       { return int64(binary.LittleEndian.Uint64(p.take(8))) }
func (p *parser) bool() bool       { return p.take(1)[0] != 0 }
func (p *parser) rate() audio.Rate { return audio.Rate(p.i32()) }

func (p *parser) float() float64 {
	f := math.Float64frombits(uint64(p.i64()))
	if math.IsNaN(f) {
		p.bad = true
		return 0
	}
	return f
}

func (p *parser) text() string {
	n := int(p.u16())
	if n > MaxText || n > len(p.b) {
		p.bad = true
		return ""
	}
	return string(p.take(n))
}

func (p *parser) line() audio.Timeline {
	return audio.Timeline{Zero: audio.Instant(p.i64()), At: audio.Pos(p.i64()), Rate: p.rate()}
}
