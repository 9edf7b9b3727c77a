package shelf

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"sonahub/hub/audio"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

func open(t *testing.T, path string) *Shelf {
	t.Helper()
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func track() Track {
	return Track{Broadcast: wire.ID{1}, Nonce: [16]byte{2}, Title: "T\n'\"", Artist: "A", Album: "B", Index: 3, Art: wire.ID{4},
		Kind: "flac", Lossless: true, Source: audio.Format{Rate: 96000, Channels: 2, Bits: 24},
		Format: audio.Format{Rate: 48000, Channels: 2, Bits: 24}, Frames: -1}
}

func tier() Tier {
	t := Tier{Broadcast: wire.ID{1}, Number: 2, Head: []byte("head"), Frames: 96001}
	for i, frames := range []uint32{96000, 1} {
		t.Records = append(t.Records, &manifest.Record{Epoch: segment.Epoch{Broadcast: t.Broadcast, Tier: 2, Number: uint64(i)}, Frames: frames,
			Renditions: []manifest.Rendition{{R: 1, Codec: segment.CodecFLAC, ObjectLen: 1000, BitsPerS: 9}}})
	}
	return t
}

func TestWhatIsStoredComesBackAfterARestart(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "shelf.db")
	s := open(t, path)
	secret, err := kdf.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	src := Source{Path: "/m/\xff\n.flac", Size: 7, ModTime: 8, Hash: []byte{9}}
	if err := s.Add(ctx, src, track(), secret); err != nil {
		t.Fatal(err)
	}
	bad := Source{Path: "/m/bad.mp3", Size: 1, ModTime: 2, Reason: "no sound"}
	if err := s.PutSource(ctx, bad); err != nil {
		t.Fatal(err)
	}
	if err := s.PutTier(ctx, tier()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Next(ctx, "x"); err != nil || n != 1 {
		t.Errorf("counter %d, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	sources, err := s.Sources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	src.Broadcast = track().Broadcast
	if want := map[string]Source{src.Path: src, bad.Path: bad}; !reflect.DeepEqual(sources, want) {
		t.Errorf("sources %+v, want %+v", sources, want)
	}
	want := track()
	want.Frames = 96001 // the tier fixed it
	if got, err := s.Track(ctx, want.Broadcast); err != nil || got != want {
		t.Errorf("track %+v, %v", got, err)
	}
	var master kdf.Secret
	if err := s.Master(ctx, &master, want.Broadcast); err != nil || master != *secret {
		t.Errorf("another master secret, %v", err)
	}
	if head, err := s.Head(ctx, want.Broadcast, 2); err != nil || string(head) != "head" {
		t.Errorf("head %q, %v", head, err)
	}
	if records, err := s.Records(ctx, want.Broadcast, 2); err != nil || !reflect.DeepEqual(records, tier().Records) {
		t.Errorf("records %+v, %v", records, err)
	}
	if p, err := s.Published(ctx); err != nil || !reflect.DeepEqual(p, map[wire.ID][]uint16{want.Broadcast: {2}}) {
		t.Errorf("published %v, %v", p, err)
	}
	for i, want := range []uint64{2, 3} {
		if n, err := s.Next(ctx, "x"); err != nil || n != want {
			t.Errorf("count %d: %d, %v", i, n, err)
		}
	}
}

func TestNothingIsChangedOnceItIsThere(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "shelf.db"))
	var secret kdf.Secret
	if err := s.Add(ctx, Source{Path: "/a"}, track(), &secret); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(ctx, Source{Path: "/b"}, track(), &secret); err == nil {
		t.Error("a broadcast was replaced")
	}
	if sources, err := s.Sources(ctx); err != nil || len(sources) != 1 {
		t.Errorf("a refused broadcast left a source: %v, %v", sources, err)
	}
	if err := s.PutTier(ctx, tier()); err != nil {
		t.Fatal(err)
	}
	if err := s.PutTier(ctx, tier()); err == nil {
		t.Error("a tier was replaced")
	}
	other := tier()
	other.Broadcast = wire.ID{9}
	if err := s.PutTier(ctx, other); err == nil {
		t.Error("a tier of no broadcast was stored")
	}
}

func TestUnknown(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "shelf.db"))
	_, e1 := s.Track(ctx, wire.ID{1})
	_, e2 := s.Head(ctx, wire.ID{1}, 2)
	_, e3 := s.Records(ctx, wire.ID{1}, 2)
	e4 := s.Master(ctx, new(kdf.Secret), wire.ID{1})
	for i, err := range []error{e1, e2, e3, e4} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
