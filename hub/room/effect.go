package room

import "time"

// Effect is something the world must do after a command; the caller carries
// effects out in their order.
type Effect interface{ isEffect() }

type (
	// Load plays (or, when Hold, only prepares) the queue's current track
	// from a place in it, on the rooms of the group. What played before ends
	// at once.
	Load struct {
		Group string
		From  time.Duration
		Hold  bool
	}
	// Resume goes on where Halt stopped.
	Resume struct{ Group string }
	// Halt stops the sound and the buying at once and keeps the place.
	Halt struct{ Group string }
	// Requeue says that what follows the current track has changed.
	Requeue struct{ Group string }
	// Attach adds a room's speaker to the group's sound.
	Attach struct{ Room, Group string }
	// Detach takes a room's speaker out of the group's sound.
	Detach struct{ Room, Group string }
	// Loudness sets a room's volume; 0 percent or Muted is silence.
	Loudness struct {
		Room    string
		Percent int
		Muted   bool
	}
)

func (Load) isEffect()     {}
func (Resume) isEffect()   {}
func (Halt) isEffect()     {}
func (Requeue) isEffect()  {}
func (Attach) isEffect()   {}
func (Detach) isEffect()   {}
func (Loudness) isEffect() {}

// FirstVolume is how loud a room starts that was never played before: a guest
// does not shout.
const FirstVolume = 25

// MaxQueue bounds a queue, whoever adds to it.
const MaxQueue = 2000
