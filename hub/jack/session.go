package jack

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"sonahub/hub/audio"
	"sonahub/hub/jack/wire"
)

// session is the talk with one child. Its fields, but for the channels, are
// guarded by the output's lock.
type session struct {
	rate audio.Rate // that the card was opened with
	born audio.Instant

	isOpen  bool
	opened  wire.Opened
	report  wire.Report
	heardAt audio.Instant // of the last message

	queue []wire.Message
	ready chan struct{} // the queue has something

	ending bool
	why    string // of the end; empty if it was wished
	end    chan struct{}
}

func newSession(rate audio.Rate, now audio.Instant) *session {
	return &session{rate: rate, born: now, heardAt: now, ready: make(chan struct{}, 1), end: make(chan struct{})}
}

// push queues a message; a child that reads nothing is given up.
func (s *session) push(m wire.Message) {
	if len(s.queue) >= maxQueue {
		s.stop("the jack's process is stuck")
		return
	}
	s.queue = append(s.queue, m)
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// stop asks for the end of the talk; only the first reason counts. A nil
// session has ended already.
func (s *session) stop(why string) {
	if s == nil || s.ending {
		return
	}
	s.ending, s.why = true, why
	close(s.end)
}

// talk speaks with the child until the end is asked for or the child ends,
// then ends the child and waits for everything.
func (o *Output) talk(s *session, p *process) {
	var wg sync.WaitGroup
	wg.Go(func() { o.listen(s, p.out) })
	wg.Go(func() { o.speak(s, p.in) })
	o.watch(s)
	o.mu.Lock()
	o.session = nil
	o.mu.Unlock()
	p.kill()
	said := p.wait()
	wg.Wait()
	if said != "" {
		o.opt.Log.Debug("the jack's process said", "stderr", said)
	}
}

// speak writes what is queued.
func (o *Output) speak(s *session, w io.Writer) {
	b := wire.Append(nil, &wire.Hello{Version: wire.Version, Rate: s.rate})
	for {
		if _, err := w.Write(b); err != nil {
			return // the child has ended; what it said last, listen hears
		}
		for b = b[:0]; len(b) == 0; {
			select {
			case <-s.end:
				return
			case <-s.ready:
			}
			o.mu.Lock()
			queue := s.queue
			s.queue = nil
			o.mu.Unlock()
			for _, m := range queue {
				b = wire.Append(b, m)
			}
		}
	}
}

// listen takes what the child tells.
func (o *Output) listen(s *session, out io.Reader) {
	r := wire.NewReader(bufio.NewReader(out))
	for {
		m, err := r.Next()
		o.mu.Lock()
		switch {
		case errors.Is(err, wire.ErrProtocol):
			s.stop(err.Error())
		case err != nil:
			s.stop("the jack's process ended")
		default:
			o.take(s, m)
		}
		ending := s.ending
		o.mu.Unlock()
		if ending {
			return
		}
	}
}

// take does what the child says. The caller holds mu.
func (o *Output) take(s *session, m wire.Message) {
	s.heardAt = o.opt.Clock.Now()
	switch m := m.(type) {
	case *wire.Hello:
		if m.Version != wire.Version {
			s.stop("the jack's process is of another version")
		}
	case *wire.Opened:
		s.isOpen, s.opened = true, *m
		if m.Rate != 0 && m.Rate != s.rate && o.cardRate == 0 {
			// The card has one rate only: our resampler is better than ALSA's.
			o.cardRate = m.Rate
			s.stop("")
			return
		}
		o.absent = ""
		o.opt.Log.Info("sound card opened", "card", m.Name, "rate", int(s.rate), "bits", m.Bits, "latency", m.Latency)
	case *wire.Report:
		s.report = *m
	case *wire.Failed:
		s.stop(m.Why)
	default:
		s.stop("the jack's process speaks nonsense")
	}
}
