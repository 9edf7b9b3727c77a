package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// handshake answers message 1 with message 2 and remembers the session.
func (o *Origin) handshake(w http.ResponseWriter, r *http.Request, res resource.Resource) error {
	now := time.Now()
	if ok, retry := o.limiter.allow(addressOf(r), now); !ok {
		return busy(http.StatusTooManyRequests, retry)
	}
	msg1, err := readBody(w, r, res)
	if err != nil {
		return err
	}
	id, err := handshake.BundleID(msg1)
	if err != nil {
		return code(http.StatusBadRequest)
	}
	g, ok := o.ring.ByID(id)
	if !ok {
		return code(http.StatusGone)
	}
	responder := handshake.Responder{Bundle: g.ID, KEM: g.KEM, Online: g.Online}
	msg2, result, err := responder.Respond(msg1)
	if err != nil {
		return code(http.StatusBadRequest)
	}
	s := session.NewServer(result, now)
	s.Bundle = g.ID
	if err := o.sessions.Add(s, now); err != nil {
		s.Erase()
		return busy(http.StatusServiceUnavailable, 30*time.Second)
	}
	return replyBytes(w, res, msg2)
}

// answerTime bounds the work for one exchange. It goes on when the client has
// left: what was begun is finished, and the client may repeat the request.
const answerTime = 10 * time.Second

// exchange answers one request of a session.
func (o *Origin) exchange(w http.ResponseWriter, r *http.Request, res resource.Resource) error {
	now := time.Now()
	s, err := o.sessions.Get(res.Session, now)
	if err != nil {
		return code(http.StatusGone)
	}
	request, err := readBody(w, r, res)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerTime)
	defer cancel()
	over, c := false, &call{session: res.Session, bundle: s.Bundle, address: addressOf(r)}
	response, err := s.HandleBase(now, request, func(messages []byte, base *kdf.Secret) ([]byte, error) {
		c.base = base
		frames, err := message.Parse(messages)
		if err != nil || len(frames) > maxFrames {
			return nil, session.ErrBad
		}
		var answers []message.Frame
		for _, f := range frames {
			over = over || f.Kind == message.KindClose
			answers = append(answers, o.answer(ctx, c, f))
		}
		return message.Marshal(answers...)
	})
	switch {
	case errors.Is(err, session.ErrBad):
		return code(http.StatusBadRequest)
	case errors.Is(err, session.ErrGone):
		return code(http.StatusGone)
	case err != nil:
		return err
	}
	if over {
		o.sessions.Remove(res.Session)
	}
	return replyBytes(w, res, response)
}

// call is the exchange that a message came in.
type call struct {
	session wire.SessionID
	bundle  wire.ID // that the session was opened under
	address string
	base    *kdf.Secret // lock base of its offers
	offered bool        // its answer has an offer already
}

// maxFrames bounds the work of one exchange, and keeps its answer below 64 kB:
// a GRANT of 30 keys with 64 points of change has 5 kB, the one OFFER up to 10.
const maxFrames = 8

// answer does what one message asks for.
func (o *Origin) answer(ctx context.Context, c *call, f message.Frame) message.Frame {
	var kind message.Kind
	var body []byte
	var err error
	switch f.Kind {
	case message.KindHello:
		kind, body, err = o.hello(f.Body)
	case message.KindLive:
		kind, body, err = o.live(f.Body)
	case message.KindBuy:
		kind, body, err = o.buy(ctx, c, f.Body)
	case message.KindTopUp:
		kind, body, err = o.topUp(ctx, c, f.Body)
	case message.KindSwap:
		kind, body, err = o.swap(ctx, f.Body)
	case message.KindClose:
		kind = message.KindClosed
		if len(f.Body) > 0 {
			err = refusal(message.CodeBadRequest)
		}
	default:
		err = refusal(message.CodeUnsupported)
	}
	if err == nil {
		return message.Frame{Kind: kind, ID: f.ID, Body: body}
	}
	var refused *message.Error
	if !errors.As(err, &refused) {
		o.c.Logger.Error("message failed", "kind", f.Kind, "error", err)
		refused = &message.Error{Code: message.CodeInternal, RetryMs: 1000}
	}
	body, err = refused.Marshal()
	if err != nil {
		o.c.Logger.Error("cannot write an error", "error", err)
	}
	return message.Frame{Kind: message.KindError, ID: f.ID, Body: body}
}

func refusal(c message.ErrorCode) error { return &message.Error{Code: c} }

func (o *Origin) hello(body []byte) (message.Kind, []byte, error) {
	if _, err := message.ParseHello(body); err != nil {
		return 0, nil, refusal(message.CodeBadRequest)
	}
	// Credentials give no trust here.
	answer := message.Welcome{MaxOpenOffers: o.openOffers(), Time: uint64(o.c.Clock().UnixMilli()), Edges: o.c.Edges}
	out, err := answer.Marshal()
	return message.KindWelcome, out, err
}

// openOffers is how many offers a session may have open.
func (o *Origin) openOffers() uint16 {
	if o.c.Till == nil {
		return 0
	}
	return maxOpenOffers
}

// openings remembers which sessions had their opening grant of what.
type openings struct {
	mu  sync.Mutex
	had map[wire.SessionID]map[wire.ID]bool
}

func newOpenings() *openings { return &openings{had: map[wire.SessionID]map[wire.ID]bool{}} }

// take reports whether this session may still have the opening of b; then it
// no longer may.
func (p *openings) take(id wire.SessionID, b wire.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.had[id][b] {
		return false
	}
	if p.had[id] == nil {
		p.had[id] = map[wire.ID]bool{}
	}
	p.had[id][b] = true
	return true
}

// giveBack undoes take, when the grant could not be booked.
func (p *openings) giveBack(id wire.SessionID, b wire.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.had[id], b)
}

// trim forgets sessions that are gone.
func (p *openings) trim(t *session.Table, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.had {
		if _, err := t.Get(id, now); err != nil {
			delete(p.had, id)
		}
	}
}

// readBody reads a whole request body within the resource's limit.
func readBody(w http.ResponseWriter, r *http.Request, res resource.Resource) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, res.RequestLimit()))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, code(http.StatusRequestEntityTooLarge)
	case err != nil:
		return nil, code(http.StatusBadRequest)
	}
	return body, nil
}

func replyBytes(w http.ResponseWriter, res resource.Resource, body []byte) error {
	return reply(w, res.Cache(true), int64(len(body)), func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}
