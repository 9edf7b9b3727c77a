package sale

import (
	"context"
	"fmt"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Edge is where a live broadcast stands.
type Edge struct {
	Head         *manifest.Head
	FirstForSale uint64 // the oldest epoch that can be bought
}

// Live asks over the session how long a broadcast is and returns a Head that is
// not shorter and continues both what the session said and the Head held
// before. Errors: manifest.ErrStaleHead where only a stale cache can be
// reached, manifest.ErrHead for one that contradicts the session: such a
// broadcast must not be played on. Otherwise as Head.
func (c *Client) Live(ctx context.Context, broadcast wire.ID, tier uint16) (*Edge, error) {
	body, err := (&message.Live{Broadcast: broadcast, Tier: tier}).Marshal()
	if err != nil {
		return nil, err
	}
	raw, err := c.ask(ctx, c.buying, message.KindLive, body, message.KindLiveIs)
	if err != nil {
		return nil, err
	}
	is, err := message.ParseLiveIs(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if is.Broadcast != broadcast || is.Tier != tier {
		return nil, fmt.Errorf("%w: another broadcast", ErrAnswer)
	}
	h, err := c.head(ctx, broadcast, tier, c.origin.Get)
	if err == nil && h.TreeSize < is.TreeSize {
		h, err = c.head(ctx, broadcast, tier, c.origin.GetFresh) // a cache may have held it back
	}
	if err != nil {
		return nil, err
	}
	if err := c.continues(ctx, h, is); err != nil {
		return nil, err
	}
	return &Edge{Head: h, FirstForSale: is.FirstForSale}, nil
}

// continues holds a Head against what the session said of the broadcast: it is
// stale if it is shorter, and refused if it tells another story.
func (c *Client) continues(ctx context.Context, h *manifest.Head, is *message.LiveIs) error {
	said := *h
	said.TreeSize, said.Root, said.Closed = is.TreeSize, is.Root, is.Closed
	return c.follows(ctx, h, &said)
}
