package airplay

import "math"

// Verdict compares what a room played with the source.
type Verdict struct {
	Start    int     // frame of the recording where the source's first frame lies; -1 = nowhere
	Dropouts int     // silent runs of 1 ms or more inside
	Windows  int     // windows of half a second
	Good     int     // of them, those that correlate as demanded
	MinCorr  float64 // worst correlation of a window
	Slips    int     // windows that lie elsewhere than the one before them: the room corrected its clock
	Equal    bool    // every sample is the source's, from first to last
}

const (
	window  = 22050 // frames
	reach   = 64    // frames by which a window may lie elsewhere than the one before
	needle  = 32    // frames that are compared to find the start
	quiet   = 44    // frames: 1 ms
	seekMax = 1000  // frames into the source that may be missing at the start
)

// Compare looks for the source (stereo, 16 bit, noise-like) in a recording.
// demand is the correlation that a window must reach.
func Compare(source, played []int16, demand float64) Verdict {
	v := Verdict{Start: find(source, played), MinCorr: 1}
	if v.Start < 0 {
		return Verdict{Start: -1}
	}
	v.Equal = equal(source, played, v.Start)
	end := min(len(played)/2, v.Start+len(source)/2)
	run := 0
	for i := max(v.Start, 0); i < end; i++ {
		if played[2*i] == 0 && played[2*i+1] == 0 {
			if run++; run == quiet {
				v.Dropouts++
			}
		} else {
			run = 0
		}
	}
	lag := v.Start
	for at := 0; at+window <= len(source)/2; at += window {
		best, where := -1.0, lag
		for d := 0; d <= 2*reach && best < demand; d++ { // 0 -1 1 -2 2 ...
			l := lag + (d+1)/2*(1-2*(d%2))
			if c := correlate(source[2*at:2*(at+window)], played, at+l); c > best {
				best, where = c, l
			}
		}
		if where != lag && best >= demand {
			v.Slips++
			lag = where
		}
		v.Windows++
		if best >= demand {
			v.Good++
		}
		v.MinCorr = min(v.MinCorr, best)
	}
	return v
}

// find returns where the source begins in the recording. Its first frames may
// be missing or altered, so several places are tried.
func find(source, played []int16) int {
	for skip := 0; skip < seekMax*44 && 2*(skip+needle) <= len(source); skip += seekMax {
		want := source[2*skip : 2*(skip+needle)]
		for i := 0; 2*(i+needle) <= len(played); i++ {
			same := true
			for j := 0; j < len(want) && same; j++ {
				same = want[j] == played[2*i+j]
			}
			if same {
				return i - skip
			}
		}
	}
	return -1
}

func equal(source, played []int16, start int) bool {
	if start < 0 || 2*start+len(source) > len(played) {
		return false
	}
	for i, s := range source {
		if played[2*start+i] != s {
			return false
		}
	}
	return true
}

// correlate returns the correlation of want with played from frame at on, -1
// if it does not lie within.
func correlate(want, played []int16, at int) float64 {
	if at < 0 || 2*at+len(want) > len(played) {
		return -1
	}
	var xy, xx, yy float64
	for i, w := range want {
		x, y := float64(w), float64(played[2*at+i])
		xy += x * y
		xx += x * x
		yy += y * y
	}
	if xx == 0 || yy == 0 {
		return -1
	}
	return xy / math.Sqrt(xx*yy)
}
