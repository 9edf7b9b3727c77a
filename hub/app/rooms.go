package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sonahub/airplay"
	"sonahub/hub/audio"
	"sonahub/hub/discover"
	"sonahub/hub/jack"
	"sonahub/hub/room"
	"sonahub/hub/virtual"
)

// Kinds of speakers.
const (
	kindJack    = "jack"
	kindVirtual = "virtual"
	kindAirPlay = "airplay"
)

// decibels is what one percent of volume is worth: a hundred percent is unity,
// and the range is the 30 dB that AirPlay speakers understand, so that equal
// volumes sound alike on all kinds.
const decibels = 0.3

func gainOf(percent int, muted bool) audio.Gain {
	if muted || percent <= 0 {
		return audio.Mute()
	}
	return audio.Gain(float64(percent-100) * decibels)
}

// speakers are the outputs of the main group: one of each kind.
type speakers struct {
	jack    *jack.Output
	virtual *virtual.Output
	airplay *airplay.Output
	known   *airplay.Registry
}

func (h *Hub) openSpeakers(rec func(id string, p virtual.Played)) {
	dir := ""
	if h.cfg.Record {
		dir = filepath.Join(h.cfg.State, "heard")
	}
	h.speakers.known = &airplay.Registry{}
	h.speakers.airplay = &airplay.Output{Directory: h.speakers.known, Log: h.log, Name: h.cfg.Name}
	h.speakers.virtual = virtual.New(virtual.Options{Dir: dir, Capture: rec, Log: h.log})
	if h.cfg.Jack {
		h.speakers.jack = jack.New(jack.Options{ID: kindJack, Log: h.log})
	}
}

// outputs lists what there is to close and to ask.
func (s *speakers) outputs() []audio.Output {
	out := []audio.Output{s.airplay, s.virtual}
	if s.jack != nil {
		out = append(out, s.jack)
	}
	return out
}

// of returns the output of a room by its kind, or nil.
func (s *speakers) of(kind string) audio.Output {
	switch {
	case kind == kindJack && s.jack != nil:
		return s.jack
	case kind == kindVirtual:
		return s.virtual
	case kind == kindAirPlay:
		return s.airplay
	}
	return nil
}

// appear shows a room. What it was set to before is restored; a room never
// seen before starts softly, and gets the music only if the owner said so.
func (h *Hub) appear(ctx context.Context, id, name string, s room.Speaker) {
	if name = presentable(name, maxName); name == "" {
		name = id
	}
	if _, known := h.house.State().Room(id); known {
		h.house.note(room.Found{Room: room.Room{ID: id, Name: name, Speaker: s}})
		return
	}
	r, seen, err := h.store.Room(ctx, id)
	if err != nil {
		h.log.Warn("room: not restored", "room", id, "err", err)
	}
	group := r.Group
	if !seen {
		r = room.Room{Volume: room.FirstVolume}
		if h.cfg.all || h.cfg.room[strings.ToLower(name)] || h.cfg.room[id] || len(h.cfg.room) == 0 && (id == kindJack || id == virtualID(1)) {
			group = mainGroup
		}
	}
	h.house.note(room.Found{Room: room.Room{ID: id, Name: name, Volume: r.Volume, Muted: r.Muted, Speaker: s}})
	if group == mainGroup {
		if err := h.house.Do(ctx, room.Join{Room: id}); err != nil {
			h.log.Warn("room: not joined", "room", id, "err", err)
		}
	}
}

func virtualID(n int) string { return fmt.Sprintf("virtual-%d", n) }

// addVirtual makes n virtual rooms.
func (h *Hub) addVirtual(ctx context.Context, n int) {
	names := []string{"Kitchen", "Living room", "Study", "Bedroom"}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("Room %d", i)
		if i <= len(names) {
			name = names[i-1]
		}
		h.appear(ctx, virtualID(i), name+" (virtual)", room.Speaker{Kind: kindVirtual, State: "idle", Evidence: audio.Measured.String(), BitExact: true})
	}
}

// found takes in what discovery says of a speaker.
func (h *Hub) found(ctx context.Context, e discover.Event) {
	if e.Record.Service != raop {
		return
	}
	s, err := h.speakerOf(e.Record)
	if err != nil {
		h.log.Debug("discovery: not a speaker", "instance", e.Record.Instance, "err", err)
		return
	}
	id := "airplay-" + tidy(s.ID)
	s.ID = id
	speaker := room.Speaker{Kind: kindAirPlay, State: "idle", Evidence: audio.Believed.String()}
	if len(s.Addrs) > 0 {
		speaker.Address = s.Addrs[0].String()
	}
	if e.Change == discover.Gone {
		speaker.State, speaker.Why = audio.Absent.String(), "it left the network"
	} else {
		h.speakers.known.Put(s)
	}
	h.appear(ctx, id, s.Name, speaker)
}

const raop = "_raop._tcp"

func (h *Hub) speakerOf(r discover.Record) (airplay.Speaker, error) {
	if !r.Manual {
		return airplay.SpeakerOf(r.Instance, r.Addrs, r.Port, r.TXT)
	}
	s := airplay.Speaker{ID: r.Instance, Name: r.Instance}
	for _, m := range h.cfg.speakers {
		if m.address == r.Instance {
			s.Name = m.name
		}
	}
	for _, a := range r.Addrs {
		s.Addrs = append(s.Addrs, netip.AddrPortFrom(a, uint16(r.Port)))
	}
	return s, nil
}

// tidy makes an id of letters, digits and dashes out of what a stranger sent.
func tidy(id string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, id)
	if len(out) > 40 || strings.Trim(out, "-") == "" {
		sum := sha256.Sum256([]byte(id))
		out = hex.EncodeToString(sum[:8])
	}
	return out
}

// How long a stranger's words may be, in characters.
const (
	maxName = 60
	maxWhy  = 300
)

// presentable makes a stranger's words fit for terminals and lists: no control
// or formatting characters, one line, of bounded length.
func presentable(text string, length int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > length {
		text = string(r[:length-1]) + "…"
	}
	return text
}

// discovery looks for speakers and, when there is nothing at all, makes
// virtual rooms after the first look.
func (h *Hub) discovery(ctx context.Context) error {
	b := &discover.Browser{Services: []string{raop}, Off: !h.cfg.Discover, Log: h.log,
		Notify: func(e discover.Event) { h.found(ctx, e) }}
	for _, m := range h.cfg.speakers {
		b.Manual = append(b.Manual, discover.Manual{Service: raop, Address: m.address})
	}
	return b.Run(ctx)
}

// firstLook is how long a new hub waits for real speakers before it makes
// virtual ones.
const firstLook = 4 * time.Second

// fallBack makes two virtual rooms if nothing else can sound: no speaker was
// found in the first look, and there is no sound card.
func (h *Hub) fallBack(ctx context.Context) {
	if h.cfg.Discover && !wait(ctx.Done(), firstLook) {
		return
	}
	for h.speakers.jack != nil {
		r, _ := h.house.State().Room(kindJack)
		if r.Speaker.State == audio.Absent.String() {
			break
		}
		if r.Speaker.State == audio.Playing.String() || r.Speaker.State == audio.Ready.String() || !wait(ctx.Done(), listenEvery) {
			return
		}
	}
	for _, r := range h.house.State().Rooms {
		if r.Speaker.Kind != kindJack {
			return
		}
	}
	h.addVirtual(ctx, 2)
}

// listen shows what the speakers say of themselves.
func (h *Hub) listen(context.Context) error {
	house := h.house.State()
	for kind, out := range map[string]audio.Output{kindJack: h.speakers.of(kindJack), kindVirtual: h.speakers.virtual, kindAirPlay: h.speakers.airplay} {
		if out == nil {
			continue
		}
		said := map[string]audio.Status{}
		for _, s := range out.Status() {
			said[s.ID] = s
		}
		for _, r := range house.Rooms {
			if r.Speaker.Kind != kind {
				continue
			}
			s, member := said[r.ID]
			h.show(r, s, member)
		}
	}
	return nil
}

func (h *Hub) show(r room.Room, s audio.Status, member bool) {
	next := r.Speaker
	switch {
	case member:
		next.State, next.Evidence, next.BitExact, next.Why = s.State.String(), s.Evidence.String(), s.BitExact, s.Why
		if s.Err != nil && next.Why == "" {
			next.Why = s.Err.Error()
		}
		next.Why = presentable(next.Why, maxWhy)
	case next.Kind != kindAirPlay || next.State != audio.Absent.String():
		next.State, next.Why = "idle", ""
	}
	if next != r.Speaker {
		r.Speaker = next
		h.house.note(room.Found{Room: r})
	}
}
