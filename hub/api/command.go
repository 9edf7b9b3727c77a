package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"sonahub/hub/room"
)

const (
	maxBody = 256 << 10 // a whole queue of ids fits
	maxID   = 128       // bytes of the id of a room, group or track
)

// The bodies of the commands. A pointer is a field that must be there.
type (
	groupBody struct {
		Group string `json:"group,omitempty"` // "" = the main group
	}
	seekBody struct {
		Group string `json:"group,omitempty"`
		ToMs  *int64 `json:"to_ms"`
	}
	indexBody struct {
		Group string `json:"group,omitempty"`
		Index *int   `json:"index"`
	}
	enqueueBody struct {
		Group  string   `json:"group,omitempty"`
		Tracks []string `json:"tracks"`
		Next   bool     `json:"next,omitempty"`
		Now    bool     `json:"now,omitempty"`
	}
	volumeBody struct {
		Room    string `json:"room"`
		Percent *int   `json:"percent"`
	}
	muteBody struct {
		Room string `json:"room"`
		On   *bool  `json:"on"`
	}
	joinBody struct {
		Room  string `json:"room"` // "all" = every room
		Group string `json:"group,omitempty"`
	}
	leaveBody struct {
		Room string `json:"room"`
	}
)

// form is one command's name, an empty body of it, and how it is read.
type form struct {
	name string
	body any
	read func([]byte) (room.Command, error)
}

func forms() []form {
	return []form{
		of("play", func(b groupBody) (room.Command, error) { return room.Play(b), checkIDs(b.Group) }),
		of("pause", func(b groupBody) (room.Command, error) { return room.Pause(b), checkIDs(b.Group) }),
		of("next", func(b groupBody) (room.Command, error) { return room.Next(b), checkIDs(b.Group) }),
		of("previous", func(b groupBody) (room.Command, error) { return room.Previous(b), checkIDs(b.Group) }),
		of("seek", func(b seekBody) (room.Command, error) {
			if b.ToMs == nil {
				return nil, missing("to_ms")
			}
			to := min(max(0, *b.ToMs), time.Duration(1<<62).Milliseconds())
			return room.Seek{Group: b.Group, To: time.Duration(to) * time.Millisecond}, checkIDs(b.Group)
		}),
		of("select", func(b indexBody) (room.Command, error) {
			if b.Index == nil {
				return nil, missing("index")
			}
			return room.Select{Group: b.Group, Index: *b.Index}, checkIDs(b.Group)
		}),
		of("enqueue", func(b enqueueBody) (room.Command, error) {
			if len(b.Tracks) == 0 {
				return nil, missing("tracks")
			}
			if len(b.Tracks) > room.MaxQueue {
				return nil, &BodyError{Message: fmt.Sprintf("At most %d tracks at once.", room.MaxQueue)}
			}
			return room.Enqueue(b), checkIDs(append([]string{b.Group}, b.Tracks...)...)
		}),
		of("remove", func(b indexBody) (room.Command, error) {
			if b.Index == nil {
				return nil, missing("index")
			}
			return room.Remove{Group: b.Group, Index: *b.Index}, checkIDs(b.Group)
		}),
		of("clear", func(b groupBody) (room.Command, error) { return room.Clear(b), checkIDs(b.Group) }),
		of("undo", func(b groupBody) (room.Command, error) { return room.Undo(b), checkIDs(b.Group) }),
		of("volume", func(b volumeBody) (room.Command, error) {
			if b.Percent == nil {
				return nil, missing("percent")
			}
			return room.SetVolume{Room: b.Room, Percent: *b.Percent}, checkRoom(b.Room)
		}),
		of("mute", func(b muteBody) (room.Command, error) {
			if b.On == nil {
				return nil, missing("on")
			}
			return room.SetMute{Room: b.Room, On: *b.On}, checkRoom(b.Room)
		}),
		of("join", func(b joinBody) (room.Command, error) {
			if err := checkIDs(b.Group); err != nil {
				return nil, err
			}
			return room.Join(b), checkRoom(b.Room)
		}),
		of("leave", func(b leaveBody) (room.Command, error) { return room.Leave(b), checkRoom(b.Room) }),
	}
}

// of ties a body's type to the command it becomes.
func of[T any](name string, to func(T) (room.Command, error)) form {
	var zero T
	return form{name, zero, func(body []byte) (room.Command, error) {
		var b T
		if len(bytes.TrimSpace(body)) > 0 {
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(&b); err != nil {
				return nil, &BodyError{Message: "The body cannot be read: " + strings.TrimPrefix(err.Error(), "json: ") + "."}
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return nil, &BodyError{Message: "The body goes on behind its end."}
			}
		}
		c, err := to(b)
		if err != nil {
			return nil, err
		}
		return c, nil
	}}
}

// Commands lists the names below /api/command/, one per room.Command.
func Commands() []string {
	var names []string
	for _, f := range forms() {
		names = append(names, f.name)
	}
	return names
}

// Decode reads the JSON body of a command; an empty body is an empty object.
// The error is a *BodyError or says that there is no such command.
func Decode(name string, body []byte) (room.Command, error) {
	i := slices.IndexFunc(forms(), func(f form) bool { return f.name == name })
	if i < 0 {
		return nil, &room.NotFoundError{What: "command", ID: name}
	}
	return forms()[i].read(body)
}

// BodyError says what is wrong with a command's body.
type BodyError struct {
	Message string
	Large   bool // longer than is read
}

func (e *BodyError) Error() string { return e.Message }

func missing(field string) error {
	return &BodyError{Message: fmt.Sprintf("The field %q is missing.", field)}
}

func checkRoom(id string) error {
	if id == "" {
		return missing("room")
	}
	return checkIDs(id)
}

func checkIDs(ids ...string) error {
	for _, id := range ids {
		if len(id) > maxID {
			return &BodyError{Message: fmt.Sprintf("An id has at most %d bytes.", maxID)}
		}
	}
	return nil
}

// readBounded reads a body of at most maxBody bytes within the timeout.
func (h *Handler) readBounded(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.Timeout)) // a writer without deadlines is a test's
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &BodyError{Message: fmt.Sprintf("The body is longer than %d bytes.", maxBody), Large: true}
	case err != nil:
		return nil, &BodyError{Message: "The body did not arrive whole."}
	}
	_ = control.SetReadDeadline(time.Time{}) // not before: the server still waits for what is missing
	return body, nil
}
