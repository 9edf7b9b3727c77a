package ingest

import (
	"context"
	"fmt"
	"path/filepath"

	"sonahub/hub/origin/publish"
)

// The phases of the work.
const (
	PhaseScanning = "scanning"
	PhaseLossless = "lossless"
	PhaseOpus     = "opus"
	PhaseDone     = "done"
)

func phaseOf(tier uint16) string {
	if tier == publish.TierOpus {
		return PhaseOpus
	}
	return PhaseLossless
}

// Progress is how far the work is.
type Progress struct {
	Phase       string
	Done, Total int       // tracks of this phase
	Percent     int       // 0..100 of everything, by its cost
	Current     string    // title of what is being encoded, "" if nothing
	Ready       int       // tracks that can be bought
	Listed      bool      // the folder was looked through, or that takes longer than listAfter
	Skipped     []Skipped // what could not be read; at most 1000 are named
}

// Skipped is a file that was not taken in.
type Skipped struct {
	Path   string // below the music folder, without characters that could harm a terminal
	Reason string
}

const maxSkipped = 1000

// String is one line for people.
func (p Progress) String() string {
	if p.Phase == PhaseDone || p.Phase == PhaseScanning {
		s := fmt.Sprintf("ingest: %s, %d tracks can be bought", p.Phase, p.Ready)
		if n := len(p.Skipped); n > 0 {
			s += fmt.Sprintf(", %d files skipped", n)
		}
		return s
	}
	s := fmt.Sprintf("ingest: %s %d/%d (%d %%)", p.Phase, p.Done, p.Total, p.Percent)
	if p.Current != "" {
		s += ": " + p.Current
	}
	return s
}

// What a second of sound costs to encode, in arbitrary units.
const (
	costLossless = 1.0
	costOpus     = 4.0 // three renditions and a resampling
)

// Progress returns the present state.
func (g *Ingester) Progress() Progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.progress()
}

func (g *Ingester) progress() Progress {
	p := Progress{Phase: g.phase, Listed: g.listed, Skipped: append([]Skipped(nil), g.skipped...)}
	var all, done float64
	for _, e := range g.entries {
		if e.fail != "" {
			continue
		}
		p.Total++
		lossless, opus := e.has(publish.TierLossless), e.has(publish.TierOpus) || g.NoOpus || e.plain
		s := e.seconds()
		all += s * (costLossless + costOpus)
		if lossless {
			p.Ready++
			done += s * costLossless
		}
		if opus {
			done += s * costOpus
		}
		if (g.phase == PhaseOpus && opus) || (g.phase != PhaseOpus && lossless) {
			p.Done++
		}
		if e == g.current {
			p.Current = e.track.Title
			cost := costLossless
			if g.phase == PhaseOpus {
				cost = costOpus
			}
			done += min(e.doing, s) * cost
		}
	}
	p.Percent = 100
	if all > 0 && g.phase != PhaseDone {
		p.Percent = min(99, int(100*done/all))
	}
	return p
}

// seconds is the length of a track, guessed by the file's size if need be.
func (e *entry) seconds() float64 {
	if e.track.Frames > 0 {
		return float64(e.track.Frames) / float64(e.track.Format.Rate)
	}
	const bytesPerSecond = 24000 // 192 kbit/s
	return float64(e.src.Size) / bytesPerSecond
}

// Watch returns a channel on which the newest state can be read; states that
// were not read in time are left out. It is closed at the end of the work or
// by the function.
func (g *Ingester) Watch() (<-chan Progress, func()) {
	ch := make(chan Progress, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	ch <- g.progress()
	select {
	case <-g.ended:
		close(ch)
		return ch, func() {}
	default:
	}
	g.watchers[ch] = struct{}{}
	return ch, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if _, ok := g.watchers[ch]; ok {
			delete(g.watchers, ch)
			close(ch)
		}
	}
}

// Ready waits until the first track can be bought and the folder was looked
// through (for at most listAfter), or until the work has ended; then its error
// is that of Run.
func (g *Ingester) Ready(ctx context.Context) error {
	return g.wait(ctx, func(p Progress) bool { return p.Ready > 0 && p.Listed })
}

// Done waits for the end of the work and returns its error.
func (g *Ingester) Done(ctx context.Context) error {
	return g.wait(ctx, func(Progress) bool { return false })
}

func (g *Ingester) wait(ctx context.Context, until func(Progress) bool) error {
	ch, stop := g.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p, open := <-ch:
			if !open {
				g.mu.Lock()
				defer g.mu.Unlock()
				return g.err
			}
			if until(p) {
				return nil
			}
		}
	}
}

// tell hands the newest state to everybody who watches.
func (g *Ingester) tell() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tellLocked()
}

func (g *Ingester) tellLocked() {
	if len(g.watchers) == 0 {
		return
	}
	p := g.progress()
	for ch := range g.watchers {
		select {
		case <-ch: // the old state, unread
		default:
		}
		ch <- p // has room: only this function sends, under the lock
	}
}

// advance counts encoded seconds of the current track.
func (g *Ingester) advance(e *entry, seconds float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.doing += seconds
	g.tellLocked()
}

func (g *Ingester) finish(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	if err == nil {
		g.phase = PhaseDone
	}
	g.current = nil
	g.tellLocked()
	for ch := range g.watchers {
		close(ch)
	}
	clear(g.watchers)
	close(g.ended)
}

func (g *Ingester) skip(path, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rel, err := filepath.Rel(g.root, path); err == nil {
		path = rel
	}
	if len(g.skipped) < maxSkipped {
		g.skipped = append(g.skipped, Skipped{Path: printable(path), Reason: printable(reason)})
	}
	g.tellLocked()
}
