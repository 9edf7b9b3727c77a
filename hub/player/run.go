package player

import (
	"time"

	"sonahub/hub/audio"
)

// run is a stretch of one format: tracks joined without a gap on one line of
// positions that never jumps.
type run struct {
	format   audio.Format
	timeline audio.Timeline
	end      audio.Pos // position after the last block written
	heard    audio.Pos // last position that was heard
	history  []*audio.Block
	spans    []span
	soft     audio.Pos // the run comes in softly from here after an underrun; -1 = nowhere
}

// span is one track's place in a run.
type span struct {
	at    audio.Pos // where its first frame lies in the run
	from  audio.Pos // position of that frame in the track
	index int       // place in the queue
	track Track
}

// spanAt returns the span that position p lies in, or nil.
func (r *run) spanAt(p audio.Pos) *span {
	for i := len(r.spans) - 1; i >= 0; i-- {
		if r.spans[i].at <= p {
			return &r.spans[i]
		}
	}
	return nil
}

// upcoming finds where the next track begins that is written and not yet
// heard.
func (r *run) upcoming(now audio.Instant) (at audio.Pos, ok bool) {
	p := max(r.timeline.Pos(now), r.heard)
	for i := 1; i < len(r.spans); i++ {
		if r.spans[i].at > p {
			return r.spans[i].at, true
		}
	}
	return 0, false
}

// keep adds a block to the history.
func (r *run) keep(b *audio.Block) {
	r.history = append(r.history, b)
	r.end = b.End()
}

// forget drops what was heard long enough ago.
func (r *run) forget() {
	keep := r.heard - r.format.Rate.Frames(behind)
	i := 0
	for i < len(r.history) && r.history[i].End() <= keep {
		i++
	}
	if i > 0 {
		clear(r.history[:i])
		r.history = r.history[i:]
	}
	for len(r.spans) > 1 && r.spans[1].at <= r.heard {
		r.spans = r.spans[1:]
	}
}

// truncate takes back everything at or after p.
func (r *run) truncate(p audio.Pos) {
	for i, b := range r.history {
		if b.End() <= p {
			continue
		}
		kept := r.history[:i]
		if b = b.Slice(b.At, p); b != nil {
			kept = append(kept, b)
		}
		clear(r.history[len(kept):])
		r.history = kept
		break
	}
	for len(r.spans) > 0 && r.spans[len(r.spans)-1].at >= p {
		r.spans = r.spans[:len(r.spans)-1]
	}
	r.end = min(r.end, p)
}

// from returns the kept blocks at or after p.
func (r *run) from(p audio.Pos) []*audio.Block {
	var out []*audio.Block
	for _, b := range r.history {
		if b = b.Slice(p, b.End()); b != nil {
			out = append(out, b)
		}
	}
	return out
}

// far is the instant of a timeline that waits: nothing is to sound on it.
const far = 24 * time.Hour

// at is the timeline on which position p sounds at instant i.
func (r *run) at(p audio.Pos, i audio.Instant) audio.Timeline {
	return audio.Timeline{Zero: i, At: p, Rate: r.format.Rate}
}

// tell lets the run's tracks know how far they were heard.
func (r *run) tell() {
	if r == nil {
		return
	}
	for i, s := range r.spans {
		end := r.heard
		if i+1 < len(r.spans) {
			end = min(end, r.spans[i+1].at)
		}
		if end > s.at {
			s.track.Heard(s.from + end - s.at)
		}
	}
}

// all returns the run's spans; a nil run has none.
func (r *run) all() []span {
	if r == nil {
		return nil
	}
	return r.spans
}

// has reports whether the track has a span in the run; a nil run has none.
func (r *run) has(t Track) bool {
	if r == nil {
		return false
	}
	for _, s := range r.spans {
		if s.track == t {
			return true
		}
	}
	return false
}
