package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/catalog"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

func press(t *testing.T) (*Press, shelf.Track, *keyring.Ring) {
	t.Helper()
	dir := t.TempDir()
	ring, err := keyring.Open(t.Context(), filepath.Join(dir, "keys"), "example.org", keyring.Seal{}, time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := shelf.Open(t.Context(), filepath.Join(dir, "shelf.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := Folder{Public: filepath.Join(dir, "publish"), Work: filepath.Join(dir, "work")}
	if err := f.Clean(); err != nil {
		t.Fatal(err)
	}
	tr := shelf.Track{Nonce: [16]byte{7}, Title: "T", Kind: "wav", Format: audio.Format{Rate: 48000, Channels: 1, Bits: 16}, Frames: -1}
	tr.Source = tr.Format
	tr.Broadcast = manifest.BroadcastID(ring.Creator().Public().KeyID(), tr.Nonce)
	master, err := kdf.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), shelf.Source{Path: "/x"}, tr, master); err != nil {
		t.Fatal(err)
	}
	return &Press{Folder: f, Shelf: s, Creator: ring.Creator(), Root: ring.Root()}, tr, ring
}

func payload(frames int) *segment.Payload {
	return &segment.Payload{Codec: segment.CodecPCM, Channels: 1, Bits: 16, Rate: 48000, Frames: uint32(frames), Packets: [][]byte{bytes.Repeat([]byte{1, 2}, 100)}}
}

func epochs(t *testing.T, s *Stage, frames ...int) []*manifest.Record {
	t.Helper()
	var out []*manifest.Record
	for n, f := range frames {
		rec, err := s.Epoch(uint64(n), f, []Encoded{{R: 1, Payload: payload(f)}, {R: 2, BitsPerS: 5, Payload: payload(f)}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec)
	}
	return out
}

// TestATierAppearsWhole looks for public files and for a Head before and
// after the one rename, also over what an earlier crash left behind.
func TestATierAppearsWhole(t *testing.T) {
	p, tr, ring := press(t)
	public := filepath.Join(p.Folder.Public, "sne", "1", "c", tr.Broadcast.String(), "2")
	stale := filepath.Join(public, "99", "1")
	if err := os.MkdirAll(filepath.Dir(stale), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, []byte("from a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := p.Stage(t.Context(), tr, TierLossless)
	if err != nil {
		t.Fatal(err)
	}
	records := epochs(t, s, 96000, 96000, 5)
	if _, err := os.Stat(filepath.Join(public, "0")); err == nil {
		t.Error("an epoch is public before its tier is complete")
	}
	if err := s.Close(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("what a crash left behind is still there")
	}
	signed, err := p.Shelf.Head(t.Context(), tr.Broadcast, TierLossless)
	if err != nil {
		t.Fatal(err)
	}
	h, err := manifest.VerifyHead(signed, ring.Creator().Public(), manifest.Want{Broadcast: tr.Broadcast, Tier: 2, OriginRoot: ring.Root()})
	if err != nil || !h.Closed || h.TreeSize != 3 || h.TotalFrames != 192005 {
		t.Errorf("head %+v, %v", h, err)
	}
	r, err := p.Read(t.Context(), tr.Broadcast, TierLossless)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := range r.Epochs() {
		if got, err := r.Epoch(n); err != nil || int(got.Frames) != r.Frames(n) {
			t.Errorf("epoch %d: %v", n, err)
		}
	}
	path := p.Folder.File(resource.Resource{Kind: resource.Segment, ID: tr.Broadcast, Tier: 2, Epoch: 1, Rendition: 1})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Epoch(1); err == nil {
		t.Error("a changed file was read")
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	p, tr, _ := press(t)
	s, err := p.Stage(t.Context(), tr, TierOpus)
	if err != nil {
		t.Fatal(err)
	}
	records := epochs(t, s, 96000)
	if err := s.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context(), records); err == nil {
		t.Error("an aborted tier was published")
	}
	if err := s.Close(t.Context(), nil); err == nil {
		t.Error("a tier without sound was published")
	}
	if _, err := p.Shelf.Head(t.Context(), tr.Broadcast, TierOpus); !errors.Is(err, shelf.ErrUnknown) {
		t.Errorf("head: %v", err)
	}
	for _, dir := range []string{p.Folder.Work, filepath.Join(p.Folder.Public, "sne", "1")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "blob" {
				t.Errorf("left behind: %s", e.Name())
			}
		}
	}
}

func TestBlobsAreNamedByTheirHash(t *testing.T) {
	p, _, _ := press(t)
	id, err := p.Folder.PutBlob([]byte("cover"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Folder.PutBlob([]byte("cover"))
	if err != nil || again != id {
		t.Errorf("%v, %v", again, err)
	}
	if data, err := os.ReadFile(p.Folder.File(resource.Resource{Kind: resource.Blob, ID: id})); err != nil || string(data) != "cover" {
		t.Errorf("%q, %v", data, err)
	}
	for _, n := range []int{0, MaxBlob + 1} {
		if _, err := p.Folder.PutBlob(make([]byte, n)); err == nil {
			t.Errorf("a cover of %d bytes was taken", n)
		}
	}
}

func TestPriceIsExactAndRoundedUp(t *testing.T) {
	terms := Terms{Lossless: 500, Opus: 300}
	for _, c := range []struct {
		tier   uint16
		frames uint64
		rate   audio.Rate
		want   wallet.Msat
	}{
		{2, 88200, 44100, 1000}, {2, 96000 * 5, 48000, 5000}, {2, 1, 48000, 1}, {2, 44101, 44100, 501}, {1, 96000, 48000, 600}, {1, 0, 48000, 0},
	} {
		if got, ok := terms.Price(c.tier, c.frames, c.rate); !ok || got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if _, ok := terms.Price(3, 1, 48000); ok {
		t.Error("a tier that is not sold has a price")
	}
}

func TestQualityTellsTheTruth(t *testing.T) {
	f := func(rate, bits int) audio.Format {
		return audio.Format{Rate: audio.Rate(rate), Channels: 2, Bits: bits}
	}
	for _, c := range []struct {
		kind     string
		src, out audio.Format
		want     string
	}{
		{"flac", f(44100, 16), f(44100, 16), "FLAC 16 bit 44.1 kHz"},
		{"flac", f(96000, 24), f(48000, 24), "FLAC 24 bit 48 kHz (from 96 kHz)"},
		{"wav", f(88200, 24), f(44100, 24), "FLAC 24 bit 44.1 kHz (from 88.2 kHz)"},
		{"mp3", f(44100, 16), f(44100, 16), "FLAC 16 bit 44.1 kHz (from MP3)"},
		{"vorbis", f(32000, 16), f(48000, 16), "FLAC 16 bit 48 kHz (from Vorbis 32 kHz)"},
	} {
		if got := Quality(shelf.Track{Kind: c.kind, Source: c.src, Format: c.out}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestCatalogueOfTheWorstTracks fills pages with the longest texts of the
// characters that take most room, and reads them back as a hub does.
func TestCatalogueOfTheWorstTracks(t *testing.T) {
	_, tr, ring := press(t)
	worst := strings.Repeat("\u2028", 500) // six bytes each in JSON
	tr.Title, tr.Artist, tr.Album, tr.Index, tr.Art, tr.Frames = worst, worst, worst, 1<<30, wire.ID{1}, 1<<40
	var offers []Offer
	for i := range 2*pageItems + 1 {
		o := Offer{Track: tr, Tiers: []uint16{TierOpus, TierLossless}}
		o.Track.Broadcast = wire.ID{byte(i), byte(i >> 8)}
		offers = append(offers, o)
	}
	terms := Terms{Lossless: 500, Opus: 300, FreeEpochs: 1}
	pages, err := Pages(terms.Items(offers, ring.Creator().Public().KeyID()), ring.Current(), 9, time.UnixMilli(5))
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 3 {
		t.Fatalf("%d pages", len(pages))
	}
	var all catalog.Catalog
	for i, raw := range pages {
		p, err := catalog.Parse(raw, ring.Current().Online.Public())
		if err != nil {
			t.Fatal(err)
		}
		if int(p.Page) != i || p.Pages != 3 || p.Seq != 9 || p.Bundle != ring.Current().ID {
			t.Errorf("page %+v", p)
		}
		c, err := catalog.Decode(p.JSON)
		if err != nil {
			t.Fatal(err)
		}
		all.Merge(c)
	}
	if len(all.Items) != len(offers) || all.Roles["1"] != "creator" {
		t.Fatalf("%d items, roles %v", len(all.Items), all.Roles)
	}
	for i, it := range all.Items {
		if it.ID != offers[i].Track.Broadcast || it.Title != worst || len(it.Tiers) != 2 || it.Tiers[0].Tier != TierOpus || len(it.Tiers[0].Renditions) != 3 {
			t.Fatalf("item %d: %s", i, fmt.Sprint(it)[:200])
		}
	}
	empty, err := Pages(nil, ring.Current(), 1, time.Now())
	if err != nil || len(empty) != 1 {
		t.Errorf("%d pages of nothing, %v", len(empty), err)
	}
}
