package stream_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/stream"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/wallet"
)

// rival is a payer beside which somebody else buys: after the stream has
// asked what is owned, and before it buys, other goods are paid.
type rival struct {
	wallet.Payer
	least int    // epochs of the purchase that it gets ahead of
	skip  uint64 // where its own goods begin, from there
	done  bool   // used by the buyer alone
}

func (r *rival) Buy(ctx context.Context, i wallet.Intent) (wallet.Proof, error) {
	if !r.done && i.N >= r.least {
		r.done = true
		other := i
		other.First, other.N = i.First+r.skip, 2
		other.Price = i.Price / wallet.Msat(i.N) * 2
		if _, err := r.Payer.Buy(ctx, other); err != nil {
			return wallet.Proof{}, err
		}
	}
	return r.Payer.Buy(ctx, i)
}

// TestBoughtMeanwhile lets another source of the same piece (the one before a
// seek, on its way out) buy between the look at what is owned and the
// purchase: wider goods that cover it, and goods that it runs into. The
// platform must get each proof with exactly its own goods, or it refuses money
// that the hub then believes to have back.
func TestBoughtMeanwhile(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 20, Seed: 1}
	for name, r := range map[string]*rival{
		"covered by wider goods": {least: 1},
		"runs into later goods":  {least: 2, skip: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
			src := s.open(0, func(k *stream.Config) {
				r.Payer = k.Payer
				k.Payer = r
			})
			pcm, err := listen(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, cd, pcm, tr.PCM())
			if err := src.Close(); err != nil {
				t.Error(err)
			}
			books, err := s.origin.Books().Audit(t.Context())
			if err != nil || books.EpochsTwice != 0 || books.AmountMsat != int64(s.paid()) || s.paid() != 10000 || !r.done {
				t.Errorf("ledger %v, books %d msat, %d epochs twice, %v", s.paid(), books.AmountMsat, books.EpochsTwice, err)
			}
		})
	}
}

// TestBusyGift wants an opening that the platform is too busy to give to be
// asked for again and not to be paid.
func TestBusyGift(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 2, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true}, wallet.Caps{}, tr)
	src := s.open(0, func(k *stream.Config) { k.Shop = &busyGift{Shop: k.Shop} })
	pcm, err := listen(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, cd, pcm, tr.PCM())
	if paid := s.paid(); paid != 0 {
		t.Errorf("%v were paid for a gift", paid)
	}
}

type busyGift struct {
	stream.Shop
	once sync.Once
}

func (b *busyGift) Grant(ctx context.Context, records []*manifest.Record) (*sale.Grant, error) {
	var err error
	b.once.Do(func() { err = &message.Error{Code: message.CodeBusy} })
	if err != nil {
		return nil, err
	}
	return b.Shop.Grant(ctx, records)
}

// TestLastRoomCap wants nothing to be bought once the cap has silenced every
// room, and the reason to be the cap.
func TestLastRoomCap(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 20, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{Hour: 1e9, Day: 1e9, Room: 3000}, tr)
	rooms := []string{"kitchen"}
	src := s.open(0, func(k *stream.Config) {
		k.Rooms = func() []string { return rooms }
		k.OverCap = func(e *wallet.CapError) bool {
			rooms = slices.DeleteFunc(rooms, func(r string) bool { return r == e.Room })
			return true
		}
	})
	_, err := listen(t.Context(), src)
	var cap *wallet.CapError
	if !errors.As(err, &cap) || cap.Room != "kitchen" {
		t.Errorf("it ended with %v", err)
	}
	if paid := s.paid(); paid > 3000 {
		t.Errorf("%v were paid, of which nobody hears more than 3 sat", paid)
	}
}

// broke is a payer that may not pay more for now.
type broke struct {
	wallet.Payer
	mu    sync.Mutex
	tries int
}

func (b *broke) Buy(ctx context.Context, i wallet.Intent) (wallet.Proof, error) {
	b.mu.Lock()
	b.tries++
	n := b.tries
	b.mu.Unlock()
	if n <= 3 {
		return wallet.Proof{}, &wallet.ExposureError{Asked: i.Price}
	}
	return b.Payer.Buy(ctx, i)
}

// counting counts the fetches of segments.
type counting struct {
	stream.Shop
	mu sync.Mutex
	n  map[uint64]int
}

func (c *counting) Segment(ctx context.Context, r *manifest.Record, rendition uint16) ([]byte, error) {
	c.mu.Lock()
	c.n[r.Number]++
	c.mu.Unlock()
	return c.Shop.Segment(ctx, r, rendition)
}

// TestRefusedPaymentKeepsCiphertext fetches a segment once, however often its
// payment has to be tried.
func TestRefusedPaymentKeepsCiphertext(t *testing.T) {
	t.Parallel()
	tr := origintest.Track{Format: cd, Frames: 44100 * 2, Seed: 1}
	s := newShop(t, origin.Config{NoOpus: true, FreeEpochs: -1}, wallet.Caps{}, tr)
	shop := &counting{n: map[uint64]int{}}
	src := s.open(0, func(k *stream.Config) {
		shop.Shop = k.Shop
		k.Shop, k.Payer = shop, &broke{Payer: k.Payer}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if b, err := src.Read(ctx); err != nil || b.End() != audio.Pos(tr.Frames) {
		t.Fatalf("%v", err)
	}
	if _, err := src.Read(ctx); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if shop.n[0] != 1 {
		t.Errorf("the segment was fetched %d times", shop.n[0])
	}
}
