package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/hub/origin/publish"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// Pace.
const (
	catchUp = 8               // epochs that are made up for after a stop; behind more than that, the station just goes on
	again   = 2 * time.Second // between tries while there is nothing to play
)

// run keeps the station on the air: epoch after epoch, each at its time. Whatever
// fails is tried again; only the end of ctx and of its creator end a station.
func (st *Station) run(ctx context.Context) error {
	c := st.of.c
	feed := &feed{press: c.Press, format: st.row.Format, at: st.row.Place, list: st.list}
	defer func() { feed.close() }()
	for {
		if c.Dead(st.creator.KeyID()) {
			return st.end(errors.New("its creator's key was revoked"))
		}
		err := st.step(ctx, feed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		c.Log.Warn("station waits", "station", st.plan.Name, "error", err)
		var track *trackError
		if errors.As(err, &track) { // one bad track must not silence the station
			feed.skip(ctx)
		} else {
			feed.rewind(st.row.Place)
		}
		if !wait(ctx, again) {
			return ctx.Err()
		}
	}
}

// step puts the next epoch on the air, and off the sale what is too old.
func (st *Station) step(ctx context.Context, f *feed) error {
	if err := st.begin(ctx, f); err != nil {
		return err
	}
	m, err := st.make(ctx, f)
	if err != nil {
		return err
	}
	defer m.secret.Erase()
	if !wait(ctx, m.at.Sub(st.of.c.Clock())) {
		return ctx.Err()
	}
	if err := st.publish(ctx, m); err != nil {
		return err
	}
	return st.clean(ctx)
}

func (st *Station) end(why error) error {
	st.mu.Lock()
	st.ended = why
	st.mu.Unlock()
	st.of.c.Changed()
	return why
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (st *Station) list(ctx context.Context) ([]wire.ID, error) {
	return tracks(ctx, st.of.c.Shelf, st.of.c.Music(), st.plan.Playlist)
}

// begin founds the broadcast of a station that has none yet, in the format of
// the first track.
func (st *Station) begin(ctx context.Context, f *feed) error {
	if !st.row.Broadcast.IsZero() {
		return nil
	}
	r := st.row
	if r.Format == (audio.Format{}) {
		list, err := st.list(ctx)
		if err != nil {
			return err
		}
		t, err := st.of.c.Shelf.Track(ctx, list[0])
		if err != nil {
			return err
		}
		r.Format = t.Format
	}
	if _, err := io.ReadFull(rand.Reader, r.Nonce[:]); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	r.Broadcast = manifest.BroadcastID(st.creator.KeyID(), r.Nonce)
	if err := st.of.db.found(ctx, r); err != nil {
		return err
	}
	st.mu.Lock()
	st.row = r
	st.mu.Unlock()
	f.format = r.Format
	return nil
}

// made is an epoch that is ready and not on the air yet.
type made struct {
	at     time.Time
	record []byte
	secret kdf.Secret
	place  place // where the one after it begins
}

// make seals the next epoch.
func (st *Station) make(ctx context.Context, f *feed) (*made, error) {
	frames := int(f.format.Rate) * st.row.EpochMs / 1000
	pcm, err := f.next(ctx, frames)
	if err != nil {
		return nil, err
	}
	enc, err := codec.NewEncoder(f.format)
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	packets, err := enc.FLAC(pcm)
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	m := &made{at: st.due(), place: f.place()}
	if err := kdf.Random(st.of.c.Random, m.secret[:]); err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	e := segment.Epoch{Broadcast: st.row.Broadcast, Tier: Tier, Number: st.row.Size}
	rec, err := st.of.c.Press.Live(&m.secret, e, f.format.Rate, frames, []publish.Encoded{{R: rendition, Payload: &segment.Payload{
		Codec: segment.CodecFLAC, Channels: uint8(f.format.Channels), Bits: uint8(f.format.Bits), Rate: uint32(f.format.Rate),
		Frames: uint32(frames), Packets: packets}}})
	if err != nil {
		m.secret.Erase()
		return nil, err
	}
	if m.record, err = rec.Marshal(); err != nil {
		m.secret.Erase()
		return nil, fmt.Errorf("live: %w", err)
	}
	return m, nil
}

// due is when the next epoch goes on the air: one epoch after the last one. A
// station that stood still for a while makes up for it, so that its listeners
// keep what they have ahead.
func (st *Station) due() time.Time {
	now := st.of.c.Clock()
	if len(st.kept) == 0 {
		return now
	}
	every := time.Duration(st.row.EpochMs) * time.Millisecond
	at := time.UnixMilli(st.kept[len(st.kept)-1].At).Add(every)
	if now.Sub(at) > catchUp*every || at.Sub(now) > every {
		return now
	}
	return at
}

// publish puts an epoch on the air.
func (st *Station) publish(ctx context.Context, m *made) error {
	c, r := st.of.c, st.row
	tree := st.of.db.log(ctx, r.Broadcast)
	hashes, err := tree.Append(r.Size, m.record)
	if err != nil {
		return err
	}
	first := manifest.HashIndex(r.Size)
	grown := manifest.Log{Read: func(places []uint64) ([]wire.ID, error) { // the new hashes are not stored yet
		out := make([]wire.ID, len(places))
		for i, p := range places {
			if p >= first && p-first < uint64(len(hashes)) {
				out[i] = hashes[p-first]
				continue
			}
			old, err := tree.Read([]uint64{p})
			if err != nil {
				return nil, err
			}
			out[i] = old[0]
		}
		return out, nil
	}}
	root, err := grown.Root(r.Size + 1)
	if err != nil {
		return err
	}
	r.Size++
	r.Place = m.place
	frames := uint64(r.Format.Rate) * uint64(r.EpochMs) / 1000
	head := &manifest.Head{
		Tier: Tier, Nonce: r.Nonce, OriginRoot: c.Root, Rate: uint32(r.Format.Rate), Channels: uint8(r.Format.Channels), Bits: uint8(r.Format.Bits),
		EpochMs: uint16(r.EpochMs), TreeSize: r.Size, Root: root, TotalFrames: r.Size * frames, Time: uint64(c.Clock().UnixMilli()),
	}
	if r.Head, err = head.Sign(st.key); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	if err := st.of.db.append(ctx, r, m.at.UnixMilli(), m.record, &m.secret, hashes); err != nil {
		return err
	}
	st.mu.Lock()
	st.row, st.head = r, head
	st.kept = append(st.kept, epochRow{r.Size - 1, m.at.UnixMilli()})
	st.mu.Unlock()
	if r.Size == 1 {
		c.Changed()
	}
	return nil
}

// grace is how long a secret outlives its sale, so that a purchase that was
// begun in time is finished.
func (st *Station) grace() time.Duration { return min(30*time.Second, st.plan.Window/2) }

// clean erases what is not for sale any more.
func (st *Station) clean(ctx context.Context) error {
	limit := st.of.c.Clock().Add(-st.plan.Window - st.grace()).UnixMilli()
	n := 0
	for n < len(st.kept) && st.kept[n].At < limit {
		n++
	}
	if n == 0 {
		return nil
	}
	gone := st.kept[:n]
	if err := st.of.db.erase(ctx, st.row.Broadcast, gone[n-1].Number+1); err != nil {
		return err
	}
	st.mu.Lock()
	st.kept = append([]epochRow(nil), st.kept[n:]...)
	st.mu.Unlock()
	for _, e := range gone {
		if err := st.of.c.Press.Withdraw(segment.Epoch{Broadcast: st.row.Broadcast, Tier: Tier, Number: e.Number}); err != nil {
			return err
		}
	}
	return nil
}
