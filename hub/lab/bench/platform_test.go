package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
)

// platform is the one origin that all parts buy from.
type platform struct {
	*origin.Origin
	dir string
}

// The pieces that it sells, in seconds, all 16 bit at 44.1 kHz.
const (
	firstPiece = 240
	nextPiece  = 60
)

// openPlatform starts it and tells how soon the first piece could be bought.
func (b *bench) openPlatform(t *testing.T) {
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	b.home.dir = dir
	origintest.Music(t, dir,
		origintest.Track{Name: "01.flac", Format: cd(), Frames: firstPiece * 44100, Title: "One", Seed: 1},
		origintest.Track{Name: "02.flac", Format: cd(), Frames: nextPiece * 44100, Title: "Two", Seed: 2})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	start := time.Now()
	b.home.Origin, err = origin.Open(ctx, origin.Config{
		State: dir + "/state", Music: dir, NoOpus: true,
		Welcome: origin.Welcome{Units: 100_000, PerAddress: 100, PerDay: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.home.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	ready := time.Since(start)
	if err := b.home.Done(ctx); err != nil {
		t.Fatal(err)
	}
	b.table.Add(Figure{What: "platform: start to first piece for sale", Measured: ms(ready), Goal: "seconds (<= 5 s)", Verdict: AtMost(ready.Seconds(), 5),
		On: fmt.Sprintf("new platform, a piece of %d s, FLAC 16/44.1", firstPiece)})
}
