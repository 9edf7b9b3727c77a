package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sonahub/hub/audio"
)

func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestScanFindsMusicInOrderAndStaysInside(t *testing.T) {
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "music"), filepath.Join(dir, "outside")
	for _, p := range []string{"b/2.FLAC", "b/1.mp3", "a.ogg", "notes.txt", "cover.jpg", ".hidden.mp3", ".trash/x.flac", "z.m4a", "d1/d2/deep.wav"} {
		put(t, filepath.Join(root, p))
	}
	put(t, filepath.Join(outside, "secret.flac"))
	link(t, filepath.Join(outside, "secret.flac"), filepath.Join(root, "c-out.flac"))
	link(t, filepath.Join(root, "a.ogg"), filepath.Join(root, "d-in.ogg"))
	link(t, outside, filepath.Join(root, "e-folder.flac"))
	link(t, filepath.Join(root, "nowhere"), filepath.Join(root, "f-broken.flac"))
	var found []string
	skipped := map[string]string{}
	err := scan(context.Background(), root, Limits{Depth: 1, Files: 100},
		func(f file) error { found = append(found, strings.TrimPrefix(f.path, root+"/")); return nil },
		func(path, reason string) { skipped[strings.TrimPrefix(path, root+"/")] = reason })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.ogg", "b/1.mp3", "b/2.FLAC", "a.ogg", "z.m4a"}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	for path, want := range map[string]string{"c-out.flac": "out of the folder", "e-folder.flac": "out of the folder", "f-broken.flac": "nowhere", "d1/d2": "deep"} {
		if !strings.Contains(skipped[path], want) {
			t.Errorf("%s: reason %q, want one with %q", path, skipped[path], want)
		}
	}
	if len(skipped) != 4 {
		t.Errorf("skipped %v", skipped)
	}
}

func TestScanIsBounded(t *testing.T) {
	root := t.TempDir()
	for _, p := range []string{"1.mp3", "2.mp3", "3.mp3", "4.mp3"} {
		put(t, filepath.Join(root, p))
	}
	found, skipped := 0, 0
	count := func(file) error { found++; return nil }
	skip := func(string, string) { skipped++ }
	if err := scan(context.Background(), root, Limits{Depth: 9, Files: 2}, count, skip); err != nil || found != 2 || skipped != 1 {
		t.Errorf("found %d, skipped %d, %v", found, skipped, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := scan(ctx, root, Limits{}.orDefault(), count, skip); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := scan(context.Background(), filepath.Join(root, "none"), Limits{}.orDefault(), count, skip); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

func TestTitleOfAnyName(t *testing.T) {
	for in, want := range map[string]string{
		"/m/01 Song.flac":                "01 Song",
		"/m/<b>&\"x\".mp3":               "<b>&\"x\"", // data, escaped by whoever shows it
		"/m/a\nb\x00\x1b[31m.mp3":        "ab[31m",
		"/m/\xff\xfe.mp3":                "\uFFFD",
		"/m/\u202egnp.mp3":               "gnp",
		"/m/ .mp3":                       "Untitled",
		"/m/.mp3":                        "Untitled",
		"/m/" + strings.Repeat("é", 600): strings.Repeat("é", 500),
	} {
		if got := titleOf(in); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzTitleOf(f *testing.F) {
	for _, name := range []string{"01 Song.flac", "\xff\u202e\n.mp3", "", "/", "..", strings.Repeat("\u00e9", 600)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := titleOf(name)
		if got == "" || !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxTitle || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q became %q", name, got)
		}
	})
}

func TestSoldFormat(t *testing.T) {
	for _, c := range []struct{ rate, bits, wantRate, wantBits int }{
		{44100, 16, 44100, 16}, {48000, 24, 48000, 24}, {96000, 24, 48000, 24}, {88200, 24, 44100, 24},
		{192000, 24, 48000, 24}, {176400, 16, 44100, 16}, {22050, 16, 44100, 16}, {32000, 16, 48000, 16}, {8000, 16, 48000, 16},
	} {
		got := sold(audio.Format{Rate: audio.Rate(c.rate), Channels: 2, Bits: c.bits})
		if got.Rate != audio.Rate(c.wantRate) || got.Bits != c.wantBits || got.Channels != 2 {
			t.Errorf("%d/%d is sold as %v", c.rate, c.bits, got)
		}
	}
}

func TestCutterKeepsEverySample(t *testing.T) {
	for _, total := range []int{1, 9, 10, 11, 20, 25, 100} {
		for _, piece := range []int{1, 3, 10, 17, 100} {
			var got []int32
			var last uint64
			c := cutter{size: 10, limit: 1000, emit: func(e epoch) error {
				if len(got)%10 != 0 || len(e.body) == 0 || len(e.body) > 10 || e.n != uint64(len(got)/10) {
					t.Errorf("epoch %d of %d samples after %d", e.n, len(e.body), len(got))
				}
				got, last = append(got, e.body...), e.n
				return nil
			}}
			for i := 0; i < total; i += piece {
				var part []int32
				for j := i; j < min(i+piece, total); j++ {
					part = append(part, int32(j))
				}
				if err := c.add(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.end(); err != nil {
				t.Fatal(err)
			}
			if len(got) != total || got[total-1] != int32(total-1) || last != uint64((total-1)/10) {
				t.Errorf("%d samples in pieces of %d: %d came out in %d epochs", total, piece, len(got), last+1)
			}
		}
	}
	c := cutter{size: 10, limit: 2, emit: func(epoch) error { return nil }}
	if reason, ok := unreadable(c.add(make([]int32, 30))); !ok || !strings.Contains(reason, "longer") {
		t.Errorf("too long: %q", reason)
	}
	if _, ok := unreadable((&cutter{size: 10}).end()); !ok {
		t.Error("a file without sound is no reason to skip it")
	}
}
