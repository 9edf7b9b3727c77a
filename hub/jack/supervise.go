package jack

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sonahub/hub/audio"
)

const (
	watchEvery  = 100 * time.Millisecond
	openTime    = 12 * time.Second // within which a child must say something
	silentTime  = 3 * time.Second  // a child that tells nothing for so long is given up
	stalledTime = 700 * time.Millisecond
	idleTime    = time.Second            // after the last sound, before the card changes its rate
	again       = 300 * time.Millisecond // after a child that had played, before the next
	looks       = 10                     // looks for a card between two tries without a sign of one
)

// supervise keeps a child alive as long as the member is joined.
func (o *Output) supervise() {
	defer close(o.done)
	for {
		o.mu.Lock()
		joined, closed := o.joined, o.closed
		o.mu.Unlock()
		switch {
		case closed:
			return
		case !joined:
			<-o.wake
		default:
			seen := o.look()
			if why, played := o.live(); why != "" {
				o.rest(seen, played)
			}
		}
	}
}

// live is one child's life. It returns why it ended, empty if that was wished,
// and whether it had a card.
func (o *Output) live() (why string, played bool) {
	p, err := o.spawn()
	o.mu.Lock()
	if err != nil {
		defer o.mu.Unlock()
		o.fail(fmt.Sprintf("the jack's process does not start: %v", err))
		return o.absent, false
	}
	s := newSession(o.wanted(), o.opt.Clock.Now())
	o.session = s
	if !o.joined {
		s.stop("")
	}
	o.replay()
	o.mu.Unlock()
	o.talk(s, p)

	o.mu.Lock()
	defer o.mu.Unlock()
	if s.why != "" {
		o.fail(s.why)
	}
	return s.why, s.isOpen
}

// fail notes why there is no sound, and says it once. The caller holds mu.
func (o *Output) fail(why string) {
	if o.absent != why {
		o.opt.Log.Warn("no sound from the jack", "why", why)
	}
	o.absent, o.cardRate = why, 0
	o.fault = errors.New("jack: " + why)
}

// watch ends the talk when it is time: a child that is silent, a card that
// should have another rate, an end that was asked for.
func (o *Output) watch(s *session) {
	for {
		t := time.NewTimer(o.check(s))
		select {
		case <-s.end:
			t.Stop()
			return
		case <-t.C:
		case <-o.wake:
			t.Stop()
		}
	}
}

// check looks after the child and returns when to look again.
func (o *Output) check(s *session) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.opt.Clock.Now()
	quiet := now.Sub(s.heardAt)
	if !s.isOpen && quiet > openTime || s.isOpen && quiet > silentTime {
		s.stop("the jack's process does not answer")
		return watchEvery
	}
	at, ok := o.renewal(s, now)
	switch {
	case !ok || !s.isOpen:
		return watchEvery
	case at <= now:
		s.stop("")
		return watchEvery
	}
	return min(watchEvery, at.Sub(now)+time.Millisecond)
}

// rest waits after a child that failed: a moment if it had played, otherwise
// until it is worth another try. Without any sign of a card, as seen before
// the last try, that is seldom: starting a process is not free.
func (o *Output) rest(seen string, played bool) {
	every, times := o.opt.Retry, 1
	switch {
	case played:
		every = min(every, again)
	case seen == "":
		times = looks
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for times > 0 {
		select {
		case <-t.C:
			times--
			if o.look() != seen {
				return
			}
		case <-o.wake:
		}
		o.mu.Lock()
		wished := !o.joined || o.absent == "" // it left, or joined anew
		o.mu.Unlock()
		if wished {
			return
		}
	}
}

// Status reports the member, if it has joined.
func (o *Output) Status() []audio.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.joined {
		return nil
	}
	st := audio.Status{ID: o.opt.ID, Evidence: audio.Derived, Err: o.fault}
	now := o.opt.Clock.Now()
	s := o.session
	switch {
	case o.absent != "":
		st.State, st.Why = audio.Absent, o.absent
		return []audio.Status{st}
	case s == nil || !s.isOpen || !s.report.Settled:
		st.State, st.Why = audio.Joining, "the sound card is opening"
		return []audio.Status{st}
	case now.Sub(s.heardAt) > stalledTime:
		st.State, st.Why = audio.Stalled, "the jack's process does not answer"
	case s.report.Playing:
		st.State = audio.Playing
	default:
		st.State = audio.Ready
	}
	st.Heard = o.heard(s, now)
	if st.Why == "" {
		st.Why = s.report.Inexact
	}
	if st.Why == "" {
		st.Why = s.opened.Inexact
	}
	st.BitExact = st.Why == "" && o.gain == audio.Unity
	if st.Why == "" && !st.BitExact {
		st.Why = fmt.Sprintf("volume is %.1f dB", float64(o.gain))
	}
	return []audio.Status{st}
}

// heard carries the last report on to now.
func (o *Output) heard(s *session, now audio.Instant) audio.Pos {
	cur, ok := o.play.Current()
	if !ok || s.report.Run < int64(cur.Run) {
		return 0
	}
	p := s.report.Heard
	if s.report.Playing {
		on := max(0, now.Sub(s.report.At)).Seconds()
		p += audio.Pos(math.Round(on * float64(cur.Format.Rate)))
	}
	return min(p, o.play.Written(cur))
}
