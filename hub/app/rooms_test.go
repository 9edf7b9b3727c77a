package app

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"sonahub/airplay"
	"sonahub/hub/audio"
	"sonahub/hub/discover"
	"sonahub/hub/room"
	"sonahub/hub/store"
)

// shell is a hub that knows rooms and keeps them, and has no sound.
func shell(t *testing.T, path string, c Config) *Hub {
	t.Helper()
	c.Origin, c.State = someOrigin, filepath.Dir(path)
	checked, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	h := &Hub{cfg: checked, store: s, log: NewLogger(t.Output(), nil), saved: saved{rooms: map[string]room.Room{}}}
	h.speakers.known = &airplay.Registry{}
	h.house = newHouse(room.House{Groups: []room.Group{{ID: mainGroup}}, Version: 1}, func(room.Effect) {})
	return h
}

func virtualSpeaker() room.Speaker { return room.Speaker{Kind: kindVirtual, State: "idle"} }

// TestFirstMeeting says which rooms get the music when they are first seen,
// and that none starts louder than softly. To see it fail: let appear join
// every room, or start at 100.
func TestFirstMeeting(t *testing.T) {
	for name, c := range map[string]struct {
		rooms []string
		want  string // ids that play
	}{
		"nobody said anything": {nil, "jack virtual-1"},
		"by name":              {[]string{"den"}, "airplay-1"},
		"by id":                {[]string{"virtual-2"}, "virtual-2"},
		"all":                  {[]string{"all"}, "airplay-1 jack virtual-1 virtual-2"},
		"one that is not here": {[]string{"attic"}, ""},
	} {
		h := shell(t, filepath.Join(t.TempDir(), "house.db"), Config{Rooms: c.rooms})
		for id, name := range map[string]string{"jack": "This machine", "airplay-1": "Den", "virtual-1": "Kitchen", "virtual-2": "Study"} {
			h.appear(t.Context(), id, name, virtualSpeaker())
		}
		for _, r := range h.State().Rooms {
			if r.Volume != 25 || r.Muted {
				t.Errorf("%s: %s starts at %d %%", name, r.ID, r.Volume)
			}
			if want := strings.Contains(c.want+" ", r.ID+" "); want != (r.Group == mainGroup) {
				t.Errorf("%s: %s plays: %v, want %v", name, r.ID, !want, want)
			}
		}
	}
}

// TestMeetingAgain wants a known room as it was left, whatever the settings
// say of new ones.
func TestMeetingAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house.db")
	h := shell(t, path, Config{Rooms: []string{"all"}})
	ctx := context.WithoutCancel(t.Context())
	h.appear(ctx, "left", "Left", virtualSpeaker())
	h.appear(ctx, "kept", "Kept", virtualSpeaker())
	for _, c := range []room.Command{room.Leave{Room: "left"}, room.SetVolume{Room: "kept", Percent: 63}, room.SetMute{Room: "kept", On: true}} {
		if err := h.Do(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.saveNow(ctx, false); err != nil {
		t.Fatal(err)
	}
	_ = h.store.Close()
	h = shell(t, path, Config{Rooms: []string{"left"}})
	h.appear(ctx, "left", "Left", virtualSpeaker())
	h.appear(ctx, "kept", "Kept", virtualSpeaker())
	left, _ := h.State().Room("left")
	kept, _ := h.State().Room("kept")
	if left.Group != "" {
		t.Error("a room that was taken out came back by itself")
	}
	if kept.Group != mainGroup || kept.Volume != 63 || !kept.Muted {
		t.Errorf("a room came back otherwise: %+v", kept)
	}
	h.appear(ctx, "kept", "New name", room.Speaker{Kind: kindVirtual, State: "absent"})
	if kept, _ = h.State().Room("kept"); kept.Name != "New name" || kept.Volume != 63 || kept.Speaker.State != "absent" {
		t.Errorf("news of a known room: %+v", kept)
	}
}

// TestHostileNames feeds names from the network. Ids stay ids, names stay one
// line without anything that a terminal obeys.
func TestHostileNames(t *testing.T) {
	for in, want := range map[string]string{
		"AA:bb:01": "aa-bb-01", "10.0.0.5:5000": "10-0-0-5-5000", "../../etc": "------etc",
	} {
		if got := tidy(in); got != want {
			t.Errorf("tidy(%q) = %q, want %q", in, got, want)
		}
	}
	seen := map[string]bool{}
	for _, in := range []string{"", "::::", "\x00", "é", strings.Repeat("a", 41), strings.Repeat("a", 42), strings.Repeat("x\u202e", 5000)} {
		got := tidy(in)
		if len(got) == 0 || len(got) > 40 || strings.Trim(got, "-") == "" || seen[got] ||
			strings.ContainsFunc(got, func(r rune) bool {
				return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
			}) {
			t.Errorf("tidy(%.20q) = %q", in, got)
		}
		seen[got] = true
	}
	for in, want := range map[string]string{
		"Kitchen": "Kitchen", "  K\u00fcche \t 2\r\n": "K\u00fcche 2", "\x1b]0;owned\x07\x1b[2J": "]0;owned[2J", "a\u202eb\u200b": "ab",
		"\xff\xfe": "", strings.Repeat("\u00e4", 99): strings.Repeat("\u00e4", 59) + "\u2026",
	} {
		if got := presentable(in, maxName); got != want {
			t.Errorf("presentable(%.20q) = %q, want %q", in, got, want)
		}
	}
	h := shell(t, filepath.Join(t.TempDir(), "house.db"), Config{})
	h.appear(t.Context(), "x", "\x1b\x07", virtualSpeaker())
	if r, _ := h.State().Room("x"); r.Name != "x" {
		t.Errorf("a room without a name is called %q", r.Name)
	}
	h.show(room.Room{ID: "x", Name: "x", Speaker: virtualSpeaker()}, audio.Status{State: audio.Stalled, Why: "\x1b[2Jno\nanswer"}, true)
	if r, _ := h.State().Room("x"); r.Speaker.Why != "[2Jno answer" || r.Speaker.State != "stalled" {
		t.Errorf("the speaker says %q", r.Speaker.Why)
	}
}

// TestSpeakersByAddress takes in what discovery says of a speaker that the
// owner gave, of one it found, and of one that leaves.
func TestSpeakersByAddress(t *testing.T) {
	h := shell(t, filepath.Join(t.TempDir(), "house.db"), Config{Speakers: []string{"Den=10.0.0.5:5000"}})
	addr := []netip.Addr{netip.MustParseAddr("10.0.0.5")}
	found := func(change discover.Change, r discover.Record) {
		r.Service, r.Addrs, r.Port = raop, addr, 5000
		h.found(t.Context(), discover.Event{Change: change, Record: r})
	}
	found(discover.Added, discover.Record{Instance: "10.0.0.5:5000", Manual: true})
	found(discover.Added, discover.Record{Instance: "A1B2C3D4E5F6@Bath"})
	found(discover.Added, discover.Record{Instance: "no speaker at all"})
	h.found(t.Context(), discover.Event{Record: discover.Record{Service: "_http._tcp", Instance: "A1B2C3D4E5F7@Printer"}})
	found(discover.Gone, discover.Record{Instance: "A1B2C3D4E5F6@Bath"})
	if n := len(h.State().Rooms); n != 2 {
		t.Errorf("%d rooms: %+v", n, h.State().Rooms)
	}
	den, _ := h.State().Room("airplay-10-0-0-5-5000")
	if den.Name != "Den" || den.Speaker.Address != "10.0.0.5:5000" || den.Group != "" {
		t.Errorf("the owner's speaker: %+v", den)
	}
	bath, _ := h.State().Room("airplay-a1b2c3d4e5f6")
	if bath.Name != "Bath" || bath.Speaker.State != audio.Absent.String() || bath.Speaker.Why == "" {
		t.Errorf("the speaker that left: %+v", bath)
	}
}
