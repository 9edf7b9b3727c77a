package airplay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/airplay/raop"
	"sonahub/hub/audio"
)

// request is something to tell a receiver.
type request func(ctx context.Context, s *raop.Session) error

// serve keeps a receiver told until it goes away or ctx ends, and says why.
func (o *Output) serve(ctx context.Context, r *member, s *raop.Session) error {
	alive := time.NewTicker(or(o.KeepAlive, defaultKeepAlive))
	defer alive.Stop()
	for {
		do := o.wish(r)
		if do == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.Done():
				return fmt.Errorf("the speaker ended the connection: %w", s.Err())
			case <-r.wake:
				continue
			case <-alive.C:
				do = keepAlive
			}
		}
		limited, cancel := context.WithTimeout(ctx, or(o.Request, defaultRequest))
		err := do(limited, s)
		cancel()
		if err != nil {
			return err
		}
	}
}

func keepAlive(ctx context.Context, s *raop.Session) error { return s.KeepAlive(ctx) }

// wish returns the most urgent thing that the receiver has yet to be told, nil
// if there is none.
func (o *Output) wish(r *member) request {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.gen != o.gen && !r.dirty {
		o.follow(r, o.gen)
	}
	switch {
	case r.gen != o.gen:
		return o.forget(r)
	case r.told != volume(r.gain):
		return o.turn(r)
	case r.check:
		r.check = false
		return keepAlive
	case r.track != o.tracks:
		return o.show(r)
	}
	return nil
}

// follow notes that a room's receiver is ready for a generation.
func (o *Output) follow(r *member, gen int) {
	r.gen, r.dirty, r.next = gen, false, fresh
	o.poke()
}

// forget has the receiver drop all packets before the next one.
func (o *Output) forget(r *member) request {
	gen, seq, at := o.gen, o.grid.seqOf(o.grid.head), o.grid.timeOf(o.grid.head)
	return func(ctx context.Context, s *raop.Session) error {
		if err := s.Flush(ctx, seq, at); err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.follow(r, gen)
		return nil
	}
}

// turn sets the volume. A speaker that has none is played all the same.
func (o *Output) turn(r *member) request {
	to := volume(r.gain)
	return func(ctx context.Context, s *raop.Session) error {
		err := s.Volume(ctx, to)
		o.mu.Lock()
		defer o.mu.Unlock()
		r.told = to
		return o.tolerate(r, "volume", err)
	}
}

// show sends the metadata.
func (o *Output) show(r *member) request {
	number, track := o.tracks, o.describe()
	return func(ctx context.Context, s *raop.Session) error {
		err := s.Describe(ctx, track)
		o.mu.Lock()
		defer o.mu.Unlock()
		r.track = number
		return o.tolerate(r, "metadata", err)
	}
}

// tolerate turns a mere refusal into a line in the log.
func (o *Output) tolerate(r *member, what string, err error) error {
	if refusal := (*raop.Refusal)(nil); errors.As(err, &refusal) {
		o.log().Debug("airplay: not taken", "what", what, "speaker", r.id, "err", err)
		return nil
	}
	return err
}

// describe puts the track into RTP times, if the wire is running.
func (o *Output) describe() raop.Track {
	t := raop.Track{Title: o.track.Title, Artist: o.track.Artist, Album: o.track.Album, Artwork: o.track.Artwork}
	e := o.grid.epoch
	s, started := o.grid.play.Current()
	if e == nil || !started || o.track.From == o.track.To {
		return t
	}
	at := func(p audio.Pos) uint32 {
		return o.grid.timeOfFrame(e.frameAt(s.Line.Instant(o.conv.toWire(p))))
	}
	t.Start, t.End = at(o.track.From), at(o.track.To)
	t.Now = o.grid.timeOfFrame(e.frameAt(o.clock().Now()))
	return t
}

// volume carries a gain onto AirPlay's scale: decibels from 0 down to -30, and
// a value of its own for silence. What lies below the scale is its lowest
// audible step.
func volume(g audio.Gain) float64 {
	if g.Factor() == 0 {
		return raop.Mute
	}
	return min(max(float64(g), raop.Quietest), raop.Loudest)
}

// Status reports every member.
func (o *Output) Status() []audio.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock().Now()
	out := make([]audio.Status, 0, len(o.rooms))
	for _, r := range o.rooms {
		out = append(out, o.statusOf(r, now))
	}
	return out
}

func (o *Output) statusOf(r *member, now audio.Instant) audio.Status {
	st := audio.Status{ID: r.id, State: o.state(r, now), Heard: o.heard(now), Err: r.err}
	if o.conv != nil {
		st.Why = o.conv.why()
		st.BitExact = st.Why == ""
	}
	switch st.State {
	case audio.Absent, audio.Joining, audio.Stalled:
		st.BitExact = false
		st.Why = "waiting for the speaker"
		if r.err != nil {
			st.Why = r.err.Error()
		}
	case audio.Playing:
		if _, last := o.timing.Asked(r.at.Addr()); last != 0 && now.Sub(last) < clockAlive {
			st.Evidence = audio.Derived // it follows our clock
		}
	}
	return st
}

func (o *Output) state(r *member, now audio.Instant) audio.State {
	switch {
	case r.session == nil && r.err != nil:
		return audio.Absent
	case r.session == nil:
		return audio.Joining
	case r.stalled && (r.next == fresh || r.begins > now):
		return audio.Stalled
	case o.grid.epoch == nil || r.gen != o.gen || r.next == fresh || r.begins > now || !o.sounding(now):
		return audio.Ready
	}
	return audio.Playing
}
