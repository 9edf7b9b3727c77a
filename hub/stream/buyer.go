package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/audio"
	"sonahub/sne/fetch"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/wallet"
)

// Backoff between tries while the platform or the purse cannot deliver.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 1500 * time.Millisecond // an origin that is back is noticed within this; the window has two seconds more than the outage it must bridge
)

// badTries is how often a rung may deliver bytes that do not verify before
// another rung is tried.
const badTries = 2

// buy keeps the ahead window filled until the source is closed.
func (s *Source) buy(ctx context.Context) {
	defer close(s.done)
	next := uint64(s.from / s.epoch)
	retry, bad := firstRetry, 0
	for ctx.Err() == nil {
		n := s.allowed(next)
		if n > 0 && s.nobody() {
			s.say(errNobody)
			s.wait(ctx, firstRetry)
			continue
		}
		if n == 0 {
			s.attend(ctx)
			continue
		}
		var l *lot
		var err error
		if s.live() {
			if next, n, err = s.tune(ctx, next, n); err == nil && n == 0 {
				s.pause(ctx, s.every/looks)
				continue
			}
		}
		if err == nil {
			l, err = s.lot(ctx, next, n)
		}
		if err == nil {
			next = l.records[len(l.records)-1].Number + 1
			s.add(l)
			retry, bad = firstRetry, 0
			if l.fault != nil {
				break
			}
			s.fetchAhead(ctx, next, l.rung)
			continue
		}
		if overtaken(err) {
			continue // what is owned is looked up again
		}
		if damaged(err) {
			if bad++; bad >= badTries && s.dropRung(ctx, next) {
				bad = 0
			}
		}
		if s.live() {
			s.tuner.lost = true
		}
		if !passing(err) && !(s.live() && moved(err)) {
			s.stop(err)
			break
		}
		s.say(err)
		s.wait(ctx, retry)
		retry = min(2*retry, lastRetry)
	}
	<-ctx.Done() // nothing more to buy, still much to hear
}

// errNobody is why nothing is bought while no room listens.
var errNobody = errors.New("no room with a working speaker is listening")

// nobody reports that there are rooms in this hub and none of them listens.
func (s *Source) nobody() bool { return s.cfg.Rooms != nil && len(s.cfg.Rooms()) == 0 }

// allowed is how many epochs may be bought now from epoch next on.
func (s *Source) allowed(next uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.start(next)
	if at >= s.total || s.hold || s.fail != nil {
		return 0
	}
	if (s.count > 0 || s.live()) && !s.wanted {
		return 0 // the opening of a track that is only next in the queue, or a broadcast that nobody hears yet
	}
	rate := s.format.Rate
	n := Plan(max(0, at-s.heard).Duration(rate), (s.heard - s.from).Duration(rate), s.every, s.count)
	if free := s.cfg.Item.FreeEpochs - int(next); free > 0 {
		n = min(n, free)
	}
	return n
}

// start is the position of an epoch's first frame.
func (s *Source) start(epoch uint64) audio.Pos {
	return (audio.Pos(epoch) - audio.Pos(s.base)) * s.epoch
}

// length is that of the whole broadcast.
func (s *Source) length(h *manifest.Head) audio.Pos {
	if s.live() {
		return endless
	}
	return audio.Pos(h.TotalFrames)
}

func (s *Source) add(l *lot) {
	s.mu.Lock()
	s.lots = append(s.lots, l)
	s.count++
	s.why = ""
	s.mu.Unlock()
	poke(s.ready)
}

// stop ends the buying for good; what is bought is still played.
func (s *Source) stop(err error) {
	if errors.Is(err, context.Canceled) {
		err = audio.ErrClosed
	} else if errors.Is(err, manifest.ErrHead) {
		err = &WithdrawnError{Title: s.cfg.Item.Title, Err: err}
	}
	s.mu.Lock()
	s.fail, s.why = err, err.Error()
	s.mu.Unlock()
	poke(s.ready)
}

// say keeps why there is nothing to play at present.
func (s *Source) say(err error) {
	why := plain(err)
	s.mu.Lock()
	same := s.why == why
	s.why = why
	s.mu.Unlock()
	if !same { // once, not at every try
		s.cfg.Log.Warn("stream: trying again", "item", s.cfg.Item.Title, "err", err)
	}
}

// plain is a fault in the words of a household.
func plain(err error) string {
	switch {
	case errors.Is(err, fetch.ErrUnreachable):
		return "the music platform does not answer"
	case errors.Is(err, fetch.ErrBusy):
		return "the music platform is busy"
	case moved(err):
		return "this is not on the air at present"
	case errors.Is(err, fetch.ErrNotFound):
		return "the music platform is still preparing this piece"
	case damaged(err):
		return "the music platform sent damaged data; nothing was paid for it"
	}
	return err.Error()
}

// attend waits for news of the listener.
func (s *Source) attend(ctx context.Context) {
	select {
	case <-s.wake:
	case <-ctx.Done():
	}
}

// pause waits for d, or less if there are news.
func (s *Source) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// wait lets d pass, whatever the news.
func (s *Source) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// passing reports whether a fault may pass by itself.
func passing(err error) bool {
	var exposure *wallet.ExposureError
	var refusal *message.Error
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &refusal):
		return later(refusal)
	case errors.As(err, &exposure):
		return true
	case damaged(err):
		return true // nothing was paid for it; another edge may be honest
	}
	var f *fetch.Error
	return errors.As(err, &f) && !errors.Is(err, fetch.ErrGone)
}

// later reports a refusal that says nothing of the goods or the money.
func later(e *message.Error) bool {
	return e.Code == message.CodeBusy || e.Code == message.CodeRate || e.Code == message.CodeInternal
}

// overtaken reports that somebody else bought what was to be bought. It cannot
// happen twice for the same epochs: what is owned is asked for first.
func overtaken(err error) bool {
	var overlap *wallet.OverlapError
	return errors.Is(err, errMeanwhile) || errors.As(err, &overlap)
}

// damaged reports bytes that came and did not verify.
func damaged(err error) bool {
	return errors.Is(err, fetch.ErrMalformed) || errors.Is(err, fetch.ErrTooBig) || errors.Is(err, manifest.ErrRecord) || errors.Is(err, sale.ErrObject)
}

// dropRung gives up the rung that delivers damage to the epoch next and reports
// whether another one is left. A rung in whose tier that epoch is paid stays:
// its keys open nothing else, and on another rung it would be paid again.
func (s *Source) dropRung(ctx context.Context, next uint64) bool {
	if len(s.cfg.Ladder) < 2 {
		return false
	}
	if own, _, err := s.owned(ctx, next, 1); own != nil || err != nil {
		return false
	}
	var rest []Rung
	for _, r := range s.cfg.Ladder {
		if r != s.tried {
			rest = append(rest, r)
		}
	}
	dropped := len(rest) < len(s.cfg.Ladder)
	s.cfg.Ladder = rest
	return dropped
}

// choose returns the rung of a purchase: of one that is owned the best of its
// tier, otherwise the best that arrives in time.
func (s *Source) choose(own *wallet.Proof) Rung {
	if own == nil {
		return choose(s.cfg.Ladder, s.cfg.Meter)
	}
	var tier []Rung
	for _, r := range s.cfg.Ladder {
		if r.Tier == own.Tier {
			tier = append(tier, r)
		}
	}
	return choose(tier, s.cfg.Meter)
}

// head returns the verified Head of a tier, which must fit what is known of
// the broadcast. The shop, which keeps it, is asked each time: a creator that
// was revoked meanwhile is refused there.
func (s *Source) head(ctx context.Context, tier uint16) (*manifest.Head, error) {
	held := s.heads[tier]
	if held != nil && s.live() {
		return held, nil // tune has asked
	}
	h, err := s.cfg.Shop.Head(ctx, s.cfg.Item.ID, tier)
	if err != nil {
		if held != nil && passing(err) {
			return held, nil
		}
		return nil, err
	}
	if s.total != 0 && (s.length(h) != s.total || audio.Rate(h.Rate) != s.format.Rate ||
		int(h.Channels) != s.format.Channels || int(h.Bits) != s.format.Bits || time.Duration(h.EpochMs)*time.Millisecond != s.every) {
		return nil, fmt.Errorf("the tiers of %q do not fit each other", s.cfg.Item.Title)
	}
	if h.TotalFrames == 0 || h.EpochMs == 0 || h.TreeSize == 0 {
		return nil, fmt.Errorf("%q is empty", s.cfg.Item.Title)
	}
	s.heads[tier] = h
	return h, nil
}

// fetchAhead lets the ciphertext of the coming epochs arrive; it is free.
func (s *Source) fetchAhead(ctx context.Context, next uint64, r Rung) {
	if h := s.heads[r.Tier]; h != nil && next < h.TreeSize {
		s.stock.ahead(ctx, h, next, r.R)
	}
}
