package naive_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func (r *rd) rng() (n uint64) {
	r.take(34)
	first := r.u64()
	n = r.u8()
	r.want(n >= 1 && n <= 30 && first <= 1<<64-1-30)
	return n
}

func (r *rd) split(amount uint64) {
	n, last, total := r.u8(), -1, uint64(0)
	r.want(n <= 8)
	for range n {
		role, msat := int(r.u8()), r.u64()
		r.want(role > last && msat <= amount-total)
		last, total = role, total+msat
	}
	r.want(n == 0 || total == amount)
}

func (r *rd) evals() []pointGroup { return r.groups(64, 32, 64) }

var voucher = regexp.MustCompile(`^([1-9][0-9]*)-([a-z2-7]{26})$`)

func (r *rd) voucher() {
	m := voucher.FindStringSubmatch(string(r.upTo(64)))
	r.want(m != nil)
	_, err := parseID(m[2], 16)
	r.want(err == nil)
}

// messages reads the frames of a plaintext.
func messages(r *rd) {
	for len(r.b) > 0 {
		if r.u8() == 0 {
			r.want(len(bytes.Trim(r.rest(), "\x00")) == 0)
			return
		}
		r.u16()
		n := r.u32()
		r.want(n <= 65536)
		r.take(n)
	}
}

func parsers(t testing.TB, rootSeeds []byte) map[string]func([]byte) error {
	t.Helper()
	_, _, pk, err := compositeKeys(rootSeeds)
	check(t, err)
	with := func(f func(r *rd)) func([]byte) error { return func(b []byte) error { return parse(b, f) } }
	return map[string]func([]byte) error{
		"bundle":      func(b []byte) error { return parseBundle(b, keyID(pk)) },
		"record":      func(b []byte) error { _, _, err := (*manifestFile)(nil).parseRecord(b); return err },
		"consistency": with(func(r *rd) { parsePath(r) }),
		"payload":     parsePayload,
		"keyset":      parseKeySet,
		"messages":    with(messages),
		"hello": with(func(r *rd) {
			n := r.u8()
			r.want(n <= 4)
			for range n {
				r.u8()
				r.upTo(4096)
			}
		}),
		"welcome": with(func(r *rd) {
			r.take(11)
			n := r.u8()
			r.want(n <= 8)
			for range n {
				r.want(utf8.Valid(r.upTo(255)))
			}
		}),
		"buy": with(func(r *rd) { r.u8(); r.rng(); r.rest() }),
		"grant": with(func(r *rd) {
			n := r.rng()
			r.split(r.u64())
			r.take(32 * n)
			r.evals()
		}),
		"topup":   with(func(r *rd) { r.take(33); r.groups(64, 32, 0); r.rest() }),
		"tokens":  with(func(r *rd) { r.take(32); r.evals() }),
		"voucher": with(func(r *rd) { r.voucher() }),
		"error":   with(func(r *rd) { r.take(6) }),
		"blinds":  with(func(r *rd) { r.groups(64, 32, 0) }),
		"evals":   with(func(r *rd) { r.evals() }),
		"live":    with(func(r *rd) { r.take(34) }),
		"live_is": with(func(r *rd) {
			r.take(34)
			r.want(r.u8() <= 1)
			size := r.u64()
			r.take(32)
			r.want(r.u64() <= size)
		}),
		"offer": with(func(r *rd) {
			r.upTo(16384)
			r.take(3373)
			r.want(utf8.Valid(r.upTo(2048)))
		}),
		"redeem": with(func(r *rd) { r.take(32); r.groups(32, 96, 0); r.take(32); r.groups(64, 32, 0) }),
	}
}

type edit struct {
	At, Del, Rep int
	Put          hx
}

func edited(b []byte, edits []edit) []byte {
	for _, e := range edits {
		at := e.At
		if at < 0 {
			at += len(b) + 1
		}
		b = cat(b[:at], bytes.Repeat(e.Put, max(1, e.Rep)), b[at+e.Del:])
	}
	return b
}

// line is one row of the HTTP table.
type line struct {
	Method   string
	Path     string
	Response int64  `json:"response_limit"`
	Request  int64  `json:"request_limit"`
	Cache    string `json:"cache"`
	Live     string `json:"cache_live"`
}

const forever = "public, max-age=31536000, immutable"

// table is section 9 with patterns for paths.
func table() []line {
	const id, n = `[a-z2-7]{52}`, `(0|[1-9][0-9]*)`
	b := "/b/" + id + "/" + n + "/"
	return []line{
		{"GET", "/bundle", 32 << 10, 0, "max-age=300", ""},
		{"GET", "/bundle/" + id, 32 << 10, 0, forever, ""},
		{"GET", "/key/" + id, 1984, 0, forever, ""},
		{"GET", "/catalog", 1 << 20, 0, "max-age=60", ""},
		{"GET", "/catalog/" + n + "/" + n, 1 << 20, 0, forever, ""},
		{"GET", "/blob/" + id, 2 << 20, 0, forever, ""},
		{"GET", b + "head", 8 << 10, 0, "max-age=3600", "max-age=1"},
		{"GET", b + "records/" + n + "/" + n + "/" + n, 64 << 10, 0, forever, ""},
		{"GET", b + "consistency/" + n + "/" + n, 1 + 64*32, 0, forever, ""},
		{"GET", "/c/" + id + "/" + n + "/" + n + "/" + n, 8<<20 + 88, 0, forever, ""},
		{"GET", "/ffxs/" + id, 1 << 10, 0, forever, ""},
		{"POST", "/session", 65536 + 1146, 65536 + 1146, "no-store", ""},
		{"POST", "/session/[a-z2-7]{26}", 65536 + 1146, 65536 + 1146, "no-store", ""},
	}
}

// find gives the row of a path, or nil.
func find(path string) *line {
	for _, l := range table() {
		if !regexp.MustCompile("^/sne/1" + l.Path + "$").MatchString(path) {
			continue
		}
		parts := strings.Split(path, "/")[3:]
		bits := map[string][]int{"catalog": {64, 16}, "b": {0, 16, 0, 64, 64, 8}, "c": {0, 16, 64, 16}}[parts[0]]
		for i, p := range parts[1:] {
			switch {
			case len(p) == 52:
				if _, err := parseID(p, 32); err != nil {
					return nil
				}
			case len(p) == 26:
				if _, err := parseID(p, 16); err != nil {
					return nil
				}
			case i < len(bits) && bits[i] > 0:
				if _, err := strconv.ParseUint(p, 10, bits[i]); err != nil {
					return nil
				}
			}
		}
		if len(parts) == 7 && parts[3] == "records" {
			if n, _ := strconv.Atoi(parts[6]); n < 1 || n > 32 {
				return nil
			}
		}
		return &l
	}
	return nil
}

func TestNegative(t *testing.T) {
	f := load[struct {
		head
		Root  hx `json:"bundle_root_seeds"`
		Bases map[string]hx
		Cases []struct {
			Parser, Why string
			OK          bool
			Edits       []edit
		}
		Paths []struct {
			Path string
			OK   bool
		}
		Limits []line
	}](t, "negative.json")
	parse := parsers(t, f.Root)
	used := map[string]bool{}
	for _, c := range f.Cases {
		used[c.Parser] = true
		if err := parse[c.Parser](edited(f.Bases[c.Parser], c.Edits)); (err == nil) != c.OK {
			t.Errorf("%s, %s: %v", c.Parser, c.Why, err)
		}
	}
	for name := range f.Bases {
		if !used[name] || parse[name](f.Bases[name]) != nil {
			t.Errorf("%s has no cases, or its base is refused", name)
		}
	}
	for _, p := range f.Paths {
		if got := find(p.Path); (got != nil) != p.OK {
			t.Errorf("%q: %+v", p.Path, got)
		}
	}
	for i, l := range f.Limits {
		want := table()[i]
		want.Path = l.Path
		if got := find(l.Path); got == nil || fmt.Sprint(want) != fmt.Sprint(l) || got.Response != l.Response {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
}
