package part

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sonahub/hub/room"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Café":                   "Café",
		" a\x00b\x1b[1m\n ":      "ab[1m",
		"\u202egpj.exe\u202c":    "gpj.exe",
		"\u2067x\u2069\u200f":    "x",
		"\xff\xfe":               "",
		strings.Repeat("é", 300): strings.Repeat("é", maxText) + "…",
		strings.Repeat("w", 200): strings.Repeat("w", 200),
	} {
		if got := plain(in); got != want {
			t.Errorf("%.40q: %.40q, want %.40q", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"a", "\u202e", "\xc3", strings.Repeat("😀", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxText+1 ||
			strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) }) {
			t.Fatalf("%q", got)
		}
	})
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0:00", 0: "0:00", 59999 * time.Millisecond: "0:59", time.Hour - 1: "59:59",
		time.Hour: "1:00:00", 30*time.Hour + 61*time.Second: "30:01:01",
	} {
		if got := clock(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func tracks(n int) []room.Track { return make([]room.Track, n) }

func TestShelves(t *testing.T) {
	for _, c := range []struct {
		n, from        int
		first, last    int
		earlier, later string
	}{
		{0, 0, 0, 0, "", ""},
		{5, 0, 0, 5, "", ""},
		{5, 99999, 0, 5, "", ""},
		{5, -7, 0, 5, "", ""},
		{250, 0, 0, 100, "", "/?from=100#library"},
		{250, 155, 100, 200, "/?from=0#library", "/?from=200#library"},
		{250, 250, 200, 250, "/?from=100#library", ""},
		{200, 100, 100, 200, "/?from=0#library", ""},
	} {
		v := View{House: room.House{Library: tracks(c.n)}, From: c.from}
		first, last := v.shelf()
		if first != c.first || last != c.last || v.earlier() != c.earlier || v.later() != c.later {
			t.Errorf("%+v: %d to %d, %q %q", c, first, last, v.earlier(), v.later())
		}
		if len(v.albums()) > 0 && len(v.albums()[0].tracks) != last-first {
			t.Errorf("%+v: one album of %d", c, len(v.albums()[0].tracks))
		}
	}
}

func TestQueueWindow(t *testing.T) {
	for _, c := range []struct{ n, current, before, rows, behind int }{
		{0, 0, 0, 0, 0},
		{3, 0, 0, 3, 0},
		{3, 2, 0, 3, 0},
		{500, 0, 0, 100, 400},
		{500, 250, 249, 100, 151},
		{500, 499, 400, 100, 0},
	} {
		v := View{House: room.House{Groups: []room.Group{{Queue: room.Queue{Items: tracks(c.n), Current: c.current}}}}}
		rows, before, behind := v.queue()
		if len(rows) != c.rows || before != c.before || behind != c.behind {
			t.Errorf("%+v: %d before, %d rows, %d behind", c, before, len(rows), behind)
		}
		for _, r := range rows {
			if r.current != (r.index == c.current) {
				t.Errorf("%+v: row %d is current: %v", c, r.index, r.current)
			}
		}
	}
}
