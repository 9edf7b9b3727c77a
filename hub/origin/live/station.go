package live

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sonahub/hub/origin/publish"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Tier is the one tier of a station: lossless, with one rendition.
const (
	Tier      = publish.TierLossless
	rendition = 1
)

// Station is one broadcast that never ends. It is safe for concurrent use.
type Station struct {
	of      *Stations
	plan    Plan
	key     *composite.SecretKey
	creator *composite.PublicKey

	mu    sync.RWMutex
	row   row
	head  *manifest.Head // nil before the first epoch
	kept  []epochRow     // not erased yet, the oldest first
	ended error          // why it is off the air for good
}

// open loads a station or prepares a new one, which gets its broadcast with
// the first track that is ready. One whose creator was revoked begins anew.
func (s *Stations) open(ctx context.Context, p Plan) (*Station, error) {
	r, ok, err := s.db.station(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	if !ok {
		r = row{Name: p.Name, Version: 1, EpochMs: p.EpochMs}
	}
	st := &Station{of: s, plan: p, row: r}
	for {
		if st.key, err = s.c.Creators.Creator(p.Name, st.row.Version); err != nil {
			return nil, fmt.Errorf("live: station %q: %w", p.Name, err)
		}
		st.creator = st.key.Public()
		if !s.c.Dead(st.creator.KeyID()) {
			break
		}
		st.key.Erase()
		st.row = row{Name: p.Name, Version: st.row.Version + 1, EpochMs: p.EpochMs, Format: r.Format, Place: r.Place}
	}
	if st.row.Size == 0 {
		return st, nil
	}
	st.head, err = manifest.VerifyHead(st.row.Head, st.creator, manifest.Want{Broadcast: st.row.Broadcast, Tier: Tier, OriginRoot: s.c.Root})
	if err != nil {
		return nil, fmt.Errorf("live: station %q: own head: %w", p.Name, err)
	}
	root, err := s.db.log(ctx, st.row.Broadcast).Root(st.row.Size)
	if err != nil || root != st.head.Root || st.head.TreeSize != st.row.Size {
		return nil, fmt.Errorf("live: station %q: its tree does not fit its head (%w)", p.Name, errors.Join(err, manifest.ErrRecord))
	}
	st.plan.EpochMs = st.row.EpochMs
	st.kept, err = s.db.epochs(ctx, st.row.Broadcast)
	return st, err
}

// forSale is the oldest epoch that is for sale. The caller holds the lock.
func (st *Station) forSale() uint64 {
	limit := st.of.c.Clock().Add(-st.plan.Window).UnixMilli()
	for _, e := range st.kept {
		if e.At >= limit {
			return e.Number
		}
	}
	return st.row.Size
}

// Name is the station's name.
func (st *Station) Name() string { return st.plan.Name }

// Public is the key of the station's creator.
func (st *Station) Public() *composite.PublicKey { return st.creator }

// Head returns the newest Head, also as it was signed; nil while the station
// is not on the air, or not any more.
func (st *Station) Head() (*manifest.Head, []byte) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.ended != nil || st.head == nil {
		return nil, nil
	}
	return st.head, st.row.Head
}

// Edge is what LIVE_IS says, or nil as for Head.
func (st *Station) Edge() *message.LiveIs {
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.ended != nil || st.head == nil {
		return nil
	}
	return &message.LiveIs{Broadcast: st.row.Broadcast, Tier: Tier, TreeSize: st.row.Size, Root: st.head.Root, FirstForSale: st.forSale()}
}

// Sells returns the length of n epochs from first on in frames, or why they
// are not for sale: ErrNotYet, ErrGone.
func (st *Station) Sells(first uint64, n int) (frames uint64, err error) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	switch {
	case st.ended != nil:
		return 0, ErrGone
	case first+uint64(n) > st.row.Size:
		return 0, ErrNotYet
	case first < st.forSale():
		return 0, ErrGone
	}
	return uint64(n) * uint64(st.row.Format.Rate) * uint64(st.row.EpochMs) / 1000, nil
}

// Secrets reads the secrets of len(dst) epochs from first on, whether they are
// for sale or only kept to finish a purchase. Errors: ErrGone.
func (st *Station) Secrets(ctx context.Context, first uint64, dst []kdf.Secret) error {
	return st.of.db.secrets(ctx, st.broadcast(), first, dst)
}

// Records returns the page of at most n records from first on under the Head
// of that size. Errors: ErrGone, manifest.ErrRecord.
func (st *Station) Records(ctx context.Context, size, first uint64, n int) ([]byte, error) {
	st.mu.RLock()
	b, now := st.row.Broadcast, st.row.Size
	st.mu.RUnlock()
	if n < 1 || n > manifest.MaxPage || size > now || first >= size {
		return nil, manifest.ErrRecord
	}
	records, err := st.of.db.records(ctx, b, first, int(min(uint64(n), size-first)))
	if err != nil {
		return nil, err
	}
	return st.of.db.log(ctx, b).Page(first, size, records)
}

// Consistency returns the proof that the Head of size from continues in that
// of size to. Errors: manifest.ErrRecord.
func (st *Station) Consistency(ctx context.Context, from, to uint64) ([]byte, error) {
	st.mu.RLock()
	b, now := st.row.Broadcast, st.row.Size
	st.mu.RUnlock()
	if to > now {
		return nil, manifest.ErrRecord
	}
	path, err := st.of.db.log(ctx, b).Consistency(from, to)
	if err != nil {
		return nil, err
	}
	return manifest.MarshalConsistency(path)
}

func (st *Station) broadcast() wire.ID {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.row.Broadcast
}
