// Package part holds the parts of the page as templates, and the view of the
// house that they are drawn from.
//
// A part shows what the House says and nothing else. It is drawn on the hub,
// whole, in the reader's language, for a reader who may act or may only look;
// the same template serves the first page, the page without scripts, and the
// live updates. Names and tags are strangers' text: they are escaped by templ,
// freed of control characters, cut to a length, and isolated in their
// direction of writing.
package part

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sonahub/hub/room"
	"sonahub/ui/i18n"
	"sonahub/wallet"
)

const (
	maxText   = 200 // characters of a stranger's text that are shown
	shelf     = 100 // pieces of the library on one page
	queueSeen = 100 // items of the queue that are shown, from the current one on
	step      = 5   // percent that + and - move a volume
)

// View is what one reader sees of the house at one moment.
type View struct {
	i18n.Language
	Owner bool // may act
	House room.House
	Money *wallet.Spending // nil when it cannot be read
	Now   time.Time        // when the view was taken
	From  int              // first piece of the library that is shown
	Said  string           // what went wrong with the last request; "" if nothing did
	Code  string           // one-time code that came with the link; "" if none did
	Wrong string           // why the last code was refused
	Build string           // of the static files
}

// group is the main group, which the page steers.
func (v View) group() room.Group {
	g, _ := v.House.Group("")
	return g
}

// playing is the id of the current piece, "" if there is none.
func (v View) playing() string {
	t, _ := v.group().Track()
	return t.ID
}

// wants says that the group plays or tries to, so that the button is "pause".
func (v View) wants() bool {
	t := v.group().Transport
	return t == room.Playing || t == room.Waiting
}

// transport says in words what the group does.
func (v View) transport() string {
	g := v.group()
	switch {
	case g.Transport == room.Playing:
		return v.T("now.playing")
	case g.Transport == room.Paused:
		return v.T("now.paused")
	case g.Transport == room.Waiting && g.Why == "":
		return v.T("now.starting")
	case g.Transport == room.Waiting:
		return v.T("now.waiting")
	}
	return v.T("now.stopped")
}

// speaker says in words what the room's speaker said of itself.
func (v View) speaker(s room.Speaker) string {
	switch s.State {
	case "joining":
		return v.T("speaker.joining")
	case "ready":
		return v.T("speaker.ready")
	case "playing":
		return v.T("speaker.playing")
	case "stalled":
		return v.T("speaker.stalled")
	case "absent":
		return v.T("speaker.absent")
	case "idle":
		return v.T("speaker.idle")
	}
	return v.T("speaker.unknown")
}

// evidence says how the speaker's state is known.
func (v View) evidence(s room.Speaker) string {
	switch s.Evidence {
	case "measured":
		return v.T("speaker.measured")
	case "derived":
		return v.T("speaker.derived")
	case "believed":
		return v.T("speaker.believed")
	}
	return ""
}

// look is the class by which a room's card is drawn.
func look(r room.Room) string {
	switch {
	case r.Silent != "" || r.Speaker.State == "stalled" || r.Speaker.State == "absent":
		return "room trouble"
	case r.Group != "":
		return "room on"
	}
	return "room"
}

// remark is the class of a speaker's sentence: a warning when it does not
// work, a note when it does (why it is not bit for bit).
func remark(s room.Speaker) string {
	if s.State == "playing" || s.State == "ready" || s.State == "idle" {
		return "note"
	}
	return "why"
}

// position is how far the piece is, in milliseconds.
func (v View) position() int64 { return v.group().PositionAt(v.Now).Milliseconds() }

// running says whether the position moves by itself.
func (v View) running() string {
	return strconv.FormatBool(v.group().Transport == room.Playing && !v.group().At.IsZero())
}

// place says a position for people: "1:05 of 3:20".
func (v View) place() string {
	t, _ := v.group().Track()
	return v.T("now.place", clock(time.Duration(v.position())*time.Millisecond), clock(t.Length))
}

// perHour is the price of an hour of a piece, exact.
func perHour(t room.Track) string { return wallet.Msat(t.MsatPerS * 3600).String() }

// hourly is what an hour of what plays now costs.
func (v View) hourly() string {
	var sum int64
	playing := false
	for _, g := range v.House.Groups {
		if t, ok := g.Track(); ok && g.Transport == room.Playing {
			sum += t.MsatPerS * 3600
			playing = true
		}
	}
	if !playing {
		return v.T("money.free")
	}
	return wallet.Msat(sum).String()
}

// spent says what a room heard for today.
func (v View) spent(id string) string {
	if v.Money == nil || v.Money.RoomSpent[id] == 0 {
		return ""
	}
	if v.Money.RoomCap > 0 {
		return v.T("rooms.spentCap", v.Money.RoomSpent[id].String(), v.Money.RoomCap.String())
	}
	return v.T("rooms.spent", v.Money.RoomSpent[id].String())
}

// everywhere says that no room is left to join.
func (v View) everywhere() bool {
	for _, r := range v.House.Rooms {
		if r.Group == "" {
			return false
		}
	}
	return true
}

// item is one row of the queue with its place in it.
type item struct {
	room.Track
	index   int
	current bool
}

// queue returns the rows that are shown and how many lie before and behind.
func (v View) queue() (rows []item, before, behind int) {
	q := v.group().Queue
	before = max(0, min(q.Current-1, len(q.Items)-queueSeen))
	end := min(len(q.Items), before+queueSeen)
	for i := before; i < end; i++ {
		rows = append(rows, item{q.Items[i], i, i == q.Current})
	}
	return rows, before, len(q.Items) - end
}

// album is a run of pieces of the library that belong together.
type album struct {
	name, artist string
	tracks       []room.Track
}

// albums returns the shelf that starts at View.From.
func (v View) albums() []album {
	from, to := v.shelf()
	var out []album
	for _, t := range v.House.Library[from:to] {
		if n := len(out); n > 0 && out[n-1].name == t.Album {
			out[n-1].tracks = append(out[n-1].tracks, t)
			if out[n-1].artist != t.Artist {
				out[n-1].artist = ""
			}
			continue
		}
		out = append(out, album{t.Album, t.Artist, []room.Track{t}})
	}
	return out
}

func (v View) shelf() (from, to int) {
	from = max(0, min(v.From, len(v.House.Library)-1))
	from -= from % shelf
	return from, min(len(v.House.Library), from+shelf)
}

// earlier and later are the addresses of the neighbouring shelves.
func (v View) earlier() string {
	from, _ := v.shelf()
	if from == 0 {
		return ""
	}
	return fmt.Sprintf("/?from=%d#library", from-shelf)
}

func (v View) later() string {
	_, to := v.shelf()
	if to >= len(v.House.Library) {
		return ""
	}
	return fmt.Sprintf("/?from=%d#library", to)
}

// softer and louder are where the buttons take a volume.
func softer(r room.Room) string { return strconv.Itoa(max(0, r.Volume-step)) }
func louder(r room.Room) string { return strconv.Itoa(min(100, r.Volume+step)) }

// cover is the address of a piece's cover; the API serves it.
func cover(t room.Track) string { return "/api/art/" + t.Art }

// subtitle joins artist and album.
func (v View) subtitle(t room.Track) string {
	switch {
	case t.Artist != "" && t.Album != "":
		return v.T("now.by", plain(t.Artist), plain(t.Album))
	case t.Artist != "":
		return plain(t.Artist)
	}
	return plain(t.Album)
}

// name is a piece's title, or its id when it has none.
func name(t room.Track) string {
	if s := plain(t.Title); s != "" {
		return s
	}
	return t.ID
}

// Title is the house's name, or the product's.
func (v View) Title() string {
	if s := plain(v.House.Name); s != "" {
		return s
	}
	return v.T("app.brand")
}

// clock writes a duration as m:ss or h:mm:ss.
func clock(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// plain makes a stranger's text fit to be shown: no control or direction
// characters, at most maxText characters.
func plain(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == maxText {
			b.WriteRune('…')
			break
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == unicode.ReplacementChar {
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
