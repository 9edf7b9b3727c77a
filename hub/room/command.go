package room

import "time"

// Command is something a person, a phone, Siri or a speaker's own buttons may
// ask for. An empty Group means the main group.
type Command interface{ isCommand() }

type (
	// Play starts or resumes.
	Play struct{ Group string }
	// Pause stops the sound at once and keeps the place.
	Pause struct{ Group string }
	// Next goes to the next track; after the last one the group stops.
	Next struct{ Group string }
	// Previous goes to the start of the track, or, within its first 3 s, to
	// the track before it.
	Previous struct{ Group string }
	// Seek goes to a place in the current track; it is clamped to the track.
	Seek struct {
		Group string
		To    time.Duration
	}
	// Select plays the queue's item at Index.
	Select struct {
		Group string
		Index int
	}
	// Enqueue adds tracks of the library, at the end or next; Now plays the
	// first of them at once.
	Enqueue struct {
		Group  string
		Tracks []string // ids
		Next   bool
		Now    bool
	}
	// Remove takes the item at Index out of the queue.
	Remove struct {
		Group string
		Index int
	}
	// Clear empties the queue but for the current track.
	Clear struct{ Group string }
	// Undo brings back the queue as it was before the last Remove or Clear.
	Undo struct{ Group string }
	// SetVolume sets a room's volume in percent.
	SetVolume struct {
		Room    string
		Percent int
	}
	// SetMute silences a room or gives its sound back at the old volume.
	SetMute struct {
		Room string
		On   bool
	}
	// Join takes the music of a group to a room ("all" = every room).
	Join struct{ Room, Group string }
	// Leave takes the music away from a room.
	Leave struct{ Room string }
)

func (Play) isCommand()      {}
func (Pause) isCommand()     {}
func (Next) isCommand()      {}
func (Previous) isCommand()  {}
func (Seek) isCommand()      {}
func (Select) isCommand()    {}
func (Enqueue) isCommand()   {}
func (Remove) isCommand()    {}
func (Clear) isCommand()     {}
func (Undo) isCommand()      {}
func (SetVolume) isCommand() {}
func (SetMute) isCommand()   {}
func (Join) isCommand()      {}
func (Leave) isCommand()     {}
