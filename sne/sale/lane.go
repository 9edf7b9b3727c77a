package sale

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/fetch"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/session"
)

// repeats is how often a request is sent again before its session is given up.
const repeats = 2

// lane is one session and the queue of those who want to use it.
type lane struct {
	gate  gate
	chain *session.Client // nil = none
	from  *bundle.Bundle  // that it was opened under
	fresh bool            // no exchange yet
	last  time.Time       // of the last exchange, or of the handshake
	id    uint16          // of the last message

	base *kdf.Secret             // lock base of the exchange under way, if its answer may be an OFFER
	sent time.Time               // when its request was sent first
	held map[[32]byte]*heldOffer // offers that this session had, by payment hash
}

func newLane() *lane { return &lane{gate: newGate()} }

// stale reports that the origin will have dropped the session, or soon will.
func (l *lane) stale() bool {
	quiet := session.Idle
	if l.fresh {
		quiet = session.FirstExchange
	}
	return l.chain.Spent(time.Now()) || time.Since(l.last) > quiet*3/4
}

func (l *lane) drop() {
	if l.chain != nil {
		l.chain.Erase()
		l.chain = nil
	}
	l.dropOffers()
}

// Connect opens a session ahead of need, so that the first purchase finds it.
func (c *Client) Connect(ctx context.Context) error {
	if err := c.buying.gate.enter(ctx); err != nil {
		return err
	}
	defer c.buying.gate.leave()
	return c.open(ctx, c.buying)
}

// open makes sure that the lane has a session with room for an exchange.
func (c *Client) open(ctx context.Context, l *lane) error {
	b, err := c.Bundle(ctx)
	if err != nil {
		return err
	}
	if l.chain != nil && (l.stale() || l.from.Seq < c.Pin().MinSeq) {
		l.drop()
	}
	if l.chain != nil {
		return nil
	}
	res, err := c.handshake(ctx, b)
	if errors.Is(err, fetch.ErrGone) { // the origin has moved on to another Bundle
		if b, err = c.bundle(ctx, true); err != nil {
			return err
		}
		res, err = c.handshake(ctx, b)
	}
	if err != nil {
		return err
	}
	l.last = time.Now()
	l.chain, l.from, l.fresh = session.NewClient(res, l.last), b, true
	return nil
}

func (c *Client) handshake(ctx context.Context, b *bundle.Bundle) (*handshake.Result, error) {
	i, msg1, err := handshake.Start(c.cfg.Random, b)
	if err != nil {
		return nil, err
	}
	defer i.Erase()
	msg2, err := c.origin.Post(ctx, resource.Resource{Kind: resource.Session}, msg1)
	if err != nil {
		return nil, err
	}
	return i.Finish(msg2)
}

// errLost means that a session is of no more use, but that asking again in a
// new one is safe.
var errLost = errors.New("sne: session lost")

// ask sends one message and returns the body of its answer, which is of the
// wanted kind. The origin's refusal comes back as *message.Error.
func (c *Client) ask(ctx context.Context, l *lane, kind message.Kind, body []byte, want message.Kind) ([]byte, error) {
	if err := l.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer l.gate.leave()
	return c.askIn(ctx, l, kind, body, want)
}

// askIn is ask for one who is inside the lane's gate.
func (c *Client) askIn(ctx context.Context, l *lane, kind message.Kind, body []byte, want message.Kind) ([]byte, error) {
	var answer []byte
	err := errLost
	for try := 0; try < 2 && errors.Is(err, errLost); try++ {
		if err := c.open(ctx, l); err != nil {
			return nil, err
		}
		if answer, err = c.exchange(ctx, l, message.Frame{Kind: kind, Body: body}, want); err != nil && l.chain.Pending() != nil {
			l.drop() // under its root no other request may be built
		}
	}
	return answer, err
}

func (c *Client) exchange(ctx context.Context, l *lane, f message.Frame, want message.Kind) ([]byte, error) {
	var frames []message.Frame
	if l.fresh {
		hello, err := (&message.Hello{}).Marshal()
		if err != nil {
			return nil, err
		}
		l.id++
		frames = append(frames, message.Frame{Kind: message.KindHello, ID: l.id, Body: hello})
	}
	l.id++
	f.ID = l.id
	plain, err := message.Marshal(append(frames, f)...)
	if err != nil {
		return nil, err
	}
	request, err := l.chain.Request(c.cfg.Random, plain)
	clear(plain)
	if err != nil {
		return nil, err
	}
	l.sent = time.Now()
	l.expireOffers(l.sent)
	answer, err := c.deliver(ctx, l, request)
	if err != nil {
		return nil, err
	}
	l.fresh, l.last = false, time.Now()
	return c.readAnswer(answer, f.ID, want)
}

// deliver sends a request until an answer opens.
func (c *Client) deliver(ctx context.Context, l *lane, request []byte) ([]byte, error) {
	r := resource.Resource{Kind: resource.Exchange, Session: l.chain.Session()}
	var last error
	for try := 0; try <= repeats; try++ {
		raw, err := c.origin.Post(ctx, r, request)
		if err == nil {
			var plain []byte
			if plain, err = l.chain.ResponseBase(raw, l.base); err == nil {
				return plain, nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, err
		case errors.Is(err, fetch.ErrGone), errors.Is(err, fetch.ErrBadRequest), errors.Is(err, fetch.ErrNotFound):
			return nil, fmt.Errorf("%w: %w", errLost, err)
		case errors.Is(err, fetch.ErrBusy), errors.Is(err, fetch.ErrForbidden):
			return nil, err
		}
		c.log.Debug("exchange repeated", "err", err)
		last = err
	}
	return nil, fmt.Errorf("%w: %w", errLost, last)
}

// readAnswer finds the answer among the frames. Kinds that this version does
// not know are ignored.
func (c *Client) readAnswer(plain []byte, id uint16, want message.Kind) ([]byte, error) {
	frames, err := message.Parse(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	for _, f := range frames {
		switch {
		case f.Kind == message.KindWelcome:
			if w, err := message.ParseWelcome(f.Body); err == nil {
				c.setEdges(w.Edges)
			}
		case f.ID == id && f.Kind == message.KindError:
			e, err := message.ParseError(f.Body)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
			}
			return nil, e
		case f.ID == id && f.Kind == want:
			return f.Body, nil
		}
	}
	return nil, ErrAnswer
}
