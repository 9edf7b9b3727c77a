package virtual

import (
	"fmt"
	"log/slog"
	"sync"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/playout"
)

// member is one virtual speaker. The first group of fields is guarded by the
// output's lock, the second belongs to the pacer.
type member struct {
	id      string
	gain    audio.Gain
	cursor  *playout.Cursor
	stalled bool
	sounds  audio.Instant // end of the last piece that sounded

	capture func(string, Played)
	log     *slog.Logger
	files   *files
	dither  dither.TPDF

	faultMu sync.Mutex
	fault   error
}

func newMember(o Options, m audio.Member, c *playout.Cursor) *member {
	v := &member{id: m.ID, gain: m.Gain, cursor: c, capture: o.Capture, log: o.Log}
	if o.Dir != "" {
		v.files = &files{dir: memberDir(o.Dir, m.ID), keep: o.Keep}
	}
	return v
}

// heard remembers until when the member sounds.
func (m *member) heard(p playout.Piece) {
	if p.PCM != nil {
		m.sounds = p.At.Add(p.Frames.Duration(p.Format.Rate))
	}
}

// tell hands one piece to the hook and to the files. The pacer calls it.
func (m *member) tell(x told) {
	if x.left {
		m.keep(m.files.close())
		return
	}
	if x.PCM != nil && x.gain != audio.Unity {
		x.PCM = m.scale(x.Format, x.PCM, x.gain)
	}
	if m.capture != nil {
		m.capture(m.id, x.Played)
	}
	m.keep(m.files.write(x.Played))
}

// scale returns pcm at another loudness, dithered; silence stays silence.
func (m *member) scale(f audio.Format, pcm []int32, g audio.Gain) []int32 {
	out := make([]int32, len(pcm))
	factor := g.Factor()
	if factor == 0 {
		return out
	}
	x := make([]float64, len(pcm))
	dither.Float(x, pcm, f.Bits)
	for i := range x {
		x[i] *= factor
	}
	m.dither.Bits = f.Bits
	m.dither.Quantize(out, x)
	return out
}

// keep remembers a fault of the disk and says it once. Sound goes on without
// files; the next file is tried anew.
func (m *member) keep(err error) {
	m.faultMu.Lock()
	first := err != nil && m.fault == nil
	if err != nil {
		m.fault = err
	}
	m.faultMu.Unlock()
	if first {
		m.log.Warn("virtual speaker cannot write its files", "member", m.id, "err", err)
	}
}

func (m *member) status(p *playout.Playout, now audio.Instant) audio.Status {
	s := audio.Status{ID: m.id, State: audio.Ready, Evidence: audio.Measured, BitExact: m.gain == audio.Unity}
	if !s.BitExact {
		s.Why = fmt.Sprintf("volume is %.1f dB", float64(m.gain))
	}
	seg, pos := m.cursor.Place(p)
	if cur, ok := p.Current(); ok && cur.Run == seg.Run {
		s.Heard = pos
	}
	switch {
	case m.stalled:
		s.State, s.Why = audio.Stalled, "held up for a test"
	case m.sounds > now.Add(-2*tick):
		s.State = audio.Playing
	}
	m.faultMu.Lock()
	s.Err = m.fault
	m.faultMu.Unlock()
	return s
}
