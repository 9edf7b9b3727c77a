package stream_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/stream"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/wallet"
)

// TestBadSegments puts damage between platform and hub: nothing of it is
// heard or paid, people read why, and when it passes the music goes on whole.
// To see it fail: let fetch ignore the hash, or pay before fetching.
func TestBadSegments(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 7, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	for _, c := range []struct {
		mode origintest.Mode
		why  string
	}{
		{origintest.WrongMIME, "damaged"}, {origintest.Truncate, "damaged"}, {origintest.BitFlip, "damaged"},
		{origintest.Flood, "damaged"}, {origintest.CutOff, "does not answer"}, {origintest.Die, "does not answer"}, {origintest.Busy, "busy"},
	} {
		before := s.paid()
		s.faults.Set(c.mode, resource.Segment)
		src := s.open(0, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		b, err := src.Read(ctx)
		cancel()
		if b != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: a block %v, error %v", c.mode, b != nil, err)
		}
		if paid := s.paid(); paid != before {
			t.Errorf("%v: %v were paid for damage", c.mode, paid-before)
		}
		if why := src.Why(); !strings.Contains(why, c.why) {
			t.Errorf("%v: people read %q, want something with %q", c.mode, why, c.why)
		}
		s.faults.Set(origintest.Pass)
		pcm, err := listen(t.Context(), src)
		if err != nil {
			t.Errorf("%v: after it passed: %v", c.mode, err)
		}
		equal(t, cd, pcm, tr.PCM())
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOneBadRung goes down a rung when only the best one is damaged.
func TestOneBadRung(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 3, Seed: 1}
	s := newShop(t, origin.Config{}, wallet.Caps{}, tr)
	src := s.open(0, func(c *stream.Config) { c.Shop = spoiled{c.Shop, 2} })
	pcm, err := listen(t.Context(), src)
	if err != nil || len(pcm) != tr.Frames*2 || !strings.HasPrefix(src.Quality(), "Opus") {
		t.Errorf("%d samples of %q, %v", len(pcm), src.Quality(), err)
	}
}

// spoiled is a shop that delivers damage in one tier.
type spoiled struct {
	stream.Shop
	tier uint16
}

func (s spoiled) Segment(ctx context.Context, r *manifest.Record, rendition uint16) ([]byte, error) {
	if r.Tier == s.tier {
		return nil, sale.ErrObject
	}
	return s.Shop.Segment(ctx, r, rendition)
}

// TestForeignManifest refuses a manifest that is signed for another broadcast.
func TestForeignManifest(t *testing.T) {
	t.Parallel()
	s := newShop(t, origin.Config{NoOpus: true}, wallet.Caps{},
		origintest.Track{Name: "1.flac", Frames: 44100 * 3, Seed: 1}, origintest.Track{Name: "2.flac", Frames: 44100 * 3, Seed: 2})
	s.faults.Foreign(s.items[1].ID)
	if _, err := stream.Open(t.Context(), stream.Config{Shop: s.client, Payer: s.ledger, Root: s.root, Item: s.items[0]}); err == nil {
		t.Fatal("a foreign manifest was believed")
	}
	if paid := s.paid(); paid != 0 {
		t.Errorf("%v were paid", paid)
	}
}

// answering is a shop whose sale answers as a test wants.
type answering struct {
	stream.Shop
	redeem func(ctx context.Context, records []*manifest.Record, body []byte) (*sale.Grant, error)
}

func (a answering) Redeem(ctx context.Context, records []*manifest.Record, body []byte) (*sale.Grant, error) {
	return a.redeem(ctx, records, body)
}

// TestRefusals plays every answer that a platform may give to a purchase and
// checks where the money is afterwards.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 3, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	start := s.balance()
	for _, c := range []struct {
		name string
		err  error
		lost wallet.Msat
	}{
		{"another price", &message.Error{Code: message.CodePrice}, 0},
		{"not there", &message.Error{Code: message.CodeNotFound}, 0},
		{"spent token", &message.Error{Code: message.CodeToken}, 1000},
	} {
		src := s.open(0, func(k *stream.Config) {
			k.Shop = answering{k.Shop, func(context.Context, []*manifest.Record, []byte) (*sale.Grant, error) { return nil, c.err }}
		})
		b, err := src.Read(t.Context())
		if b != nil || !errors.Is(err, c.err) {
			t.Errorf("%s: block %v, error %v", c.name, b != nil, err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if lost := start - s.balance(); lost != c.lost {
			t.Errorf("%s: %v are gone, want %v", c.name, lost, c.lost)
		}
		start = s.balance()
	}
}

func (s *shop) balance() wallet.Msat {
	s.t.Helper()
	m, err := s.ledger.Spending(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return m.Balance
}

// TestLostAnswer loses every answer of the platform for a while: the same
// purchase is shown again, and it is paid once.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 5, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	lost := 0
	src := s.open(0, func(k *stream.Config) {
		honest := k.Shop
		k.Shop = answering{honest, func(ctx context.Context, r []*manifest.Record, body []byte) (*sale.Grant, error) {
			g, err := honest.Redeem(ctx, r, body)
			if lost++; lost%2 == 1 && err == nil {
				g.Erase()
				return nil, &message.Error{Code: message.CodeBusy}
			}
			return g, err
		}}
	})
	pcm, err := listen(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, cd, pcm, tr.PCM())
	books, err := s.origin.Books().Audit(t.Context())
	if err != nil || books.EpochsTwice != 0 || books.AmountMsat != int64(s.paid()) {
		t.Errorf("books %+v, ledger %v, %v", books, s.paid(), err)
	}
}

// TestBadKey gets one key that does not fit among good ones: what is paid and
// good is played, the epoch of the bad key is silent, and nothing more is
// bought from there. A GRANT is not signed, so there is no exhibit.
func TestBadKey(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 20, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	var broken *manifest.Record // the first of a purchase of several
	var last uint64
	src := s.open(0, func(k *stream.Config) {
		honest := k.Shop
		k.Exhibit = func([]byte) { t.Error("an exhibit of what nobody signed") }
		k.Shop = answering{honest, func(ctx context.Context, r []*manifest.Record, body []byte) (*sale.Grant, error) {
			g, err := honest.Redeem(ctx, r, body)
			last = r[len(r)-1].Number
			if err == nil && len(r) > 1 {
				broken, g.Keys[0] = r[0], nil
				return g, &sale.BadKeysError{Epochs: []uint64{r[0].Number}}
			}
			return g, err
		}}
	})
	pcm, err := listen(t.Context(), src)
	var blocked *wallet.BlockedError
	if !errors.As(err, &blocked) || broken == nil {
		t.Fatalf("it ended with %v", err)
	}
	const epoch = 88200 * 2
	want := slices.Clone(tr.PCM()[:int(last+1)*epoch])
	clear(want[int(broken.Number)*epoch : int(broken.Number+1)*epoch])
	equal(t, cd, pcm, want)
	before := s.paid()
	if _, err = listen(t.Context(), s.open(0, nil)); !errors.As(err, &blocked) {
		t.Errorf("the platform is not blocked: %v", err)
	}
	if s.paid() != before {
		t.Error("money after the fault")
	}
}

// TestOutage takes the platform away in the middle of a track: what is in
// hand plays on, and it goes on by itself.
func TestOutage(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 60, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true}, wallet.Caps{}, tr)
	src := s.open(0, nil)
	read := 0
	step := func() error {
		b, err := src.Read(t.Context())
		if err == nil {
			read++
			src.Heard(b.End())
		}
		return err
	}
	for read < 15 { // 30 s are heard
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, 10*time.Second, "the window to be full", func() bool { return src.InHand() >= 24*time.Second })
	s.faults.Set(origintest.Die)
	outage := read
	for read < outage+12 { // 24 s more without a platform
		if err := step(); err != nil {
			t.Fatalf("after %d s of outage: %v", 2*(read-outage), err)
		}
	}
	s.faults.Set(origintest.Pass)
	for read < 30 {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoomCap lets one of two rooms come to its cap.
func TestRoomCap(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 11, Seed: 1}
	caps := wallet.Caps{Hour: 1e9, Day: 1e9, Room: 3000}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, caps, tr)
	rooms := []string{"kitchen"}
	var over []string
	src := s.open(0, func(k *stream.Config) {
		k.Rooms = func() []string { return rooms }
		k.OverCap = func(e *wallet.CapError) bool {
			over = append(over, e.Room)
			rooms = []string{"study"}
			return len(over) == 1
		}
	})
	var err error
	var end audio.Pos
	for {
		var b *audio.Block
		if b, err = src.Read(t.Context()); err != nil {
			break
		}
		end = b.End()
		src.Heard(end)
	}
	if len(over) == 0 || over[0] != "kitchen" {
		t.Fatalf("over their cap: %v", over)
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the study, which has its own cap, did not hear the end: %v at %v", err, end.Duration(44100))
	}
}
