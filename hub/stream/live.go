package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/audio"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
)

// endless is the length of a live broadcast, in frames.
const endless = audio.Pos(1) << 60

// margin is how far behind its edge a live broadcast is played, at least, on
// top of the lead of the outputs: time for an epoch to appear, to arrive and to
// be paid for before it must sound.
const margin = 3 * time.Second

// looks is how often in the length of an epoch the next one is looked for.
const looks = 4

// missing is after how many epochs without a new one the platform itself is
// asked over the session: a cache may hold the Head back.
const missing = 3

// tuner follows the edge of a live broadcast. It belongs to the buyer.
type tuner struct {
	joined  bool          // the place where play begins is known
	lost    bool          // the platform must be asked where the edge is
	filling bool          // all that is bought was heard, or nothing is yet: a margin is gathered before play goes on
	grown   audio.Instant // when the broadcast was seen to grow
	looked  audio.Instant
}

// live reports whether the source follows a live broadcast.
func (s *Source) live() bool { return s.tuner != nil }

// behind is how many epochs behind the edge play begins.
func (s *Source) behind() uint64 {
	return max(2, uint64((margin+s.every-1)/s.every))
}

// tune returns from which epoch on how many may be bought now: of n that the
// ahead window has room for those that exist. It joins near the edge, and again
// where the place has left the sale, for which positions stay contiguous. Heads
// stay in memory: they are what was listened to.
func (s *Source) tune(ctx context.Context, next uint64, n int) (uint64, int, error) {
	t, now := s.tuner, s.cfg.Clock.Now()
	rung := s.choose(nil)
	h := s.heads[rung.Tier]
	if t.lost || !t.joined || h == nil || h.TreeSize <= next || t.filling {
		if t.joined && !t.lost && now.Sub(t.looked) < s.every/looks {
			return next, 0, nil
		}
		t.looked = now
		size := uint64(0)
		if h != nil {
			size = h.TreeSize
		}
		var err error
		if t.lost || !t.joined || now.Sub(t.grown) > missing*s.every {
			next, err = s.join(ctx, next, rung.Tier)
		} else {
			s.heads[rung.Tier], err = s.cfg.Shop.Head(ctx, s.cfg.Item.ID, rung.Tier)
		}
		if err != nil {
			s.heads[rung.Tier] = h
			if errors.Is(err, manifest.ErrStaleHead) { // a cache is behind; the sound in hand goes on
				t.lost, err = true, nil
			}
			return next, 0, err
		}
		if h = s.heads[rung.Tier]; h.TreeSize > size {
			t.grown = now
		}
	}
	s.mu.Lock()
	t.filling = t.filling || s.heard >= s.start(next)
	s.mu.Unlock()
	if h.TreeSize <= next || t.filling && h.TreeSize-next < s.behind() {
		return next, 0, nil
	}
	t.filling = false
	return next, min(n, int(min(h.TreeSize-next, message.MaxRange))), nil
}

// join asks the platform where the edge is, and moves the place there if there
// is none yet, or if what is there is not for sale any more.
func (s *Source) join(ctx context.Context, next uint64, tier uint16) (uint64, error) {
	e, err := s.cfg.Shop.Live(ctx, s.cfg.Item.ID, tier)
	if moved(err) { // it is off the air: for good, if its creator was revoked
		if _, herr := s.cfg.Shop.Head(ctx, s.cfg.Item.ID, tier); errors.Is(herr, manifest.ErrHead) {
			err = herr
		}
	}
	if err != nil {
		return next, err
	}
	s.heads[tier] = e.Head
	t := s.tuner
	if !t.joined || next < e.FirstForSale {
		place := e.FirstForSale
		if size := e.Head.TreeSize; size > s.behind() {
			place = max(place, size-s.behind())
		}
		s.base += place - next // positions go on from where they are
		next = place
	}
	t.joined, t.lost = true, false
	return next, nil
}

// moved reports a refusal that only says that the broadcast has moved on.
func moved(err error) bool {
	var refusal *message.Error
	return errors.As(err, &refusal) &&
		(refusal.Code == message.CodeNotFound || refusal.Code == message.CodeNotYet || refusal.Code == message.CodeGone)
}

// WithdrawnError ends a piece in its middle: the platform has revoked the key
// that signs it, or its manifest contradicts itself.
type WithdrawnError struct {
	Title string
	Err   error
}

func (e *WithdrawnError) Error() string {
	if errors.Is(e.Err, manifest.ErrRevoked) {
		return fmt.Sprintf("the platform has withdrawn %q: the key that signs it was revoked", e.Title)
	}
	return fmt.Sprintf("%q contradicts what was broadcast before, nothing more of it is bought: %v", e.Title, e.Err)
}

// Unwrap returns what was found.
func (e *WithdrawnError) Unwrap() error { return e.Err }
