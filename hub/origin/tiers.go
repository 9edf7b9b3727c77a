package origin

import (
	"context"
	"fmt"
	"sync"

	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// tier is a published tier as it is served and sold. It is immutable.
type tier struct {
	signed  []byte // Head
	head    *manifest.Head
	records []*manifest.Record
	tree    *manifest.Tree
}

type tierKey struct {
	b    wire.ID
	tier uint16
}

// maxTiers bounds the memory: an hour of sound is about 600 kB.
const maxTiers = 64

// tierCache reads tiers from the shelf and keeps the latest of them.
type tierCache struct {
	shelf *shelf.Shelf
	ring  *keyring.Ring

	mu   sync.Mutex
	all  map[tierKey]*tier
	used []tierKey // the latest last
}

func newTierCache(s *shelf.Shelf, r *keyring.Ring) *tierCache {
	return &tierCache{shelf: s, ring: r, all: map[tierKey]*tier{}}
}

// get returns a tier, or shelf.ErrUnknown.
func (c *tierCache) get(ctx context.Context, b wire.ID, n uint16) (*tier, error) {
	key := tierKey{b, n}
	if t := c.hit(key); t != nil {
		return t, nil
	}
	t, err := c.load(ctx, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[key] == nil {
		c.used = append(c.used, key)
	}
	c.all[key] = t
	if len(c.used) > maxTiers {
		delete(c.all, c.used[0])
		c.used = c.used[1:]
	}
	return t, nil
}

func (c *tierCache) hit(key tierKey) *tier {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.all[key]
	if t == nil {
		return nil
	}
	for i, k := range c.used {
		if k == key {
			c.used = append(append(c.used[:i:i], c.used[i+1:]...), key)
			break
		}
	}
	return t
}

// load reads a tier and checks it as a hub would, so that a damaged store is
// found here.
func (c *tierCache) load(ctx context.Context, key tierKey) (*tier, error) {
	signed, err := c.shelf.Head(ctx, key.b, key.tier)
	if err != nil {
		return nil, err
	}
	head, err := manifest.VerifyHead(signed, c.ring.Creator().Public(), manifest.Want{Broadcast: key.b, Tier: key.tier, OriginRoot: c.ring.Root()})
	if err != nil {
		return nil, fmt.Errorf("origin: own head: %w", err)
	}
	records, err := c.shelf.Records(ctx, key.b, key.tier)
	if err != nil {
		return nil, err
	}
	tree, err := manifest.NewTree(records)
	if err != nil {
		return nil, fmt.Errorf("origin: own records: %w", err)
	}
	if tree.Root() != head.Root || tree.Size() != head.TreeSize {
		return nil, fmt.Errorf("origin: records of %s/%d do not fit their head", key.b, key.tier)
	}
	return &tier{signed: signed, head: head, records: records, tree: tree}, nil
}
