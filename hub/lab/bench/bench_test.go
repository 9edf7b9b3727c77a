package bench

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

// Where OwnTone's figures come from: it is not in Debian and is not built here.
const ownTone = "OwnTone git cfcc130, 4 AirPlay 2 rooms, from WAV, neither paying nor decrypting (other run)"

// file is the document that the table stands in, seen from this package.
var file = filepath.Join("..", "..", "..", "BENCHMARKS.md")

// TestBench takes all figures, prints them and writes the table.
func TestBench(t *testing.T) {
	if os.Getenv("SONAHUB_BENCH") == "" {
		t.Skip("takes minutes and wants a quiet machine: `make bench` runs it (SONAHUB_BENCH=1)")
	}
	began := time.Now()
	b := &bench{table: Table{Head: Head{Date: began, Machine: Machine(), Go: runtime.Version(), Before: Load()}}}
	whole := true
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"platform", b.openPlatform}, {"process", b.process}, {"rooms", b.rooms}, {"airplay", b.airplay},
		{"tap", b.tap}, {"tap-airplay", b.tapAirPlay},
		{"segment", b.segment}, {"ingest", b.ingest}, {"size", b.size}, {"money", b.money},
	} {
		ran := false
		whole = t.Run(part.name, func(t *testing.T) { ran = true; part.run(t) }) && ran && whole
	}
	b.close(t)
	b.table.Head.Took, b.table.Head.Last = time.Since(began), Load()
	t.Log("\n" + b.table.Markdown())
	if !whole {
		t.Logf("not all parts ran to their end: %s stays as it is", filepath.Base(file))
		return
	}
	if err := b.table.Write(file); err != nil {
		t.Fatal(err)
	}
}

// bench is one run.
type bench struct {
	table Table
	home  platform
}

// median is the middle one; of an even number the larger of the two.
func median[T ~int64 | ~float64](x []T) T {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

// ms writes a duration in milliseconds.
func ms(d time.Duration) string {
	v := d.Seconds() * 1000
	if v < 10 {
		return fmt.Sprintf("%.2f ms", v)
	}
	return fmt.Sprintf("%.0f ms", math.Round(v))
}

// spread writes the middle and the worst of some tries.
func spread(x []time.Duration) string {
	return fmt.Sprintf("median %s, worst %s of %d", ms(median(x)), ms(slices.Max(x)), len(x))
}

func cd() audio.Format  { return audio.Format{Rate: 44100, Channels: 2, Bits: 16} }
func dvd() audio.Format { return audio.Format{Rate: 48000, Channels: 2, Bits: 24} }

// music is something like music of that many seconds.
func music(f audio.Format, seconds int) []int32 {
	return audiotest.Plucks(f, seconds*int(f.Rate), 1)
}
