package player

import "sonahub/hub/audio"

// Requeue says that the queue has changed: the track that plays is now at
// place current, and what follows it may be another.
func (p *Player) Requeue(current int) {
	p.ask(func() {
		if p.reader == nil {
			return
		}
		if next := p.reader.forgetNext(); next != nil {
			p.joins.Go(func() { shut(next) })
		}
		p.requeue(current)
	})
}

func (p *Player) requeue(current int) {
	r := p.sounding()
	if r != nil {
		if now := r.spanAt(r.heard); now != nil {
			p.renumber(current - now.index)
			if p.takeBack(r, now.track) {
				p.reread(now.track, now.index)
			}
			return
		}
	}
	switch {
	case len(p.pending) > 0:
		first := p.pending[0]
		p.renumber(current - first.index)
		p.reread(first.track, current)
	case p.reader.current() != nil:
		p.renumber(current - p.reader.place())
	default: // it is being opened, by a place that may be wrong by now
		p.swapReader(current, p.reader.from)
	}
}

// renumber moves every place in the queue that the player knows.
func (p *Player) renumber(by int) {
	for _, r := range append(p.earlier, p.run) {
		for i := range r.all() {
			r.spans[i].index += by
		}
	}
	for i := range p.pending {
		p.pending[i].index += by
	}
	p.reader.shift(by)
}

// takeBack takes back from the outputs what is written behind the track that
// plays, and reports whether it could: what begins to sound this very moment
// is left alone.
func (p *Player) takeBack(r *run, playing Track) bool {
	var at audio.Pos
	switch {
	case p.run == r:
		if r.spans[len(r.spans)-1].track == playing {
			return true
		}
		var ok bool
		if at, ok = r.upcoming(p.now()); !ok {
			return false
		}
	case len(p.earlier) > 1 || p.run.timeline.Zero <= p.now():
		return false
	}
	p.run.truncate(at)
	p.each(func(o audio.Output) error { return o.Flush(at, p.run.at(at, p.run.timeline.Instant(at))) })
	return true
}

// reread drops what was read behind the track at that place, and reads on
// from there by the new queue.
func (p *Player) reread(playing Track, index int) {
	rest := p.pending[:0]
	for _, x := range p.pending {
		if x.track == playing {
			rest = append(rest, x)
		}
	}
	clear(p.pending[len(rest):])
	p.pending = rest
	if p.reader.current() != playing || p.ended || p.failure != nil {
		p.swapReader(index+1, 0)
		p.pending = rest // the end of what plays, read and not written yet
	}
}
