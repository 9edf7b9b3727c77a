package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/app"
	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
	"sonahub/hub/virtual"
)

var (
	cd  = audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	dvd = audio.Format{Rate: 48000, Channels: 2, Bits: 24}
)

// home is a platform and a hub with virtual rooms, in one process, with
// nothing between them but loopback.
type home struct {
	*app.Hub
	t        *testing.T
	platform *origin.Origin
	faults   *origintest.Faults
	rec      *virtual.Recorder
	config   app.Config
	music    string // the platform's folder
}

// piece is one file of the test's music folder.
type piece struct {
	format  audio.Format
	seconds float64
}

func (p piece) frames() int { return int(p.seconds * float64(p.format.Rate)) }

// pcm is the piece's sound; origintest makes the file of the same seed.
func (p piece) pcm(i int) []int32 { return p.track(i).PCM() }

func (p piece) track(i int) origintest.Track {
	return origintest.Track{Name: fmt.Sprintf("%02d.flac", i+1), Format: p.format, Frames: p.frames(), Title: fmt.Sprintf("Piece %d", i+1), Seed: uint64(i + 1)}
}

// logger writes the hub's log into the test's.
func logger(t *testing.T) *slog.Logger {
	if os.Getenv("SONAHUB_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return app.NewLogger(t.Output(), slog.LevelDebug)
}

// platform starts an origin over the pieces and waits until all of it is
// ready.
func newPlatform(t *testing.T, c origin.Config, pieces ...piece) (*origin.Origin, *origintest.Faults) {
	t.Helper()
	if c.Music == "" {
		c.Music = t.TempDir()
	}
	var tracks []origintest.Track
	for i, p := range pieces {
		tracks = append(tracks, p.track(i))
	}
	origintest.Music(t, c.Music, tracks...)
	faults := &origintest.Faults{}
	c.Wrap, c.Logger = faults.Wrap, logger(t)
	o := origintest.Start(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := o.Done(ctx); err != nil {
		t.Fatal(err)
	}
	return o, faults
}

// newHome opens a hub with so many virtual rooms at full volume, which is
// unity gain.
func newHome(t *testing.T, rooms int, change func(*app.Config), c origin.Config, pieces ...piece) *home {
	t.Helper()
	h := &home{t: t, rec: &virtual.Recorder{}, music: t.TempDir()}
	c.Music = h.music
	h.platform, h.faults = newPlatform(t, c, pieces...)
	h.config = app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: h.platform.URL(), Listen: "127.0.0.1:0",
		Virtual: rooms, Rooms: []string{"all"}, Welcome: true,
	}
	if change != nil {
		change(&h.config)
	}
	h.open()
	return h
}

func (h *home) open() {
	h.t.Helper()
	hub, err := app.Open(h.t.Context(), h.config, app.Options{Log: logger(h.t), Captured: h.rec.Capture})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Hub = hub
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := hub.Close(ctx); err != nil {
			h.t.Errorf("close: %v", err)
		}
	})
	h.until(15*time.Second, "a queue and money", func(s room.House) bool {
		m, err := h.Spending(h.t.Context())
		return err == nil && m.Balance > 0 && len(s.Groups[0].Queue.Items) > 0
	})
	for _, r := range h.State().Rooms {
		h.do(room.SetVolume{Room: r.ID, Percent: 100})
	}
}

func (h *home) do(c room.Command) {
	h.t.Helper()
	if err := h.Do(h.t.Context(), c); err != nil {
		h.t.Fatalf("%T: %v", c, err)
	}
}

// until waits for the house to be as ok says.
func (h *home) until(d time.Duration, what string, ok func(room.House) bool) room.House {
	h.t.Helper()
	end := time.After(d)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		s := h.State()
		if ok(s) {
			return s
		}
		select {
		case <-look.C:
		case <-end:
			h.t.Fatalf("waited %v in vain for %s; the house: %+v", d, what, s)
		}
	}
}

func transport(want room.Transport) func(room.House) bool {
	return func(s room.House) bool { return s.Groups[0].Transport == want }
}

// at waits until the group has come to a place in the queue's item.
func (h *home) at(index int, position time.Duration) {
	h.t.Helper()
	h.until(position+20*time.Second, fmt.Sprintf("item %d at %v", index, position), func(s room.House) bool {
		g := s.Groups[0]
		return g.Transport == room.Playing && (g.Queue.Current > index || g.Queue.Current == index && g.PositionAt(time.Now()) >= position)
	})
}

func hash(pcm []int32) [32]byte { return audiotest.SHA256(dvd, pcm) }

// sounded compares what a room played with what it should have.
func (h *home) sounded(id string, want []int32) {
	h.t.Helper()
	got := h.rec.PCM(id)
	if hash(got) == hash(want) {
		return
	}
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	h.t.Errorf("%s sounded %d samples, want %d; they differ from sample %d on", id, len(got), len(want), n)
}

// agree compares the hub's ledger with the platform's books, each by its own
// sums, to the msat. It pauses the music first.
func (h *home) agree() {
	h.t.Helper()
	ctx := h.t.Context()
	h.do(room.Pause{})
	h.until(15*time.Second, "nothing in flight", func(room.House) bool {
		s, err := h.Spending(ctx)
		return err == nil && s.InFlight == 0
	})
	hub, err := h.Ledger().Totals(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	books, err := h.platform.Books().Audit(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	if int64(hub.Granted) != books.AmountMsat {
		h.t.Errorf("the hub's ledger says %v were paid, the platform's books %d msat", hub.Granted, books.AmountMsat)
	}
	if books.EpochsTwice != 0 {
		h.t.Errorf("%d epochs were bought twice", books.EpochsTwice)
	}
	balance, err := h.Spending(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	if int64(balance.Balance) != books.Outstanding*100 {
		h.t.Errorf("the purse holds %v, the platform owes %d units", balance.Balance, books.Outstanding)
	}
	if err := h.Ledger().Verify(ctx); err != nil {
		h.t.Error(err)
	}
}
