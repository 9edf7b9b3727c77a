package i18n

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func load(t testing.TB) *Catalog {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFor(t *testing.T) {
	c := load(t)
	for header, want := range map[string]string{
		"":                                "en",
		"de":                              "de",
		"de-CH, en;q=0.5":                 "de",
		"fr, en;q=0.4, de;q=0.8":          "de",
		"DE-at":                           "de",
		"en,de":                           "en",
		"fr":                              "en",
		"*":                               "en",
		"de;q=0":                          "en",
		"de;q=7":                          "en",
		"de;q=x":                          "de",
		strings.Repeat("fr,", 500) + "de": "en", // beyond what is read
	} {
		if got := c.For(header).Tag; got != want {
			t.Errorf("%.30q: %s, want %s", header, got, want)
		}
	}
}

func TestT(t *testing.T) {
	l := Language{texts: map[string]string{"k": "{1} of {0}"}, spare: map[string]string{"s": "spare"}}
	for _, c := range []struct{ got, want string }{
		{l.T("k", "{1}", "b"), "b of {1}"}, // an argument is not looked into
		{l.T("s"), "spare"},
		{l.T("none"), "none"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestComplete wants every key in every language, with the same placeholders.
// To see it fail: delete a line of de.json.
func TestComplete(t *testing.T) {
	c := load(t)
	if len(c.Languages()) < 2 {
		t.Fatal("only one language")
	}
	holes := regexp.MustCompile(`\{\d\}`)
	for _, tag := range c.Languages() {
		for key, text := range c.texts[fallback] {
			other, ok := c.texts[tag][key]
			if !ok || strings.TrimSpace(other) == "" {
				t.Errorf("%s lacks %q", tag, key)
				continue
			}
			a, b := holes.FindAllString(text, -1), holes.FindAllString(other, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%s %q: placeholders %v, want %v", tag, key, b, a)
			}
		}
		for key := range c.texts[tag] {
			if _, ok := c.texts[fallback][key]; !ok {
				t.Errorf("%s has %q, which %s lacks", tag, key, fallback)
			}
		}
	}
}

// TestKeys wants every key that the page uses to be there, and no other.
func TestKeys(t *testing.T) {
	texts := load(t).texts[fallback]
	use := regexp.MustCompile(`\bT\("([\w.]+)"`)
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_templ.go") ||
			(filepath.Ext(path) != ".go" && filepath.Ext(path) != ".templ") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range use.FindAllStringSubmatch(string(data), -1) {
			used[m[1]] = true
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s uses %q, which is in no catalogue", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("nobody uses %q", key)
		}
	}
}

func FuzzFor(f *testing.F) {
	for _, s := range []string{"de-CH;q=0.5,*", ";;;", "de;q=NaN", "de;q=1e999", ",", "\xff"} {
		f.Add(s)
	}
	c := load(f)
	f.Fuzz(func(t *testing.T, header string) {
		if got := c.For(header).Tag; !slices.Contains(c.Languages(), got) {
			t.Fatalf("language %q", got)
		}
	})
}
