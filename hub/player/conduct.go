package player

import (
	"errors"
	"io"
	"slices"
	"time"

	"sonahub/hub/audio"
)

// conduct is the player's one loop: commands, blocks from the reader, and a
// tick that keeps the outputs filled.
func (p *Player) conduct() {
	defer close(p.done)
	defer p.end()
	beat := time.NewTicker(tick)
	defer beat.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case f := <-p.asks:
			f()
		case r := <-p.results():
			p.take(r)
		case <-beat.C:
		}
		p.fill()
		p.watch()
	}
}

// end leaves silence and no track behind.
func (p *Player) end() {
	p.silence(stopAfter)
	p.dropReader()
	p.run, p.earlier = nil, nil
	p.collect()
}

// results is the reader's channel while there is room for another block.
func (p *Player) results() <-chan result {
	if p.reader == nil || p.ended || p.failure != nil || len(p.pending) > 0 && p.enough() {
		return nil
	}
	return p.reader.out
}

// enough reports whether what is read can bridge the time until more is: if
// it is to begin a run or to end a silence, a few frames would be an underrun
// at once.
func (p *Player) enough() bool {
	if p.ended || p.failure != nil || p.run != nil && !p.starved && p.run.format == p.pending[0].block.Format {
		return true
	}
	var length time.Duration
	for _, r := range p.pending {
		length += r.block.Frames().Duration(r.block.Rate)
	}
	return length >= startWith
}

// take receives what the reader has.
func (p *Player) take(r result) {
	switch {
	case errors.Is(r.err, io.EOF):
		p.ended = true
	case r.err != nil:
		p.failure = r.err
	default:
		p.tracks[r.track] = true
		r.index += p.reader.moved
		p.pending = append(p.pending, r)
	}
}

// fill writes what is read until every output has its lead and the reserve.
// Here the second half of the audio path runs: source, gain (a fade, or
// nothing), timeline, outputs.
func (p *Player) fill() {
	for len(p.pending) > 0 && !p.held && p.ready(&p.pending[0]) {
		frames := p.run.format.Rate.Frames
		if p.run.end >= p.run.timeline.Pos(p.now().Add(p.lead()+reserve)) {
			return
		}
		src := p.pending[0].block
		part := src.Slice(src.At, src.At+frames(grid))
		b := &audio.Block{Format: part.Format, At: p.run.end, PCM: part.PCM}
		p.run.keep(b)
		sounding := p.run.fadeIn(b)
		p.each(func(o audio.Output) error { return o.Write(sounding) })
		if p.pending[0].block = src.Slice(part.End(), src.End()); p.pending[0].block == nil {
			p.pending = slices.Delete(p.pending, 0, 1)
		}
	}
}

// ready makes sure that the block can be written: that a run of its format is
// there, anchored, and that its track has its span. It is false while the run
// before has to play out first.
func (p *Player) ready(r *result) bool {
	if (p.run == nil || p.starved) && p.joining > 0 && p.now() < p.joinedBy {
		return false
	}
	if !p.enough() {
		return false
	}
	if p.run == nil || p.run.format != r.block.Format {
		if !p.change(r.block.Format) {
			return false
		}
	}
	if n := len(p.run.spans); n == 0 || p.run.spans[n-1].track != r.track {
		p.run.spans = append(p.run.spans, span{p.run.end, r.block.At, r.index, r.track})
	}
	if p.starved {
		p.anchor(p.run.end)
	}
	return true
}

// change begins a run of another format, at the earliest when the present one
// is about to end: until then a pause or a seek finds only one run.
func (p *Player) change(f audio.Format) bool {
	at := max(p.now().Add(p.lead()+startPlus), p.quiet)
	if p.run != nil && !p.starved {
		end := p.run.timeline.Instant(p.run.end)
		if end > at.Add(2*tick) {
			return false
		}
		at = max(at, end)
		p.earlier = append(p.earlier, p.run)
	}
	p.run = &run{format: f, soft: -1}
	p.run.timeline = p.run.at(0, at)
	p.starved = false
	p.each(func(o audio.Output) error { return o.Start(p.ctx, f, p.run.timeline) })
	return true
}

// anchor puts position from at the earliest instant that the group can make,
// and lets it come in softly.
func (p *Player) anchor(from audio.Pos) {
	at := max(p.now().Add(p.lead()+startPlus), p.quiet)
	p.run.timeline = p.run.at(from, at)
	p.starved, p.waiting = false, 0
	p.each(func(o audio.Output) error { return o.Flush(from, p.run.timeline) })
}

// rewrite gives the kept blocks from position from on to all outputs again.
func (p *Player) rewrite(from audio.Pos) {
	for _, b := range p.run.from(from) {
		p.each(func(o audio.Output) error { return o.Write(b) })
	}
}

// catchUp starts an output in the middle of a run.
func (p *Player) catchUp(o *output) {
	from := min(max(p.run.timeline.Pos(p.now()), p.run.timeline.At), p.run.end)
	t := p.run.at(from, p.run.timeline.Instant(from))
	err := o.Start(p.ctx, p.run.format, t)
	for _, b := range p.run.from(from) {
		if err != nil {
			break
		}
		err = o.Write(b)
	}
	if err != nil {
		p.Log.Warn("player: start", "err", err)
	}
}

// silence stops the sound after that time; what was not heard is kept.
func (p *Player) silence(after time.Duration) {
	if p.run == nil || p.starved && p.run.heard >= p.run.end {
		return
	}
	at := min(max(p.run.timeline.At, p.run.heard), p.run.end)
	if p.listen() { // otherwise nobody heard what has passed
		stop := p.now().Add(after)
		at = min(max(at, p.run.timeline.Pos(stop)), p.run.end)
		p.quiet = min(p.run.timeline.Instant(at), stop)
		if n := len(p.earlier); n > 0 { // no output takes back what was written before a change of format
			p.quiet = max(p.quiet, p.earlier[n-1].timeline.Instant(p.earlier[n-1].end))
		}
		p.run.heard = at
	}
	p.run.timeline = p.run.at(at, p.now().Add(far))
	p.each(func(o audio.Output) error { return o.Flush(at, p.run.timeline) })
}

// cut ends what plays for good, because something else is to play.
func (p *Player) cut() {
	if p.run == nil {
		return
	}
	if !p.held {
		p.silence(min(p.lead(), stopAfter)) // what follows cannot sound earlier, and nothing is repeated
	}
	p.tell()
	p.run.truncate(p.run.heard)
	p.run.spans, p.earlier = nil, nil
	p.starved = true
}

// swapReader reads on from another place of the queue.
func (p *Player) swapReader(index int, from time.Duration) {
	p.dropReader()
	p.ended, p.failure, p.waiting = false, nil, 0
	p.reader = p.newReader(index, from)
}

func (p *Player) dropReader() {
	if r := p.reader; r != nil {
		r.cancel()
		p.joins.Go(func() { <-r.done })
	}
	p.reader, p.pending = nil, nil
}

// place is where the group is: the queue's place and the position in it.
func (p *Player) place() (int, time.Duration) {
	if p.run != nil {
		if s := p.run.spanAt(p.run.heard); s != nil {
			return s.index, (s.from + p.run.heard - s.at).Duration(p.run.format.Rate)
		}
	}
	return p.reader.place(), p.reader.from
}

// collect closes tracks that nobody needs any more.
func (p *Player) collect() {
	for t := range p.tracks {
		if p.wants(t) {
			continue
		}
		delete(p.tracks, t)
		p.joins.Go(func() { _ = t.Close() })
	}
}

// wants reports whether something of a track is still to be read, written or
// heard.
func (p *Player) wants(t Track) bool {
	has := func(r *run) bool { return r.has(t) }
	return p.run.has(t) || slices.ContainsFunc(p.earlier, has) || p.reader != nil && p.reader.current() == t ||
		slices.ContainsFunc(p.pending, func(r result) bool { return r.track == t })
}
