package sale

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"sonahub/sne/composite"
	"sonahub/sne/fetch"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

const (
	maxHeads    = 256
	maxCreators = 64
	maxRecords  = 256
	block       = 8 // records are asked for in aligned blocks, which caches keep
	headFor     = time.Hour
)

// Head returns the verified Head of a broadcast's tier. A closed one is kept
// for an hour; that of a live broadcast is asked for each time, and must be
// proved to continue the one held, which is kept in memory alone.
func (c *Client) Head(ctx context.Context, broadcast wire.ID, tier uint16) (*manifest.Head, error) {
	return c.head(ctx, broadcast, tier, c.origin.Get)
}

// getter is fetch.Client's Get or GetFresh.
type getter func(ctx context.Context, r resource.Resource) ([]byte, error)

func (c *Client) head(ctx context.Context, broadcast wire.ID, tier uint16, get getter) (*manifest.Head, error) {
	b, err := c.Bundle(ctx)
	if err != nil {
		return nil, err
	}
	key := headKey{broadcast, tier}
	c.mu.Lock()
	held := c.heads[key]
	c.mu.Unlock()
	if held.head != nil && b.CreatorDead(held.head.Creator) {
		return nil, manifest.ErrRevoked // nobody else may sign for this broadcast
	}
	if held.head != nil && held.head.Closed && time.Since(held.fetched) < headFor {
		return held.head, nil
	}
	want := manifest.Want{Broadcast: broadcast, Tier: tier, OriginRoot: c.cfg.URL.Root, Dead: b.DeadCreators}
	h, err := c.fetchHead(ctx, want, get)
	if held.head != nil && held.head.Closed && (errors.Is(err, fetch.ErrUnreachable) || errors.Is(err, fetch.ErrBusy)) {
		return held.head, nil // it cannot have changed
	}
	if err != nil {
		return nil, err
	}
	if held.head != nil {
		err := c.follows(ctx, h, held.head)
		if errors.Is(err, manifest.ErrStaleHead) {
			return held.head, nil
		}
		if err != nil {
			c.contradiction(held.head, h)
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	keep(c.heads, key, heldHead{head: h, fetched: time.Now()}, maxHeads)
	return h, nil
}

// keep stores v and drops an arbitrary other entry when the map is full.
func keep[K comparable, V any](m map[K]V, k K, v V, limit int) {
	if _, ok := m[k]; !ok && len(m) >= limit {
		for other := range m {
			delete(m, other)
			break
		}
	}
	m[k] = v
}

func (c *Client) fetchHead(ctx context.Context, want manifest.Want, get getter) (*manifest.Head, error) {
	raw, err := get(ctx, resource.Resource{Kind: resource.Head, ID: want.Broadcast, Tier: want.Tier})
	if err != nil {
		return nil, err
	}
	id, err := manifest.HeadCreator(raw)
	if err != nil {
		return nil, err
	}
	creator, err := c.creator(ctx, id)
	if err != nil {
		return nil, err
	}
	return manifest.VerifyHead(raw, creator, want)
}

// follows checks a newer Head against the held one and fetches the proof that
// it needs.
func (c *Client) follows(ctx context.Context, h, old *manifest.Head) error {
	var path []wire.ID
	if h.TreeSize > old.TreeSize && old.TreeSize > 0 {
		raw, err := c.origin.Get(ctx, resource.Resource{
			Kind: resource.Consistency, ID: h.Broadcast, Tier: h.Tier, First: old.TreeSize, Size: h.TreeSize,
		})
		if err != nil {
			return err
		}
		if path, err = manifest.ParseConsistency(raw); err != nil {
			return err
		}
	}
	return h.Follows(old, path)
}

// creator fetches a creator's key and checks it against its KeyID.
func (c *Client) creator(ctx context.Context, id wire.ID) (*composite.PublicKey, error) {
	c.mu.Lock()
	k := c.creators[id]
	c.mu.Unlock()
	if k != nil {
		return k, nil
	}
	raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.Key, ID: id})
	if err != nil {
		return nil, err
	}
	if k, err = composite.ParsePublicKey(raw); err != nil {
		return nil, err
	}
	if k.KeyID() != id {
		return nil, fmt.Errorf("%w: another creator's key", ErrAnswer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	keep(c.creators, id, k, maxCreators)
	return k, nil
}

// Records returns n records from first on (fewer at the end of the manifest),
// each verified against h. n is at most 256.
func (c *Client) Records(ctx context.Context, h *manifest.Head, first uint64, n int) ([]*manifest.Record, error) {
	if n < 1 || n > maxRecords || first >= h.TreeSize {
		return nil, fmt.Errorf("%w: records %d+%d of %d", ErrRange, first, n, h.TreeSize)
	}
	end := min(first+uint64(n), h.TreeSize)
	var out []*manifest.Record
	for at := first / block * block; at < end; at += block {
		raw, err := c.origin.Get(ctx, resource.Resource{
			Kind: resource.Records, ID: h.Broadcast, Tier: h.Tier, Size: h.TreeSize, First: at, N: block,
		})
		if err != nil {
			return nil, err
		}
		records, err := manifest.VerifyRecords(h, at, block, raw)
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			if rec.Number >= first && rec.Number < end {
				out = append(out, rec)
			}
		}
	}
	return out, nil
}

// CheckObject compares an object, from wherever it came, with its record.
func CheckObject(rec *manifest.Record, rendition uint16, object []byte) error {
	want, ok := rec.Rendition(rendition)
	if !ok || len(object) != int(want.ObjectLen) || sha256.Sum256(object) != want.SHA256 {
		return fmt.Errorf("%w: epoch %d, rendition %d", ErrObject, rec.Number, rendition)
	}
	return nil
}

// Blob returns cover art and the like, checked by its hash.
func (c *Client) Blob(ctx context.Context, sha wire.ID) ([]byte, error) {
	raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.Blob, ID: sha})
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(raw) != sha {
		return nil, fmt.Errorf("%w: another blob", ErrAnswer)
	}
	return raw, nil
}

// KeySet returns the bytes of an FFXS keyset, checked by its id. Whether the
// Bundle lists the id is checked here too.
func (c *Client) KeySet(ctx context.Context, id wire.ID) ([]byte, error) {
	b, err := c.Bundle(ctx)
	if err != nil {
		return nil, err
	}
	listed := false
	for _, k := range b.KeySets {
		listed = listed || k == id
	}
	if !listed {
		return nil, fmt.Errorf("%w: keyset is not in the bundle", ErrRange)
	}
	raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.KeySet, ID: id})
	if err != nil {
		return nil, err
	}
	if message.KeySetID(raw) != id {
		return nil, fmt.Errorf("%w: another keyset", ErrAnswer)
	}
	return raw, nil
}

// OpenEpoch opens the object of an epoch with the key that was bought and reads
// the sound inside. object was checked before. Errors: ErrCommit (the key is
// not the one the manifest fixes), segment.ErrSegment, wire.ErrMalformed.
func OpenEpoch(h *manifest.Head, rec *manifest.Record, rendition uint16, object []byte, key *Key) (*segment.Payload, error) {
	if !segment.Fits(key, rec.Epoch, rec.Commit) {
		return nil, fmt.Errorf("%w: epoch %d", ErrCommit, rec.Number)
	}
	p, err := h.OpenObject(rec, rendition, key, object)
	if errors.Is(err, manifest.ErrSound) {
		return nil, fmt.Errorf("%w: %w", ErrObject, err)
	}
	return p, err
}
