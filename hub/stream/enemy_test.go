package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec"
	"sonahub/hub/stream"
	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/fetch"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

// Sizes of the enemy's broadcast: 60 epochs of a second in two tiers, mono, each
// a tenth of a second of plucks and then nothing, so that it decodes quickly.
const (
	enemyEpochs = 60
	enemyFrames = 48000
	enemyFree   = 2
	enemyMsatS  = 500
)

// broadcast is what an honest platform would hold. It is never changed.
type broadcast struct {
	item    catalog.Item
	pcm     []int32
	heads   map[uint16]*manifest.Head
	trees   map[uint16]*manifest.Tree
	keys    map[uint16][]kdf.Secret
	objects map[uint16][][]byte
}

func newBroadcast(tb testing.TB) *broadcast {
	tb.Helper()
	creator, err := composite.NewSecretKey(make([]byte, composite.SeedsSize))
	if err != nil {
		tb.Fatal(err)
	}
	mono := audio.Format{Rate: 48000, Channels: 1, Bits: 16}
	one := append(audiotest.Plucks(mono, 4800, 1), make([]int32, enemyFrames-4800)...)
	enc, err := codec.NewEncoder(mono)
	if err != nil {
		tb.Fatal(err)
	}
	packets, err := enc.FLAC(one)
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := (&segment.Payload{Codec: segment.CodecFLAC, Channels: 1, Bits: 16, Rate: 48000, Frames: enemyFrames, Packets: packets}).Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	b := &broadcast{pcm: one, heads: map[uint16]*manifest.Head{}, trees: map[uint16]*manifest.Tree{}, keys: map[uint16][]kdf.Secret{}, objects: map[uint16][][]byte{}}
	id := manifest.BroadcastID(creator.Public().KeyID(), [16]byte{1})
	b.item = catalog.Item{ID: id, Title: "Enemy", FreeEpochs: enemyFree}
	for tier := uint16(1); tier <= 2; tier++ {
		var records []*manifest.Record
		for n := range uint64(enemyEpochs) {
			e, es := segment.Epoch{Broadcast: id, Tier: tier, Number: n}, kdf.Secret{byte(tier), byte(n), 1}
			object, err := segment.Seal(nil, &es, e, 1, plain)
			if err != nil {
				tb.Fatal(err)
			}
			commit, err := segment.Commit(&es, e)
			if err != nil {
				tb.Fatal(err)
			}
			b.keys[tier], b.objects[tier] = append(b.keys[tier], es), append(b.objects[tier], object)
			records = append(records, &manifest.Record{Epoch: e, Frames: enemyFrames, Commit: commit, Renditions: []manifest.Rendition{
				{R: 1, Codec: segment.CodecFLAC, BitsPerS: 500000, ObjectLen: uint32(len(object)), SHA256: sha256.Sum256(object)}}})
		}
		tree, err := manifest.NewTree(records)
		if err != nil {
			tb.Fatal(err)
		}
		h := &manifest.Head{Closed: true, Tier: tier, Nonce: [16]byte{1}, Rate: 48000, Channels: 1, Bits: 16, EpochMs: 1000,
			TreeSize: enemyEpochs, Root: tree.Root(), TotalFrames: enemyEpochs * enemyFrames, Time: 1}
		if _, err := h.Sign(creator); err != nil {
			tb.Fatal(err)
		}
		b.heads[tier], b.trees[tier] = h, tree
		b.item.Tiers = append(b.item.Tiers, catalog.Tier{Tier: tier, PriceMsatS: enemyMsatS,
			Renditions: []catalog.Rendition{{R: 1, Codec: "flac", Bps: 500000 + int(tier), Rate: 48000, Bits: 16, Ch: 1}}})
	}
	return b
}

// enemy is a platform and a purse in one, whose every answer the program
// chooses. What it hands out is checked by the product's own functions, as
// sale.Client does; what is paid it compares with what passed those checks.
type enemy struct {
	stream.Shop  // nothing else of it is called
	wallet.Payer // nor of this

	*broadcast
	t  *testing.T
	mu sync.Mutex

	program []byte
	hashed  map[[2]uint64]bool // tier, epoch: its honest object passed the checks
	keyed   map[uint64]bool    // epochs whose key was handed out
	bought  []wallet.Proof
	ended   map[string]wallet.Outcome
	told    map[string]int
	from    audio.Pos // where the listener began
	heard   audio.Pos
	fault   string
}

// next is the enemy's next mood; 0 (honest) when the program is at its end.
func (e *enemy) next() byte {
	if len(e.program) == 0 {
		return 0
	}
	b := e.program[0]
	e.program = e.program[1:]
	return b
}

// failf keeps the first fault; the methods run in the stream's goroutines.
func (e *enemy) failf(format string, args ...any) {
	if e.fault == "" {
		e.fault = fmt.Sprintf(format, args...)
	}
}

func unreachable() error { return &fetch.Error{Kind: fetch.ErrUnreachable} }

func (e *enemy) Head(_ context.Context, _ wire.ID, tier uint16) (*manifest.Head, error) {
	return e.heads[tier], nil
}

func (e *enemy) Records(_ context.Context, h *manifest.Head, first uint64, n int) ([]*manifest.Record, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := first
	switch e.next() % 6 {
	case 1:
		return nil, unreachable()
	case 2: // of another place
		at = (first + 1) % h.TreeSize
	case 3: // of the other tier
		page, err := e.trees[3-h.Tier].Page(first, n)
		if err != nil {
			return nil, err
		}
		return manifest.VerifyRecords(h, first, n, page)
	}
	page, err := e.trees[h.Tier].Page(at, n)
	if err != nil {
		return nil, err
	}
	return manifest.VerifyRecords(h, first, n, page)
}

func (e *enemy) Segment(ctx context.Context, r *manifest.Record, rendition uint16) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// Ciphertext: the window, a purchase on its way, and the stock of 15.
	if at := audio.Pos(r.Number) * enemyFrames; at > e.heard+max(e.heard-e.from, 2*enemyFrames)+(3+15)*enemyFrames {
		e.failf("epoch %d is fetched while %v is heard", r.Number, e.heard)
	}
	honest := e.objects[r.Tier][r.Number]
	object := slices.Clone(honest)
	mood := e.next()
	switch mood % 8 {
	case 1:
		return nil, unreachable()
	case 2:
		object[int(mood)*997%len(object)] ^= 1
	case 3:
		object = object[:len(object)-1-int(mood)]
	case 4: // a neighbour's
		object = e.objects[r.Tier][(r.Number+1)%enemyEpochs]
	case 5: // the other tier's
		object = e.objects[3-r.Tier][r.Number]
	}
	if err := sale.CheckObject(r, rendition, object); err != nil {
		return nil, err
	}
	if slices.Equal(object, honest) {
		e.hashed[[2]uint64{uint64(r.Tier), r.Number}] = true
	}
	return object, nil
}

// Buy is the payer's: this is where money leaves.
func (e *enemy) Buy(_ context.Context, i wallet.Intent) (wallet.Proof, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.bought {
		switch {
		case e.ended[p.ID] == wallet.Faulty:
			e.failf("bought again of a platform that cheated")
		case e.ended[p.ID] == 0:
			e.failf("bought while %s is not settled", p.ID)
		case e.ended[p.ID] == wallet.Granted && p.Tier == i.Tier && p.First < i.First+uint64(i.N) && i.First < p.First+uint64(p.N) && e.told[p.ID] < p.N:
			e.failf("epochs of %s are paid twice", p.ID)
		}
	}
	for n := i.First; n < i.First+uint64(i.N); n++ {
		if !e.hashed[[2]uint64{uint64(i.Tier), n}] {
			e.failf("epoch %d of tier %d is paid before its segment is checked", n, i.Tier)
		}
	}
	// The ahead window: what was heard, and two epochs in any case.
	if end := audio.Pos(i.First+uint64(i.N)) * enemyFrames; end > e.heard+max(e.heard-e.from, 2*enemyFrames) {
		e.failf("bought up to %v while %v is heard", end, e.heard)
	}
	if i.Price != wallet.Msat(enemyMsatS*i.N) {
		e.failf("%d epochs for %v", i.N, i.Price)
	}
	switch e.next() % 5 {
	case 1:
		return wallet.Proof{}, &wallet.ExposureError{Asked: i.Price}
	}
	p := wallet.Proof{ID: fmt.Sprint("p", len(e.bought)), Rail: 2, Goods: i.Goods, Amount: i.Price, Body: wallet.Bearer{1}}
	e.bought = append(e.bought, p)
	return p, nil
}

func (e *enemy) Owned(_ context.Context, _, _ string, tier uint16) ([]wallet.Proof, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []wallet.Proof
	for _, p := range e.bought {
		if p.Tier == tier && (e.ended[p.ID] == 0 || e.ended[p.ID] == wallet.Granted && e.told[p.ID] < p.N) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b wallet.Proof) int { return int(a.First) - int(b.First) })
	return out, nil
}

func (e *enemy) Window(context.Context, string, wallet.Msat) (wallet.Msat, error) {
	return 1 << 40, nil
}

func (e *enemy) Settle(_ context.Context, id string, r wallet.Receipt) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if had := e.ended[id]; had != 0 && had != r.Outcome && had != wallet.Granted {
		e.failf("%s ended as %v and as %v", id, had, r.Outcome)
	}
	e.ended[id] = r.Outcome
	return nil
}

func (e *enemy) Heard(_ context.Context, id string, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told[id] = n
	return nil
}

func (e *enemy) Grant(_ context.Context, records []*manifest.Record) (*sale.Grant, error) {
	return e.grant(records)
}

func (e *enemy) Redeem(_ context.Context, records []*manifest.Record, _ []byte) (*sale.Grant, error) {
	return e.grant(records)
}

// grant answers a purchase, honestly or not. A wrong key is handed on as if
// sale had not looked at it: what opens the segment must look too.
func (e *enemy) grant(records []*manifest.Record) (*sale.Grant, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := &sale.Grant{AmountMsat: uint64(enemyMsatS * len(records))}
	for _, r := range records {
		k := e.keys[r.Tier][r.Number]
		g.Keys = append(g.Keys, &k)
	}
	mood := e.next()
	at := int(mood/16) % len(g.Keys)
	switch mood % 16 {
	case 1:
		return nil, unreachable()
	case 2:
		return nil, &message.Error{Code: message.CodePrice}
	case 3:
		return nil, &message.Error{Code: message.CodeToken}
	case 4:
		return nil, &message.Error{Code: message.CodeBusy}
	case 5:
		g.Keys[at] = nil
	case 6:
		k := e.keys[3-records[at].Tier][records[at].Number]
		g.Keys[at] = &k
	case 7:
		k := e.keys[records[at].Tier][(records[at].Number+1)%enemyEpochs]
		g.Keys[at] = &k
	}
	var bad []uint64
	for i, r := range records {
		if k := g.Keys[i]; k == nil {
			bad = append(bad, r.Number)
		} else if *k == e.keys[r.Tier][r.Number] {
			e.keyed[r.Number] = true
		}
	}
	if bad != nil {
		return g, &sale.BadKeysError{Epochs: bad}
	}
	return g, nil
}

// virtual is the bubble's clock.
type virtual struct{ zero time.Time }

func (v virtual) Now() audio.Instant { return audio.Instant(time.Since(v.zero)) }

// listenTo plays the broadcast through the enemy until it ends, or the listener
// has heard enough and stops listening; after 40 s he leaves.
func (e *enemy) listenTo() {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	e.mu.Lock()
	enough := 16 - int(e.next()%16)
	from := time.Duration(e.next()%8) * time.Second
	e.from = audio.Pos(from.Seconds() * enemyFrames)
	e.heard = e.from
	e.mu.Unlock()
	src, err := stream.Open(ctx, stream.Config{Shop: e, Payer: e, Root: "root", Item: e.item, From: from, Clock: virtual{time.Now()}})
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() {
		if err := src.Close(); err != nil {
			e.t.Error(err)
		}
	}()
	for ; ; enough-- {
		if enough == 0 {
			<-ctx.Done()
			return
		}
		b, err := src.Read(ctx)
		if err != nil {
			if b != nil {
				e.t.Fatal("sound beside an error")
			}
			var refusal *message.Error
			var blocked *wallet.BlockedError
			if !errors.Is(err, io.EOF) && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &refusal) && !errors.As(err, &blocked) {
				e.t.Fatalf("it ended with %v", err)
			}
			return
		}
		e.mu.Lock()
		epoch := uint64(b.At) / enemyFrames
		want := e.pcm
		if !e.keyed[epoch] { // bought among good ones: silence stands for it
			want = make([]int32, enemyFrames)
		}
		if b.At%enemyFrames != 0 || !slices.Equal(b.PCM, want) {
			e.failf("epoch %d sounds of something else (key handed out: %v)", epoch, e.keyed[epoch])
		}
		e.heard = b.End()
		e.mu.Unlock()
		select { // it sounds
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
		src.Heard(b.End())
	}
}

// FuzzPurchase plays a track from a platform whose every answer the program
// chooses: never a panic, never a payment before the hashes of all its segments
// are checked, never for an epoch that is paid and unheard, never after a
// cheat; never sound before its own key came; never more bought or fetched
// ahead than the windows allow.
//
// Seen red, by the committed seeds alone: Source.lot with pay before
// stock.take, and sale.CheckObject without its SHA-256 ("is paid before its
// segment is checked"); the buyer without its stop after a fault ("bought
// again of a platform that cheated").
func FuzzPurchase(f *testing.F) {
	b := newBroadcast(f)
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{18}, 64)) // every segment damaged
	f.Add([]byte{3, 0, 2, 2, 0, 4, 0, 0, 5, 0, 0, 3, 0, 0, 1, 0, 0, 0})
	f.Add([]byte{1, 2, 3, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0})
	f.Add([]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 20, 0, 0, 0, 37, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 256 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			e := &enemy{t: t, broadcast: b, program: program, hashed: map[[2]uint64]bool{}, keyed: map[uint64]bool{},
				ended: map[string]wallet.Outcome{}, told: map[string]int{}}
			e.listenTo()
			if e.fault != "" {
				t.Fatal(e.fault)
			}
		})
	})
}
