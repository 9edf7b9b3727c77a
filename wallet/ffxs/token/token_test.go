package token

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// point makes bytes that are no identity; shapes need no more.
func point(b byte) Point { return Point{0: b, 31: 1} }

func points(n int) []Point {
	out := make([]Point, n)
	for i := range out {
		out[i] = point(byte(i + 1))
	}
	return out
}

func tokens(n int) []Token {
	out := make([]Token, n)
	for i := range out {
		out[i].T[0], out[i].Y[0] = byte(i), byte(i)
	}
	return out
}

func sampleRedeem() Redeem {
	return Redeem{
		Spend:  Spend{KeySet: [32]byte{7}, Groups: []Group{{Denom: 1, Tokens: tokens(1)}, {Denom: 6, Tokens: tokens(2)}}},
		KeySet: [32]byte{9},
		Blinds: Blinds{{Denom: 0, Points: points(1)}, {Denom: 23, Points: points(2)}},
	}
}

func sampleEvals() Evals {
	return Evals{{Denom: 0, Points: points(1), Proof: [64]byte{1}}, {Denom: 23, Points: points(2), Proof: [64]byte{2}}}
}

func TestRoundTrip(t *testing.T) {
	r := sampleRedeem()
	b := r.Append(nil)
	got, err := ParseRedeem(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Append(nil), b) {
		t.Fatal("redeem body changed on its way")
	}
	if got.Spend.Units() != 2+2*64 || got.Blinds.Units() != 1+2<<23 {
		t.Fatalf("units %d and %d", got.Spend.Units(), got.Blinds.Units())
	}
	e := sampleEvals()
	ge, err := ParseEvals(e.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !ge.Fits(r.Blinds) || ge.Fits(r.Blinds[:1]) || ge[:1].Fits(Blinds{{Denom: 0, Points: points(2)}}) {
		t.Fatal("Fits is wrong about shapes")
	}
	empty, err := ParseBlinds([]byte{0})
	if err != nil || len(empty) != 0 || empty.Units() != 0 {
		t.Fatalf("no blinds at all: %v, %v", empty, err)
	}
}

func TestRefused(t *testing.T) {
	blinds := func(v Blinds) []byte { return v.Append(nil) }
	spend := func(g ...Group) []byte { return Spend{Groups: g}.Append(nil) }
	parseBlinds := func(b []byte) error { _, err := ParseBlinds(b); return err }
	parseSpend := func(b []byte) error { _, err := ParseSpend(b); return err }
	for name, c := range map[string]struct {
		parse func([]byte) error
		b     []byte
	}{
		"empty input":        {parseBlinds, nil},
		"bytes left over":    {parseBlinds, []byte{0, 0}},
		"count without body": {parseBlinds, []byte{1, 0, 255}},
		"many groups":        {parseBlinds, []byte{255}},
		"identity":           {parseBlinds, blinds(Blinds{{Points: []Point{{}}}})},
		"empty group":        {parseBlinds, blinds(Blinds{{Denom: 3}})},
		"falling denoms":     {parseBlinds, blinds(Blinds{{Denom: 3, Points: points(1)}, {Denom: 2, Points: points(1)}})},
		"equal denoms":       {parseBlinds, blinds(Blinds{{Denom: 3, Points: points(1)}, {Denom: 3, Points: points(1)}})},
		"denom 24":           {parseBlinds, blinds(Blinds{{Denom: 24, Points: points(1)}})},
		"65 points":          {parseBlinds, blinds(Blinds{{Denom: 3, Points: points(65)}})},
		"65 in two groups":   {parseBlinds, blinds(Blinds{{Denom: 3, Points: points(64)}, {Denom: 4, Points: points(1)}})},
		"no tokens":          {parseSpend, spend()},
		"33 tokens":          {parseSpend, spend(Group{Tokens: tokens(33)})},
		"spend cut":          {parseSpend, spend(Group{Tokens: tokens(2)})[:200]},
		"evals without proof": {func(b []byte) error { _, err := ParseEvals(b); return err },
			blinds(Blinds{{Points: points(1)}})},
	} {
		if err := c.parse(c.b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []int{64, 32} { // limits themselves pass
		if err := parseBlinds(blinds(Blinds{{Points: points(at)}})); err != nil {
			t.Errorf("%d points: %v", at, err)
		}
	}
	if err := parseSpend(spend(Group{Tokens: tokens(32)})); err != nil {
		t.Errorf("32 tokens: %v", err)
	}
}

func TestKeySetBytes(t *testing.T) {
	v := KeySet{UnitMsat: 100, IssueUntil: time.UnixMilli(1), RedeemUntil: time.UnixMilli(2), Keys: []PublicKey{{Denom: 0, Key: point(1)}, {Denom: 5, Key: point(2)}}}
	b := v.Append(nil)
	if want := "0100" + "0064" + "0000000000000001" + "0000000000000002" + "02" + "00"; !strings.HasPrefix(hex.EncodeToString(b), want) {
		t.Fatalf("layout %x", b)
	}
	got, err := ParseKeySet(b)
	if err != nil || !bytes.Equal(got.Append(nil), b) {
		t.Fatalf("round trip: %v", err)
	}
	if k, ok := got.Key(5); !ok || k != point(2) {
		t.Fatal("key of denomination 5 not found")
	}
	for name, change := range map[string]func([]byte) []byte{
		"version":   func(b []byte) []byte { b[0] = 2; return b },
		"reserved":  func(b []byte) []byte { b[1] = 1; return b },
		"unit 0":    func(b []byte) []byte { b[3] = 0; return b },
		"time":      func(b []byte) []byte { b[4] = 0x80; return b },
		"no keys":   func(b []byte) []byte { b[20] = 0; return b[:21] },
		"25 keys":   func(b []byte) []byte { b[20] = 25; return b },
		"left over": func(b []byte) []byte { return append(b, 0) },
		"identity":  func(b []byte) []byte { clear(b[22:54]); return b },
		"falling":   func(b []byte) []byte { b[21] = 9; return b },
	} {
		if _, err := ParseKeySet(change(bytes.Clone(b))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVoucher(t *testing.T) {
	v := Voucher{Units: 20000, Secret: [16]byte{0xff, 15: 1}}
	code := v.Code()
	if code != "20000-74aaaaaaaaaaaaaaaaaaaaaaae" {
		t.Fatalf("code %q", code)
	}
	if got, err := ParseVoucher(code); err != nil || got != v {
		t.Fatalf("%v", err)
	}
	for _, bad := range []string{"", "-", "0-74aaaaaaaaaaaaaaaaaaaaaaae", "020000-74aaaaaaaaaaaaaaaaaaaaaaae", "+1-74aaaaaaaaaaaaaaaaaaaaaaae",
		"20000-74AAAAAAAAAAAAAAAAAAAAAAAE", "20000-74aaaaaaaaaaaaaaaaaaaaaaaf", "20000-74aaaaaaaaaaaaaaaaaaaaaaa", "99999999999-74aaaaaaaaaaaaaaaaaaaaaaae", strings.Repeat("1", 65)} {
		if _, err := ParseVoucher(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	tok, v := Token{T: [32]byte{0xab}, Y: [64]byte{0xab}}, Voucher{Units: 171, Secret: [16]byte{0xab}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, s := range []string{fmt.Sprintf(verb, tok), fmt.Sprintf(verb, v), fmt.Sprintf(verb, sampleRedeem())} {
			if strings.Contains(s, "ab00") || strings.Contains(s, "171") || !strings.Contains(s, "redacted") {
				t.Errorf("%s prints %s", verb, s)
			}
		}
	}
}

func FuzzRedeem(f *testing.F) {
	f.Add(sampleRedeem().Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseRedeem(b); err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatal("two encodings of one body")
		}
	})
}

func FuzzEvals(f *testing.F) {
	f.Add(sampleEvals().Append(nil))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseEvals(b); err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatal("two encodings of one answer")
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(KeySet{UnitMsat: 100, IssueUntil: time.UnixMilli(1), RedeemUntil: time.UnixMilli(2), Keys: []PublicKey{{Key: point(1)}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseKeySet(b); err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatal("two encodings of one key set")
		}
	})
}

func FuzzVoucher(f *testing.F) {
	f.Add("20000-74aaaaaaaaaaaaaaaaaaaaaaae")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseVoucher(s); err == nil && v.Code() != s {
			t.Fatal("two codes of one voucher")
		}
	})
}
