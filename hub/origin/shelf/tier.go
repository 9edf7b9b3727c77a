package shelf

import (
	"context"
	"database/sql"
	"fmt"

	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

const maxRecord = 1024 // bytes, as in SNE-SPEC section 9

// Published tells which tiers of which broadcasts are complete.
func (s *Shelf) Published(ctx context.Context) (map[wire.ID][]uint16, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT broadcast, tier FROM tiers ORDER BY broadcast, tier")
	if err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	defer rows.Close()
	out := map[wire.ID][]uint16{}
	for rows.Next() {
		var b []byte
		var tier uint16
		if err := rows.Scan(&b, &tier); err != nil {
			return nil, fmt.Errorf("shelf: %w", err)
		}
		id := wire.ID{}
		copy(id[:], b)
		out[id] = append(out[id], tier)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("shelf: %w", err)
	}
	return out, nil
}

// PutTier publishes a tier and fixes the broadcast's length.
func (s *Shelf) PutTier(ctx context.Context, t Tier) error {
	var w wire.Writer
	for _, rec := range t.Records {
		raw, err := rec.Marshal()
		if err != nil {
			return fmt.Errorf("shelf: %w", err)
		}
		w.X16(raw, maxRecord)
	}
	records, err := w.Bytes()
	if err != nil {
		return fmt.Errorf("shelf: %w", err)
	}
	return s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO tiers(broadcast, tier, head, records) VALUES (?,?,?,?)", t.Broadcast[:], t.Number, t.Head, records)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE broadcasts SET frames = ? WHERE id = ?", t.Frames, t.Broadcast[:])
		return err
	})
}

// Head returns the signed Head of a tier, or ErrUnknown.
func (s *Shelf) Head(ctx context.Context, b wire.ID, tier uint16) ([]byte, error) {
	var head []byte
	if err := s.db.QueryRowContext(ctx, "SELECT head FROM tiers WHERE broadcast = ? AND tier = ?", b[:], tier).Scan(&head); err != nil {
		return nil, unknown(err)
	}
	return head, nil
}

// Records returns the records of a tier, or ErrUnknown.
func (s *Shelf) Records(ctx context.Context, b wire.ID, tier uint16) ([]*manifest.Record, error) {
	var raw []byte
	if err := s.db.QueryRowContext(ctx, "SELECT records FROM tiers WHERE broadcast = ? AND tier = ?", b[:], tier).Scan(&raw); err != nil {
		return nil, unknown(err)
	}
	r := wire.NewReader(raw)
	var out []*manifest.Record
	for r.Len() > 0 && r.Err() == nil {
		rec, err := manifest.ParseRecord(r.X16(maxRecord))
		if err != nil {
			return nil, fmt.Errorf("shelf: %w", err)
		}
		out = append(out, rec)
	}
	return out, r.Close()
}
