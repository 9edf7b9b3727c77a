package manifest_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

func want(h *manifest.Head) manifest.Want {
	return manifest.Want{Broadcast: h.Broadcast, Tier: h.Tier, OriginRoot: h.OriginRoot}
}

func TestHeadRoundTrip(t *testing.T) {
	creator := key(t)
	h, _, _ := closed(t, creator, 3)
	raw := sign(t, h, creator)
	got, err := manifest.VerifyHead(raw, creator.Public(), want(h))
	if err != nil || !bytes.Equal(got.Signed, raw) || got.Key.KeyID() != creator.Public().KeyID() {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Signed, got.Key = nil, nil
	if !reflect.DeepEqual(got, h) {
		t.Fatalf("%+v", got)
	}
	if id, err := manifest.HeadCreator(raw); err != nil || id != creator.Public().KeyID() {
		t.Fatalf("creator %v, %v", id, err)
	}
	for at := 0; at < len(raw); at += 31 {
		bad := bytes.Clone(raw)
		bad[at] ^= 1
		if _, err := manifest.VerifyHead(bad, creator.Public(), want(h)); err == nil {
			t.Errorf("byte %d does not matter", at)
		}
	}
	if _, err := manifest.VerifyHead(make([]byte, manifest.MaxHead+1), creator.Public(), want(h)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("oversized: %v", err)
	}
}

func TestHeadOfSomebodyElse(t *testing.T) {
	creator, edge := key(t), key(t)
	h, _, _ := closed(t, creator, 3)
	raw := sign(t, h, creator)
	for name, change := range map[string]func(w *manifest.Want){
		"broadcast": func(w *manifest.Want) { w.Broadcast[0]++ },
		"tier":      func(w *manifest.Want) { w.Tier++ },
		"origin":    func(w *manifest.Want) { w.OriginRoot[0]++ },
		"dead":      func(w *manifest.Want) { w.Dead = []wire.ID{{1}, creator.Public().KeyID()} },
	} {
		w := want(h)
		change(&w)
		if _, err := manifest.VerifyHead(raw, creator.Public(), w); !errors.Is(err, manifest.ErrHead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := manifest.VerifyHead(raw, edge.Public(), want(h)); !errors.Is(err, composite.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	// An edge signs its own Head for the same broadcast: the id gives it away.
	forged := forge(t, h, edge)
	if _, err := manifest.VerifyHead(forged, edge.Public(), want(h)); !errors.Is(err, manifest.ErrHead) {
		t.Errorf("an edge's own head: %v", err)
	}
}

// forge signs h's exact fields, but for the creator, with another key.
func forge(t *testing.T, h *manifest.Head, k *composite.SecretKey) []byte {
	t.Helper()
	own := *h
	tbs, _, err := composite.Split(sign(t, &own, k))
	if err != nil {
		t.Fatal(err)
	}
	copy(tbs[4:36], h.Broadcast[:])
	raw, err := k.Signed(composite.ContextHead, tbs)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestHeadRules(t *testing.T) {
	creator := key(t)
	for _, tc := range []struct {
		name   string
		change func(h *manifest.Head)
		ok     bool
	}{
		{"last epoch full", func(h *manifest.Head) { h.TotalFrames = 3 * full }, true},
		{"last epoch of one frame", func(h *manifest.Head) { h.TotalFrames = 2*full + 1 }, true},
		{"last epoch empty", func(h *manifest.Head) { h.TotalFrames = 2 * full }, false},
		{"more than fits", func(h *manifest.Head) { h.TotalFrames = 3*full + 1 }, false},
		{"open and short", func(h *manifest.Head) { h.Closed = false }, false},
		{"open and full", func(h *manifest.Head) { h.Closed, h.TotalFrames = false, 3*full }, true},
		{"closed and empty", func(h *manifest.Head) { h.TreeSize, h.TotalFrames = 0, 0 }, false},
		{"open and empty", func(h *manifest.Head) { h.Closed, h.TreeSize, h.TotalFrames = false, 0, 0 }, true},
		{"epoch too short", func(h *manifest.Head) { h.EpochMs = 980 }, false},
		{"epoch too long", func(h *manifest.Head) { h.EpochMs = 10020 }, false},
		{"epoch off the grid", func(h *manifest.Head) { h.EpochMs = 2010 }, false},
		{"rate", func(h *manifest.Head) { h.Rate = 44101 }, false},
		{"rate 0", func(h *manifest.Head) { h.Rate = 0 }, false},
		{"channels", func(h *manifest.Head) { h.Channels = 9 }, false},
		{"bits", func(h *manifest.Head) { h.Bits = 0 }, false},
		{"size near 2^64", func(h *manifest.Head) { h.TreeSize = 1 << 63 }, false},
	} {
		h, _, _ := closed(t, creator, 3)
		tc.change(h)
		if _, err := h.Sign(creator); (err == nil) != tc.ok || err != nil && !errors.Is(err, manifest.ErrHead) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestFrameCounts(t *testing.T) {
	h, _, recs := closed(t, key(t), 3)
	for n, want := range []uint32{full, full, 1000, 0} {
		if got := h.EpochFrames(uint64(n)); got != want {
			t.Errorf("epoch %d has %d frames", n, got)
		}
	}
	for _, tc := range []struct {
		rec  int
		rate uint32
		want uint32
	}{{0, 44100, 88200}, {0, 48000, 96000}, {2, 48000, 1089}, {2, 44100, 1000}} {
		if got := h.PayloadFrames(recs[tc.rec], tc.rate); got != tc.want {
			t.Errorf("record %d at %d Hz: %d frames", tc.rec, tc.rate, got)
		}
	}
}

func TestFollows(t *testing.T) {
	creator := key(t)
	grow := func(n int, done bool) (*manifest.Head, *manifest.Tree) {
		_, _, recs := closed(t, creator, 20)
		recs = recs[:n] // all full: the short one is the last of 20
		tree, err := manifest.NewTree(recs)
		if err != nil {
			t.Fatal(err)
		}
		h := &manifest.Head{
			Closed: done, Tier: 2, Nonce: [16]byte{1}, Rate: 44100, Channels: 2, Bits: 16, EpochMs: 2000,
			TreeSize: uint64(n), Root: tree.Root(), TotalFrames: uint64(n) * full,
		}
		sign(t, h, creator)
		return h, tree
	}
	old, _ := grow(5, false)
	next, tree := grow(11, false)
	path, err := tree.Consistency(5)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := manifest.MarshalConsistency(path)
	if err != nil {
		t.Fatal(err)
	}
	if path, err = manifest.ParseConsistency(raw); err != nil {
		t.Fatal(err)
	}
	if err := next.Follows(old, path); err != nil {
		t.Errorf("grown: %v", err)
	}
	if err := old.Follows(next, nil); !errors.Is(err, manifest.ErrStaleHead) {
		t.Errorf("shrunk: %v", err)
	}
	if err := next.Follows(next, nil); err != nil {
		t.Errorf("the same: %v", err)
	}
	done, _ := grow(5, true)
	if err := done.Follows(old, nil); err != nil {
		t.Errorf("closed now: %v", err)
	}
	path[0][0] ^= 1
	for name, err := range map[string]error{
		"bad path":     next.Follows(old, path),
		"no path":      next.Follows(old, nil),
		"opened again": old.Follows(done, nil),
		"grew on":      next.Follows(done, path),
		"other root":   changed(next, func(h *manifest.Head) { h.Root[0]++ }).Follows(next, nil),
		"other rate":   changed(next, func(h *manifest.Head) { h.Rate = 48000 }).Follows(old, path),
		"other epochs": changed(next, func(h *manifest.Head) { h.EpochMs = 4000 }).Follows(old, path),
		"other tier":   changed(next, func(h *manifest.Head) { h.Tier = 3 }).Follows(old, path),
		"other length": changed(done, func(h *manifest.Head) { h.TotalFrames-- }).Follows(done, nil),
	} {
		if !errors.Is(err, manifest.ErrHead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := manifest.ParseConsistency(append([]byte{65}, make([]byte, 65*32)...)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("65 hashes: %v", err)
	}
}

func changed(h *manifest.Head, change func(*manifest.Head)) *manifest.Head {
	c := *h
	change(&c)
	return &c
}

// FuzzVerifyHead reads the bytes as they are, and signed, so that the fuzzer
// gets past the signature.
func FuzzVerifyHead(f *testing.F) {
	creator := fixedKey(f)
	h, _, _ := closed(f, creator, 3)
	tbs, _, err := composite.Split(sign(f, h, creator))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tbs)
	f.Add(tbs[:100])
	f.Fuzz(func(t *testing.T, tbs []byte) {
		_, _ = manifest.HeadCreator(tbs)
		if _, err := manifest.VerifyHead(tbs, creator.Public(), want(h)); err == nil {
			t.Fatal("took a head without a signature")
		}
		raw, err := creator.Signed(composite.ContextHead, tbs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := manifest.VerifyHead(raw, creator.Public(), want(h))
		if err != nil {
			return
		}
		if again := sign(t, got, creator); !bytes.Equal(again[:len(again)-composite.SignatureSize], tbs) {
			t.Fatal("a second encoding of one head")
		}
	})
}
