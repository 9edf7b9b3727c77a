package playout

import (
	"math"

	"sonahub/hub/audio"
)

// Piece is a stretch of frames that sound one after the other from At on.
type Piece struct {
	Run    int
	Format audio.Format
	At     audio.Instant // of the first frame
	Pos    audio.Pos     // of the first frame
	Frames audio.Pos
	PCM    []int32 // shared, not to be changed; nil = these frames were missing when their time came
}

// Cursor is one listener's place in a Playout.
type Cursor struct {
	at     audio.Instant // everything before has been told
	serial int
	pos    audio.Pos
	begun  bool // something was told: from now on holes are gaps
}

// NewCursor returns a listener that begins to listen at instant at: what
// sounds earlier does not concern it.
func NewCursor(at audio.Instant) *Cursor { return &Cursor{at: at} }

// At returns the instant up to which the cursor has been advanced.
func (c *Cursor) At() audio.Instant { return c.at }

// Skip moves the cursor to instant at without hearing what lies between; the
// next Advance reports it as a gap.
func (c *Cursor) Skip(at audio.Instant) { c.at = max(c.at, at) }

// Place returns the run and the position that the cursor has reached.
func (c *Cursor) Place(p *Playout) (Segment, audio.Pos) {
	s, ok := p.Segment(c.serial)
	if !ok {
		return Segment{}, 0
	}
	if s.Serial != c.serial {
		return s, s.Line.At
	}
	return s, max(c.pos, s.Line.At)
}

// Advance returns what begins to sound from the last call's instant up to, not
// including, until. Frames that came too late or never are told as a gap, once
// it is known that they were meant to sound: a silence at the end of what was
// written is not a gap.
func (c *Cursor) Advance(p *Playout, until audio.Instant) []Piece {
	if until <= c.at {
		return nil
	}
	var out []Piece
	for {
		s, ok := p.Segment(c.serial)
		if !ok {
			break
		}
		if s.Serial != c.serial {
			c.serial, c.pos = s.Serial, s.Line.At
		}
		c.pos = max(c.pos, s.Line.At)
		out = c.segment(out, p, s, until)
		if c.pos < s.To {
			break
		}
		c.serial, c.pos = s.Serial+1, math.MinInt64 // the next one begins where it begins
	}
	c.at = until
	return out
}

// segment tells what sounds of one segment.
func (c *Cursor) segment(out []Piece, p *Playout, s Segment, until audio.Instant) []Piece {
	end := min(s.Before(until), p.Written(s))
	late := s.Before(c.at) // nothing before this position can sound any more
	if !c.begun && late > c.pos {
		c.pos = late
	}
	for c.pos < end {
		pcm, n := p.Read(s.Run, c.pos, end)
		if c.pos < late {
			pcm, n = nil, min(late, end)-c.pos
		}
		out = append(out, Piece{Run: s.Run, Format: s.Format, At: s.Line.Instant(c.pos), Pos: c.pos, Frames: n, PCM: pcm})
		c.pos += n
		c.begun = true
	}
	return out
}
