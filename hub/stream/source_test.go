package stream_test

import (
	"testing"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/stream"
	"sonahub/wallet"
)

// TestLossless buys two formats from a real platform and compares with the
// files by hash; what is paid is what the platform's books say.
func TestLossless(t *testing.T) {
	t.Parallel()
	tracks := []origintest.Track{
		{Name: "1.flac", Format: cd, Frames: 44100*7 + 123, Seed: 1},
		{Name: "2.wav", Format: dvd, Frames: 48000*5 + 1, Seed: 2},
	}
	s := newShop(t, origin.Config{NoOpus: true}, wallet.Caps{}, tracks...)
	for i, tr := range tracks {
		src := s.open(i, nil)
		pcm, err := listen(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tr.Format, pcm, tr.PCM())
		if q := src.Quality(); q == "" {
			t.Error("no quality is named")
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
	books, err := s.origin.Books().Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if paid := s.paid(); int64(paid) != books.AmountMsat || paid == 0 || books.EpochsTwice != 0 {
		t.Errorf("the ledger says %v, the books %d msat, %d epochs twice", paid, books.AmountMsat, books.EpochsTwice)
	}
	spending, err := s.ledger.Spending(t.Context())
	if err != nil || spending.DayBought != spending.DayHeard {
		t.Errorf("bought %v, heard %v (%v)", spending.DayBought, spending.DayHeard, err)
	}
}

// TestOwnedFirst opens the same place again after the first source was closed
// unheard: what is paid is used, and nothing is paid again.
func TestOwnedFirst(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 9, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	src := s.open(0, nil)
	if _, err := src.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, 10*time.Second, "the window to be full", func() bool { return s.paid() >= 2000 })
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	before := s.paid()
	src = s.open(0, nil)
	for range 2 {
		if _, err := src.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := s.paid(); after != before {
		t.Errorf("%v were paid for what was owned", after-before)
	}
}

// TestHold wants a held source to buy nothing, and one that is only next in
// the queue nothing but its opening.
func TestHold(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 30, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	src := s.open(0, nil)
	wait(t, 10*time.Second, "the opening", func() bool { return s.paid() == 1000 })
	<-time.After(300 * time.Millisecond)
	if got := s.paid(); got != 1000 {
		t.Fatalf("a track that nobody plays yet cost %v", got)
	}
	if _, err := src.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, 10*time.Second, "two epochs", func() bool { return s.paid() == 2000 })
	src.Hold(true)
	src.Heard(2 * 88200)
	<-time.After(300 * time.Millisecond)
	if got := s.paid(); got != 2000 {
		t.Fatalf("while held %v were paid", got-2000)
	}
	src.Hold(false)
	wait(t, 10*time.Second, "the next purchase", func() bool { return s.paid() > 2000 })
}

// TestOpusRungs forces rung after rung and wants every frame.
func TestOpusRungs(t *testing.T) {
	t.Parallel()
	for _, tr := range []origintest.Track{
		{Format: cd, Frames: 44100*7 + 777, Seed: 1},
		{Format: dvd, Frames: 48000*5 + 1, Seed: 2},
	} {
		s := newShop(t, origin.Config{}, wallet.Caps{}, tr)
		ladder := stream.Ladder(s.items[0])
		if len(ladder) != 4 {
			t.Fatalf("the ladder has %d rungs: %+v", len(ladder), ladder)
		}
		for _, rung := range ladder[1:] {
			src := s.open(0, func(c *stream.Config) { c.Ladder = []stream.Rung{rung} })
			pcm, err := listen(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			if len(pcm) != tr.Frames*2 {
				t.Errorf("%s gave %d frames, want %d", rung.Name, len(pcm)/2, tr.Frames)
			}
			if src.Quality() != rung.Name {
				t.Errorf("it says %q and is %q", src.Quality(), rung.Name)
			}
			if err := src.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
