package message_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

func TestFrames(t *testing.T) {
	raw, err := message.Marshal(message.Frame{Kind: message.KindBuy, ID: 0x0102, Body: []byte{9}}, message.Frame{Kind: message.KindClose, ID: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != "03"+"0102"+"00000001"+"09"+"08"+"0003"+"00000000" {
		t.Fatalf("encoded as %s", got)
	}
	for _, pad := range []int{0, 1, 100} {
		frames, err := message.Parse(append(bytes.Clone(raw), make([]byte, pad)...))
		if err != nil || len(frames) != 2 || frames[0].ID != 0x0102 || frames[0].Body[0] != 9 || frames[1].Kind != message.KindClose {
			t.Fatalf("%d bytes of padding: %+v, %v", pad, frames, err)
		}
	}
	if frames, err := message.Parse(make([]byte, 2048)); err != nil || len(frames) != 0 {
		t.Fatalf("padding alone: %v, %v", frames, err)
	}
	for name, bad := range map[string][]byte{
		"padding not zero": append(bytes.Clone(raw), 0, 0, 1),
		"cut head":         raw[:5],
		"cut body":         raw[:7],
		"4 GiB":            {3, 0, 0, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := message.Parse(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := message.Marshal(message.Frame{}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("padding as a message: %v", err)
	}
}

func rng() message.Range {
	return message.Range{Broadcast: wire.ID{1}, Tier: 2, First: 3, N: 2}
}

func blinds() message.Blinds {
	return message.Blinds{{Denom: 0, Points: []message.Point{{1}}}, {Denom: 5, Points: []message.Point{{2}, {3}}}}
}

func evals() message.Evals {
	return message.Evals{{Denom: 0, Points: []message.Point{{1}}, Proof: [64]byte{7}}, {Denom: 5, Points: []message.Point{{2}, {3}}}}
}

func redeem() *message.Redeem {
	return &message.Redeem{
		Spend:  message.Spend{KeySet: wire.ID{4}, Groups: []message.TokenGroup{{Denom: 1, Tokens: []message.Token{{T: [32]byte{5}, Y: [64]byte{6}}}}}},
		KeySet: wire.ID{8}, Change: blinds(),
	}
}

func must(t testing.TB) func(raw []byte, err error) []byte {
	return func(raw []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

// body is one kind of message: what it is, and how it is read.
type body struct {
	value interface{ Marshal() ([]byte, error) }
	parse func([]byte) (any, error)
}

func parser[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return f(b) }
}

func bodies(t testing.TB) map[string]body {
	m := must(t)
	voucher := m(message.MarshalVoucher("500-" + strings.Repeat("a", 26)))
	return map[string]body{
		"hello":   {&message.Hello{Credentials: []message.Credential{{Type: 1, Data: []byte{1, 2}}}}, parser(message.ParseHello)},
		"welcome": {&message.Welcome{Trust: 1, MaxOpenOffers: 4, Time: 5, Edges: []string{"https://e"}}, parser(message.ParseWelcome)},
		"buy":     {&message.Buy{Rail: message.RailFFXS, Range: rng(), Body: m(redeem().Marshal())}, parser(message.ParseBuy)},
		"grant": {&message.Grant{
			Range: rng(), AmountMsat: 10, Split: []message.Share{{Role: 1, Msat: 4}, {Role: 3, Msat: 6}},
			Keys: []kdf.Secret{{1}, {2}}, Evals: m(evals().Marshal()),
		}, parser(message.ParseGrant)},
		"topup":  {&message.TopUp{Rail: message.TopUpVoucher, KeySet: wire.ID{1}, Blinds: m(blinds().Marshal()), Body: voucher}, parser(message.ParseTopUp)},
		"tokens": {&message.Tokens{KeySet: wire.ID{1}, Evals: m(evals().Marshal())}, parser(message.ParseTokens)},
		"error":  {&message.Error{Code: message.CodePrice, RetryMs: 5}, parser(message.ParseError)},
		"redeem": {redeem(), parser(message.ParseRedeem)},
		"offer":  {&message.Offer{TBS: []byte{1, 2}, Sig: bytes.Repeat([]byte{3}, 3373), Bolt11: "lnbc1"}, parser(message.ParseOffer)},
		"blinds": {blinds(), parser(message.ParseBlinds)},
		"evals":  {evals(), parser(message.ParseEvals)},
	}
}

func TestBodiesRoundTripAndRefuseCuts(t *testing.T) {
	for name, b := range bodies(t) {
		raw := must(t)(b.value.Marshal())
		got, err := b.parse(raw)
		if err != nil || !reflect.DeepEqual(got, b.value) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
		open := name == "buy" || name == "topup" // they end in a rail body of any length
		for n := range raw {
			if _, err := b.parse(raw[:n]); !open && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: took its first %d bytes: %v", name, n, err)
			}
		}
		if _, err := b.parse(append(bytes.Clone(raw), 0)); !open && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: took a trailing byte: %v", name, err)
		}
	}
}

// The layouts of section 6, byte for byte.
func TestLayouts(t *testing.T) {
	id := func(b string) string { return b + strings.Repeat("00", 31) }
	r := id("01") + "0002" + "0000000000000003" + "02"
	all := bodies(t)
	for name, want := range map[string]string{
		"hello":   "01" + "01" + "0002" + "0102",
		"welcome": "01" + "0004" + "0000000000000005" + "01" + "0009" + hex.EncodeToString([]byte("https://e")),
		"grant": r + "000000000000000a" + "02" + "01" + "0000000000000004" + "03" + "0000000000000006" + id("01") + id("02") +
			"02" + "00" + "01" + id("01") + "07" + strings.Repeat("00", 63) + "05" + "02" + id("02") + id("03") + strings.Repeat("00", 64),
		"error":  "0004" + "00000005",
		"blinds": "02" + "00" + "01" + id("01") + "05" + "02" + id("02") + id("03"),
		"redeem": id("04") + "01" + "01" + "01" + id("05") + "06" + strings.Repeat("00", 63) + id("08") + "02" + "00" + "01" + id("01") + "05" + "02" + id("02") + id("03"),
		"topup": "02" + id("01") + "02" + "00" + "01" + id("01") + "05" + "02" + id("02") + id("03") +
			"001e" + hex.EncodeToString([]byte("500-"+strings.Repeat("a", 26))),
	} {
		if got := hex.EncodeToString(must(t)(all[name].value.Marshal())); got != want {
			t.Errorf("%s is\n%s, want\n%s", name, got, want)
		}
	}
	buy := must(t)((&message.Buy{Rail: message.RailOpening, Range: rng()}).Marshal())
	if got := hex.EncodeToString(buy); got != "04"+r {
		t.Errorf("buy is %s", got)
	}
}

func TestRangeLimits(t *testing.T) {
	for _, tc := range []struct {
		n     uint8
		first uint64
		ok    bool
	}{{0, 0, false}, {1, 0, true}, {30, 5, true}, {31, 0, false}, {1, math.MaxUint64, false}} {
		r := rng()
		r.N, r.First = tc.n, tc.first
		if _, err := (&message.Buy{Range: r}).Marshal(); (err == nil) != tc.ok {
			t.Errorf("n = %d, first = %d: wrote %v", tc.n, tc.first, err)
		}
	}
	raw := must(t)((&message.Buy{Range: rng()}).Marshal())
	for _, n := range []byte{0, 31, 255} {
		raw[len(raw)-1] = n
		if _, err := message.ParseBuy(raw); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("n = %d: read %v", n, err)
		}
	}
}

func TestSplitRules(t *testing.T) {
	for _, tc := range []struct {
		name   string
		amount uint64
		split  []message.Share
		ok     bool
	}{
		{"none", 5, nil, true},
		{"exact", 5, []message.Share{{Role: 0, Msat: 2}, {Role: 1, Msat: 3}}, true},
		{"too little", 5, []message.Share{{Role: 0, Msat: 4}}, false},
		{"too much", 5, []message.Share{{Role: 0, Msat: 6}}, false},
		{"overflow", 5, []message.Share{{Role: 0, Msat: 6}, {Role: 1, Msat: math.MaxUint64}}, false},
		{"out of order", 5, []message.Share{{Role: 1, Msat: 2}, {Role: 0, Msat: 3}}, false},
		{"role twice", 5, []message.Share{{Role: 1, Msat: 2}, {Role: 1, Msat: 3}}, false},
		{"nine shares", 0, make([]message.Share, 9), false},
	} {
		g := &message.Grant{Range: rng(), AmountMsat: tc.amount, Split: tc.split, Keys: make([]kdf.Secret, 2)}
		if _, err := g.Marshal(); (err == nil) != tc.ok || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	raw := must(t)((&message.Grant{Range: rng(), AmountMsat: 5, Split: []message.Share{{Msat: 5}}, Keys: make([]kdf.Secret, 2)}).Marshal())
	raw[43+7]++ // the amount
	if _, err := message.ParseGrant(raw); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("read a split that does not add up: %v", err)
	}
	if _, err := (&message.Grant{Range: rng(), Keys: make([]kdf.Secret, 1)}).Marshal(); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("one key for two epochs: %v", err)
	}
}

func TestTopUpKeepsItsPartsApart(t *testing.T) {
	raw := must(t)((&message.TopUp{Rail: 2, Blinds: must(t)(message.Blinds(nil).Marshal()), Body: []byte("rail")}).Marshal())
	got, err := message.ParseTopUp(raw)
	if err != nil || !bytes.Equal(got.Blinds, []byte{0}) || string(got.Body) != "rail" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := message.ParseTopUp(raw[:20]); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("cut: %v", err)
	}
}

func TestVoucherCodes(t *testing.T) {
	tail := strings.Repeat("a", 26)
	if raw, err := message.MarshalVoucher("20000-" + tail); err != nil {
		t.Fatal(err)
	} else if code, err := message.ParseVoucher(raw); err != nil || code != "20000-"+tail {
		t.Fatalf("%q, %v", code, err)
	}
	for _, bad := range []string{"", "-" + tail, "5" + tail, "05-" + tail, "5-" + tail[1:], "5-" + strings.ToUpper(tail), "x-" + tail, "-5-" + tail, strings.Repeat("9", 64) + "-" + tail} {
		if _, err := message.MarshalVoucher(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: wrote %v", bad, err)
		}
		if _, err := message.ParseVoucher(append([]byte{0, byte(len(bad))}, bad...)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: read %v", bad, err)
		}
	}
}

func TestErrorIsNamed(t *testing.T) {
	for c := message.CodeBadRequest; c <= message.CodeInternal; c++ {
		if s := (&message.Error{Code: c}).Error(); strings.Contains(s, "code") {
			t.Errorf("%d has no name: %s", c, s)
		}
	}
	if s := message.ErrorCode(77).String(); s != "code 77" {
		t.Errorf("unknown code is %q", s)
	}
}

func TestBodyHash(t *testing.T) {
	a, b := message.BodyHash(message.KindBuy, []byte("x")), message.BodyHash(message.KindSwap, []byte("x"))
	if a == b || a == message.BodyHash(message.KindBuy, []byte("y")) {
		t.Fatal("kind or body does not matter")
	}
}
