package sale

import (
	"context"
	"fmt"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/resource"
)

// Catalog returns all pages of the newest catalogue. A catalogue older than one
// already seen is a stale cache: the one at hand is returned, or
// ErrStaleCatalog.
func (c *Client) Catalog(ctx context.Context) (*catalog.Catalog, error) {
	first := resource.Resource{Kind: resource.Catalog}
	raw, err := c.origin.Get(ctx, first)
	if err != nil {
		return nil, err
	}
	page, err := c.page(ctx, raw)
	if err != nil {
		return nil, err
	}
	if page.Seq < c.Pin().Catalog {
		if raw, err = c.origin.GetFresh(ctx, first); err != nil {
			return nil, err
		}
		if page, err = c.page(ctx, raw); err != nil {
			return nil, err
		}
	}
	if page.Seq < c.Pin().Catalog {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.listing != nil {
			return c.listing, nil
		}
		return nil, ErrStaleCatalog
	}
	return c.readCatalog(ctx, page)
}

// page verifies one page under the online key of the Bundle that it names.
func (c *Client) page(ctx context.Context, raw []byte) (*catalog.Page, error) {
	id, err := catalog.Bundle(raw)
	if err != nil {
		return nil, err
	}
	b, err := c.signer(ctx, id)
	if err != nil {
		return nil, err
	}
	return catalog.Parse(raw, &b.Online)
}

func (c *Client) readCatalog(ctx context.Context, first *catalog.Page) (*catalog.Catalog, error) {
	if first.Page != 0 {
		return nil, fmt.Errorf("%w: catalogue page %d", ErrAnswer, first.Page)
	}
	all, err := catalog.Decode(first.JSON)
	if err != nil {
		return nil, err
	}
	total := len(first.JSON)
	for n := uint16(1); n < first.Pages; n++ {
		raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.CatalogPage, Seq: first.Seq, Page: n})
		if err != nil {
			return nil, err
		}
		page, err := c.page(ctx, raw)
		if err != nil {
			return nil, err
		}
		if page.Seq != first.Seq || page.Page != n || page.Pages != first.Pages {
			return nil, fmt.Errorf("%w: catalogue page %d", ErrAnswer, n)
		}
		if total += len(page.JSON); total > c.cfg.MaxCatalog {
			return nil, fmt.Errorf("%w: catalogue over %d bytes", ErrAnswer, c.cfg.MaxCatalog)
		}
		more, err := catalog.Decode(page.JSON)
		if err != nil {
			return nil, err
		}
		all.Merge(more)
	}
	err = c.movePin(func(p bundle.Pin) (bundle.Pin, error) {
		p.Catalog = max(p.Catalog, first.Seq)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.listing = all
	c.mu.Unlock()
	return all, nil
}
