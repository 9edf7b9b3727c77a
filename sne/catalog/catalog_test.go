package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

func key(t testing.TB) *composite.SecretKey {
	t.Helper()
	k, err := composite.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sample() *catalog.Catalog {
	return &catalog.Catalog{
		Items: []catalog.Item{{
			ID: wire.ID{1}, Kind: catalog.KindVOD, Title: "Title <b>", Artist: "Artist", Album: "Album", Index: 1, Creator: wire.ID{2},
			Art: wire.ID{3}, Ms: 241000, FreeEpochs: 1,
			Tiers: []catalog.Tier{{Tier: 1, Name: "Opus", PriceMsatS: 500, Renditions: []catalog.Rendition{{R: 1, Codec: "opus", Bps: 96000, Rate: 48000, Bits: 16, Ch: 2}}}},
		}},
		Lists: []catalog.List{{Name: "new", Items: []wire.ID{{1}}}},
		Roles: map[string]string{"1": "creator"},
	}
}

func TestJSONRoundTrip(t *testing.T) {
	raw, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Decode(raw)
	if err != nil || !reflect.DeepEqual(got, sample()) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestExampleOfTheSpecification(t *testing.T) {
	id := wire.ID{7}.String()
	raw := strings.NewReplacer("<b>", id, "<KeyID>", id, "<sha256>", id).Replace(`{"items":[{"id":"<b>","kind":"vod","title":"","artist":"","album":"","index":1,"creator":"<KeyID>","art":"<sha256>","ms":241000,"free_epochs":1,
   "tiers":[{"tier":1,"name":"Opus","price_msat_s":500,"renditions":[{"r":1,"codec":"opus","bps":96000,"rate":48000,"bits":16,"ch":2}]}]}],
  "lists":[{"name":"","items":["<b>"]}],"roles":{"1":"creator"}}`)
	c, err := catalog.Decode([]byte(raw))
	if err != nil || c.Items[0].Ms != 241000 || c.Items[0].Tiers[0].Renditions[0].Ch != 2 || c.Lists[0].Items[0] != c.Items[0].ID || c.Roles["1"] != "creator" {
		t.Fatalf("%+v, %v", c, err)
	}
}

// item is the smallest item there may be, with room for one more member.
func item(more string) string {
	id := wire.ID{7}.String()
	return fmt.Sprintf(`{"items":[{"id":"%s","kind":"live","title":"t","creator":"%s","tiers":[{"tier":1,"price_msat_s":0,"renditions":[{"r":1}]}]%s}]}`, id, id, more)
}

func TestDefaults(t *testing.T) {
	c, err := catalog.Decode([]byte(item("")))
	if err != nil {
		t.Fatal(err)
	}
	if it := c.Items[0]; it.Ms != 0 || it.FreeEpochs != 0 || !it.Art.IsZero() || it.Kind != catalog.KindLive {
		t.Fatalf("%+v", it)
	}
}

func TestDecodeStrictly(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	drop := func(field string) string { return strings.Replace(item(""), field, `"x"`, 1) }
	for _, tc := range []struct {
		name, in string
		ok       bool
	}{
		{"unknown key", item(`,"x":{"y":[true,null,1.0]}`), false}, // 1.0 is not an integer
		{"unknown key with integers", item(`,"x":{"y":[true,null,-1]}`), true},
		{"key in another case is unknown", item(`,"Title":5`), true},
		{"duplicate key", item(`,"title":"u"`), false},
		{"duplicate unknown key", item(`,"x":1,"x":1`), false},
		{"duplicate by escape", item(`,"t\u0069tle":"u"`), false},
		{"8 levels", item(`,"x":` + deep(5)), true},
		{"9 levels", item(`,"x":` + deep(6)), false},
		{"very deep", deep(100000), false},
		{"2^53 - 1", item(`,"ms":9007199254740991`), true},
		{"2^53", item(`,"ms":9007199254740992`), false},
		{"2^53 in an unknown key", item(`,"x":9007199254740992`), false},
		{"exponent", item(`,"ms":1e3`), false},
		{"negative", item(`,"ms":-1`), false},
		{"number as text", item(`,"ms":"1"`), false},
		{"text as number", item(`,"artist":1`), false},
		{"null is absent", item(`,"artist":null`), true},
		{"bad id", item(`,"art":"x"`), false},
		{"not UTF-8", item(",\"artist\":\"\xff\""), false},
		{"trailing data", item("") + "{}", false},
		{"cut", item("")[:100], false},
		{"empty", "", false},
		{"list", "[]", false},
		{"empty object", "{}", true},
		{"items of another type", `{"items":{}}`, false},
		{"item of another type", `{"items":[1]}`, false},
		{"no id", drop(`"id"`), false},
		{"no kind", drop(`"kind"`), false},
		{"no title", drop(`"title"`), false},
		{"no creator", drop(`"creator"`), false},
		{"no tiers", drop(`"tiers"`), false},
		{"no tier number", drop(`"tier"`), false},
		{"no price", drop(`"price_msat_s"`), false},
		{"no renditions", drop(`"renditions"`), false},
		{"no r", drop(`"r"`), false},
		{"other kind", strings.Replace(item(""), "live", "radio", 1), false},
		{"highest price", strings.Replace(item(""), `"price_msat_s":0`, `"price_msat_s":1000000000`, 1), true},
		{"over it", strings.Replace(item(""), `"price_msat_s":0`, `"price_msat_s":1000000001`, 1), false},
		{"tier over 65535", strings.Replace(item(""), `"tier":1`, `"tier":65536`, 1), false},
		{"bad role", `{"roles":{"01":"x"}}`, false},
		{"bad list", `{"lists":[{"items":["x"]}]}`, false},
	} {
		if _, err := catalog.Decode([]byte(tc.in)); (err == nil) != tc.ok || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	c, err := catalog.Decode([]byte(item(`,"artist":"` + strings.Repeat("ä", 501) + `","album":"` + strings.Repeat("ä", 500) + `"`)))
	if err != nil || c.Items[0].Artist != strings.Repeat("ä", 500) || c.Items[0].Album != c.Items[0].Artist {
		t.Fatalf("%d bytes, %v", len(c.Items[0].Artist), err)
	}
}

func TestPage(t *testing.T) {
	online := key(t)
	p := &catalog.Page{Page: 1, Pages: 3, Bundle: wire.ID{5}, Seq: 9, Time: 8, JSON: []byte("{}")}
	raw, err := p.Sign(online)
	if err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Parse(raw, online.Public())
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%+v, %v", got, err)
	}
	if id, err := catalog.Bundle(raw); err != nil || id != p.Bundle {
		t.Fatalf("%v, %v", id, err)
	}
	for at := 0; at < len(raw); at += 29 {
		bad := bytes.Clone(raw)
		bad[at] ^= 1
		if _, err := catalog.Parse(bad, online.Public()); !errors.Is(err, composite.ErrSignature) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if _, err := catalog.Parse(make([]byte, catalog.MaxPage+1), online.Public()); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("oversized: %v", err)
	}
	for name, bad := range map[string]*catalog.Page{
		"no pages":       {},
		"too many pages": {Pages: 4097},
		"behind the end": {Page: 3, Pages: 3},
		"long JSON":      {Pages: 1, JSON: make([]byte, catalog.MaxJSON+1)},
	} {
		if _, err := bad.Sign(online); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMerge(t *testing.T) {
	c := &catalog.Catalog{}
	c.Merge(sample())
	c.Merge(sample())
	if len(c.Items) != 2 || len(c.Lists) != 2 || c.Roles["1"] != "creator" {
		t.Fatalf("%+v", c)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(item("")))
	f.Add([]byte(`{"items":[{"id":1}]}`))
	f.Add([]byte(`[[[[[[[[[[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := catalog.Decode(raw)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatalf("would not write what it read: %v", err)
		}
		if second, err := catalog.Decode(again); err != nil || len(second.Items) != len(c.Items) {
			t.Fatalf("%v", err)
		}
	})
}

// FuzzPage reads the bytes as they are, and signed, so that the fuzzer gets
// past the signature.
func FuzzPage(f *testing.F) {
	online, err := composite.NewSecretKey(bytes.Repeat([]byte{1}, composite.SeedsSize)) // every worker has the same
	if err != nil {
		f.Fatal(err)
	}
	raw, err := (&catalog.Page{Pages: 1, JSON: []byte("{}")}).Sign(online)
	if err != nil {
		f.Fatal(err)
	}
	tbs, _, err := composite.Split(raw)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tbs)
	f.Fuzz(func(t *testing.T, tbs []byte) {
		if _, err := catalog.Parse(tbs, online.Public()); err == nil {
			t.Fatal("took a page without a signature")
		}
		raw, err := online.Signed(composite.ContextCatalog, tbs)
		if err != nil {
			t.Fatal(err)
		}
		p, err := catalog.Parse(raw, online.Public())
		if err != nil {
			return
		}
		if again, err := p.Sign(online); err != nil || !bytes.Equal(again[:len(again)-composite.SignatureSize], tbs) {
			t.Fatalf("a second encoding of one page, %v", err)
		}
	})
}
