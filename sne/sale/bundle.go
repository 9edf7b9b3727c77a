package sale

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/resource"
	"sonahub/sne/wire"
)

// freshFor is how long a Bundle is used without asking for a newer one.
const freshFor = time.Hour

// Bundle returns the origin's present Bundle, fetched when the held one is over
// an hour old or not valid any more. Errors: *fetch.Error, those of bundle. A
// *bundle.SplitViewError stops the client for good.
func (c *Client) Bundle(ctx context.Context) (*bundle.Bundle, error) {
	return c.bundle(ctx, false)
}

func (c *Client) bundle(ctx context.Context, renew bool) (*bundle.Bundle, error) {
	if err := c.bundles.enter(ctx); err != nil {
		return nil, err
	}
	defer c.bundles.leave()
	held, age, err := c.held()
	if err != nil {
		return nil, err
	}
	if held != nil && !renew && age < freshFor {
		return held, nil
	}
	b, raw, err := c.fetchBundle(ctx)
	var split *bundle.SplitViewError
	if errors.As(err, &split) {
		c.splitView(ctx, split, raw)
		c.mu.Lock()
		c.stopped = err
		c.mu.Unlock()
		return nil, err
	}
	if err != nil && held != nil && !renew {
		c.log.Warn("kept the bundle at hand", "err", err)
		return held, nil
	}
	return b, err
}

// held returns the Bundle at hand if it may still be used.
func (c *Client) held() (*bundle.Bundle, time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped != nil || c.current == nil {
		return nil, 0, c.stopped
	}
	if _, err := c.pin.Accept(c.current, c.cfg.Clock()); err != nil {
		return nil, 0, nil
	}
	return c.current, time.Since(c.fetched), nil
}

// fetchBundle returns the Bundle and, also beside an error, what came.
func (c *Client) fetchBundle(ctx context.Context) (*bundle.Bundle, []byte, error) {
	r := resource.Resource{Kind: resource.Bundle}
	raw, err := c.origin.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	b, err := c.accept(raw)
	if errors.Is(err, bundle.ErrStale) || errors.Is(err, bundle.ErrDead) || errors.Is(err, bundle.ErrExpired) {
		if raw, err = c.origin.GetFresh(ctx, r); err != nil { // a cache may have held it back
			return nil, nil, err
		}
		b, err = c.accept(raw)
	}
	return b, raw, err
}

// accept moves the pin, stores it, and only then takes the Bundle.
func (c *Client) accept(raw []byte) (*bundle.Bundle, error) {
	b, err := bundle.Parse(raw, c.cfg.URL.Root)
	if err != nil {
		return nil, err
	}
	err = c.movePin(func(p bundle.Pin) (bundle.Pin, error) { return p.Accept(b, c.cfg.Clock()) })
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.current, c.fetched = b, time.Now()
	c.mu.Unlock()
	return b, nil
}

// movePin stores a pin before it is relied upon, one mover at a time.
func (c *Client) movePin(move func(bundle.Pin) (bundle.Pin, error)) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	old := c.Pin()
	pin, err := move(old)
	if err != nil || pin == old {
		return err
	}
	if c.cfg.SavePin != nil {
		if err := c.cfg.SavePin(pin); err != nil {
			return fmt.Errorf("sne: store pin: %w", err)
		}
	}
	c.mu.Lock()
	c.pin = pin
	c.mu.Unlock()
	return nil
}

// signer returns the Bundle whose online key signed a catalogue page: the
// present one, or an older one that is not dead.
func (c *Client) signer(ctx context.Context, id wire.ID) (*bundle.Bundle, error) {
	b, err := c.Bundle(ctx)
	if err != nil {
		return nil, err
	}
	if have, err := b.ID(); err != nil || have == id {
		return b, err
	}
	raw, err := c.origin.Get(ctx, resource.Resource{Kind: resource.BundleByID, ID: id})
	if err != nil {
		return nil, err
	}
	if b, err = bundle.Parse(raw, c.cfg.URL.Root); err != nil {
		return nil, err
	}
	if got, err := b.ID(); err != nil || got != id {
		return nil, fmt.Errorf("%w: another bundle", ErrAnswer)
	}
	// Its place in the order does not matter here, only that it is alive.
	pin := bundle.Pin{Host: c.cfg.URL.Host, Root: c.cfg.URL.Root, MinSeq: c.Pin().MinSeq}
	_, err = pin.Accept(b, c.cfg.Clock())
	return b, err
}
