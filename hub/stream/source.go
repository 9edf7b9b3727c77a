package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/sne/catalog"
	"sonahub/sne/manifest"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

// Shop is what the stream needs of an origin; *sale.Client is one.
type Shop interface {
	Head(ctx context.Context, b wire.ID, tier uint16) (*manifest.Head, error)
	Live(ctx context.Context, b wire.ID, tier uint16) (*sale.Edge, error)
	Records(ctx context.Context, h *manifest.Head, first uint64, n int) ([]*manifest.Record, error)
	Segment(ctx context.Context, r *manifest.Record, rendition uint16) ([]byte, error)
	Grant(ctx context.Context, records []*manifest.Record) (*sale.Grant, error)
	Redeem(ctx context.Context, records []*manifest.Record, body []byte) (*sale.Grant, error)
}

// Config describes one playing of one item.
type Config struct {
	Shop  Shop
	Payer wallet.Payer
	Root  string        // KeyID of the origin's root, base32
	Item  catalog.Item  // what to play; its prices are the ceiling
	From  time.Duration // of a live item nothing: it is joined near its edge
	// Rooms is who listens: each one's cap counts, and while there is nobody
	// nothing is bought. nil = a listener without a room.
	Rooms func() []string
	// OverCap is told that a room's cap forbids a purchase. It takes the room
	// out of the group and returns true to go on without it. nil = stop.
	OverCap func(*wallet.CapError) bool
	// Exhibit keeps a proof of fraud (sne/exhibit). nil = not kept.
	Exhibit func(exhibit []byte)
	Ladder  []Rung       // rungs to choose from, best first; nil = Ladder(Item)
	Meter   *Meter       // nil = one of its own
	Clock   audio.Clock  // nil = audio.System
	Log     *slog.Logger // nil = discard
}

// Source plays one item from one position to its end.
type Source struct {
	cfg    Config
	tried  Rung                      // of the last lot; used by the buyer alone
	heads  map[uint16]*manifest.Head // by tier; used by the buyer alone
	tuner  *tuner                    // nil: the broadcast is closed
	base   uint64                    // epoch at position 0, if nothing was jumped over since; used by the buyer alone
	format audio.Format
	total  audio.Pos // frames of the whole broadcast
	epoch  audio.Pos // frames of a full epoch
	every  time.Duration
	from   audio.Pos
	stock  *stock // fetched ciphertext
	dec    *codec.Decoder

	mu      sync.Mutex
	heard   audio.Pos // position heard, in the track
	known   audio.Pos // heard as far as the ledger may know; lags behind
	sample  audio.Pos // heard at the instant sampled
	sampled audio.Instant
	hold    bool
	wanted  bool // Read was called: the listener is here
	why     string
	lots    []*lot
	count   int // purchases made since the start, the opening included
	rung    Rung
	fail    error

	wake     chan struct{} // the buyer should look again
	news     chan struct{} // the reporter should look again
	ready    chan struct{} // the reader should look again
	cancel   context.CancelFunc
	done     chan struct{} // closed when the buyer has ended
	reported chan struct{} // closed when the reporter has ended

	next audio.Pos // next position to read; used by Read alone
}

// Open verifies the manifest of the item's best rung and begins to fetch and
// buy its opening. The context bounds the opening alone; Close ends the
// source.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	if cfg.Ladder == nil {
		cfg.Ladder = Ladder(cfg.Item)
	}
	if len(cfg.Ladder) == 0 {
		return nil, fmt.Errorf("%q has no rendition that this hub can play", cfg.Item.Title)
	}
	if cfg.Meter == nil {
		cfg.Meter = &Meter{}
	}
	if cfg.Clock == nil {
		cfg.Clock = audio.System{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{
		cfg: cfg, heads: map[uint16]*manifest.Head{}, stock: newStock(cfg.Shop, cfg.Meter, cfg.Clock),
		wake: make(chan struct{}, 1), news: make(chan struct{}, 1), ready: make(chan struct{}, 1), done: make(chan struct{}), reported: make(chan struct{}),
	}
	if cfg.Item.Kind == catalog.KindLive {
		s.tuner, s.cfg.From = &tuner{}, 0
	}
	head, err := s.firstHead(ctx)
	if err != nil {
		s.stock.close()
		return nil, err
	}
	s.format = audio.Format{Rate: audio.Rate(head.Rate), Channels: int(head.Channels), Bits: int(head.Bits)}
	s.total, s.every = s.length(head), time.Duration(head.EpochMs)*time.Millisecond
	s.epoch = s.format.Rate.Frames(s.every)
	s.from = s.snap(s.format.Rate.Frames(s.cfg.From))
	s.heard, s.known, s.sample, s.next = s.from, s.from, s.from, s.from
	s.sampled = s.cfg.Clock.Now()
	if s.dec, err = codec.NewDecoder(s.format); err != nil {
		s.stock.close()
		return nil, fmt.Errorf("%q: %w", cfg.Item.Title, err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.buy(run)
	go s.report(run)
	return s, nil
}

// firstHead returns the Head of the best rung that is published by now.
func (s *Source) firstHead(ctx context.Context) (*manifest.Head, error) {
	var first error
	for _, r := range s.cfg.Ladder {
		h, err := s.head(ctx, r.Tier)
		if err == nil {
			return h, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("%q cannot be played yet: %w", s.cfg.Item.Title, first)
}

// sliver is too short to be worth an epoch's money.
const sliver = 20 * time.Millisecond

// snap clamps a position to the track and moves one that lies just before an
// epoch's end to that end, so that a rounded place does not buy a whole epoch
// for its last millisecond.
func (s *Source) snap(p audio.Pos) audio.Pos {
	p = max(0, min(p, s.total))
	next := min((p/s.epoch+1)*s.epoch, s.total)
	if next-p < s.format.Rate.Frames(sliver) {
		return next
	}
	return p
}

// ID is the broadcast's id.
func (s *Source) ID() string { return s.cfg.Item.ID.String() }

// Format is the broadcast's own format.
func (s *Source) Format() audio.Format { return s.format }

// Total is the length of the whole broadcast in frames; a live one has no end
// in sight.
func (s *Source) Total() audio.Pos { return s.total }

// From is the position of the first frame that Read gives.
func (s *Source) From() audio.Pos { return s.from }

// lot is one purchase on its way from the manifest to the decoder.
type lot struct {
	first    audio.Pos // position of its first frame
	end      audio.Pos // position after its last frame
	rung     Rung
	proof    wallet.Proof       // zero for the opening grant
	payloads []*segment.Payload // nil where an epoch among good ones is silent
	records  []*manifest.Record
	told     int   // leading epochs that the payer knows as heard
	fault    error // why the epoch after the last payload cannot be played
}

// lot carries n epochs from epoch first on through the whole chain: manifest,
// rung, fetch, pay, open. What comes back is verified sound that only needs
// to be decoded, and it is paid.
func (s *Source) lot(ctx context.Context, first uint64, n int) (*lot, error) {
	own, n, err := s.owned(ctx, first, n) // what is paid is played before anything is bought
	if err != nil {
		return nil, err
	}
	rung := s.choose(own)
	s.tried = rung
	head, err := s.head(ctx, rung.Tier)
	if err != nil {
		return nil, err
	}
	if own != nil {
		first = own.First
	} else if n, err = s.within(ctx, rung, n); err != nil {
		return nil, err
	}
	records, err := s.cfg.Shop.Records(ctx, head, first, min(n, int(head.TreeSize-first)))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	objects, err := s.stock.take(ctx, records, rung.R)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	paid, err := s.pay(ctx, own, rung, records)
	if err != nil {
		s.stock.giveBack(records, rung.R, objects)
		return nil, err
	}
	defer paid.grant.Erase()
	return s.open(ctx, head, rung, paid, records, objects)
}

// open turns ciphertext and keys into payloads. What is paid and good is
// played: an epoch among good ones whose key or segment is wrong is silent, one
// behind the last good one ends the lot. Every fault that can be proved becomes
// an exhibit, and no more is bought.
func (s *Source) open(ctx context.Context, head *manifest.Head, rung Rung, paid payment, records []*manifest.Record, objects [][]byte) (*lot, error) {
	l := &lot{rung: rung, proof: paid.proof, records: records, first: s.start(records[0].Number)}
	l.end = l.first
	good, at := 0, l.first
	fault := paid.fault // the music may be good and the change is not
	for i, r := range records {
		payload, err := s.openOne(head, rung, r, objects[i], paid.grant.Keys[i])
		l.payloads = append(l.payloads, payload)
		at += audio.Pos(r.Frames)
		if err == nil {
			good, l.end = i+1, at
			continue
		}
		fault = also(fault, fmt.Errorf("epoch %d: %w", r.Number, err))
		s.proveSegment(head, r, objects[i], paid.grant.Keys[i])
	}
	l.payloads = l.payloads[:good]
	if fault != nil {
		s.proveLock(paid)
		l.fault = s.faulty(ctx, paid, fault)
		return l, nil
	}
	if err := s.settle(ctx, paid); err != nil {
		return nil, err
	}
	return l, nil
}

// also puts a second fault beside the first, in one line for people.
func also(first, second error) error {
	if first == nil {
		return second
	}
	return fmt.Errorf("%w; %w", first, second)
}

func (s *Source) openOne(head *manifest.Head, rung Rung, r *manifest.Record, object []byte, key *sale.Key) (*segment.Payload, error) {
	if key == nil {
		return nil, errors.New("the key does not fit the manifest")
	}
	p, err := sale.OpenEpoch(head, r, rung.R, object, key)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Read returns the next epoch as one block (the first one may be shorter),
// waiting for it if need be, and io.EOF at the end. After an error other than
// the context's the source is at its end.
func (s *Source) Read(ctx context.Context) (*audio.Block, error) {
	s.mu.Lock()
	if !s.wanted {
		s.wanted = true
		poke(s.wake)
	}
	s.mu.Unlock()
	for s.next < s.total {
		l, fail := s.holding(s.next)
		switch {
		case l != nil:
			return s.decode(ctx, l)
		case fail != nil:
			return nil, fail
		}
		select {
		case <-s.ready:
		case <-s.done:
			if l, fail := s.holding(s.next); l == nil && fail == nil {
				return nil, audio.ErrClosed
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, io.EOF
}

// holding returns the lot that has position p, or why there will be none.
func (s *Source) holding(p audio.Pos) (*lot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lots {
		if p >= l.first && p < l.end {
			return l, nil
		}
		if p == l.end && l.fault != nil {
			return nil, l.fault
		}
	}
	return nil, s.fail
}

// decode turns the epoch at the next position into sound. What verified and
// cannot be decoded is not what was paid for.
func (s *Source) decode(ctx context.Context, l *lot) (*audio.Block, error) {
	i := int((s.next - l.first) / s.epoch)
	p, at := l.payloads[i], l.first+audio.Pos(i)*s.epoch
	frames := int(l.records[i].Frames)
	b, err := s.sound(p, at, frames)
	if err != nil {
		said := s.faulty(ctx, payment{proof: l.proof, grant: &sale.Grant{}}, fmt.Errorf("epoch %d: %w", l.records[i].Number, err))
		s.stop(said)
		return nil, said
	}
	s.mu.Lock()
	l.payloads[i], s.rung = nil, l.rung
	s.mu.Unlock()
	b = b.Slice(s.next, b.End())
	s.next = b.End()
	return b, nil
}

// sound decodes one epoch; nil is silence.
func (s *Source) sound(p *segment.Payload, at audio.Pos, frames int) (*audio.Block, error) {
	switch {
	case p == nil:
		return &audio.Block{Format: s.format, At: at, PCM: make([]int32, frames*s.format.Channels)}, nil
	case p.Codec == segment.CodecFLAC:
		return s.dec.FLAC(at, p.Packets, frames)
	case p.Codec == segment.CodecOpus:
		return s.dec.Opus(at, p.Packets, int(p.PreSkip), frames)
	}
	return nil, fmt.Errorf("codec %v is not playable", p.Codec)
}

// Close ends fetching, buying and reporting and waits for all three. What is paid and not
// heard stays in the ledger.
func (s *Source) Close() error {
	s.cancel()
	<-s.done
	s.stock.close()
	<-s.reported
	return nil
}

// poke wakes the one who waits on c, or finds that he is awake already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
