package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/audio/codec/importer"
	"sonahub/hub/origin/convert"
	"sonahub/hub/origin/publish"
	"sonahub/sne/manifest"
	"sonahub/sne/segment"
)

// opusRate is the rate of every Opus segment, in Hz.
const opusRate = 48000

// epoch is the sound of one epoch, with what lies beside it where the codec
// wants to hear that (at most codec.Context frames each).
type epoch struct {
	n                 uint64
	left, body, right []int32 // interleaved
}

// encode makes and publishes one tier of a track: one goroutine reads, Workers
// encode and seal.
func (g *Ingester) encode(ctx context.Context, e *entry, tier uint16) error {
	stage, err := g.Press.Stage(ctx, e.track, tier)
	if err != nil {
		return err
	}
	records, err := g.press(ctx, e, tier, stage)
	if err == nil {
		err = stage.Close(ctx, records)
	}
	if err != nil {
		return errors.Join(err, stage.Abort())
	}
	return nil
}

func (g *Ingester) press(ctx context.Context, e *entry, tier uint16, stage *publish.Stage) ([]*manifest.Record, error) {
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan epoch)
	done := make(chan *manifest.Record)
	group.Go(func() error {
		defer close(jobs)
		emit := func(ep epoch) error {
			select {
			case jobs <- ep:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if tier == publish.TierOpus {
			return g.readPublished(ctx, e, emit)
		}
		return g.readFile(ctx, e, emit)
	})
	workers, wctx := errgroup.WithContext(ctx)
	for range g.Workers {
		workers.Go(func() error { return g.encodeAll(wctx, e, tier, stage, jobs, done) })
	}
	group.Go(func() error {
		defer close(done)
		return workers.Wait()
	})
	var records []*manifest.Record
	for rec := range done {
		for uint64(len(records)) <= rec.Number {
			records = append(records, nil)
		}
		records[rec.Number] = rec
		g.advance(e, float64(rec.Frames)/float64(e.track.Format.Rate))
	}
	return records, group.Wait()
}

// encodeAll is one worker.
func (g *Ingester) encodeAll(ctx context.Context, e *entry, tier uint16, stage *publish.Stage, jobs <-chan epoch, done chan<- *manifest.Record) error {
	if g.Progress().Ready > 0 { // somebody may be listening on this very machine
		defer stepBack()()
	}
	f := e.track.Format
	enc, err := codec.NewEncoder(f)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	for {
		var ep epoch
		var open bool
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ep, open = <-jobs:
			if !open {
				return nil
			}
		}
		var renditions []publish.Encoded
		if tier == publish.TierOpus {
			renditions, err = opusRenditions(enc, f, ep)
		} else {
			renditions, err = flacRendition(enc, f, ep)
		}
		if err != nil {
			return fmt.Errorf("ingest: epoch %d: %w", ep.n, err)
		}
		rec, err := stage.Epoch(ep.n, len(ep.body)/f.Channels, renditions)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case done <- rec:
		}
	}
}

func flacRendition(enc *codec.Encoder, f audio.Format, ep epoch) ([]publish.Encoded, error) {
	packets, err := enc.FLAC(ep.body)
	if err != nil {
		return nil, err
	}
	return []publish.Encoded{{R: 1, Payload: &segment.Payload{
		Codec: segment.CodecFLAC, Channels: uint8(f.Channels), Bits: uint8(f.Bits), Rate: uint32(f.Rate),
		Frames: uint32(len(ep.body) / f.Channels), Packets: packets}}}, nil
}

func opusRenditions(enc *codec.Encoder, f audio.Format, ep epoch) ([]publish.Encoded, error) {
	frames := uint64(len(ep.body) / f.Channels)
	var out []publish.Encoded
	for _, rung := range publish.Rungs() {
		packets, preSkip, err := enc.Opus(rung.Bps, ep.left, ep.body, ep.right)
		if err != nil {
			return nil, err
		}
		out = append(out, publish.Encoded{R: rung.R, BitsPerS: uint32(rung.Bps), Payload: &segment.Payload{
			Codec: segment.CodecOpus, Channels: uint8(f.Channels), Bits: 16, Rate: opusRate,
			Frames:  uint32((frames*opusRate + uint64(f.Rate) - 1) / uint64(f.Rate)), // SNE-SPEC 3.3
			PreSkip: uint16(preSkip), Packets: packets}})
	}
	return out, nil
}

// readFile cuts a music file into epochs of the broadcast's format.
func (g *Ingester) readFile(ctx context.Context, e *entry, emit func(epoch) error) error {
	src := &e.src
	if src.Hash == nil {
		hash, err := hashFile(src.Path)
		if err != nil {
			return &importer.Unreadable{Path: src.Path, Reason: explain(err), Err: err}
		}
		src.Hash = hash
	}
	in, err := importer.Open(src.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Format != e.track.Source {
		return errChanged
	}
	conv, err := convert.New(e.track.Source, e.track.Format)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	cut := cutter{size: publish.EpochFrames(e.track.Format.Rate) * e.track.Format.Channels, emit: emit,
		limit: uint64(g.Limits.Hours) * 3600 * 1000 / publish.EpochMs}
	for {
		b, err := in.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := cut.add(conv.Next(b.PCM)); err != nil {
			return err
		}
	}
	if err := cut.add(conv.Flush()); err != nil {
		return err
	}
	if err := cut.end(); err != nil {
		return err
	}
	info, err := os.Stat(src.Path)
	if err != nil || info.Size() != src.Size || info.ModTime().UnixNano() != src.ModTime {
		return errChanged
	}
	return g.Shelf.PutSource(ctx, *src) // now with its hash
}

// cutter makes epochs of samples that come in pieces of any length.
type cutter struct {
	size  int    // samples of a full epoch
	limit uint64 // most epochs
	emit  func(epoch) error
	n     uint64
	buf   []int32
}

func (c *cutter) add(pcm []int32) error {
	for len(pcm) > 0 {
		if c.buf == nil {
			c.buf = make([]int32, 0, c.size)
		}
		k := min(len(pcm), c.size-len(c.buf))
		c.buf = append(c.buf, pcm[:k]...)
		pcm = pcm[k:]
		if len(c.buf) == c.size {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cutter) flush() error {
	if c.n >= c.limit {
		return &importer.Unreadable{Reason: fmt.Sprintf("longer than %d hours", c.limit*publish.EpochMs/3600000)}
	}
	ep := epoch{n: c.n, body: c.buf}
	c.buf, c.n = nil, c.n+1
	return c.emit(ep)
}

func (c *cutter) end() error {
	if len(c.buf) > 0 {
		return c.flush()
	}
	if c.n == 0 {
		return &importer.Unreadable{Reason: "there is no sound in it"}
	}
	return nil
}

// readPublished reads the lossless tier back and gives each epoch the ends of
// its neighbours.
func (g *Ingester) readPublished(ctx context.Context, e *entry, emit func(epoch) error) error {
	r, err := g.Press.Read(ctx, e.track.Broadcast, publish.TierLossless)
	if err != nil {
		return err
	}
	defer r.Close()
	f := e.track.Format
	decode := func(n int) ([]int32, error) {
		if n >= r.Epochs() {
			return nil, nil
		}
		p, err := r.Epoch(n)
		if err != nil {
			return nil, err
		}
		pcm, err := flac.DecodeSegment(f, p.Packets, r.Frames(n))
		if err != nil {
			return nil, fmt.Errorf("ingest: own segment %d: %w", n, err)
		}
		return pcm, nil
	}
	side := codec.Context * f.Channels
	var before []int32
	body, err := decode(0)
	for n := 0; err == nil && n < r.Epochs(); n++ {
		var after []int32
		if after, err = decode(n + 1); err != nil {
			break
		}
		err = emit(epoch{n: uint64(n), left: before[max(0, len(before)-side):], body: body, right: after[:min(len(after), side)]})
		before, body = body, after
	}
	return err
}
