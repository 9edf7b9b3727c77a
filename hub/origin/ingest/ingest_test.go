package ingest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin/ingest"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// bench is a platform without its shop.
type bench struct {
	tb      testing.TB
	state   string
	music   string
	creator *composite.SecretKey
	shelf   *shelf.Shelf
	press   *publish.Press
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	creator, err := composite.Generate(nil)
	if err != nil {
		tb.Fatal(err)
	}
	b := &bench{tb: tb, state: tb.TempDir(), music: tb.TempDir(), creator: creator}
	b.open()
	tb.Cleanup(func() { _ = b.shelf.Close() })
	return b
}

func (b *bench) open() {
	b.tb.Helper()
	var err error
	if b.shelf, err = shelf.Open(b.tb.Context(), filepath.Join(b.state, "shelf.db")); err != nil {
		b.tb.Fatal(err)
	}
	f := publish.Folder{Public: filepath.Join(b.state, "publish"), Work: filepath.Join(b.state, "work")}
	if err := f.Clean(); err != nil {
		b.tb.Fatal(err)
	}
	b.press = &publish.Press{Folder: f, Shelf: b.shelf, Creator: b.creator}
}

func (b *bench) ingester(change func(*ingest.Ingester)) *ingest.Ingester {
	g := &ingest.Ingester{Music: b.music, Shelf: b.shelf, Press: b.press, Creator: b.creator.Public()}
	if change != nil {
		change(g)
	}
	g.Init()
	return g
}

// run takes the folder in, to the end.
func (b *bench) run(change func(*ingest.Ingester)) *ingest.Ingester {
	b.tb.Helper()
	g := b.ingester(change)
	if err := g.Run(b.tb.Context()); err != nil {
		b.tb.Fatal(err)
	}
	return g
}

func lossless(g *ingest.Ingester) { g.NoOpus = true }

// sound reads the lossless tier back.
func (b *bench) sound(t shelf.Track) []int32 {
	b.tb.Helper()
	r, err := b.press.Read(b.tb.Context(), t.Broadcast, publish.TierLossless)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer r.Close()
	var pcm []int32
	for n := range r.Epochs() {
		p, err := r.Epoch(n)
		if err != nil {
			b.tb.Fatal(err)
		}
		part, err := flac.DecodeSegment(t.Format, p.Packets, r.Frames(n))
		if err != nil {
			b.tb.Fatal(err)
		}
		pcm = append(pcm, part...)
	}
	return pcm
}

func titles(g *ingest.Ingester) []string {
	var out []string
	for _, o := range g.Offers() {
		out = append(out, o.Track.Title)
	}
	return out
}

func ids(g *ingest.Ingester) []wire.ID {
	var out []wire.ID
	for _, o := range g.Offers() {
		out = append(out, o.Track.Broadcast)
	}
	return out
}

// TestBothTiersOnOneGrid checks lossless by hash and every record of the Opus
// tier: the same epochs of the same length, payloads of the exact number of
// frames that SNE-SPEC 3.3 asks for.
func TestBothTiersOnOneGrid(t *testing.T) {
	b := newBench(t)
	tracks := []origintest.Track{
		{Name: "1.flac", Frames: 2*88200 + 1, Seed: 1},
		{Name: "2.flac", Format: audio.Format{Rate: 48000, Channels: 2, Bits: 24}, Frames: 96000, Seed: 2},
		{Name: "3.wav", Format: audio.Format{Rate: 44100, Channels: 1, Bits: 24}, Frames: 88200 - 441, Seed: 3},
		{Name: "4.wav", Frames: 1, Seed: 4},
	}
	origintest.Music(t, b.music, tracks...)
	g := b.run(func(g *ingest.Ingester) { g.Workers = 3 })
	offers := g.Offers()
	if len(offers) != len(tracks) {
		t.Fatalf("%d offers: %+v", len(offers), g.Progress())
	}
	for i, o := range offers {
		pcm := b.sound(o.Track)
		if audiotest.SHA256(o.Track.Format, pcm) != tracks[i].SHA256() {
			t.Errorf("%s: lossless is not the source", tracks[i].Name)
		}
		if o.Track.Frames != audio.Pos(len(pcm)/o.Track.Format.Channels) {
			t.Errorf("%s: the shelf says %d frames", tracks[i].Name, o.Track.Frames)
		}
		heads := map[uint16]*manifest.Head{}
		for _, tier := range []uint16{publish.TierOpus, publish.TierLossless} {
			signed, err := b.shelf.Head(t.Context(), o.Track.Broadcast, tier)
			if err != nil {
				t.Fatal(err)
			}
			heads[tier], err = manifest.VerifyHead(signed, b.creator.Public(), manifest.Want{Broadcast: o.Track.Broadcast, Tier: tier})
			if err != nil {
				t.Fatal(err)
			}
		}
		l, op := heads[publish.TierLossless], heads[publish.TierOpus]
		if !l.Closed || l.TreeSize != op.TreeSize || l.TotalFrames != op.TotalFrames || l.Rate != op.Rate {
			t.Errorf("%s: tiers differ: %+v, %+v", tracks[i].Name, l, op)
		}
		b.checkOpus(o.Track, op)
	}
	p := g.Progress()
	if p.Phase != ingest.PhaseDone || p.Percent != 100 || p.Ready != len(tracks) || p.Done != p.Total {
		t.Errorf("progress %+v", p)
	}
}

func (b *bench) checkOpus(track shelf.Track, head *manifest.Head) {
	b.tb.Helper()
	r, err := b.press.Read(b.tb.Context(), track.Broadcast, publish.TierOpus)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer r.Close()
	records, err := b.shelf.Records(b.tb.Context(), track.Broadcast, publish.TierOpus)
	if err != nil {
		b.tb.Fatal(err)
	}
	for n, rec := range records {
		p, err := r.Epoch(n)
		if err != nil {
			b.tb.Fatal(err)
		}
		want := (uint64(rec.Frames)*48000 + uint64(head.Rate) - 1) / uint64(head.Rate)
		if p.Codec != segment.CodecOpus || p.Rate != 48000 || uint64(p.Frames) != want || rec.Frames != head.EpochFrames(uint64(n)) {
			b.tb.Errorf("epoch %d: %d frames at %d Hz for %d at %d Hz", n, p.Frames, p.Rate, rec.Frames, head.Rate)
		}
		if got := 960*len(p.Packets) - int(p.PreSkip); got < int(p.Frames) {
			b.tb.Errorf("epoch %d: %d packets less %d frames give %d, %d are promised", n, len(p.Packets), p.PreSkip, got, p.Frames)
		}
		var rungs []uint32
		for _, x := range rec.Renditions {
			rungs = append(rungs, x.BitsPerS)
		}
		if !slices.Equal(rungs, []uint32{256000, 160000, 96000}) {
			b.tb.Errorf("epoch %d: rungs %v", n, rungs)
		}
	}
}

func TestHighRatesAreBroughtDownOnceAndMarked(t *testing.T) {
	b := newBench(t)
	f := audio.Format{Rate: 96000, Channels: 2, Bits: 24}
	const frames = 96000*3 + 77
	origintest.Music(t, b.music, origintest.Track{Name: "1.flac", Format: f, Frames: frames, Seed: 1})
	o := b.run(lossless).Offers()[0]
	if want := (audio.Format{Rate: 48000, Channels: 2, Bits: 24}); o.Track.Format != want || o.Track.Frames != (frames+1)/2 {
		t.Errorf("sold as %v, %d frames", o.Track.Format, o.Track.Frames)
	}
	if q := publish.Quality(o.Track); q != "FLAC 24 bit 48 kHz (from 96 kHz)" {
		t.Errorf("called %q", q)
	}
	// What was brought down must be what a sine becomes: no delay, no gain.
	b = newBench(t)
	sine := audiotest.Sine(f, 997, -6, frames)
	write(t, filepath.Join(b.music, "s.flac"), f, sine)
	pcm := b.sound(b.run(lossless).Offers()[0].Track)
	worst := int32(0)
	for i := 4800; i < len(pcm)/2-4800; i++ {
		d := pcm[2*i] - sine[4*i]
		worst = max(worst, d, -d)
	}
	if last := slices.Max(pcm[len(pcm)-100:]); last < 1<<20 { // half a millisecond holds half a period
		t.Errorf("the end is missing: its peak is %d of 2^23", last)
	}
	if worst > 64 { // 2^23 is full scale: -102 dB
		t.Errorf("brought down, a sine is off by %d of 2^23", worst)
	}
}

// TestOpusSeamsAreAsCleanAsTheMiddle decodes a sine epoch by epoch. The codec
// hears what lies beside each epoch, so its error around a seam must not stand
// out from that in the middle of an epoch.
func TestOpusSeamsAreAsCleanAsTheMiddle(t *testing.T) {
	b := newBench(t)
	f := audio.Format{Rate: 44100, Channels: 1, Bits: 16}
	const epoch, frames = 88200, 3*88200 + 30000
	sine := audiotest.Sine(f, 997, -6, frames)
	write(t, filepath.Join(b.music, "s.flac"), f, sine)
	track := b.run(nil).Offers()[0].Track
	r, err := b.press.Read(t.Context(), track.Broadcast, publish.TierOpus)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var pcm []int32
	for n := range r.Epochs() {
		dec, err := codec.NewDecoder(f) // a fresh one: nothing is faded over
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Epoch(n)
		if err != nil {
			t.Fatal(err)
		}
		block, err := dec.Opus(audio.Pos(len(pcm)), p.Packets, int(p.PreSkip), r.Frames(n))
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, block.PCM...)
	}
	if len(pcm) != frames {
		t.Fatalf("%d frames, want %d", len(pcm), frames)
	}
	power := func(from, to int) float64 { // of the error, for each frame
		sum := 0.0
		for i := from; i < to; i++ {
			d := float64(pcm[i] - sine[i])
			sum += d * d
		}
		return sum / float64(to-from)
	}
	for _, seam := range []int{epoch, 2 * epoch, 3 * epoch} {
		at, middle := power(seam-16, seam+16), power(seam-epoch/2-4410, seam-epoch/2+4410)
		if at > 1.05*middle { // without its left or right neighbour it is 1.1 to 1.3 times the middle's
			t.Errorf("seam at %d: error %.1f, in the middle %.1f", seam, at, middle)
		}
	}
}

func write(t *testing.T, path string, f audio.Format, pcm []int32) {
	t.Helper()
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(flac.WriteStream(w, f, pcm), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableFilesAreNamedAndTheRestGoesOn(t *testing.T) {
	b := newBench(t)
	paths := origintest.Music(t, b.music,
		origintest.Track{Name: "1 good.flac", Seed: 1}, origintest.Track{Name: "2 cut.flac", Seed: 2},
		origintest.Track{Name: "3 flipped.flac", Seed: 3}, origintest.Track{Name: "4 good.wav", Seed: 4})
	whole, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := os.ReadFile(paths[2])
	if err != nil {
		t.Fatal(err)
	}
	damaged[len(damaged)/2] ^= 0xff
	for path, data := range map[string][]byte{
		paths[1]: whole[:len(whole)/2], paths[2]: damaged,
		filepath.Join(b.music, "5 text.mp3"):               []byte("<html>not music</html>"),
		filepath.Join(b.music, "6 empty.ogg"):              nil,
		filepath.Join(b.music, "7 \x1b[2J\nevil\xff.flac"): []byte("fLaC\x00\x00\x00\x22garbage"),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for run := range 2 { // the second run must come to the same end without decoding again
		g := b.run(lossless)
		if got, want := titles(g), []string{"1 good", "4 good"}; !slices.Equal(got, want) {
			t.Errorf("run %d: offers %q, want %q", run, got, want)
		}
		named := map[string]bool{}
		for _, s := range g.Progress().Skipped {
			named[s.Path[:1]] = true
			if strings.ContainsFunc(s.Path, unicode.IsControl) {
				t.Errorf("%q could harm a terminal", s.Path)
			}
			if s.Reason == "" {
				t.Errorf("%q is skipped without a reason", s.Path)
			}
		}
		if len(named) != 5 {
			t.Errorf("run %d: skipped %+v", run, g.Progress().Skipped)
		}
	}
}

// TestRestartGoesOnWhereItStopped ends the work after the first tier and
// looks at what the next run does again.
func TestRestartGoesOnWhereItStopped(t *testing.T) {
	b := newBench(t)
	for i, name := range []string{"1.flac", "2.flac", "3.flac"} {
		origintest.Music(t, b.music, origintest.Track{Name: name, Frames: 90000, Seed: uint64(i)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var g *ingest.Ingester
	g = b.ingester(func(g *ingest.Ingester) { g.Workers = 1 })
	progress, stop := g.Watch()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	for p := range progress {
		if p.Ready >= 1 {
			cancel()
			break
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	first := ids(g)
	published, err := b.shelf.Published(t.Context())
	if err != nil || len(published) == 0 || len(published) > 2 {
		t.Fatalf("%d tracks were published before the end, %v", len(published), err)
	}
	heads := map[wire.ID][]byte{}
	for id := range published {
		if heads[id], err = b.shelf.Head(t.Context(), id, publish.TierLossless); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.shelf.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	g = b.run(nil)
	if again := ids(g); !slices.Equal(again[:len(first)], first) {
		t.Errorf("broadcasts changed: %v, then %v", first, again)
	}
	for id, head := range heads {
		if again, err := b.shelf.Head(t.Context(), id, publish.TierLossless); err != nil || !slices.Equal(again, head) {
			t.Errorf("a finished tier was made again (%v)", err)
		}
	}
	for _, o := range g.Offers() {
		if !slices.Equal(o.Tiers, []uint16{publish.TierOpus, publish.TierLossless}) {
			t.Errorf("%s: tiers %v", o.Track.Title, o.Tiers)
		}
	}
	left, err := os.ReadDir(b.press.Folder.Work)
	if err != nil || len(left) > 0 {
		t.Errorf("work folder: %v, %v", left, err)
	}
}

// TestFilesAreKnownAgain moves, touches, copies, changes and removes files.
func TestFilesAreKnownAgain(t *testing.T) {
	b := newBench(t)
	paths := origintest.Music(t, b.music, origintest.Track{Name: "1.wav", Seed: 1}, origintest.Track{Name: "2.wav", Seed: 2}, origintest.Track{Name: "3.wav", Seed: 3})
	before := ids(b.run(lossless))
	if err := os.Rename(paths[0], filepath.Join(b.music, "9.wav")); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(time.Hour)
	if err := os.Chtimes(paths[1], hour, hour); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.music, "2 copy.wav"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	origintest.Music(t, b.music, origintest.Track{Name: "3.wav", Seed: 33})
	g := b.run(lossless)
	after := ids(g)
	// order now: 2 copy (= 2), 2 (the same music, left out), 3 (new), 9 (was 1)
	if len(after) != 3 || after[0] != before[1] || after[1] == before[2] || after[2] != before[0] {
		t.Errorf("before %v\nafter %v", before, after)
	}
	if s := g.Progress().Skipped; len(s) != 1 || !strings.Contains(s[0].Reason, "same music") {
		t.Errorf("skipped %+v", s)
	}
	if _, err := b.shelf.Head(t.Context(), before[2], publish.TierLossless); err != nil {
		t.Errorf("what was sold is gone: %v", err)
	}
}

func TestAskedForFirst(t *testing.T) {
	b := newBench(t)
	var tracks []origintest.Track
	for i := range 5 {
		tracks = append(tracks, origintest.Track{Name: string(rune('1'+i)) + ".wav", Seed: uint64(i)})
	}
	origintest.Music(t, b.music, tracks...)
	order := []string{}
	g := b.ingester(func(g *ingest.Ingester) { g.Workers, g.NoOpus = 1, true })
	asked := false
	known := map[wire.ID]bool{}
	progress, stop := g.Watch()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	for range progress {
		offers := g.Offers()
		for _, o := range offers {
			if len(o.Tiers) > 0 && !known[o.Track.Broadcast] {
				known[o.Track.Broadcast] = true
				order = append(order, o.Track.Title)
			}
		}
		if !asked && len(offers) == 5 && len(order) == 1 {
			asked = true
			g.Ask(offers[3].Track.Broadcast)
			g.Ask(offers[4].Track.Broadcast)
			g.Ask(wire.ID{}) // nobody's
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !asked {
		t.Fatal("the folder was taken in before anything could be asked for")
	}
	// One more may have been begun before the question.
	at := func(title string) int { return slices.Index(order, title) }
	if at("5") > 2 || at("4") != at("5")+1 || len(order) != 5 {
		t.Errorf("order %v", order)
	}
}
