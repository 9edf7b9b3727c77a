package player_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
)

// TestRandomLife gives a player random commands at random moments, over
// pieces of two formats, tiny ones among them (to see it fail: startWith = 0). Whatever came before, a queue
// that is then played from its start sounds frame by frame to its end.
func TestRandomLife(t *testing.T) {
	tiny := noise(dvd, 1, 9)
	tiny.pcm = tiny.pcm[:2*700]
	queue := []piece{noise(cd, 3.1, 1), noise(cd, 2.2, 2), tiny, noise(dvd, 4.05, 3), noise(cd, 0.2, 4), noise(cd, 2.5, 5)}
	var want []int32
	for _, p := range queue {
		want = append(want, p.pcm...)
	}
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			s := newStage(t, queue...)
			s.Player.Playlist = slow{s.tape, time.Duration(rnd.IntN(300)) * time.Millisecond}
			s.attach("r")
			for range 4 + rnd.IntN(12) {
				switch rnd.IntN(9) {
				case 0, 1, 2:
					s.Load(rnd.IntN(len(queue)+1), time.Duration(rnd.IntN(4000))*time.Millisecond, rnd.IntN(4) == 0)
				case 3, 4:
					s.Halt()
				case 5, 6:
					s.Resume()
				case 7:
					s.attach("late")
				case 8:
					s.Detach(s.out, "late")
				}
				wait(time.Duration(rnd.IntN(2500)) * time.Millisecond)
			}
			s.mu.Lock()
			before := s.ended
			s.mu.Unlock()
			s.Load(0, 0, false)
			wait(20 * time.Second)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.ended == before {
				t.Fatalf("seed %d: the queue never ended", seed)
			}
			got := s.rec.PCM("r")
			if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
				tail := got[max(0, len(got)-len(want)):]
				n := 0
				for n < len(tail) && tail[n] == want[n] {
					n++
				}
				t.Fatalf("seed %d: another sound from sample %d of %d on", seed, n, len(want))
			}
			var end audio.Instant
			for _, p := range s.rec.Played("r") {
				if p.At.Add(time.Millisecond) < end {
					t.Fatalf("seed %d: two runs at once, for %v", seed, end.Sub(p.At))
				}
				end = p.At.Add(p.Frames.Duration(p.Format.Rate))
			}
		})
	}
}
