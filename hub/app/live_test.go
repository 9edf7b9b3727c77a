package app_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/origin"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
	"sonahub/hub/virtual"
	"sonahub/sne/resource"
	"sonahub/sne/wire"
)

// TestStation plays a station through the whole hub: it is in the library and
// not in the queue that fills itself, is joined late, has no places, and goes
// on over a restart of the platform. What sounds is the broadcast bit for bit,
// as far as it was not waited for.
func TestStation(t *testing.T) {
	t.Parallel()
	pieces := []piece{{cd, 5.3}, {cd, 4.2}}
	music := t.TempDir()
	var playlist []int32
	for i, p := range pieces {
		origintest.Music(t, music, p.track(i))
		playlist = append(playlist, p.pcm(i)...)
	}
	c := origin.Config{State: t.TempDir(), Music: music, NoOpus: true, Logger: logger(t), Stations: []live.Plan{{Name: "Radio", EpochMs: 1000}}}
	h := &home{t: t, rec: &virtual.Recorder{}, platform: origintest.Start(t, c)}
	h.config = app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: h.platform.URL(), Listen: "127.0.0.1:0",
		Virtual: 1, Rooms: []string{"all"}, Welcome: true,
	}
	h.open()
	var radio room.Track
	s := h.until(20*time.Second, "the station in the library", func(s room.House) bool {
		i := slices.IndexFunc(s.Library, func(t room.Track) bool { return t.Live })
		if i >= 0 {
			radio = s.Library[i]
		}
		return i >= 0 && len(s.Library) == 3
	})
	if radio.Title != "Radio" || radio.Length != 0 || radio.MsatPerS == 0 {
		t.Errorf("the station is shown as %+v", radio)
	}
	if slices.ContainsFunc(s.Groups[0].Queue.Items, func(t room.Track) bool { return t.Live }) {
		t.Error("what never ends was put into the queue by itself")
	}
	h.do(room.Enqueue{Tracks: []string{radio.ID}, Now: true})
	playing := func(at time.Duration) func(room.House) bool {
		return func(s room.House) bool {
			g := s.Groups[0]
			now, _ := g.Track()
			return g.Transport == room.Playing && now.ID == radio.ID && g.PositionAt(time.Now()) >= at
		}
	}
	h.until(20*time.Second, "the station", playing(1500*time.Millisecond))
	if err := h.Do(t.Context(), room.Seek{To: time.Minute}); err == nil {
		t.Error("a place of a broadcast was sought")
	}
	c.Listen = h.platform.Addr().String()
	origintest.Close(t, h.platform)
	h.platform = origintest.Start(t, c)
	h.until(40*time.Second, "the station after the restart", playing(6*time.Second))
	h.agree()

	got := h.rec.PCM("virtual-1")
	if len(got) < 5*44100*2 {
		t.Fatalf("only %d samples sounded", len(got))
	}
	missing := false
	for _, p := range h.rec.Played("virtual-1") {
		missing = missing || p.PCM == nil
	}
	for len(playlist) < 44100*2*120 {
		playlist = append(playlist, playlist...)
	}
	at := 0
	for at+44100*2 < len(playlist) && !slices.Equal(playlist[at+22050*2:at+44100*2], got[22050*2:44100*2]) { // behind the fade in
		at += 44100 * 2
	}
	if at+len(got) > len(playlist) {
		t.Fatal("what sounded is not the broadcast")
	}
	if same := slices.Equal(got[22050*2:], playlist[at+22050*2:at+len(got)]); !same && !missing {
		t.Error("what sounded is not the broadcast without a gap")
	} else if !same {
		t.Log("the machine stood still: there was a gap")
	}
}

// TestRevocationUnderway revokes a creator and the platform's keys while a
// piece plays and while a purchase waits for its answer: the music stops with
// the reason, and the purchase is followed to its end.
func TestRevocationUnderway(t *testing.T) {
	t.Parallel()
	p := piece{cd, 60}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, p)
	h.do(room.Play{})
	h.at(0, 2*time.Second)
	h.faults.Set(origintest.Die, resource.Exchange)
	h.until(15*time.Second, "a purchase without an answer", func(room.House) bool {
		s, err := h.Spending(t.Context())
		return err == nil && s.InFlight > 0
	})
	if err := h.platform.Revoke(keyring.Revocation{Creators: []wire.ID{h.platform.Creator()}, Keys: true}); err != nil {
		t.Fatal(err)
	}
	h.faults.Set(origintest.Pass)
	s := h.until(60*time.Second, "the end", func(s room.House) bool { return strings.Contains(s.Groups[0].Why, "withdrawn") })
	if tr := s.Groups[0].Transport; tr == room.Playing {
		t.Errorf("the group is %v", tr)
	}
	got := h.rec.PCM("virtual-1")
	if pcm := p.pcm(0); len(got) == 0 || len(got) >= len(pcm) || !slices.Equal(got, pcm[:len(got)]) {
		t.Errorf("%d samples sounded", len(got))
	}
	h.agree()
}

// TestEdges lets two plain file servers deliver the segments, of which one
// lies: the rooms sound the piece bit for bit, and nothing is paid twice.
func TestEdges(t *testing.T) {
	t.Parallel()
	var files atomic.Pointer[http.Handler]
	var lies, honest atomic.Int32
	serve := func(w http.ResponseWriter, r *http.Request) {
		if f := files.Load(); f != nil {
			(*f).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lies.Add(1)
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte("somebody else's sound"))
	}))
	defer liar.Close()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		honest.Add(1)
		serve(w, r)
	}))
	defer good.Close()
	p := piece{cd, 7}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true, Edges: []string{liar.URL, good.URL}}, p)
	f := http.FileServer(http.Dir(h.platform.Public()))
	files.Store(&f)
	h.do(room.Play{})
	h.until(40*time.Second, "the end", transport(room.Stopped))
	h.sounded("virtual-1", p.pcm(0))
	if n := honest.Load(); n < 3 || lies.Load() == 0 || lies.Load() > 3 {
		t.Errorf("the honest edge was asked %d times, the liar %d times", n, lies.Load())
	}
	h.agree()
}
