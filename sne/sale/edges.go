package sale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sonahub/sne/fetch"
	"sonahub/sne/manifest"
	"sonahub/sne/resource"
)

// edge is a file server that has the origin's segments. It is trusted with
// nothing: what it delivers is held against the manifest before anything is
// paid for.
type edge struct {
	*fetch.Client
	url string
}

// maxLiars bounds the memory of edges that lied; an origin that names more of
// them does without edges.
const maxLiars = 64

// setEdges takes over the URLs that a WELCOME names, but for those that lied.
func (c *Client) setEdges(urls []string) {
	o := c.cfg.Fetch
	o.Edge = true
	addr, err := netip.ParseAddr(c.cfg.URL.Host)
	o.PrivateEdge = err == nil && (addr.IsLoopback() || addr.IsPrivate()) || c.cfg.URL.Host == "localhost"
	c.mu.Lock()
	liars := slices.Clone(c.liars)
	c.mu.Unlock()
	var edges []*edge
	for _, u := range urls {
		if slices.Contains(liars, u) || len(liars) >= maxLiars {
			continue
		}
		e, err := fetch.New(u, o)
		if err != nil {
			c.log.Warn("edge ignored", "url", u, "err", err)
			continue
		}
		edges = append(edges, &edge{e, u})
	}
	c.mu.Lock()
	old := c.edges
	c.edges = edges
	c.mu.Unlock()
	for _, e := range old {
		e.Close()
	}
}

func (c *Client) edgeList() []*edge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edges
}

// Liars lists the edges that delivered something else than the manifest fixes.
// They are not asked again as long as the client lives.
func (c *Client) Liars() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.liars)
}

// Segment fetches the object of one rendition of a verified record and checks
// it. Edges are asked before the origin.
func (c *Client) Segment(ctx context.Context, rec *manifest.Record, rendition uint16) ([]byte, error) {
	r := resource.Resource{Kind: resource.Segment, ID: rec.Broadcast, Tier: rec.Tier, Epoch: rec.Number, Rendition: rendition}
	if _, ok := rec.Rendition(rendition); !ok {
		return nil, fmt.Errorf("%w: no rendition %d", ErrObject, rendition)
	}
	for _, e := range c.edgeList() {
		object, err := e.Get(ctx, r)
		if err == nil {
			err = CheckObject(rec, rendition, object)
		}
		if err == nil {
			return object, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if !errors.Is(err, fetch.ErrNotFound) {
			c.putAside(e, errors.Is(err, ErrObject))
			c.log.Warn("edge put aside", "url", e.url, "path", r.Path(), "err", err)
		}
	}
	object, err := c.origin.Get(ctx, r)
	if err != nil {
		return nil, err
	}
	return object, CheckObject(rec, rendition, object)
}

// putAside takes an edge that failed off the list until the next WELCOME, so
// that its deadlines are waited for once; one that lied stays off.
func (c *Client) putAside(out *edge, lied bool) {
	c.mu.Lock()
	c.edges = slices.DeleteFunc(slices.Clone(c.edges), func(e *edge) bool { return e == out })
	if lied && !slices.Contains(c.liars, out.url) {
		c.liars = append(c.liars, out.url)
	}
	c.mu.Unlock()
	out.Close()
}
