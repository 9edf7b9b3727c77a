package stream

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"sonahub/hub/audio"
	"sonahub/sne/manifest"
)

// Bounds of the ciphertext that waits for its key.
const (
	stockEpochs = 15       // 30 s beyond what is bought
	stockBytes  = 24 << 20 // 30 s of 24 bit at 48 kHz that does not compress is 9 MB
	fetchers    = 3        // at a time, so that two connections stay free for exchanges
)

type stockKey struct {
	epoch     uint64
	tier      uint16
	rendition uint16
}

// stock fetches segment objects, checks their hashes (the shop does) and
// keeps some ahead of need. It costs nothing but bytes.
type stock struct {
	shop  Shop
	meter *Meter
	clock audio.Clock

	mu    sync.Mutex
	have  map[stockKey][]byte
	bytes int
	stop  context.CancelFunc // of the running fetch ahead
	wg    sync.WaitGroup
}

func newStock(shop Shop, m *Meter, c audio.Clock) *stock {
	return &stock{shop: shop, meter: m, clock: c, have: map[stockKey][]byte{}}
}

func keyOf(r *manifest.Record, rendition uint16) stockKey {
	return stockKey{r.Number, r.Tier, rendition}
}

// take returns the objects of the records, fetching what is not there.
func (s *stock) take(ctx context.Context, records []*manifest.Record, rendition uint16) ([][]byte, error) {
	out := make([][]byte, len(records))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	for i, r := range records {
		if o := s.pick(keyOf(r, rendition)); o != nil {
			out[i] = o
			continue
		}
		g.Go(func() error {
			o, err := s.get(ctx, r, rendition)
			out[i] = o
			return err
		})
	}
	if err := g.Wait(); err != nil {
		s.giveBack(records, rendition, out)
		return nil, err
	}
	return out, nil
}

// giveBack keeps objects for the next try; those that did not come are nil.
func (s *stock) giveBack(records []*manifest.Record, rendition uint16, objects [][]byte) {
	for i, o := range objects {
		if o != nil {
			s.put(keyOf(records[i], rendition), o)
		}
	}
}

func (s *stock) get(ctx context.Context, r *manifest.Record, rendition uint16) ([]byte, error) {
	from := s.clock.Now()
	o, err := s.shop.Segment(ctx, r, rendition)
	if err != nil {
		return nil, err
	}
	s.meter.Add(len(o), s.clock.Now().Sub(from))
	return o, nil
}

// pick takes an object out of the stock.
func (s *stock) pick(k stockKey) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.have[k]
	if o != nil {
		delete(s.have, k)
		s.bytes -= len(o)
	}
	return o
}

func (s *stock) put(k stockKey, o []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have[k] == nil && s.bytes+len(o) <= stockBytes {
		s.have[k] = o
		s.bytes += len(o)
	}
}

func (s *stock) missing(k stockKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have[k] == nil && s.bytes < stockBytes
}

// ahead fetches the epochs from first on in the background, one by one, and
// ends a fetch that ran before. A failure is nobody's concern: what is needed
// is asked for again.
func (s *stock) ahead(ctx context.Context, h *manifest.Head, first uint64, rendition uint16) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
	}
	s.stop = cancel
	for k, o := range s.have { // another rung's or past epochs
		if k.epoch < first || k.tier != h.Tier || k.rendition != rendition {
			delete(s.have, k)
			s.bytes -= len(o)
		}
	}
	s.mu.Unlock()
	s.wg.Go(func() {
		defer cancel()
		n := min(stockEpochs, int(h.TreeSize-first))
		records, err := s.shop.Records(ctx, h, first, n)
		if err != nil {
			return
		}
		for _, r := range records {
			k := keyOf(r, rendition)
			if !s.missing(k) {
				continue
			}
			o, err := s.get(ctx, r, rendition)
			if err != nil {
				return
			}
			s.put(k, o)
		}
	})
}

// close ends the fetch ahead and forgets the stock.
func (s *stock) close() {
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
	}
	s.have = map[stockKey][]byte{}
	s.mu.Unlock()
	s.wg.Wait()
}
