package sale

import (
	"context"

	"sonahub/sne/bundle"
	"sonahub/sne/exhibit"
	"sonahub/sne/manifest"
	"sonahub/sne/resource"
	"sonahub/sne/wire"
)

// contradiction hands on two Heads that no honest creator signs.
func (c *Client) contradiction(a, b *manifest.Head) {
	if c.cfg.Exhibit == nil || exhibit.Contradiction(a, b) == "" {
		return
	}
	raw, err := exhibit.Heads(a, b)
	c.hand(raw, a.Creator, err)
}

// splitView hands on two Bundles of one number. The one that was seen before
// may have been forgotten since, but for its id: then the origin is asked for
// it.
func (c *Client) splitView(ctx context.Context, e *bundle.SplitViewError, got []byte) {
	if c.cfg.Exhibit == nil {
		return
	}
	c.mu.Lock()
	have := c.current
	c.mu.Unlock()
	var first []byte
	if have != nil && have.Seq == e.Seq {
		first = have.Signed
	} else {
		raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.BundleByID, ID: e.Have})
		if err != nil {
			c.log.Warn("split view without the first bundle", "err", err)
			return
		}
		first = raw
	}
	raw, err := exhibit.Bundles(first, got)
	c.hand(raw, c.cfg.URL.Root, err)
}

// hand gives an exhibit to whoever keeps them, if it proves what it says.
func (c *Client) hand(raw []byte, accused wire.ID, err error) {
	if err == nil {
		_, err = exhibit.Verify(raw, accused)
	}
	if err != nil {
		c.log.Warn("exhibit not made", "err", err)
		return
	}
	c.cfg.Exhibit(raw)
}
