package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin/durable"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// EpochMs is the length of every epoch but a broadcast's last one.
const EpochMs = 2000

// EpochFrames is the same in frames: 88,200 or 96,000.
func EpochFrames(r audio.Rate) int { return int(r) * EpochMs / 1000 }

// Press seals and publishes tiers. Its fields are set once.
type Press struct {
	Folder  Folder
	Shelf   *shelf.Shelf
	Creator *composite.SecretKey
	Root    wire.ID          // KeyID of the platform's root: who may sell
	Random  io.Reader        // nil = the system's generator
	Now     func() time.Time // nil = time.Now
}

// Encoded is one rendition of one epoch.
type Encoded struct {
	R        uint16
	BitsPerS uint32 // nominal; 0 = as it came out
	Payload  *segment.Payload
}

// Stage is a tier in the making. Epoch is safe for concurrent use.
type Stage struct {
	press  *Press
	track  shelf.Track
	tier   uint16
	dir    string
	master kdf.Secret
}

// Stage begins a tier of a track; what was left of an earlier try is gone.
func (p *Press) Stage(ctx context.Context, t shelf.Track, tier uint16) (*Stage, error) {
	s := &Stage{press: p, track: t, tier: tier, dir: p.Folder.workDir(t.Broadcast, tier)}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := p.Shelf.Master(ctx, &s.master, t.Broadcast); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return s, nil
}

// Epoch seals all renditions of epoch n, opens each once, writes them, and
// returns the record. frames is the epoch's length at the broadcast's rate.
func (s *Stage) Epoch(n uint64, frames int, renditions []Encoded) (*manifest.Record, error) {
	e := segment.Epoch{Broadcast: s.track.Broadcast, Tier: s.tier, Number: n}
	var es kdf.Secret
	defer es.Erase()
	if err := segment.EpochSecret(&es, &s.master, e); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return s.press.epoch(filepath.Join(s.dir, strconv.FormatUint(n, 10)), &es, e, s.track.Format.Rate, frames, renditions, put)
}

// put writes a file that move makes durable.
func put(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }

// Live seals one epoch of a live broadcast under a secret of its own and puts
// its files in their public place at once. Nobody knows of them before a Head
// covers the record. What a crash left in their place is overwritten.
func (p *Press) Live(es *kdf.Secret, e segment.Epoch, rate audio.Rate, frames int, renditions []Encoded) (*manifest.Record, error) {
	dir := p.Folder.epochDir(e)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	rec, err := p.epoch(dir, es, e, rate, frames, renditions, func(path string, data []byte) error { return durable.WriteFile(path, data, 0o600) })
	if err != nil {
		return nil, err
	}
	return rec, durable.SyncDir(filepath.Dir(dir))
}

// Withdraw removes the files of an epoch that is not for sale any more.
func (p *Press) Withdraw(e segment.Epoch) error {
	if err := os.RemoveAll(p.Folder.epochDir(e)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// epoch seals all renditions of an epoch into the new folder dir.
func (p *Press) epoch(dir string, es *kdf.Secret, e segment.Epoch, rate audio.Rate, frames int, renditions []Encoded, put func(path string, data []byte) error) (*manifest.Record, error) {
	commit, err := segment.Commit(es, e)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	rec := &manifest.Record{Epoch: e, Frames: uint32(frames), Commit: commit}
	for _, r := range renditions {
		object, err := p.seal(es, e, r)
		if err != nil {
			return nil, fmt.Errorf("publish: epoch %d rendition %d: %w", e.Number, r.R, err)
		}
		if err := put(filepath.Join(dir, strconv.Itoa(int(r.R))), object); err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
		bps := r.BitsPerS
		if bps == 0 {
			bps = uint32(8 * uint64(len(object)) * uint64(rate) / uint64(frames))
		}
		rec.Renditions = append(rec.Renditions, manifest.Rendition{
			R: r.R, Codec: r.Payload.Codec, BitsPerS: bps, ObjectLen: uint32(len(object)), SHA256: sha256.Sum256(object)})
	}
	return rec, nil
}

// seal makes a segment object and opens it, as every seller must.
func (p *Press) seal(es *kdf.Secret, e segment.Epoch, r Encoded) ([]byte, error) {
	plain, err := r.Payload.Marshal()
	if err != nil {
		return nil, err
	}
	object, err := segment.Seal(p.Random, es, e, r.R, plain)
	if err != nil {
		return nil, err
	}
	again, err := segment.Open(nil, es, e, r.R, object)
	if err != nil {
		return nil, err
	}
	if string(again) != string(plain) {
		return nil, errors.New("a sealed segment opened to something else")
	}
	return object, nil
}

// Close publishes the tier: files first, then the Head in one transaction.
// records are those of Epoch, in order.
func (s *Stage) Close(ctx context.Context, records []*manifest.Record) error {
	defer s.master.Erase()
	if len(records) == 0 {
		return errors.New("publish: a tier without sound")
	}
	tree, err := manifest.NewTree(records)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	var total uint64
	for _, rec := range records {
		total += uint64(rec.Frames)
	}
	now := time.Now
	if s.press.Now != nil {
		now = s.press.Now
	}
	f := s.track.Format
	head := &manifest.Head{
		Closed: true, Tier: s.tier, Nonce: s.track.Nonce, OriginRoot: s.press.Root,
		Rate: uint32(f.Rate), Channels: uint8(f.Channels), Bits: uint8(f.Bits), EpochMs: EpochMs,
		TreeSize: tree.Size(), Root: tree.Root(), TotalFrames: total, Time: uint64(now().UnixMilli()),
	}
	signed, err := head.Sign(s.press.Creator)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := s.move(ctx); err != nil {
		return err
	}
	return s.press.Shelf.PutTier(ctx, shelf.Tier{
		Broadcast: s.track.Broadcast, Number: s.tier, Head: signed, Records: records, Frames: audio.Pos(total)})
}

// move makes the files durable and gives them their public name.
func (s *Stage) move(ctx context.Context) error {
	if err := syncTree(ctx, s.dir); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	public := s.press.Folder.tierDir(s.track.Broadcast, s.tier)
	// A folder without a Head is left over from a crash between here and PutTier.
	if err := os.RemoveAll(public); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(public), 0o700); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := os.Rename(s.dir, public); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return durable.SyncDir(filepath.Dir(public))
}

// Abort throws the tier away. After Close it does nothing.
func (s *Stage) Abort() error {
	s.master.Erase()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func syncTree(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// Reader opens the platform's own segments of a published tier.
type Reader struct {
	press   *Press
	records []*manifest.Record
	master  kdf.Secret
}

// Read begins reading a published tier; Close erases its secret.
func (p *Press) Read(ctx context.Context, b wire.ID, tier uint16) (*Reader, error) {
	r := &Reader{press: p}
	var err error
	if r.records, err = p.Shelf.Records(ctx, b, tier); err != nil {
		return nil, err
	}
	return r, p.Shelf.Master(ctx, &r.master, b)
}

// Epochs returns how many epochs there are.
func (r *Reader) Epochs() int { return len(r.records) }

// Frames returns the length of epoch n at the broadcast's rate.
func (r *Reader) Frames(n int) int { return int(r.records[n].Frames) }

// Epoch returns the sound of epoch n in its first rendition.
func (r *Reader) Epoch(n int) (*segment.Payload, error) {
	rec := r.records[n]
	rendition := rec.Renditions[0]
	object, err := os.ReadFile(r.press.Folder.path(resource.Resource{Kind: resource.Segment,
		ID: rec.Broadcast, Tier: rec.Tier, Epoch: rec.Number, Rendition: rendition.R}))
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if sha256.Sum256(object) != rendition.SHA256 {
		return nil, fmt.Errorf("publish: segment %d of %s was changed on disk", n, rec.Broadcast)
	}
	var es kdf.Secret
	defer es.Erase()
	if err := segment.EpochSecret(&es, &r.master, rec.Epoch); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	plain, err := segment.Open(nil, &es, rec.Epoch, rendition.R, object)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	p, err := segment.ParsePayload(plain)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return p, nil
}

// Close erases the secret.
func (r *Reader) Close() { r.master.Erase() }
