package app_test

import (
	"slices"
	"testing"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/room"
)

// TestWholePath sends two lossless formats through the whole chain, paid,
// encrypted, decrypted and decoded, with a track boundary, a pause, a late
// room, and compares by hash what the rooms sounded with the files. To see it
// fail: set a gain of 0.999 in the virtual speaker, or drop a block in
// player.fill.
func TestWholePath(t *testing.T) {
	t.Parallel()
	pieces := []piece{{cd, 5.3}, {cd, 4.2}, {dvd, 5.1}}
	h := newHome(t, 2, nil, origin.Config{NoOpus: true}, pieces...)
	var want []int32
	for i, p := range pieces {
		want = append(want, p.pcm(i)...)
	}
	h.do(room.Leave{Room: "virtual-2"})
	h.do(room.Play{})
	h.at(0, 2500*time.Millisecond)
	h.do(room.Pause{})
	h.until(time.Second, "the pause", transport(room.Paused))
	before, err := h.Ledger().Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(1500 * time.Millisecond)
	after, err := h.Ledger().Totals(t.Context())
	if err != nil || after.Granted != before.Granted {
		t.Errorf("while paused %v more were paid (%v)", after.Granted-before.Granted, err)
	}
	h.do(room.Play{})
	h.at(1, time.Second)
	h.do(room.Join{Room: "virtual-2"})
	h.until(20*time.Second, "the end", transport(room.Stopped))
	h.sounded("virtual-1", want)
	late := h.rec.PCM("virtual-2")
	if len(late) < len(pieces[2].pcm(2)) {
		t.Fatalf("the late room sounded only %d samples", len(late))
	}
	h.sounded("virtual-2", want[len(want)-len(late):])
	for _, p := range h.rec.Played("virtual-1") {
		if p.PCM == nil {
			t.Errorf("%d frames were missing at %d", p.Frames, p.Pos)
		}
	}
	h.until(5*time.Second, "the ledger to know what was heard", func(room.House) bool {
		s, err := h.Spending(t.Context())
		return err == nil && s.DayBought == s.DayHeard && s.DayBought > 0
	})
	h.agree()
}

// TestSeek joins what lies before and behind a seek frame by frame.
func TestSeek(t *testing.T) {
	t.Parallel()
	p := piece{cd, 14}
	h := newHome(t, 1, nil, origin.Config{NoOpus: true}, p)
	pcm := p.pcm(0)
	h.do(room.Play{})
	h.at(0, 1500*time.Millisecond)
	h.do(room.Seek{To: 9 * time.Second})
	h.until(20*time.Second, "the end", transport(room.Stopped))
	got, tail := h.rec.PCM("virtual-1"), pcm[9*44100*2:]
	if len(got) <= len(tail) || !slices.Equal(got[len(got)-len(tail):], tail) {
		t.Fatalf("behind the seek %d samples do not end as the piece does", len(got))
	}
	if head := got[:len(got)-len(tail)]; !slices.Equal(head, pcm[:len(head)]) {
		t.Error("before the seek the samples differ")
	}
	h.agree()
}
