package message_test

import (
	"bytes"
	"errors"
	"testing"

	"sonahub/sne/message"
	"sonahub/sne/wire"
)

func points(n int) []message.Point {
	p := make([]message.Point, n)
	for i := range p {
		p[i][0] = 1
	}
	return p
}

func TestBlindsRules(t *testing.T) {
	for _, tc := range []struct {
		name   string
		blinds message.Blinds
		ok     bool
	}{
		{"none", nil, true},
		{"64 points", message.Blinds{{Denom: 1, Points: points(40)}, {Denom: 2, Points: points(24)}}, true},
		{"65 points", message.Blinds{{Denom: 1, Points: points(40)}, {Denom: 2, Points: points(25)}}, false},
		{"falling", message.Blinds{{Denom: 2, Points: points(1)}, {Denom: 1, Points: points(1)}}, false},
		{"denomination twice", message.Blinds{{Denom: 2, Points: points(1)}, {Denom: 2, Points: points(1)}}, false},
		{"empty group", message.Blinds{{Denom: 2}}, false},
		{"highest denomination", message.Blinds{{Denom: 23, Points: points(1)}}, true},
		{"over it", message.Blinds{{Denom: 24, Points: points(1)}}, false},
		{"identity element", message.Blinds{{Denom: 2, Points: make([]message.Point, 1)}}, false},
	} {
		if _, err := tc.blinds.Marshal(); (err == nil) != tc.ok || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// The reader must not believe a count that the bytes do not cover.
	if _, err := message.ParseBlinds([]byte{1, 0, 64, 1}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("64 points in one byte: %v", err)
	}
}

func TestSpendRules(t *testing.T) {
	spend := func(n int) *message.Redeem {
		return &message.Redeem{Spend: message.Spend{Groups: []message.TokenGroup{{Denom: 3, Tokens: make([]message.Token, n)}}}}
	}
	for n, ok := range map[int]bool{1: true, 32: true, 33: false, 0: false} {
		if _, err := spend(n).Marshal(); (err == nil) != ok {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
}

func TestUnits(t *testing.T) {
	if got := blinds().Units(); got != 1+2*32 {
		t.Errorf("blinds are worth %d", got)
	}
	if got := redeem().Spend.Units(); got != 2 {
		t.Errorf("tokens are worth %d", got)
	}
	most := message.Blinds{{Denom: 23, Points: points(64)}}
	if got := most.Units(); got != 64<<23 {
		t.Errorf("the most is worth %d", got)
	}
}

func TestEvalsFit(t *testing.T) {
	if err := evals().Fits(blinds()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(e message.Evals) message.Evals{
		"group less":  func(e message.Evals) message.Evals { return e[:1] },
		"other denom": func(e message.Evals) message.Evals { e[1].Denom++; return e },
		"point less":  func(e message.Evals) message.Evals { e[1].Points = e[1].Points[:1]; return e },
		"nothing":     func(message.Evals) message.Evals { return nil },
	} {
		if err := change(evals()).Fits(blinds()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzBodies feeds every parser; what one accepts it must write again in the
// same way.
func FuzzBodies(f *testing.F) {
	all := bodies(f)
	for _, b := range all {
		raw, err := b.value.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, b := range all {
			v, err := b.parse(raw)
			if err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatalf("%s: %v", name, err)
				}
				continue
			}
			again, err := v.(interface{ Marshal() ([]byte, error) }).Marshal()
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%s: read %x, wrote %x, %v", name, raw, again, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	raw, err := message.Marshal(message.Frame{Kind: message.KindBuy, ID: 1, Body: []byte{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(raw, 0, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		frames, err := message.Parse(raw)
		if err != nil {
			return
		}
		again, err := message.Marshal(frames...)
		if err != nil || !bytes.HasPrefix(raw, again) {
			t.Fatalf("wrote %x, %v", again, err)
		}
	})
}
