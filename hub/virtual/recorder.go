package virtual

import (
	"slices"
	"sync"
)

// Recorder keeps in memory what an Output plays: Options{Capture: r.Capture}.
// The zero value is ready. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	played map[string][]Played
}

// Capture is a hook for Options.
func (r *Recorder) Capture(id string, p Played) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.played == nil {
		r.played = map[string][]Played{}
	}
	r.played[id] = append(r.played[id], p)
}

// Played returns what a member played so far, gaps included.
func (r *Recorder) Played(id string) []Played {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.played[id])
}

// PCM returns all samples that a member played so far, one after the other.
func (r *Recorder) PCM(id string) []int32 {
	var pcm []int32
	for _, p := range r.Played(id) {
		pcm = append(pcm, p.PCM...)
	}
	return pcm
}
