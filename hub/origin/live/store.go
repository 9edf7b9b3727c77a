package live

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

// place is where in the playlist the next epoch begins: a track, an epoch of
// its lossless tier, and how many frames of what that becomes are used already.
type place struct {
	Track wire.ID // zero: the beginning
	Epoch int
	Used  int
}

// row is a station as it is stored.
type row struct {
	Name      string
	Version   uint64 // of its creator key
	Nonce     [16]byte
	Broadcast wire.ID
	Format    audio.Format
	EpochMs   int
	Size      uint64
	Head      []byte // signed; nil at size 0
	Place     place
}

// epochRow is one epoch that may still be for sale.
type epochRow struct {
	Number uint64
	At     int64 // ms since 1970: its time on the air
}

// store is the database of all stations.
type store struct{ db *sql.DB }

func openStore(ctx context.Context, path string) (*store, error) {
	db, err := database.Open(ctx, path, []string{`
CREATE TABLE stations(
	name      TEXT PRIMARY KEY,
	version   INTEGER NOT NULL,
	nonce     BLOB NOT NULL,
	broadcast BLOB NOT NULL UNIQUE,
	rate INTEGER NOT NULL, channels INTEGER NOT NULL, bits INTEGER NOT NULL,
	epoch_ms  INTEGER NOT NULL,
	size      INTEGER NOT NULL,
	head      BLOB,
	track     BLOB NOT NULL, track_epoch INTEGER NOT NULL, track_used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE epochs(
	broadcast BLOB NOT NULL,
	number    INTEGER NOT NULL,
	at_ms     INTEGER NOT NULL,
	record    BLOB NOT NULL,
	secret    BLOB NOT NULL,          -- 32 zeros once it is erased
	PRIMARY KEY (broadcast, number)
) WITHOUT ROWID;
CREATE TABLE hashes(
	broadcast BLOB NOT NULL,
	place     INTEGER NOT NULL,
	hash      BLOB NOT NULL,
	PRIMARY KEY (broadcast, place)
) WITHOUT ROWID;
`})
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

func (s *store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	if err := database.Update(ctx, s.db, f); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	return nil
}

// station loads a station; ok is false if there is none of that name.
func (s *store) station(ctx context.Context, name string) (r row, ok bool, err error) {
	r.Name = name
	var nonce, b, track []byte
	err = s.db.QueryRowContext(ctx, `
SELECT version, nonce, broadcast, rate, channels, bits, epoch_ms, size, head, track, track_epoch, track_used FROM stations WHERE name = ?`, name).
		Scan(&r.Version, &nonce, &b, &r.Format.Rate, &r.Format.Channels, &r.Format.Bits, &r.EpochMs, &r.Size, &r.Head, &track, &r.Place.Epoch, &r.Place.Used)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("live: %w", err)
	}
	copy(r.Nonce[:], nonce)
	copy(r.Broadcast[:], b)
	copy(r.Place.Track[:], track)
	return r, true, nil
}

// found writes a new station, in place of one of that name whose creator is
// dead.
func (s *store) found(ctx context.Context, r row) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			"DELETE FROM epochs WHERE broadcast = (SELECT broadcast FROM stations WHERE name = ?)",
			"DELETE FROM hashes WHERE broadcast = (SELECT broadcast FROM stations WHERE name = ?)",
			"DELETE FROM stations WHERE name = ?",
		} {
			if _, err := tx.ExecContext(ctx, q, r.Name); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO stations VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", r.Name, r.Version, r.Nonce[:], r.Broadcast[:],
			r.Format.Rate, r.Format.Channels, r.Format.Bits, r.EpochMs, r.Size, r.Head, r.Place.Track[:], r.Place.Epoch, r.Place.Used)
		return err
	})
}

// append makes epoch r.Size-1 part of the broadcast: all of it or nothing.
func (s *store) append(ctx context.Context, r row, at int64, record []byte, secret *kdf.Secret, hashes []wire.ID) error {
	n := r.Size - 1
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO epochs VALUES (?,?,?,?,?)", r.Broadcast[:], n, at, record, secret[:]); err != nil {
			return err
		}
		for i := range hashes {
			if _, err := tx.ExecContext(ctx, "INSERT INTO hashes VALUES (?,?,?)", r.Broadcast[:], manifest.HashIndex(n)+uint64(i), hashes[i][:]); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE stations SET size = ?, head = ?, track = ?, track_epoch = ?, track_used = ? WHERE broadcast = ?",
			r.Size, r.Head, r.Place.Track[:], r.Place.Epoch, r.Place.Used, r.Broadcast[:])
		return err
	})
}

// outlive is for how many epochs a record stays when its secret is erased: hubs
// ask for aligned blocks, which begin before what they want.
const outlive = 2 * manifest.MaxPage

// erase overwrites the secrets of all epochs before number n: in the database,
// and in the log of writes before it.
func (s *store) erase(ctx context.Context, b wire.ID, n uint64) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE epochs SET secret = zeroblob(32) WHERE broadcast = ? AND number < ?", b[:], n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM epochs WHERE broadcast = ? AND number + ? < ?", b[:], outlive, n)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	return nil
}

// epochs lists what is not erased, the oldest first.
func (s *store) epochs(ctx context.Context, b wire.ID) ([]epochRow, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT number, at_ms FROM epochs WHERE broadcast = ? AND secret <> zeroblob(32) ORDER BY number", b[:])
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	defer rows.Close()
	var out []epochRow
	for rows.Next() {
		var e epochRow
		if err := rows.Scan(&e.Number, &e.At); err != nil {
			return nil, fmt.Errorf("live: %w", err)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	return out, nil
}

// secrets reads the secrets of len(dst) epochs from first on, or ErrGone.
func (s *store) secrets(ctx context.Context, b wire.ID, first uint64, dst []kdf.Secret) error {
	return s.each(ctx, "secret", "AND secret <> zeroblob(32)", b, first, len(dst), func(i int, raw []byte) error {
		if copy(dst[i][:], raw) != len(dst[i]) {
			return errors.New("damaged secret")
		}
		return nil
	})
}

// records reads n encoded records from first on, or ErrGone.
func (s *store) records(ctx context.Context, b wire.ID, first uint64, n int) ([][]byte, error) {
	out := make([][]byte, 0, n)
	err := s.each(ctx, "record", "", b, first, n, func(_ int, raw []byte) error {
		out = append(out, append([]byte(nil), raw...))
		return nil
	})
	return out, err
}

// each hands a column of n epochs from first on to f; what it hands out is
// overwritten afterwards.
func (s *store) each(ctx context.Context, column, only string, b wire.ID, first uint64, n int, f func(i int, raw []byte) error) error {
	rows, err := s.db.QueryContext(ctx, "SELECT "+column+" FROM epochs WHERE broadcast = ? AND number >= ? AND number < ? "+only+" ORDER BY number", b[:], first, first+uint64(n))
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	defer rows.Close()
	i := 0
	for ; rows.Next(); i++ {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return fmt.Errorf("live: %w", err)
		}
		err := f(i, raw)
		clear(raw)
		if err != nil {
			return fmt.Errorf("live: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("live: %w", err)
	}
	if i != n {
		return ErrGone
	}
	return nil
}

// log is the tree of a broadcast.
func (s *store) log(ctx context.Context, b wire.ID) manifest.Log {
	return manifest.Log{Read: func(places []uint64) ([]wire.ID, error) {
		out := make([]wire.ID, len(places))
		for i, p := range places {
			var raw []byte
			if err := s.db.QueryRowContext(ctx, "SELECT hash FROM hashes WHERE broadcast = ? AND place = ?", b[:], p).Scan(&raw); err != nil {
				return nil, fmt.Errorf("live: hash %d: %w", p, err)
			}
			copy(out[i][:], raw)
		}
		return out, nil
	}}
}
