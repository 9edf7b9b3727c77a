package compose

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec/importer"
)

// TestAlbumIsWorthSelling checks every piece by its samples: the promised
// length and depth, headroom, level, stereo, and an end that dies away.
func TestAlbumIsWorthSelling(t *testing.T) {
	type kind struct{ rate, bits int }
	kinds := map[kind]bool{}
	for _, p := range Album() {
		t.Run(p.Title, func(t *testing.T) {
			pcm, err := p.Render(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(pcm), int(p.Frames)*2; got != want {
				t.Fatalf("%d samples, want %d", got, want)
			}
			if s := p.Frames.Duration(p.Format.Rate).Seconds(); s < 20 || s > 60 {
				t.Errorf("lasts %.1f s, want 20 to 60", s)
			}
			if int(p.Frames)%(2*int(p.Format.Rate)) == 0 {
				t.Error("a whole number of epochs would leave the short last epoch untested")
			}
			full := math.Pow(2, float64(p.Format.Bits-1))
			peak := max(-float64(slices.Min(pcm)), float64(slices.Max(pcm))) / full
			if db := 20 * math.Log10(peak); db > -1 || db < -2 {
				t.Errorf("peak %.2f dBFS, want -2 to -1", db)
			}
			half := pcm[:len(pcm)/4*2]
			var power, side float64
			for i := 0; i < len(half); i += 2 {
				l, r := float64(half[i])/full, float64(half[i+1])/full
				power += (l*l + r*r) / 2
				side += (l - r) * (l - r) / 4
			}
			frames := float64(len(half) / 2)
			if db := 10 * math.Log10(power/frames); db < -30 || db > -9 {
				t.Errorf("level %.1f dBFS RMS, want -30 to -9", db)
			}
			if side/power < 0.01 {
				t.Errorf("side signal is only %.4f of the power: not stereo", side/power)
			}
			quiet := 3 / full // TPDF dither alone stays within 2 steps
			for _, v := range pcm[len(pcm)-int(p.Format.Rate)/100*2:] {
				if math.Abs(float64(v))/full > quiet {
					t.Fatalf("ends on sample %d, want silence", v)
				}
			}
		})
		kinds[kind{int(p.Format.Rate), p.Format.Bits}] = true
	}
	for _, k := range []kind{{44100, 16}, {48000, 24}, {48000, 16}, {96000, 24}} {
		if !kinds[k] {
			t.Errorf("no piece of %d bit at %d Hz", k.bits, k.rate)
		}
	}
}

func TestRenderIsDeterministicAndFileIsKept(t *testing.T) {
	p, dir := Album()[2], t.TempDir()
	want, err := p.Render(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	path, err := p.WriteFile(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	in, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if in.Format != p.Format || in.Frames != p.Frames || in.Tags != (importer.Tags{Title: p.Title, Artist: p.Artist, Album: p.Album, Index: 3}) {
		t.Errorf("file says %v, %d frames, %+v", in.Format, in.Frames, in.Tags)
	}
	if cover, _ := p.Cover(); !bytes.Equal(in.Cover, cover) || in.CoverMIME != "image/png" {
		t.Errorf("cover of %d bytes, %q", len(in.Cover), in.CoverMIME)
	}
	_, got, err := audiotest.Collect(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the file holds other samples than a second rendering")
	}
	before, _ := os.Stat(path)
	if _, err := p.WriteFile(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !after.ModTime().Equal(before.ModTime()) {
		t.Error("an existing file was written again")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRenderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Album()[2].WriteFile(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestCovers(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Album() {
		cover, err := p.Cover()
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(cover))
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Dx() != coverSize || len(cover) > 2<<20 {
			t.Errorf("%s: %v, %d bytes", p.Title, img.Bounds(), len(cover))
		}
		seen[string(cover)] = true
	}
	if len(seen) != len(Album()) {
		t.Error("two pieces share a cover")
	}
}

func BenchmarkRender(b *testing.B) {
	for _, p := range Album() {
		b.Run(p.Title, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Render(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*p.Frames.Duration(p.Format.Rate).Seconds()/b.Elapsed().Seconds(), "xrealtime")
		})
	}
}
