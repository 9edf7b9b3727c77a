package live

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sonahub/hub/origin/shelf"
)

func TestParseM3U(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"entries in their order": {"b.flac\na.flac\n", []string{"/m/lists/b.flac", "/m/lists/a.flac"}},
		"remarks and Windows":    {"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:1,A\r\n../a.flac\r\n\r\n", []string{"/m/a.flac"}},
		"one track twice":        {"a\na\n", []string{"/m/lists/a", "/m/lists/a"}},
		"absolute paths":         {"/m/x/y.flac\n/etc/passwd\n", []string{"/m/x/y.flac"}},
		"out of the folder":      {"../../secret\n", nil},
		"the folder itself":      {"../../m/a\n", []string{"/m/a"}},
		"a zero byte":            {"a\x00b\n", nil},
		"nothing":                {"", nil},
	} {
		got, err := parseM3U("/m", "/m/lists", []byte(c.text))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"too long":         strings.Repeat("#\n", maxList/2+1),
		"too many entries": strings.Repeat("a\n", maxEntries+1),
	} {
		if _, err := parseM3U("/m", "/m", []byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestFolders(t *testing.T) {
	sources := map[string]shelf.Source{"/m/b/2": {}, "/m/b/1": {}, "/m/bb/3": {}, "/m/4": {}, "/other/5": {}}
	for playlist, want := range map[string][]string{
		"":   {"/m/4", "/m/b/1", "/m/b/2", "/m/bb/3"},
		"b":  {"/m/b/1", "/m/b/2"},
		"b/": {"/m/b/1", "/m/b/2"},
		"c":  nil,
	} {
		got, err := paths(sources, "/m", playlist)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", playlist, got, err)
		}
	}
	for _, out := range []string{"..", "../other", "/other", "x/../../other"} {
		if got, err := paths(sources, "/m", out); err == nil {
			t.Errorf("%q: %v", out, got)
		}
	}
}

func FuzzParseM3U(f *testing.F) {
	f.Add([]byte("a\n#b\n../c\n"))
	f.Add([]byte("\xef\xbb\xbf/m/x\r\n"))
	f.Add([]byte("../../../..\n/\n.\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseM3U("/m", "/m/lists", data)
		if err != nil {
			return
		}
		for _, p := range got {
			if p != filepath.Clean(p) || p != "/m" && !strings.HasPrefix(p, "/m/") {
				t.Errorf("%q of %q", p, data)
			}
		}
	})
}
