package origin_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/hub/origin"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/live"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/catalog"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// tuned is a hub that follows a station.
type tuned struct {
	*hub
	it   catalog.Item
	next uint64
	pcm  []int32
	keys []sale.Key // of the epochs heard
	body []byte     // of the first purchase
	rec  *manifest.Record
	dec  *codec.Decoder
}

// await waits until ok.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(20 * time.Second)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// find waits for a station to be in the catalogue.
func find(t *testing.T, h *hub, name string) (it catalog.Item) {
	t.Helper()
	await(t, "the station in the catalogue", func() bool {
		c, err := h.Catalog(t.Context())
		if err != nil {
			return false
		}
		for _, x := range c.Items {
			if x.Title == name && x.Kind == catalog.KindLive {
				it = x
				return true
			}
		}
		return false
	})
	return it
}

// hear buys and hears n epochs, one by one as they come.
func (u *tuned) hear(t *testing.T, n int) {
	t.Helper()
	for ; n > 0; n-- {
		var e *sale.Edge
		await(t, "the next epoch", func() bool {
			var err error
			e, err = u.Live(t.Context(), u.it.ID, live.Tier)
			return err == nil && e.Head.TreeSize > u.next
		})
		recs, err := u.Records(t.Context(), e.Head, u.next, 1)
		if err != nil {
			t.Fatal(err)
		}
		body, change := u.hub.body(uint64(recs[0].Frames) * 500 / uint64(e.Head.Rate) / 100)
		g, err := u.Redeem(t.Context(), recs, body)
		if err != nil {
			t.Fatalf("epoch %d: %v", u.next, err)
		}
		u.finish(change, g.Evals)
		object, err := u.Segment(t.Context(), recs[0], 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := sale.OpenEpoch(e.Head, recs[0], 1, object, g.Keys[0])
		if err != nil {
			t.Fatal(err)
		}
		if u.dec == nil {
			f := audio.Format{Rate: audio.Rate(e.Head.Rate), Channels: int(e.Head.Channels), Bits: int(e.Head.Bits)}
			if u.dec, err = codec.NewDecoder(f); err != nil {
				t.Fatal(err)
			}
			u.body, u.rec = body, recs[0]
		}
		u.pcm = append(u.pcm, decode(t, u.dec, p, audio.Pos(len(u.pcm)/int(e.Head.Channels)), int(recs[0].Frames))...)
		u.keys = append(u.keys, *g.Keys[0])
		u.next++
	}
}

// TestStation follows a station from its first epoch, over a restart of the
// platform, to the end of the sale window: the sound is the playlist without a
// gap, the manifest one and the same, every epoch sold under one key, and keys
// whose sale is over are nowhere any more.
// To see it fail: leave out the deletion in store.erase, or found a new
// broadcast at each start.
func TestStation(t *testing.T) {
	t.Parallel()
	state, music := t.TempDir(), t.TempDir()
	tracks := []origintest.Track{
		{Name: "radio/1.flac", Frames: 44100*5/2 + 7, Seed: 1},
		{Name: "radio/2.flac", Frames: 44100 * 5 / 4, Seed: 2},
	}
	origintest.Music(t, music, append(tracks, origintest.Track{Name: "other.flac", Seed: 3})...)
	c := origin.Config{State: state, Music: music, NoOpus: true,
		Stations: []live.Plan{{Name: "Radio", Playlist: "radio", EpochMs: 1000, Window: 4 * time.Second}}}
	o := origintest.Start(t, c)
	u := &tuned{hub: newHub(t, o)}
	u.topUp()
	u.it = find(t, u.hub, "Radio")
	if u.it.Ms != 0 || u.it.FreeEpochs != 0 || u.it.Creator == o.Creator() {
		t.Errorf("the station is listed as %+v", u.it)
	}
	e, err := u.Live(t.Context(), u.it.ID, live.Tier)
	if err != nil || e.FirstForSale != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	u.hear(t, 3)
	if again, err := u.Redeem(t.Context(), []*manifest.Record{u.rec}, u.body); err != nil || *again.Keys[0] != u.keys[0] {
		t.Errorf("the same body within the window: %v", err)
	}
	c.Listen = o.Addr().String()
	origintest.Close(t, o)
	leftover(t, o.Public(), u)
	o = origintest.Start(t, c)
	u.o = o
	u.hear(t, 7)

	var playlist []int32
	for len(playlist) < len(u.pcm) {
		for _, tr := range tracks {
			playlist = append(playlist, tr.PCM()...)
		}
	}
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	if hash(f, u.pcm) != hash(f, playlist[:len(u.pcm)]) {
		t.Error("the sound is not the playlist without a gap")
	}
	if e, err = u.Live(t.Context(), u.it.ID, live.Tier); err != nil || e.FirstForSale == 0 || e.FirstForSale+6 < e.Head.TreeSize {
		t.Errorf("for sale: %+v, %v", e, err)
	}
	_, err = u.Redeem(t.Context(), []*manifest.Record{u.rec}, u.body)
	wantCode(t, "a body of an epoch whose key is erased", err, message.CodeGone)
	body, change := u.hub.body(5)
	_, err = u.Redeem(t.Context(), []*manifest.Record{u.rec}, body)
	wantCode(t, "an epoch that is not for sale any more", err, message.CodeNotFound)
	future := *u.rec
	future.Number = e.Head.TreeSize + 100
	_, err = u.Redeem(t.Context(), []*manifest.Record{&future}, body)
	wantCode(t, "an epoch of the future", err, message.CodeNotYet)
	_, err = u.Grant(t.Context(), []*manifest.Record{{Epoch: segment.Epoch{Broadcast: u.it.ID, Tier: live.Tier, Number: e.Head.TreeSize - 1}}})
	wantCode(t, "an opening grant of a station", err, message.CodePrice)
	_ = change

	if found(t, state, u.keys[0]) {
		t.Error("the key of the first epoch is still on disk")
	}
	if !found(t, state, u.keys[len(u.keys)-1]) {
		t.Error("the test does not find a key that is there")
	}
	if books := audit(t, o); books.EpochsTwice != 0 || books.AmountMsat != int64(len(u.keys))*500 {
		t.Errorf("books: %+v after %d epochs", books, len(u.keys))
	}
}

// leftover puts files in the place of the coming epochs, as a crash between
// sealing and booking would.
func leftover(t *testing.T, public string, u *tuned) {
	t.Helper()
	for n := range uint64(4) {
		r := resource.Resource{Kind: resource.Segment, ID: u.it.ID, Tier: live.Tier, Epoch: u.next + n, Rendition: 1}
		path := filepath.Join(public, filepath.FromSlash(r.Path()))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half a segm"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStationOfManyFormats goes round a playlist file whose tracks differ in
// rate, depth and channels: every epoch has the format of the first one.
func TestStationOfManyFormats(t *testing.T) {
	t.Parallel()
	music := t.TempDir()
	origintest.Music(t, music,
		origintest.Track{Name: "a.flac", Format: audio.Format{Rate: 48000, Channels: 2, Bits: 24}, Frames: 48000 * 3 / 4, Seed: 1},
		origintest.Track{Name: "b.wav", Format: audio.Format{Rate: 44100, Channels: 1, Bits: 16}, Frames: 44100 / 2, Seed: 2},
		origintest.Track{Name: "c.flac", Frames: 44100, Seed: 3})
	if err := os.WriteFile(filepath.Join(music, "mix.m3u"), []byte("#EXTM3U\nb.wav\nc.flac\na.flac\nmissing.flac\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := origin.Config{State: t.TempDir(), Music: music, NoOpus: true}
	o := origintest.Start(t, c)
	ready(t, o.Done)
	origintest.Close(t, o)
	c.Stations = []live.Plan{{Name: "Mix", Playlist: "mix.m3u", EpochMs: 1000}}
	o = origintest.Start(t, c)
	u := &tuned{hub: newHub(t, o)}
	u.topUp()
	u.it = find(t, u.hub, "Mix")
	u.hear(t, 3)
	if r := u.it.Tiers[0].Renditions[0]; r.Rate != 44100 || r.Bits != 16 || r.Ch != 1 {
		t.Errorf("the format is that of another track: %+v", r)
	}
	if len(u.pcm) != 3*44100 {
		t.Fatalf("%d samples", len(u.pcm))
	}
	first := origintest.Track{Name: "b.wav", Format: audio.Format{Rate: 44100, Channels: 1, Bits: 16}, Frames: 44100 / 2, Seed: 2}.PCM()
	const round = 44100/2 + 44100 + 44100*3/4 // frames
	for i, v := range first {
		if u.pcm[i] != v || u.pcm[round+i] != v {
			t.Fatalf("sample %d of the first track is %d and %d, want %d", i, u.pcm[i], u.pcm[round+i], v)
		}
	}
}

// TestStationThroughFaults breaks the store of segments for a while, and then
// one track for good: the station waits, makes up for it, plays what is whole,
// and loses no other sound.
func TestStationThroughFaults(t *testing.T) {
	t.Parallel()
	music := t.TempDir()
	tracks := []origintest.Track{{Name: "1.flac", Frames: 44100 * 4, Seed: 1}, {Name: "2.flac", Frames: 44100 * 2, Seed: 2}, {Name: "3.flac", Frames: 44100 * 2, Seed: 3}}
	origintest.Music(t, music, tracks...)
	c := origin.Config{State: t.TempDir(), Music: music, NoOpus: true}
	o := origintest.Start(t, c)
	ready(t, o.Done)
	bad := newHub(t, o).item("2")
	origintest.Close(t, o)
	c.Stations = []live.Plan{{Name: "Radio", EpochMs: 1000}}
	o = origintest.Start(t, c)
	u := &tuned{hub: newHub(t, o)}
	u.topUp()
	u.it = find(t, u.hub, "Radio")
	folder := func(b wire.ID) string {
		return filepath.Join(o.Public(), "sne", "1", "c", b.String(), "2")
	}
	u.hear(t, 1)
	if err := os.Rename(folder(u.it.ID), folder(u.it.ID)+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder(u.it.ID), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := u.Live(t.Context(), u.it.ID, live.Tier)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(2500 * time.Millisecond)
	late, err := u.Live(t.Context(), u.it.ID, live.Tier)
	if err != nil || late.Head.TreeSize > e.Head.TreeSize+1 {
		t.Fatalf("it went on to %d without a place for segments, %v", late.Head.TreeSize, err)
	}
	if err := os.RemoveAll(folder(bad.ID)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(folder(u.it.ID)), os.Rename(folder(u.it.ID)+".away", folder(u.it.ID))); err != nil {
		t.Fatal(err)
	}
	u.hear(t, 5)
	f := audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	if want := append(tracks[0].PCM(), tracks[2].PCM()...); hash(f, u.pcm) != hash(f, want[:len(u.pcm)]) {
		t.Error("it is not the whole tracks one after the other")
	}
}

// found looks for a key in the station's database, its log of writes included.
func found(t *testing.T, state string, key sale.Key) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "stations.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, key[:]) {
			return true
		}
	}
	return false
}

// TestStationWithoutItsCreator revokes a station's key: it leaves the
// catalogue, and after a restart it is on the air under another one.
func TestStationWithoutItsCreator(t *testing.T) {
	t.Parallel()
	music := t.TempDir()
	origintest.Music(t, music, origintest.Track{Name: "1.flac", Seed: 1})
	c := origin.Config{State: t.TempDir(), Music: music, NoOpus: true, Stations: []live.Plan{{Name: "Radio", EpochMs: 1000, Window: 4 * time.Second}}}
	o := origintest.Start(t, c)
	h := newHub(t, o)
	it := find(t, h, "Radio")
	if err := o.Revoke(keyring.Revocation{Creators: []wire.ID{it.Creator}, Keys: true}); err != nil {
		t.Fatal(err)
	}
	await(t, "the station to leave the catalogue", func() bool {
		c, err := newHub(t, o).Catalog(t.Context())
		return err == nil && len(c.Items) > 0 && c.Items[0].Kind == catalog.KindVOD
	})
	if _, err := h.Live(t.Context(), it.ID, live.Tier); err == nil {
		t.Error("a station of a dead creator is still followed")
	}
	origintest.Close(t, o)
	o = origintest.Start(t, c)
	again := find(t, newHub(t, o), "Radio")
	if again.Creator == it.Creator || again.ID == it.ID {
		t.Error("the station came back under the revoked key")
	}
	if _, err := newHub(t, o).Live(t.Context(), again.ID, live.Tier); err != nil {
		t.Error(err)
	}
}

// TestStationPlans wants nonsense to be refused at the start.
func TestStationPlans(t *testing.T) {
	t.Parallel()
	for name, plans := range map[string][]live.Plan{
		"no name":            {{}},
		"one name twice":     {{Name: "A"}, {Name: "A"}},
		"a short epoch":      {{Name: "A", EpochMs: 900}},
		"an uneven epoch":    {{Name: "A", EpochMs: 1010}},
		"a window too short": {{Name: "A", Window: time.Second}},
	} {
		o, err := origin.Open(t.Context(), origin.Config{State: t.TempDir(), Music: t.TempDir(), Stations: plans})
		if err == nil {
			origintest.Close(t, o)
			t.Errorf("%s was accepted", name)
		}
	}
}
