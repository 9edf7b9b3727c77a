// Package playout keeps what an output was told to play: blocks of sound and
// the timelines on which they sound, over consecutive runs of one format each.
//
// It is the common half of every audio.Output: Start, Write and Flush have the
// meaning that audio.Output gives them, and Cursor answers what sounds between
// two instants. It is plain data: no I/O, no clock, no goroutine, no lock; its
// owner guards it.
//
// Invariants: blocks lie in the order of (run, position) and never overlap;
// segments lie in the order in which they sound; every position of a run is in
// at most one segment, except where a Flush went back behind what had sounded
// already. Stored sound is never longer than Ring.
package playout

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"sonahub/hub/audio"
)

// Reasons to refuse a call. Nothing is changed then.
var (
	ErrNotStarted = errors.New("playout: nothing was started")
	ErrMismatch   = errors.New("playout: block does not fit the run")
	ErrFull       = errors.New("playout: ring is full")
)

// Open is the end of a segment that goes on.
const Open = audio.Pos(math.MaxInt64)

// maxSegments bounds the timelines that are remembered: a caller that flushes
// without end loses the oldest ones.
const maxSegments = 256

// Segment is a stretch of positions of one run on one timeline.
type Segment struct {
	Serial int          // grows by one with every segment
	Run    int          // counts Start calls from 1
	Format audio.Format // of the run
	Line   audio.Timeline
	To     audio.Pos // position after the last one, or Open
}

// Before returns how far the segment has come at instant i: the first position
// that does not sound before i.
func (s Segment) Before(i audio.Instant) audio.Pos {
	p := s.Line.Pos(i)
	for p < s.To && s.Line.Instant(p) < i {
		p++
	}
	return min(max(p, s.Line.At), s.To)
}

// end is the instant at which the segment has sounded.
func (s Segment) end() audio.Instant {
	if s.To == Open {
		return audio.Instant(math.MaxInt64)
	}
	return s.Line.Instant(s.To)
}

type stored struct {
	run int
	*audio.Block
}

// Playout is the store. The zero value is ready.
type Playout struct {
	Ring time.Duration // most sound that is kept; 0 = 12 s

	segs   []Segment
	blocks []stored
	held   time.Duration // length of blocks
	run    int
	serial int
	next   audio.Pos // where the next block of the run begins
}

const defaultRing = 12 * time.Second

// Start begins a run. What was written before keeps its timeline and ends
// where its last block ends. The error wraps audio.ErrFormat.
func (p *Playout) Start(f audio.Format, t audio.Timeline) error {
	if err := f.Validate(); err != nil {
		return err
	}
	if t.Rate != f.Rate {
		return fmt.Errorf("%w: timeline of %d Hz for %v", audio.ErrFormat, t.Rate, f)
	}
	p.clip(p.next)
	p.run++
	p.next = t.At
	p.add(Segment{Run: p.run, Format: f, Line: t, To: Open})
	return nil
}

// Write stores a block. It may begin after the end of the last one (the hole
// is a gap), never before it. ErrFull means that the ring holds as much as it
// may; the same block may be offered again later.
func (p *Playout) Write(b *audio.Block) error {
	if p.run == 0 {
		return ErrNotStarted
	}
	last := p.segs[len(p.segs)-1]
	if b.Format != last.Format || b.Frames() == 0 || len(b.PCM)%b.Channels != 0 {
		return fmt.Errorf("%w: %v of %d samples in a run of %v", ErrMismatch, b.Format, len(b.PCM), last.Format)
	}
	if b.At < p.next {
		return fmt.Errorf("%w: position %d, expected %d", ErrMismatch, b.At, p.next)
	}
	ring := p.Ring
	if ring == 0 {
		ring = defaultRing
	}
	length := b.Frames().Duration(b.Rate)
	if p.held+length > ring {
		return ErrFull
	}
	p.held += length
	p.blocks = append(p.blocks, stored{p.run, b})
	p.next = b.End()
	return nil
}

// Flush takes back what lies at or after from; the next block begins there, on
// timeline t (t.At must be from).
func (p *Playout) Flush(from audio.Pos, t audio.Timeline) error {
	if p.run == 0 {
		return ErrNotStarted
	}
	f := p.segs[len(p.segs)-1].Format
	if t.At != from || t.Rate != f.Rate {
		return fmt.Errorf("%w: flush from %d onto a timeline at %d, %d Hz", ErrMismatch, from, t.At, t.Rate)
	}
	for n := len(p.blocks) - 1; n >= 0; n-- {
		b := p.blocks[n]
		if b.run != p.run || b.End() <= from {
			break
		}
		p.blocks = p.blocks[:n]
		p.held -= b.Frames().Duration(b.Rate)
		if head := b.Slice(b.At, from); head != nil {
			p.blocks = append(p.blocks, stored{b.run, head})
			p.held += head.Frames().Duration(b.Rate)
			break
		}
	}
	p.clip(from)
	p.next = from
	p.add(Segment{Run: p.run, Format: f, Line: t, To: Open})
	return nil
}

// clip ends the present run at position to.
func (p *Playout) clip(to audio.Pos) {
	for len(p.segs) > 0 {
		last := &p.segs[len(p.segs)-1]
		if last.Run != p.run {
			return
		}
		if last.Line.At < to {
			last.To = min(last.To, to)
			return
		}
		p.segs = p.segs[:len(p.segs)-1]
	}
}

func (p *Playout) add(s Segment) {
	p.serial++
	s.Serial = p.serial
	if len(p.segs) == maxSegments {
		p.segs = append(p.segs[:0], p.segs[1:]...)
	}
	p.segs = append(p.segs, s)
}

// Trim forgets what has sounded before instant i.
func (p *Playout) Trim(i audio.Instant) {
	n := 0
	for n < len(p.segs)-1 && p.segs[n].end() <= i {
		n++
	}
	p.segs = append(p.segs[:0], p.segs[n:]...)
	if len(p.segs) == 0 {
		return
	}
	first := p.segs[0]
	n = 0
	for n < len(p.blocks) {
		b := p.blocks[n]
		if b.run > first.Run || b.run == first.Run && b.End() > first.Before(i) {
			break
		}
		p.held -= b.Frames().Duration(b.Rate)
		n++
	}
	clear(p.blocks[:n])
	p.blocks = append(p.blocks[:0], p.blocks[n:]...)
}

// Current returns the newest segment: the one that is being written.
func (p *Playout) Current() (Segment, bool) {
	if len(p.segs) == 0 {
		return Segment{}, false
	}
	return p.segs[len(p.segs)-1], true
}

// Segment returns the first segment whose serial is at least serial: serial
// itself, or what replaced or follows it.
func (p *Playout) Segment(serial int) (Segment, bool) {
	i := sort.Search(len(p.segs), func(i int) bool { return p.segs[i].Serial >= serial })
	if i == len(p.segs) {
		return Segment{}, false
	}
	return p.segs[i], true
}

// Sounding returns the segment that sounds at instant i, or the next one that
// will.
func (p *Playout) Sounding(i audio.Instant) (Segment, bool) {
	for _, s := range p.segs {
		if s.end() > i {
			return s, true
		}
	}
	return Segment{}, false
}

// Written returns the position up to which the segment's sound was handed in.
func (p *Playout) Written(s Segment) audio.Pos {
	if s.Run == p.run {
		return min(s.To, p.next)
	}
	return s.To
}

// Read returns the stored samples of a run from position from on, no further
// than to and not more than one block, shared and not to be changed. If there
// are none at from, pcm is nil and frames says how many are missing.
func (p *Playout) Read(run int, from, to audio.Pos) (pcm []int32, frames audio.Pos) {
	i := sort.Search(len(p.blocks), func(i int) bool {
		b := p.blocks[i]
		return b.run > run || b.run == run && b.End() > from
	})
	if i == len(p.blocks) || p.blocks[i].run != run || p.blocks[i].At >= to {
		return nil, to - from
	}
	if b := p.blocks[i]; b.At <= from {
		part := b.Slice(from, to)
		return part.PCM, part.Frames()
	}
	return nil, p.blocks[i].At - from
}
