package airplay

import "math"

// Verdict compares what a room played with the source.
type Verdict struct {
	Start    int     // frame of the recording where the source's first frame lies; -1 = nowhere
	Dropouts int     // silent runs of 1 ms or more inside
	Windows  int     // windows of half a second
	Good     int     // of them, those that correlate as demanded
	MinCorr  float64 // worst correlation of a window
	Slips    int     // frames that the room left out or put in to correct its clock
	Off      int     // how far, in frames, any part lies from where the start puts it
	Equal    bool    // every sample is the source's, from first to last
}

const (
	window  = 22050        // frames: what is judged
	step    = window / 225 // frames: what is looked for as a whole; a room corrects by one frame in a packet of 352
	reach   = 4            // frames by which a step may lie elsewhere than the one before
	needle  = 32           // frames that are compared to find the start
	quiet   = 44           // frames: 1 ms
	seekMax = 44100        // frames into the source that may be missing at the start
	seekBy  = 1000
	sure    = 0.999
	far     = 4410 // frames: 0.1 s
)

// Compare looks for the source (stereo, 16 bit, noise-like) in a recording.
// demand is the correlation that a window must reach. A room that corrects its
// clock by single frames is followed, and its corrections are counted.
func Compare(source, played []int16, demand float64) Verdict {
	v := Verdict{Start: find(source, played), MinCorr: 1}
	if v.Start < 0 {
		return Verdict{Start: -1}
	}
	v.Equal = equal(source, played, v.Start)
	v.Dropouts = dropouts(played, max(v.Start, 0), min(len(played)/2, v.Start+len(source)/2))
	lag, lost := v.Start, false
	for at := 0; at+window <= len(source)/2; at += window {
		if lost {
			lag = regain(source[2*at:2*(at+needle)], played, at, lag)
		}
		var sum moments
		for sub := at; sub < at+window; sub += step {
			m, l := follow(source[2*sub:2*(sub+step)], played, sub, lag)
			if l < lag {
				v.Slips += lag - l
			} else {
				v.Slips += l - lag
			}
			lag = l
			v.Off = max(v.Off, lag-v.Start, v.Start-lag)
			sum.add(m)
		}
		v.Windows++
		if lost = sum.corr() < demand; !lost {
			v.Good++
		}
		v.MinCorr = min(v.MinCorr, sum.corr())
	}
	return v
}

// follow finds where a step lies best: where the one before lay, or that far
// until the room put a frame in or left one out, and beside it from there on.
func follow(want, played []int16, at, lag int) (moments, int) {
	best, where := correlate(want, played, at+lag), lag
	if best.yy == 0 {
		return best, lag // silence lies nowhere
	}
	for d := 1; d <= reach && best.corr() < sure; d++ {
		for _, l := range []int{lag + d, lag - d} {
			for cut := 0; cut < len(want) && best.corr() < sure; cut += 2 {
				m := correlate(want[:cut], played, at+lag)
				m.add(correlate(want[cut:], played, at+cut/2+l))
				if m.corr() > best.corr() {
					best, where = m, l
				}
			}
		}
	}
	return best, where
}

// regain looks for a piece of the source again after a window in which it was
// lost: a room that fell silent may go on elsewhere.
func regain(want, played []int16, at, lag int) int {
	for d := range far {
		for _, l := range []int{lag + d, lag - d} {
			if equal(want, played, at+l) {
				return l
			}
		}
	}
	return lag
}

func dropouts(played []int16, from, to int) int {
	n, run := 0, 0
	for i := from; i < to; i++ {
		if played[2*i] != 0 || played[2*i+1] != 0 {
			run = 0
		} else if run++; run == quiet {
			n++
		}
	}
	return n
}

// find returns where the source begins in the recording. Its first frames may
// be missing or altered, so several places are tried.
func find(source, played []int16) int {
	for skip := 0; skip < seekMax && 2*(skip+needle) <= len(source); skip += seekBy {
		want := source[2*skip : 2*(skip+needle)]
		for i := 0; 2*(i+needle) <= len(played); i++ {
			if equal(want, played, i) {
				return i - skip
			}
		}
	}
	return -1
}

func equal(want, played []int16, start int) bool {
	if start < 0 || 2*start+len(want) > len(played) {
		return false
	}
	for i, s := range want {
		if played[2*start+i] != s {
			return false
		}
	}
	return true
}

// moments are the sums of a correlation; they add up over pieces.
type moments struct{ xy, xx, yy float64 }

func (m *moments) add(o moments) { m.xy, m.xx, m.yy = m.xy+o.xy, m.xx+o.xx, m.yy+o.yy }

// corr is the correlation coefficient, 0 where one side is silent.
func (m moments) corr() float64 {
	if m.xx == 0 || m.yy == 0 {
		return 0
	}
	return m.xy / math.Sqrt(m.xx*m.yy)
}

// correlate compares want with played from frame at on; what lies outside is
// silence.
func correlate(want, played []int16, at int) moments {
	var m moments
	for i, w := range want {
		x, y := float64(w), 0.0
		if j := 2*at + i; j >= 0 && j < len(played) {
			y = float64(played[j])
		}
		m.add(moments{x * y, x * x, y * y})
	}
	return m
}
