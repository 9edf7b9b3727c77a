// Package room holds the words of the house: rooms, groups, queues, commands
// and the pure state machine over them.
//
// It is a leaf and does no I/O: House.Apply takes a command and returns the
// next house and the effects that the world must carry out. Whatever is shown
// to people is a House value; whatever people may do is a Command.
package room

import "time"

// Transport is what a group is doing.
type Transport string

// The states of a group.
const (
	Stopped Transport = "stopped" // nothing loaded or the queue came to its end
	Playing Transport = "playing"
	Paused  Transport = "paused"
	Waiting Transport = "waiting" // wants to play and cannot: Group.Why says why
)

// Speaker is what a room's speaker said of itself, never what was hoped.
type Speaker struct {
	Kind     string // "jack", "airplay", "virtual"
	State    string // "joining", "ready", "playing", "stalled", "absent", or "idle" when in no group
	Evidence string // how the state is known: "measured", "derived", "believed"
	BitExact bool   // the samples reach the speaker untouched
	Why      string // one sentence when something is not as it should be
	Address  string // where it is, for the owner's eyes; may be empty
}

// Room is one place in the house with its speaker.
type Room struct {
	ID      string // stable, letters digits and dashes
	Name    string // as people call it; untrusted text
	Volume  int    // 0..100
	Muted   bool
	Group   string // id of the group it plays with; "" when idle
	Silent  string // why it was taken out of its group (a cap, a fault); "" if it was not
	Speaker Speaker
}

// Track is one piece of the catalogue.
type Track struct {
	ID           string // broadcast id
	Title        string
	Artist       string
	Album        string
	Index        int           // place on the album, 0 if unknown
	Art          string        // hash of the cover, "" if none
	Length       time.Duration // 0 if unknown, or if there is no end
	Live         bool          // it never ends, and is joined where it is
	MsatPerS     int64         // price of the lossless tier
	Quality      string        // e.g. "FLAC 24 bit 48 kHz"
	BroughtDown  bool          // the source had a higher rate or depth
	CreatorKeyID string
}

// Queue is the list that a group plays through.
type Queue struct {
	Items   []Track
	Current int // index of the track that plays or is to play next; 0 in an empty queue
}

// Group is one or more rooms that play the same thing in time.
type Group struct {
	ID        string
	Queue     Queue
	Transport Transport
	Position  time.Duration // in the current track, as heard at At
	At        time.Time     // when Position was true
	Asked     time.Time     // when the last command went to the player: older news of it are overtaken
	Why       string        // why it waits, or the last fault, in plain words
	Rung      string        // rendition that is heard, e.g. "FLAC lossless", "Opus 160 kbit/s"
	Left      *Queue        // what the queue was before it was last cleared or cut: for undo
}

// Track returns the current track and whether there is one.
func (g Group) Track() (Track, bool) {
	if g.Queue.Current < 0 || g.Queue.Current >= len(g.Queue.Items) {
		return Track{}, false
	}
	return g.Queue.Items[g.Queue.Current], true
}

// House is everything there is to see. It is a value: Apply returns a new
// one, and nobody changes a House that was handed on.
type House struct {
	Name    string
	Rooms   []Room  // by name
	Groups  []Group // the first is the house's main group and always there
	Library []Track // what the platform offers, in its order
	Version uint64  // rises with every change
	Notice  string  // one sentence for everybody, e.g. that the platform cannot be reached
	Loading string  // progress of the platform's ingest, "" when done
}

// Room returns the room of that id.
func (h House) Room(id string) (Room, bool) {
	for _, r := range h.Rooms {
		if r.ID == id {
			return r, true
		}
	}
	return Room{}, false
}

// Group returns the group of that id; "" means the main group.
func (h House) Group(id string) (Group, bool) {
	for i, g := range h.Groups {
		if g.ID == id || (id == "" && i == 0) {
			return g, true
		}
	}
	return Group{}, false
}

// Members returns the rooms of a group, by name.
func (h House) Members(group string) []Room {
	var out []Room
	for _, r := range h.Rooms {
		if r.Group == group {
			out = append(out, r)
		}
	}
	return out
}
