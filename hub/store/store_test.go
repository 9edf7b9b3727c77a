package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"sonahub/hub/room"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestSurvivesRestart writes everything, opens the file again and compares.
// To see it fail: drop a column from SaveRoom's update.
func TestSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house file.db")
	ctx := context.Background()
	s := open(t, path)
	kitchen := room.Room{ID: "k", Name: "Küche", Volume: 25, Group: "main"}
	kitchen.Volume, kitchen.Muted = 40, true
	queue := []room.Track{{ID: "a", Title: "A \"quoted\" title", Length: time.Minute}, {ID: "b"}}
	place := Place{Current: 1, Position: 12345 * time.Millisecond, Playing: true, At: time.UnixMilli(1_800_000_000_123)}
	for _, err := range []error{
		s.SaveRoom(ctx, room.Room{ID: "k", Name: "old", Volume: 1}), s.SaveRoom(ctx, kitchen),
		s.SaveQueue(ctx, "main", queue), s.SavePlace(ctx, "main", place),
		s.Set(ctx, "pin", "1"), s.Set(ctx, "pin", "2"), s.Put(ctx, [32]byte{1}, time.Now()), s.Put(ctx, [32]byte{2}, time.Now()),
		s.Revoke(ctx, [32]byte{2}), s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, path)
	if r, ok, err := s.Room(ctx, "k"); err != nil || !ok || r != kitchen {
		t.Errorf("room: %+v, %v, %v", r, ok, err)
	}
	if items, p, err := s.Group(ctx, "main"); err != nil || !reflect.DeepEqual(items, queue) || !p.At.Equal(place.At) || p.Current != 1 || p.Position != place.Position || !p.Playing {
		t.Errorf("group: %+v, %+v, %v", items, p, err)
	}
	if v, ok, err := s.Setting(ctx, "pin"); err != nil || !ok || v != "2" {
		t.Errorf("setting: %q, %v, %v", v, ok, err)
	}
	for hash, want := range map[byte]bool{1: true, 2: false, 3: false} {
		if got, err := s.Has(ctx, [32]byte{hash}); err != nil || got != want {
			t.Errorf("device %d: %v, %v", hash, got, err)
		}
	}
	if _, ok, err := s.Room(ctx, "unknown"); ok || err != nil {
		t.Errorf("unknown room: %v, %v", ok, err)
	}
}

// TestNewerFile wants a file of the future to be refused, not harmed.
func TestNewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house.db")
	s := open(t, path)
	if err := s.exec(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if _, err := Open(t.Context(), path); err == nil {
		t.Fatal("a newer file was opened")
	}
}

// TestStrangePlace wants a place outside the queue to fall back to its start.
func TestStrangePlace(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "house.db"))
	if err := s.SavePlace(t.Context(), "main", Place{Current: 7, Position: time.Second}); err != nil {
		t.Fatal(err)
	}
	if _, p, err := s.Group(t.Context(), "main"); err != nil || p.Current != 0 || p.Position != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestDamagedFile wants damage to be told from other faults, wherever in the
// file it is, and the file to be nobody else's to read. To see it fail: leave
// out check.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house.db")
	s := open(t, path)
	var queue []room.Track
	for range 500 { // some pages
		queue = append(queue, room.Track{ID: "a track with a long name", Title: "a title"})
	}
	if err := s.SaveQueue(t.Context(), "main", queue); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"head":   func(b []byte) []byte { copy(b, "not a house file"); return b },
		"middle": func(b []byte) []byte { copy(b[4096:], make([]byte, len(b)-4096)); return b },
		"cut":    func(b []byte) []byte { return b[:5000] },
	} {
		spoiled := filepath.Join(t.TempDir(), "house.db")
		if err := os.WriteFile(spoiled, spoil(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(t.Context(), spoiled); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "no", "folder")); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a missing folder: %v", err)
	}
}
