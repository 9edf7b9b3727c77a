package stream

import (
	"context"
	"time"

	"sonahub/hub/audio"
)

// Heard tells the source how far the track was heard, in frames since its
// start. It opens the ahead window; a smaller position than before is ignored.
func (s *Source) Heard(p audio.Pos) {
	s.mu.Lock()
	if p > s.heard {
		s.heard = min(p, s.total)
	}
	s.mu.Unlock()
	poke(s.wake)
	poke(s.news)
}

// Hold stops buying at once (a pause) or lets it go on. A purchase whose
// proof is already shown is finished either way.
func (s *Source) Hold(on bool) {
	s.mu.Lock()
	s.hold = on
	s.mu.Unlock()
	poke(s.wake)
}

// Why says in plain words what the source waits for; "" if for nothing.
func (s *Source) Why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// InHand is how much sound is bought, verified and not heard yet.
func (s *Source) InHand() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.heard
	for _, l := range s.lots {
		end = max(end, l.end)
	}
	return (end - s.heard).Duration(s.format.Rate)
}

// Rung is the rendition that was read last.
func (s *Source) Rung() Rung {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rung
}

// Quality names what was read last in people's words.
func (s *Source) Quality() string { return s.Rung().Name }

// hearsay is how old news must be before an epoch is told as heard, which
// ends what opens it: by then the place of the listener has passed it on disk
// too, and a hub that is cut off does not have to buy it once more.
const hearsay = 400 * time.Millisecond

// lastWord bounds what is written to the ledger after Close.
const lastWord = 3 * time.Second

// report keeps the payer informed until the source is closed. It is a
// goroutine of its own: a disk that makes the ledger wait must not keep the
// buyer from buying.
func (s *Source) report(ctx context.Context) {
	defer close(s.reported)
	for ctx.Err() == nil {
		more := s.settled(false)
		s.tell(ctx)
		if more {
			s.wait(ctx, hearsay)
			continue
		}
		select {
		case <-s.news:
		case <-ctx.Done():
		}
	}
	<-s.done // the buyer adds nothing any more
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	s.settled(true)
	s.tell(last)
}

// settled moves on what counts as heard for the ledger and reports whether
// there is more to come.
func (s *Source) settled(last bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	switch {
	case last:
		s.known = s.heard
	case now.Sub(s.sampled) >= hearsay:
		s.known, s.sample, s.sampled = s.sample, s.heard, now
	}
	return s.known < s.heard
}

// tell reports to the payer what was heard of each purchase, and forgets lots
// that are wholly heard. An epoch that a seek jumped over counts as heard once
// a later one of the same purchase was: the purchase is used either way.
func (s *Source) tell(ctx context.Context) {
	type news struct {
		l *lot
		n int
	}
	var out []news
	s.mu.Lock()
	for _, l := range s.lots {
		n := 0
		for end := l.first; n < len(l.payloads); n++ {
			if end += audio.Pos(l.records[n].Frames); end > s.known {
				break
			}
		}
		if l.proof.ID != "" && n > l.told {
			out = append(out, news{l, n})
		}
	}
	s.mu.Unlock()
	for _, x := range out {
		if err := s.cfg.Payer.Heard(ctx, x.l.proof.ID, x.n); err != nil {
			s.cfg.Log.Warn("stream: heard not recorded", "err", err)
			continue
		}
		x.l.told = x.n
	}
	s.forget()
}

// forget drops lots that lie behind the listener; the last one stays, so that
// a fault at its end is still found.
func (s *Source) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := s.lots[:0]
	for i, l := range s.lots {
		behind := l.end <= s.heard && l.fault == nil
		settled := l.proof.ID == "" || l.told >= len(l.payloads)
		if !behind || !settled || i == len(s.lots)-1 {
			keep = append(keep, l)
		}
	}
	clear(s.lots[len(keep):])
	s.lots = keep
}
