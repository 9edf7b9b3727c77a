package vectors_test

import (
	"errors"
	"strings"
	"testing"

	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

type catalogFile struct {
	About  string       `json:"about"`
	Online hx           `json:"online_seeds"`
	Bundle hx           `json:"bundle_id"`
	Pages  []catalogDoc `json:"pages"`
	JSON   []jsonVector `json:"json"`
}

type catalogDoc struct {
	Page   uint16 `json:"page"`
	Pages  uint16 `json:"pages"`
	Seq    uint64 `json:"seq"`
	Time   uint64 `json:"time"`
	JSON   string `json:"json"`
	Signed hx     `json:"signed"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"`
}

// jsonVector is the JSON of a page. Repeat is written Times times for "@".
type jsonVector struct {
	Why    string `json:"why"`
	JSON   string `json:"json,omitempty"`
	Hex    hx     `json:"hex,omitempty"` // instead of json, where it is no text
	Repeat string `json:"repeat,omitempty"`
	Times  int    `json:"times,omitempty"`
	OK     bool   `json:"ok"`
	Title  int    `json:"title_chars,omitempty"` // length of the first title as read
}

func (v *jsonVector) bytes() []byte {
	if v.Hex != nil {
		return v.Hex
	}
	return []byte(strings.Replace(v.JSON, "@", strings.Repeat(v.Repeat, v.Times), 1))
}

func item() string {
	return `{"items":[{"id":"` + id("item").String() + `","kind":"vod","title":"T","creator":"` + id("item creator").String() + `","ms":241000,"free_epochs":1,` +
		`"tiers":[{"tier":2,"name":"Lossless","price_msat_s":500,"renditions":[{"r":1,"codec":"flac","bps":850000,"rate":44100,"bits":16,"ch":2}]}]}],` +
		`"lists":[{"name":"All","items":["` + id("item").String() + `"]}],"roles":{"1":"creator","2":"platform"}}`
}

func makeCatalog(t *testing.T) any {
	online := signer(t, "catalog online")
	b := id("catalog bundle")
	f := &catalogFile{
		About:  "Section 9.1: signed pages under the online key of a Bundle, and the JSON inside. In json, \"@\" stands for `repeat` written `times` times.",
		Online: online.Seeds(), Bundle: b[:],
	}
	for i := range uint16(2) {
		p := &catalog.Page{Page: i, Pages: 2, Bundle: b, Seq: 41, Time: noon, JSON: []byte(item())}
		f.Pages = append(f.Pages, catalogDoc{Page: i, Pages: 2, Seq: 41, Time: noon, JSON: item(), Signed: must(p.Sign(online))(t), OK: true})
	}
	good := f.Pages[0].Signed
	tbs := good[:len(good)-composite.SignatureSize]
	bad := func(why string, ctx composite.Context, change func([]byte) []byte) {
		signed := must(online.Signed(ctx, change(append([]byte(nil), tbs...))))(t)
		f.Pages = append(f.Pages, catalogDoc{Why: why, Signed: signed})
	}
	put := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	bad("version", composite.ContextCatalog, put(0, 2))
	bad("reserved byte", composite.ContextCatalog, put(1, 1))
	bad("page 2 of 2", composite.ContextCatalog, put(3, 2))
	bad("no pages", composite.ContextCatalog, put(5, 0))
	bad("4098 pages", composite.ContextCatalog, put(4, 0x10))
	bad("trailing byte", composite.ContextCatalog, func(b []byte) []byte { return append(b, 0) })
	bad("cut", composite.ContextCatalog, func(b []byte) []byte { return b[:len(b)-1] })
	bad("signed for another purpose", composite.ContextSession, put(0, 1))
	f.JSON = catalogJSON()
	for i := range f.JSON {
		v := &f.JSON[i]
		c, err := catalog.Decode(v.bytes())
		if (err == nil) != v.OK {
			t.Errorf("%s: %v", v.Why, err)
		}
		if err == nil && len(c.Items) > 0 {
			v.Title = len([]rune(c.Items[0].Title))
		}
	}
	return f
}

func catalogJSON() []jsonVector {
	full := item()
	edit := func(old, new string) string { return strings.Replace(full, old, new, 1) }
	with := func(more string) string { return edit(`"kind"`, more+`,"kind"`) }
	v := []jsonVector{
		{Why: "full", JSON: full, OK: true}, {Why: "empty object", JSON: "{}", OK: true}, {Why: "white space", JSON: " { } \n", OK: true},
		{Why: "unknown key", JSON: with(`"other":[1,{"a":true}]`), OK: true}, {Why: "null is absent", JSON: with(`"artist":null`), OK: true},
		{Why: "key in another case is another key", JSON: with(`"ID":"x"`), OK: true},
		{Why: "title of 500 characters", JSON: edit(`"title":"T"`, `"title":"@"`), Repeat: "ü", Times: 500, OK: true},
		{Why: "longer title is cut", JSON: edit(`"title":"T"`, `"title":"@"`), Repeat: "ü", Times: 501, OK: true},
		{Why: "8 levels", JSON: with(`"a":[[[[[1]]]]]`), OK: true}, {Why: "9 levels", JSON: with(`"a":[[[[[[1]]]]]]`)},
		{Why: "number 2^53-1", JSON: with(`"a":9007199254740991`), OK: true}, {Why: "number 2^53", JSON: with(`"a":9007199254740992`)},
		{Why: "fraction", JSON: with(`"a":1.5`)}, {Why: "exponent", JSON: with(`"a":1e2`)}, {Why: "negative length", JSON: edit("241000", "-1")},
		{Why: "highest price", JSON: edit(":500,", ":1000000000,"), OK: true}, {Why: "over the highest price", JSON: edit(":500,", ":1000000001,")},
		{Why: "price as text", JSON: edit(":500,", `:"500",`)}, {Why: "negative price", JSON: edit(":500,", ":-1,")},
		{Why: "tier over 65535", JSON: edit(`"tier":2`, `"tier":65536`)}, {Why: "duplicate key", JSON: with(`"title":"U"`)},
		{Why: "duplicate unknown key", JSON: with(`"a":1,"a":1`)}, {Why: "other kind", JSON: edit(`"vod"`, `"radio"`)},
		{Why: "id in capitals", JSON: edit(id("item").String(), strings.ToUpper(id("item").String()))}, {Why: "role 01", JSON: edit(`"1":"creator"`, `"01":"creator"`)},
		{Why: "role 256", JSON: edit(`"1":"creator"`, `"256":"creator"`)}, {Why: "trailing data", JSON: full + "{}"}, {Why: "list at the top", JSON: "[]"},
		{Why: "cut", JSON: full[:200]}, {Why: "nothing", JSON: ""}, {Why: "not UTF-8", Hex: []byte(with("\"artist\":\"\xff\""))},
		{Why: "900000 bytes", JSON: "{}@", Repeat: " ", Times: 899998, OK: true}, {Why: "900001 bytes", JSON: "{}@", Repeat: " ", Times: 899999},
	}
	for _, key := range []string{"id", "kind", "title", "creator", "tiers", "tier", "price_msat_s", "renditions", "r"} {
		v = append(v, jsonVector{Why: "without " + key, JSON: edit(`"`+key+`":`, `"x`+key+`":`)})
	}
	return v
}

func TestCatalog(t *testing.T) {
	f := load[catalogFile](t, "catalog.json")
	pk := must(composite.NewSecretKey(f.Online))(t).Public()
	for _, v := range f.Pages {
		p, err := catalog.Parse(v.Signed, pk)
		if (err == nil) != v.OK {
			t.Errorf("%s: %v", v.Why, err)
		}
		if err == nil && (p.Page != v.Page || p.Pages != v.Pages || p.Seq != v.Seq || p.Time != v.Time || string(p.JSON) != v.JSON || p.Bundle != wire.ID(f.Bundle)) {
			t.Errorf("read %+v", p)
		}
	}
	for _, v := range f.JSON {
		c, err := catalog.Decode(v.bytes())
		if (err == nil) != v.OK || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", v.Why, err)
		}
		if err == nil && len(c.Items) > 0 && len([]rune(c.Items[0].Title)) != v.Title {
			t.Errorf("%s: title of %d characters", v.Why, len([]rune(c.Items[0].Title)))
		}
	}
}
