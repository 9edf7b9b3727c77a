package bundle_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kem"
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

const day = 86400000 // ms

// base is the start of every Bundle in these tests, ms since 1970.
const base = 1_700_000_000_000

func sample(t testing.TB, root *composite.SecretKey) *bundle.Bundle {
	t.Helper()
	k, err := kem.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &bundle.Bundle{
		Seq: 5, MinSeq: 3, NotBefore: base, NotAfter: base + 8*day, Host: "origin.example", Root: *root.Public(), KEM: *k.Public(),
		Online: *key(t).Public(), LightningNodes: [][33]byte{{1}, {2}}, KeySets: []wire.ID{{3}, {4}}, DeadCreators: []wire.ID{{5}, {6}, {7}},
	}
}

func sign(t testing.TB, b *bundle.Bundle, root *composite.SecretKey) []byte {
	t.Helper()
	raw, err := b.Sign(root)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRoundTripAndIdentity(t *testing.T) {
	root := key(t)
	b := sample(t, root)
	one, two := sign(t, b, root), sign(t, b, root)
	if bytes.Equal(one, two) {
		t.Fatal("signatures are not hedged")
	}
	for _, raw := range [][]byte{one, two} {
		got, err := bundle.Parse(raw, root.Public().KeyID())
		if err != nil {
			t.Fatal(err)
		}
		want, err := b.ID()
		if err != nil {
			t.Fatal(err)
		}
		if id, err := got.ID(); err != nil || id != want {
			t.Fatalf("two signatures make two identities: %v, %v", id, err)
		}
		if got.Seq != 5 || got.MinSeq != 3 || got.Host != b.Host || got.LightningNodes[1] != b.LightningNodes[1] ||
			got.KeySets[1] != b.KeySets[1] || !got.CreatorDead(wire.ID{7}) || got.CreatorDead(wire.ID{8}) ||
			got.KEM != b.KEM || got.Online != b.Online || got.NotBefore != b.NotBefore || got.NotAfter != b.NotAfter {
			t.Fatalf("read %+v", got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	root := key(t)
	pinned := root.Public().KeyID()
	raw := sign(t, sample(t, root), root)
	if _, err := bundle.Parse(raw, wire.ID{1}); !errors.Is(err, bundle.ErrRoot) {
		t.Errorf("another root: %v", err)
	}
	if _, err := bundle.Parse(sign(t, sample(t, root), key(t)), pinned); !errors.Is(err, bundle.ErrRoot) {
		t.Errorf("signed by another root: %v", err)
	}
	// Every byte matters: fields before, in and behind the keys, and both halves
	// of the signature.
	for at := 0; at < len(raw); at += 97 {
		bad := bytes.Clone(raw)
		bad[at] ^= 0x40
		if _, err := bundle.Parse(bad, pinned); err == nil {
			t.Errorf("byte %d does not matter", at)
		}
	}
	for _, cut := range []int{0, 1, 35, 300, composite.SignatureSize, len(raw) - 1} {
		if _, err := bundle.Parse(raw[:cut], pinned); err == nil {
			t.Errorf("took the first %d bytes", cut)
		}
	}
	if _, err := bundle.Parse(make([]byte, bundle.MaxSize+1), pinned); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("oversized: %v", err)
	}
}

// resigned changes bytes of the signed part and signs again: the rules must
// hold against the root itself, too.
func resigned(t *testing.T, root *composite.SecretKey, change func(tbs []byte) []byte) []byte {
	t.Helper()
	tbs, _, err := composite.Split(sign(t, sample(t, root), root))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := root.Signed(composite.ContextBundle, change(bytes.Clone(tbs)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSignedNonsenseIsRefused(t *testing.T) {
	root := key(t)
	for name, change := range map[string]func(tbs []byte) []byte{
		"version":        func(b []byte) []byte { b[0] = 2; return b },
		"reserved byte":  func(b []byte) []byte { b[1] = 1; return b },
		"suite":          func(b []byte) []byte { b[3] = 2; return b },
		"min_seq > seq":  func(b []byte) []byte { b[12] = 1; return b },
		"ends too early": func(b []byte) []byte { clear(b[28:36]); return b },
		"over 8 days":    func(b []byte) []byte { b[35]++; return b },
		"trailing byte":  func(b []byte) []byte { return append(b, 0) },
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"five nodes":     func(b []byte) []byte { b[36+2+14+1984+1216+1984] = 5; return b },
	} {
		raw := resigned(t, root, change)
		if _, err := bundle.Parse(raw, root.Public().KeyID()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	same := resigned(t, root, func(b []byte) []byte { return b })
	if _, err := bundle.Parse(same, root.Public().KeyID()); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestSignRefusesBadFields(t *testing.T) {
	root := key(t)
	for name, change := range map[string]func(b *bundle.Bundle){
		"no host":       func(b *bundle.Bundle) { b.Host = "" },
		"five keysets":  func(b *bundle.Bundle) { b.KeySets = make([]wire.ID, 5) },
		"256 dead":      func(b *bundle.Bundle) { b.DeadCreators = make([]wire.ID, 256) },
		"long life":     func(b *bundle.Bundle) { b.NotAfter++ },
		"kills itself":  func(b *bundle.Bundle) { b.MinSeq = 6 },
		"ends at start": func(b *bundle.Bundle) { b.NotAfter = b.NotBefore - 1 },
	} {
		b := sample(t, root)
		change(b)
		if _, err := b.Sign(root); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzParse reads the bytes as they are, and signed by the root, so that the
// fuzzer gets past the signature.
func FuzzParse(f *testing.F) {
	root, err := composite.NewSecretKey(bytes.Repeat([]byte{1}, composite.SeedsSize)) // every worker has the same
	if err != nil {
		f.Fatal(err)
	}
	tbs, _, err := composite.Split(sign(f, sample(f, root), root))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tbs)
	f.Add([]byte{1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, tbs []byte) {
		if _, err := bundle.Parse(tbs, root.Public().KeyID()); err == nil {
			t.Fatal("took a bundle without a signature")
		}
		raw, err := root.Signed(composite.ContextBundle, tbs)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Parse(raw, root.Public().KeyID())
		if err != nil {
			return
		}
		want := sha256.Sum256(append([]byte("sne1 bundle"), tbs...))
		if id, err := b.ID(); err != nil || id != want {
			t.Fatalf("a second encoding of one bundle, %v", err)
		}
	})
}

func at(ms int64) time.Time { return time.UnixMilli(base + ms) }

func TestPinOrder(t *testing.T) {
	root := key(t)
	clock := bundle.Clock{Now: at(day), Trusted: true}
	first := sample(t, root)
	id, err := first.ID()
	if err != nil {
		t.Fatal(err)
	}
	pin := bundle.Pin{Host: first.Host, Root: root.Public().KeyID()}
	held, err := pin.Accept(first, clock)
	if err != nil {
		t.Fatal(err)
	}
	if want := (bundle.Pin{Host: first.Host, Root: pin.Root, Seq: 5, ID: id, MinSeq: 3, NotBefore: base}); held != want {
		t.Fatalf("pin is %+v", held)
	}
	if again, err := held.Accept(first, clock); err != nil || again != held {
		t.Fatalf("the same again: %+v, %v", again, err)
	}
	for _, tc := range []struct {
		name   string
		change func(b *bundle.Bundle)
		want   error
	}{
		{"newer", func(b *bundle.Bundle) { b.Seq = 6 }, nil},
		{"raises min_seq", func(b *bundle.Bundle) { b.Seq, b.MinSeq = 6, 6 }, nil},
		{"stale cache", func(b *bundle.Bundle) { b.Seq = 4 }, bundle.ErrStale},
		{"dead", func(b *bundle.Bundle) { b.Seq, b.MinSeq = 2, 1 }, bundle.ErrDead},
		{"other host", func(b *bundle.Bundle) { b.Host = "other.example" }, bundle.ErrHost},
		{"other root", func(b *bundle.Bundle) { b.Root[0] ^= 1 }, bundle.ErrRoot},
	} {
		b := *first
		tc.change(&b)
		got, err := held.Accept(&b, clock)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v", tc.name, err)
		}
		if err != nil && got != held {
			t.Errorf("%s: a refused bundle moved the pin to %+v", tc.name, got)
		}
		if err == nil && (got.Seq != b.Seq || got.MinSeq != b.MinSeq) {
			t.Errorf("%s: pin is %+v", tc.name, got)
		}
	}
	twin := *first
	twin.NotAfter--
	var split *bundle.SplitViewError
	if _, err := held.Accept(&twin, clock); !errors.As(err, &split) || split.Seq != 5 || split.Have != id || split.Got == id {
		t.Errorf("a twin: %v", err)
	}
	lower := *first
	lower.Seq, lower.MinSeq = 7, 1
	if got, err := held.Accept(&lower, clock); err != nil || got.MinSeq != 3 {
		t.Errorf("min_seq fell to %d (%v)", got.MinSeq, err)
	}
}

func TestPinStartsFromAnySeq(t *testing.T) {
	root := key(t)
	b := sample(t, root)
	b.Seq, b.MinSeq = 0, 0
	pin := bundle.Pin{Host: b.Host, Root: root.Public().KeyID()}
	if _, err := pin.Accept(b, bundle.Clock{Now: at(0), Trusted: true}); err != nil {
		t.Fatal(err)
	}
}

func TestClockRules(t *testing.T) {
	root := key(t)
	b := sample(t, root) // base .. base + 8 days
	fresh := bundle.Pin{Host: b.Host, Root: root.Public().KeyID()}
	later := fresh
	later.NotBefore = base + 9*day // of a verified Bundle with a lower Seq
	const minute = 60000
	for _, tc := range []struct {
		name  string
		pin   bundle.Pin
		clock bundle.Clock
		want  error
	}{
		{"ten minutes early", fresh, bundle.Clock{Now: at(-10 * minute), Trusted: true}, nil},
		{"earlier than that", fresh, bundle.Clock{Now: at(-10*minute - 1), Trusted: true}, bundle.ErrNotYet},
		{"last ms", fresh, bundle.Clock{Now: at(8 * day), Trusted: true}, nil},
		{"one ms late", fresh, bundle.Clock{Now: at(8*day + 1), Trusted: true}, bundle.ErrExpired},
		{"trusted: the floor is not read", fresh, bundle.Clock{Now: at(0), Trusted: true, Floor: at(9 * day)}, nil},
		{"1970, untrusted", fresh, bundle.Clock{Now: time.Unix(0, 0)}, nil},
		{"far future, untrusted", fresh, bundle.Clock{Now: at(1000 * day)}, nil},
		{"floor inside", fresh, bundle.Clock{Floor: at(8 * day)}, nil},
		{"floor behind", fresh, bundle.Clock{Floor: at(8*day + 1)}, bundle.ErrExpired},
		{"the root's own bound", later, bundle.Clock{}, bundle.ErrExpired},
	} {
		if _, err := tc.pin.Accept(b, tc.clock); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}
