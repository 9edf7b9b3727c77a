package naive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// strict reads JSON by the rules of the catalogue into maps, lists, texts and
// json.Number.
func strict(dec *json.Decoder, depth int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := tok.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil || n >= 1<<53 || n <= -(1<<53) {
			return nil, errParse
		}
		return n, nil
	case json.Delim:
		if depth == 8 {
			return nil, errParse
		}
		obj, list := map[string]any{}, []any{}
		for dec.More() {
			var key string
			if v == '{' {
				k, err := dec.Token()
				if err != nil {
					return nil, err
				}
				key = k.(string)
				if _, twice := obj[key]; twice {
					return nil, errParse
				}
			}
			x, err := strict(dec, depth+1)
			if err != nil {
				return nil, err
			}
			obj[key], list = x, append(list, x)
		}
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
		if v == '{' {
			return obj, nil
		}
		return list, nil
	}
	return tok, nil
}

// rules checks one object: every field by name, the required ones present.
type rule struct {
	required bool
	ok       func(v any) bool
}

func text(v any) bool { _, ok := v.(string); return ok }

func ident(v any) bool {
	s, _ := v.(string)
	_, err := parseID(s, 32)
	return err == nil
}

func upTo(n int64) func(any) bool {
	return func(v any) bool { i, ok := v.(int64); return ok && i >= 0 && i <= n }
}

func listOf(each func(any) bool) func(any) bool {
	return func(v any) bool {
		l, ok := v.([]any)
		for _, x := range l {
			ok = ok && each(x)
		}
		return ok
	}
}

func obj(fields map[string]rule) func(any) bool {
	return func(v any) bool {
		o, ok := v.(map[string]any)
		for name, f := range fields {
			switch {
			case o[name] == nil:
				ok = ok && !f.required
			default:
				ok = ok && f.ok(o[name])
			}
		}
		return ok
	}
}

var roleNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,2})$`)

func roles(v any) bool {
	o, ok := v.(map[string]any)
	for k, name := range o {
		n := 0
		for _, c := range k {
			n = 10*n + int(c-'0')
		}
		ok = ok && roleNumber.MatchString(k) && n <= 255 && (name == nil || text(name))
	}
	return ok
}

func catalogRules() func(any) bool {
	const big = 1<<31 - 1
	rendition := obj(map[string]rule{"r": {true, upTo(65535)}, "codec": {false, text}, "bps": {false, upTo(big)}, "rate": {false, upTo(big)}, "bits": {false, upTo(64)}, "ch": {false, upTo(255)}})
	tier := obj(map[string]rule{"tier": {true, upTo(65535)}, "name": {false, text}, "price_msat_s": {true, upTo(1e9)}, "renditions": {true, listOf(rendition)}})
	item := obj(map[string]rule{
		"id": {true, ident}, "kind": {true, func(v any) bool { return v == "vod" || v == "live" }}, "title": {true, text}, "artist": {false, text}, "album": {false, text},
		"index": {false, upTo(big)}, "creator": {true, ident}, "art": {false, ident}, "ms": {false, upTo(1<<53 - 1)}, "free_epochs": {false, upTo(big)}, "tiers": {true, listOf(tier)},
	})
	lists := obj(map[string]rule{"name": {false, text}, "items": {false, listOf(ident)}})
	return obj(map[string]rule{"items": {false, listOf(item)}, "lists": {false, listOf(lists)}, "roles": {false, roles}})
}

// readCatalog gives the first title, cut at 500 characters.
func readCatalog(raw []byte) (title string, err error) {
	if len(raw) > 900000 || !utf8.Valid(raw) {
		return "", errParse
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := strict(dec, 0)
	if err != nil {
		return "", err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errParse
	}
	if !catalogRules()(v) {
		return "", errParse
	}
	if items, _ := v.(map[string]any)["items"].([]any); len(items) > 0 {
		r := []rune(items[0].(map[string]any)["title"].(string))
		title = string(r[:min(500, len(r))])
	}
	return title, nil
}

func TestCatalog(t *testing.T) {
	f := load[struct {
		head
		Online hx `json:"online_seeds"`
		Bundle hx `json:"bundle_id"`
		Pages  []struct {
			Page, Pages, Seq, Time uint64
			JSON, Why              string
			Signed                 hx
			OK                     bool
		}
		JSON []struct {
			Why, JSON, Repeat string
			Hex               hx
			Times             int
			OK                bool
			Title             int `json:"title_chars"`
		}
	}](t, "catalog.json")
	_, _, online, err := compositeKeys(f.Online)
	check(t, err)
	for _, v := range f.Pages {
		tbs, err := opened(online, "sne/1 catalog", v.Signed)
		if err == nil {
			err = parse(tbs, func(r *rd) {
				r.want(r.u8() == 1 && r.u8() == 0)
				page, pages := r.u16(), r.u16()
				r.want(pages >= 1 && pages <= 4096 && page < pages)
				r.take(48)
				n := r.u32()
				r.want(n <= 900000)
				r.take(n)
			})
		}
		if (err == nil) != v.OK {
			t.Errorf("%s: %v", v.Why, err)
		}
		if v.OK {
			same(t, "page", tbs, cat([]byte{1, 0}, be16(v.Page), be16(v.Pages), f.Bundle, be64(v.Seq), be64(v.Time), be32(uint64(len(v.JSON))), []byte(v.JSON)))
		}
	}
	for _, v := range f.JSON {
		raw := []byte(strings.Replace(v.JSON, "@", strings.Repeat(v.Repeat, v.Times), 1))
		if v.Hex != nil {
			raw = v.Hex
		}
		title, err := readCatalog(raw)
		if (err == nil) != v.OK || err == nil && utf8.RuneCountInString(title) != v.Title {
			t.Errorf("%s: title of %d characters, %v", v.Why, utf8.RuneCountInString(title), err)
		}
	}
}
