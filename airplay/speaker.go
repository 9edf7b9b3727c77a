package airplay

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Speaker is one AirPlay receiver, as discovery or its owner described it.
type Speaker struct {
	ID    string            // stable and unique
	Name  string            // what people call it
	Addrs []netip.AddrPort  // where RTSP listens, tried in this order
	TXT   map[string]string // of its _raop._tcp record; nil = unknown: it is tried as a plain receiver
}

// ErrSpeaker is wrapped by every refusal of a speaker's description.
var ErrSpeaker = errors.New("airplay: unusable speaker")

// maxName bounds a speaker's name, in bytes.
const maxName = 63

// SpeakerOf understands a record of _raop._tcp, whose instance is
// "<MAC>@<name>". The MAC, in lower case, becomes the ID. The text comes from
// the network: control characters are dropped and the name is bounded.
func SpeakerOf(instance string, addrs []netip.Addr, port int, txt map[string]string) (Speaker, error) {
	mac, name, ok := strings.Cut(instance, "@")
	mac = strings.ToLower(mac)
	if !ok || len(mac) != 12 || strings.Trim(mac, "0123456789abcdef") != "" {
		return Speaker{}, fmt.Errorf("%w: instance %.80q", ErrSpeaker, instance)
	}
	if port < 1 || port > 65535 || len(addrs) == 0 {
		return Speaker{}, fmt.Errorf("%w: %q has no address", ErrSpeaker, mac)
	}
	s := Speaker{ID: mac, Name: clean(name), TXT: maps.Clone(txt)}
	if s.Name == "" {
		s.Name = mac
	}
	for _, a := range addrs {
		s.Addrs = append(s.Addrs, netip.AddrPortFrom(a, uint16(port)))
	}
	return s, nil
}

func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.TrimSpace(name)
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

// has says whether the comma-separated list under key names value. A record
// without the key gives def.
func (s Speaker) has(key, value string, def bool) bool {
	list, ok := s.TXT[key]
	if !ok {
		return def
	}
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) == value {
			return true
		}
	}
	return false
}

// usable says in a sentence why AirPlay 1 cannot play there, if it cannot.
func (s Speaker) usable() error {
	switch {
	case len(s.Addrs) == 0:
		return fmt.Errorf("%w: no address is known", ErrSpeaker)
	case s.TXT["pw"] == "true":
		return fmt.Errorf("%w: it asks for a password, which the hub cannot give yet", ErrSpeaker)
	case !s.has("cn", "1", true):
		return fmt.Errorf("%w: it does not take Apple Lossless", ErrSpeaker)
	case !s.has("et", "0", true) && !s.authSetup():
		return fmt.Errorf("%w: it takes encrypted sound only, which the hub cannot send by AirPlay 1", ErrSpeaker)
	}
	return nil
}

// authSetup says whether the speaker wants an auth-setup before anything else.
func (s Speaker) authSetup() bool { return s.has("et", "4", false) }

// Directory tells where a member lives. It is asked at every connection, so
// that a speaker may move.
type Directory interface {
	Speaker(id string) (Speaker, bool)
}

// Registry is a Directory to put speakers into. The zero value is empty and
// ready; it is safe for concurrent use and serves any number of outputs.
type Registry struct {
	mu       sync.Mutex
	speakers map[string]Speaker
}

// Put adds a speaker or replaces what was known of it.
func (r *Registry) Put(s Speaker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.speakers == nil {
		r.speakers = map[string]Speaker{}
	}
	r.speakers[s.ID] = s
}

// Remove forgets a speaker. Who plays goes on playing.
func (r *Registry) Remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.speakers, id)
}

// Speaker returns the speaker of that id.
func (r *Registry) Speaker(id string) (Speaker, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.speakers[id]
	return s, ok
}

// All returns every speaker, by id.
func (r *Registry) All() []Speaker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.speakers), func(a, b Speaker) int { return strings.Compare(a.ID, b.ID) })
}
