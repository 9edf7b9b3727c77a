package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sonahub/hub/room"
)

// SaveRoom keeps what a room is set to.
func (s *Store) SaveRoom(ctx context.Context, r room.Room) error {
	return s.exec(ctx, `INSERT INTO room VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		name = excluded.name, volume = excluded.volume, muted = excluded.muted, grp = excluded.grp`,
		r.ID, r.Name, r.Volume, r.Muted, r.Group)
}

// Room returns what a room was set to, and whether it was ever known. Its
// speaker is not kept.
func (s *Store) Room(ctx context.Context, id string) (room.Room, bool, error) {
	r := room.Room{ID: id}
	err := s.db.QueryRowContext(ctx, "SELECT name, volume, muted, grp FROM room WHERE id = ?", id).Scan(&r.Name, &r.Volume, &r.Muted, &r.Group)
	if errors.Is(err, sql.ErrNoRows) {
		return room.Room{}, false, nil
	}
	if err != nil {
		return room.Room{}, false, fmt.Errorf("store: %w", err)
	}
	return r, true, nil
}

// SaveQueue keeps a group's queue.
func (s *Store) SaveQueue(ctx context.Context, group string, items []room.Track) error {
	text, err := json.Marshal(items)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return s.exec(ctx, "INSERT INTO queue VALUES (?, ?) ON CONFLICT (grp) DO UPDATE SET items = excluded.items", group, string(text))
}

// Place is where a group was.
type Place struct {
	Current  int
	Position time.Duration
	Playing  bool
	At       time.Time // when this was true
}

// SavePlace keeps where a group is.
func (s *Store) SavePlace(ctx context.Context, group string, p Place) error {
	return s.exec(ctx, `INSERT INTO place VALUES (?, ?, ?, ?, ?) ON CONFLICT (grp) DO UPDATE SET
		current = excluded.current, position_ms = excluded.position_ms, playing = excluded.playing, at_ms = excluded.at_ms`,
		group, p.Current, p.Position.Milliseconds(), p.Playing, p.At.UnixMilli())
}

// Group returns a group's queue and place; both are zero if nothing was kept.
func (s *Store) Group(ctx context.Context, group string) ([]room.Track, Place, error) {
	var text string
	var items []room.Track
	err := s.db.QueryRowContext(ctx, "SELECT items FROM queue WHERE grp = ?", group).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &items)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, Place{}, fmt.Errorf("store: queue: %w", err)
	}
	var p Place
	var ms, at int64
	err = s.db.QueryRowContext(ctx, "SELECT current, position_ms, playing, at_ms FROM place WHERE grp = ?", group).Scan(&p.Current, &ms, &p.Playing, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return items, Place{}, nil
	}
	if err != nil {
		return nil, Place{}, fmt.Errorf("store: place: %w", err)
	}
	p.Position, p.At = time.Duration(ms)*time.Millisecond, time.UnixMilli(at)
	if p.Current < 0 || p.Current >= max(1, len(items)) {
		p.Current, p.Position = 0, 0
	}
	return items, p, nil
}
