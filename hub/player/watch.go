package player

import (
	"slices"
	"time"

	"sonahub/hub/audio"
)

// watch looks after each step at what is heard, and acts on what is missing:
// sound, speakers, or the rest of the queue.
func (p *Player) watch() {
	defer p.collect()
	if p.reader == nil || p.held {
		return
	}
	now := p.now()
	playing := p.listen()
	switch {
	case p.finished(now):
		return
	case p.run == nil || p.starved:
		p.wait(now, playing)
		return
	}
	p.lookAhead(now)
	if playing {
		p.deaf = 0
		p.report(now)
		return
	}
	if now < p.run.timeline.Zero.Add(time.Second) {
		return
	}
	if p.deaf == 0 {
		p.deaf = now
	}
	if now.Sub(p.deaf) > patience {
		p.giveUp(errNoSpeaker)
	}
}

// listen moves on what was heard, if a speaker says that it plays.
func (p *Player) listen() (playing bool) {
	now := p.now()
	for len(p.earlier) > 0 && now >= p.earlier[0].timeline.Instant(p.earlier[0].end) {
		p.earlier[0].heard = p.earlier[0].end
		p.earlier[0].tell()
		p.earlier = slices.Delete(p.earlier, 0, 1)
	}
	p.each(func(o audio.Output) error {
		for _, s := range o.Status() {
			playing = playing || s.State == audio.Playing
		}
		return nil
	})
	if r := p.sounding(); r != nil && playing {
		r.heard = max(r.heard, min(r.timeline.Pos(now), r.end))
		r.tell() // before the spans that it passed are forgotten
		r.forget()
	}
	return playing
}

// sounding is the run that is heard at present.
func (p *Player) sounding() *run {
	if len(p.earlier) > 0 {
		return p.earlier[0]
	}
	return p.run
}

// tell lets the tracks know how far they were heard.
func (p *Player) tell() {
	for _, r := range p.earlier {
		r.tell()
	}
	p.run.tell()
}

func (p *Player) report(now audio.Instant) {
	if p.said != 0 && now.Sub(p.said) < report {
		return
	}
	r := p.sounding()
	s := r.spanAt(r.heard)
	if s == nil || now < r.timeline.Zero {
		return
	}
	p.said = now
	p.Listener.Heard(Heard{
		Index: s.index, Track: s.track.ID(), Position: (s.from + r.heard - s.at).Duration(r.format.Rate), At: now, Quality: s.track.Quality(),
	})
}

// finished handles the end of the queue and of a failed track, once all that
// is written has sounded.
func (p *Player) finished(now audio.Instant) bool {
	if len(p.pending) > 0 || !p.ended && p.failure == nil {
		return false
	}
	if p.run != nil && !p.starved && now < p.run.timeline.Instant(p.run.end) {
		return false
	}
	if p.failure != nil {
		p.giveUp(p.failure)
		return true
	}
	if p.run != nil {
		for _, r := range append(p.earlier, p.run) {
			r.heard = r.end
		}
		p.tell()
	}
	p.dropReader()
	p.run, p.earlier, p.starved = nil, nil, false
	p.Listener.Ended()
	return true
}

// giveUp halts the group with a reason and keeps the place; Resume tries
// again.
func (p *Player) giveUp(err error) {
	p.halt()
	if p.failure == nil {
		p.failure = err
	}
	p.Listener.Halted(err)
}

// lookAhead sees an underrun coming and turns it into a fade: the last
// moment of what is written goes out softly instead of breaking off.
func (p *Player) lookAhead(now audio.Instant) {
	if len(p.pending) > 0 || p.ended || p.run.end > p.run.timeline.Pos(now.Add(p.lead()+tight)) {
		return
	}
	p.quiet = p.run.timeline.Instant(p.run.end)
	from := max(p.run.end-p.run.format.Rate.Frames(fade), p.run.timeline.At, p.run.timeline.Pos(now.Add(tick)))
	if from < p.run.end {
		tail := p.run.from(from)
		p.each(func(o audio.Output) error { return o.Flush(from, p.run.at(from, p.run.timeline.Instant(from))) })
		for _, b := range fadeOut(tail, from, p.run.end) {
			p.each(func(o audio.Output) error { return o.Write(b) })
		}
	}
	p.starved = true
	p.run.soft = p.run.end
}

// wait tells people what is missing, but not at the first hiccup.
func (p *Player) wait(now audio.Instant, playing bool) {
	if p.run != nil && now < p.quiet {
		if playing {
			p.report(now)
		}
		return
	}
	if p.waiting == 0 {
		p.waiting = now
	}
	if now.Sub(p.waiting) < patience0 || p.said != 0 && now.Sub(p.said) < report {
		return
	}
	p.said = now
	why := p.Playlist.Why()
	if t := p.reader.current(); t != nil && t.Why() != "" {
		why = t.Why()
	}
	p.Listener.Waits(why)
}
