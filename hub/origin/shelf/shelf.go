// Package shelf remembers what the reference platform has: which files it
// took in, the broadcasts made of them, the manifests of their tiers, and the
// secrets from which their keys derive. One SQLite file; money is elsewhere
// (books).
//
// Invariants. A broadcast, once there, is never changed and never removed:
// what was sold of it can be sold and opened again. A tier appears complete,
// in one transaction, or not at all. What a file that vanished became stays on
// sale by its id, but is no longer listed.
package shelf

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sonahub/hub/audio"
	"sonahub/hub/origin/database"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// ErrUnknown is returned for a broadcast or a tier that is not there.
var ErrUnknown = errors.New("shelf: not there")

// Track is one broadcast.
type Track struct {
	Broadcast wire.ID
	Nonce     [16]byte // with the creator's KeyID it makes the id
	Title     string
	Artist    string
	Album     string
	Index     int          // number on the album, 0 if unknown
	Art       wire.ID      // SHA-256 of the cover blob, zero if none
	Kind      string       // of the file: "flac", "wav", "mp3", "vorbis"
	Lossless  bool         // the file held samples as they were made
	Source    audio.Format // of the file
	Format    audio.Format // of the broadcast: 44.1 or 48 kHz, 16 or 24 bit
	Frames    audio.Pos    // at Format.Rate; -1 until the lossless tier is there, unless the file said so
}

// Source is a file as it was when it was last looked at.
type Source struct {
	Path      string  // absolute
	Size      int64   // bytes
	ModTime   int64   // ns since 1970
	Hash      []byte  // SHA-256 of the content, nil if never needed
	Broadcast wire.ID // zero: unreadable
	Reason    string  // why it is unreadable
}

// Tier is a published tier: its signed Head and the records under it.
type Tier struct {
	Broadcast wire.ID
	Number    uint16
	Head      []byte
	Records   []*manifest.Record
	Frames    audio.Pos // total, at the broadcast's rate
}

// Shelf is the store. It is safe for concurrent use.
type Shelf struct{ db *sql.DB }

// Open opens or makes the file.
func Open(ctx context.Context, path string) (*Shelf, error) {
	db, err := database.Open(ctx, path, schema())
	if err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	return &Shelf{db}, nil
}

// Close closes the file.
func (s *Shelf) Close() error { return s.db.Close() }

func schema() []string {
	return []string{`
CREATE TABLE broadcasts(
	id       BLOB PRIMARY KEY,
	nonce    BLOB NOT NULL,
	master   BLOB NOT NULL,           -- title master secret
	title    TEXT NOT NULL,
	artist   TEXT NOT NULL,
	album    TEXT NOT NULL,
	idx      INTEGER NOT NULL,
	art      BLOB,
	kind     TEXT NOT NULL,
	lossless INTEGER NOT NULL,
	src_rate INTEGER NOT NULL, src_channels INTEGER NOT NULL, src_bits INTEGER NOT NULL,
	rate     INTEGER NOT NULL, channels INTEGER NOT NULL, bits INTEGER NOT NULL,
	frames   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sources(
	path      TEXT PRIMARY KEY,
	size      INTEGER NOT NULL,
	mtime     INTEGER NOT NULL,
	hash      BLOB,
	broadcast BLOB REFERENCES broadcasts(id),
	reason    TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tiers(
	broadcast BLOB NOT NULL REFERENCES broadcasts(id),
	tier      INTEGER NOT NULL,
	head      BLOB NOT NULL,
	records   BLOB NOT NULL,          -- { x<1024> record } in order
	PRIMARY KEY (broadcast, tier)
) WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`}
}

// Sources returns every file ever looked at, by path.
func (s *Shelf) Sources(ctx context.Context) (map[string]Source, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT path, size, mtime, hash, broadcast, reason FROM sources")
	if err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	defer rows.Close()
	out := map[string]Source{}
	for rows.Next() {
		var src Source
		var b []byte
		if err := rows.Scan(&src.Path, &src.Size, &src.ModTime, &src.Hash, &b, &src.Reason); err != nil {
			return nil, fmt.Errorf("shelf: %w", err)
		}
		copy(src.Broadcast[:], b)
		out[src.Path] = src
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	return out, nil
}

// PutSource remembers a file; its broadcast, if it has one, must be there.
func (s *Shelf) PutSource(ctx context.Context, src Source) error {
	return s.update(ctx, func(tx *sql.Tx) error { return putSource(ctx, tx, src) })
}

func putSource(ctx context.Context, tx *sql.Tx, src Source) error {
	_, err := tx.ExecContext(ctx, `
INSERT INTO sources(path, size, mtime, hash, broadcast, reason) VALUES (?,?,?,?,?,?)
ON CONFLICT(path) DO UPDATE SET size=excluded.size, mtime=excluded.mtime, hash=excluded.hash, broadcast=excluded.broadcast, reason=excluded.reason`,
		src.Path, src.Size, src.ModTime, src.Hash, idOrNull(src.Broadcast), src.Reason)
	return err
}

// Add makes a broadcast of a file, with a new master secret. The secret is
// copied; the caller may erase it.
func (s *Shelf) Add(ctx context.Context, src Source, t Track, master *kdf.Secret) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
INSERT INTO broadcasts(id, nonce, master, title, artist, album, idx, art, kind, lossless,
	src_rate, src_channels, src_bits, rate, channels, bits, frames) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			t.Broadcast[:], t.Nonce[:], master[:], t.Title, t.Artist, t.Album, t.Index, idOrNull(t.Art), t.Kind, t.Lossless,
			t.Source.Rate, t.Source.Channels, t.Source.Bits, t.Format.Rate, t.Format.Channels, t.Format.Bits, t.Frames)
		if err != nil {
			return err
		}
		src.Broadcast, src.Reason = t.Broadcast, ""
		return putSource(ctx, tx, src)
	})
}

// Track returns a broadcast, or ErrUnknown.
func (s *Shelf) Track(ctx context.Context, b wire.ID) (Track, error) {
	t := Track{Broadcast: b}
	var nonce, art []byte
	err := s.db.QueryRowContext(ctx, `
SELECT nonce, title, artist, album, idx, art, kind, lossless, src_rate, src_channels, src_bits, rate, channels, bits, frames
FROM broadcasts WHERE id = ?`, b[:]).Scan(&nonce, &t.Title, &t.Artist, &t.Album, &t.Index, &art, &t.Kind, &t.Lossless,
		&t.Source.Rate, &t.Source.Channels, &t.Source.Bits, &t.Format.Rate, &t.Format.Channels, &t.Format.Bits, &t.Frames)
	if err != nil {
		return Track{}, unknown(err)
	}
	copy(t.Nonce[:], nonce)
	copy(t.Art[:], art)
	return t, nil
}

// Master reads the title master secret of a broadcast into dst.
func (s *Shelf) Master(ctx context.Context, dst *kdf.Secret, b wire.ID) error {
	var master []byte
	if err := s.db.QueryRowContext(ctx, "SELECT master FROM broadcasts WHERE id = ?", b[:]).Scan(&master); err != nil {
		return unknown(err)
	}
	defer clear(master)
	if copy(dst[:], master) != len(dst) {
		return errors.New("shelf: damaged master secret")
	}
	return nil
}

// Next counts: 1, 2, 3, ... for each name, never the same twice.
func (s *Shelf) Next(ctx context.Context, name string) (uint64, error) {
	var n int64
	err := s.db.QueryRowContext(ctx, `
INSERT INTO counters(name, value) VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value`, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("shelf: %w", err)
	}
	return uint64(n), nil
}

func (s *Shelf) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	if err := database.Update(ctx, s.db, f); err != nil {
		return fmt.Errorf("shelf: %w", err)
	}
	return nil
}

func idOrNull(id wire.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func unknown(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrUnknown
	}
	return fmt.Errorf("shelf: %w", err)
}
