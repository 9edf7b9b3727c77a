package stream_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/stream"
	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/sale"
	"sonahub/sne/wire"
	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ledger"
)

var (
	cd  = audio.Format{Rate: 44100, Channels: 2, Bits: 16}
	dvd = audio.Format{Rate: 48000, Channels: 2, Bits: 24}
)

// shop is a real platform, a real ledger with money in it, and the client
// between them.
type shop struct {
	t      *testing.T
	origin *origin.Origin
	config origin.Config // of the platform, to start it once more
	faults *origintest.Faults
	client *sale.Client
	ledger *ledger.Ledger
	root   string
	items  []catalog.Item
}

func newShop(t *testing.T, c origin.Config, caps wallet.Caps, tracks ...origintest.Track) *shop {
	t.Helper()
	ctx := t.Context()
	s := &shop{t: t, faults: &origintest.Faults{}}
	c.Music, c.Wrap = t.TempDir(), s.faults.Wrap
	origintest.Music(t, c.Music, tracks...)
	if c.State == "" {
		c.State = t.TempDir()
	}
	s.config = c
	s.origin = origintest.Start(t, c)
	if err := s.origin.Done(ctx); err != nil {
		t.Fatal(err)
	}
	u, err := bundle.ParseURL(s.origin.URL())
	if err != nil {
		t.Fatal(err)
	}
	s.root = u.Root.String()
	if s.client, err = sale.NewClient(sale.Config{URL: u, Plain: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.client.Close() })
	key, err := wallet.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	purse, err := ffxs.New(ffxs.Config{Key: key, Origin: func(string) (ffxs.Origin, error) { return till{s.client}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.ledger, err = ledger.Open(ctx, ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db"), Key: key, Rails: []wallet.Rail{purse}, Caps: caps})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.ledger.Close() })
	voucher, err := s.origin.Voucher(ctx, 20000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := purse.TopUp(ctx, s.root, voucher); err != nil {
		t.Fatal(err)
	}
	list, err := s.client.Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.items = list.Items
	return s
}

// open opens the item at place i; change may alter the configuration.
func (s *shop) open(i int, change func(*stream.Config)) *stream.Source {
	s.t.Helper()
	c := stream.Config{Shop: s.client, Payer: s.ledger, Root: s.root, Item: s.items[i]}
	if change != nil {
		change(&c)
	}
	src, err := stream.Open(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = src.Close() })
	return src
}

// listen reads the source to its end and hears every block at once.
func listen(ctx context.Context, src *stream.Source) ([]int32, error) {
	var pcm []int32
	for {
		b, err := src.Read(ctx)
		if errors.Is(err, io.EOF) {
			return pcm, nil
		}
		if err != nil {
			return pcm, err
		}
		pcm = append(pcm, b.PCM...)
		src.Heard(b.End())
	}
}

func (s *shop) paid() wallet.Msat {
	s.t.Helper()
	totals, err := s.ledger.Totals(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return totals.Granted
}

func equal(t *testing.T, f audio.Format, got, want []int32) {
	t.Helper()
	if audiotest.SHA256(f, got) != audiotest.SHA256(f, want) {
		t.Errorf("got %d samples, want %d, and they are not the same", len(got), len(want))
	}
}

// till is the platform as the purse sees it.
type till struct{ *sale.Client }

func (t till) KeySets(ctx context.Context) ([][32]byte, error) {
	b, err := t.Bundle(ctx)
	if err != nil {
		return nil, err
	}
	var out [][32]byte
	for _, id := range b.KeySets {
		out = append(out, id)
	}
	return out, nil
}

func (t till) KeySet(ctx context.Context, id [32]byte) ([]byte, error) {
	return t.Client.KeySet(ctx, wire.ID(id))
}

func (t till) TopUp(ctx context.Context, keyset [32]byte, blinds []byte, voucher string) ([]byte, error) {
	return t.Client.TopUp(ctx, wire.ID(keyset), blinds, voucher)
}

func (t till) Swap(ctx context.Context, tokens []byte, keyset [32]byte, blinds []byte) ([]byte, error) {
	return t.Client.Swap(ctx, append(append(append([]byte{}, tokens...), keyset[:]...), blinds...))
}

// wait waits for ok for at most d.
func wait(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.After(d)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("waited %v in vain for %s", d, what)
		}
	}
}
