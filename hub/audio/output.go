package audio

import (
	"context"
	"errors"
	"math"
	"time"
)

// Gain is a loudness change in decibels: 0 is unity, Mute is silence.
type Gain float64

// Unity touches no sample; Mute() is minus infinity.
const Unity Gain = 0

// Mute returns the gain of silence.
func Mute() Gain { return Gain(math.Inf(-1)) }

// Factor returns the linear amplitude factor, 1 for Unity and 0 for Mute.
func (g Gain) Factor() float64 {
	if math.IsInf(float64(g), -1) {
		return 0
	}
	return math.Pow(10, float64(g)/20)
}

// Source is a stream of blocks. Read returns io.EOF after the last block.
// Positions are contiguous, the format is the same for the source's whole
// life. Read is called by one goroutine at a time and returns when ctx ends.
type Source interface {
	Read(ctx context.Context) (*Block, error)
}

// Member is one speaker's place in an output. What the speaker is and where
// it lives, the output knows by its ID.
type Member struct {
	ID   string
	Gain Gain
}

// ErrUnknownMember is returned for an id that the output does not know.
var ErrUnknownMember = errors.New("audio: unknown member")

// ErrClosed is returned by every method of an output after Close.
var ErrClosed = errors.New("audio: output is closed")

// Output plays one group's sound on all its members of one kind (all AirPlay
// rooms, one Sonos group, the jack). It owns encoding, encryption, wire
// pacing and the clock of its kind, so that N rooms cost one encode.
//
// Positions seen by an output never jump: after Flush(from, t) the next block
// starts at from, and t.At == from. Seek, skip and pause are all a flush. A
// new Start changes the format: what was written before still sounds to its
// end, and positions begin anew at t.At (0) with t.Zero no earlier than that
// end.
//
// All methods are safe for concurrent use; none but Join and Close waits for
// a network or a device, and those end with their context or a bounded time.
type Output interface {
	// Start begins a run of one format. Blocks for it follow at t.At.
	Start(ctx context.Context, f Format, t Timeline) error
	// Write stores the block in a bounded ring and returns at once. A member
	// that cannot keep up overruns the ring, is marked Stalled, and joins
	// again on the current timeline by itself.
	Write(b *Block) error
	// Flush takes back all frames at or after from: they were never meant.
	// What lies before from still sounds on the old timeline.
	Flush(from Pos, t Timeline) error
	// Join adds a member; it begins to sound on the current timeline with
	// what is still to come. Joining a member that is present only sets its
	// gain.
	Join(ctx context.Context, m Member) error
	// Leave silences and removes a member. An unknown id is no error.
	Leave(id string) error
	// Gain sets a member's loudness.
	Gain(id string, g Gain) error
	// Lead is what the present members need between Write and sound.
	Lead() time.Duration
	// Status reports every member, in the order of joining.
	Status() []Status
	// Close ends all members within a second or two; it leaves no goroutine.
	Close() error
}

// State is what a member is doing, as far as the hub has evidence.
type State int

// The states of a member.
const (
	Joining State = iota // asked to play, not yet confirmed
	Ready                // connected, nothing to play at present
	Playing              // sounding on the timeline
	Stalled              // fell out of time; comes back by itself
	Absent               // cannot be reached or refused; Err says why
)

// String gives the state's name in lower case.
func (s State) String() string {
	names := [...]string{"joining", "ready", "playing", "stalled", "absent"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// Evidence says how a claim about a speaker is known.
type Evidence int

// Evidence, from the weakest to the strongest.
const (
	Believed Evidence = iota // from the protocol's promise alone
	Derived                  // computed from what the device or the system reported
	Measured                 // observed directly
)

// String gives the evidence's name in lower case.
func (e Evidence) String() string {
	names := [...]string{"believed", "derived", "measured"}
	if e < 0 || int(e) >= len(names) {
		return "unknown"
	}
	return names[e]
}

// Status is one member's report.
type Status struct {
	ID       string
	State    State
	Heard    Pos      // position sounding now, on the current run
	Evidence Evidence // how Heard is known
	BitExact bool     // the samples reach the speaker untouched
	Why      string   // why not bit-exact, or what the member waits for; empty if all is well
	Err      error    // last fault, nil if none
}
