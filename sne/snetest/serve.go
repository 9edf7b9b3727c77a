package snetest

import (
	"errors"
	"io"
	"net/http"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/session"
)

func (g *Origin) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	f := g.intercept
	g.mu.Unlock()
	next := http.HandlerFunc(g.handle)
	if f != nil {
		f(w, r, next)
		return
	}
	next(w, r)
}

func (g *Origin) handle(w http.ResponseWriter, r *http.Request) {
	res, err := resource.Parse(r.URL.Path)
	if err != nil || r.Method != res.Method() {
		fail(w, http.StatusNotFound)
		return
	}
	body, status := g.body(res, r)
	if status != http.StatusOK {
		fail(w, status)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", res.Cache(true))
	_, _ = w.Write(body)
}

func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", resource.NoStore)
	w.WriteHeader(status)
}

func (g *Origin) body(res resource.Resource, r *http.Request) ([]byte, int) {
	switch res.Kind {
	case resource.Session, resource.Exchange:
		request, err := io.ReadAll(io.LimitReader(r.Body, res.RequestLimit()+1))
		if err != nil {
			return nil, http.StatusBadRequest
		}
		if int64(len(request)) > res.RequestLimit() {
			return nil, http.StatusRequestEntityTooLarge
		}
		if res.Kind == resource.Session {
			return g.handshake(request)
		}
		return g.exchange(res, request)
	case resource.Records:
		tree := g.Trees[res.Tier]
		if tree == nil || res.ID != g.URL.Broadcast || res.Size != tree.Size() {
			return nil, http.StatusNotFound
		}
		page, err := tree.Page(res.First, int(res.N))
		if err != nil {
			return nil, http.StatusNotFound
		}
		return page, http.StatusOK
	}
	if body := g.File(res); body != nil {
		return body, http.StatusOK
	}
	return nil, http.StatusNotFound
}

func (g *Origin) handshake(msg1 []byte) ([]byte, int) {
	id, err := handshake.BundleID(msg1)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	responder := g.responder()
	if id != responder.Bundle {
		return nil, http.StatusGone
	}
	msg2, res, err := responder.Respond(msg1)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	now := time.Now()
	if err := g.sessions.Add(session.NewServer(res, now), now); err != nil {
		return nil, http.StatusServiceUnavailable
	}
	return msg2, http.StatusOK
}

func (g *Origin) exchange(res resource.Resource, request []byte) ([]byte, int) {
	now := time.Now()
	s, err := g.sessions.Get(res.Session, now)
	if err != nil {
		return nil, http.StatusGone
	}
	response, err := s.HandleBase(now, request, g.answer)
	switch {
	case errors.Is(err, session.ErrGone):
		return nil, http.StatusGone
	case errors.Is(err, session.ErrBad):
		return nil, http.StatusBadRequest
	case err != nil:
		return nil, http.StatusServiceUnavailable
	}
	return response, http.StatusOK
}

// answer is what one exchange says.
func (g *Origin) answer(plain []byte, base *kdf.Secret) ([]byte, error) {
	frames, err := message.Parse(plain)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []message.Frame
	for _, f := range frames {
		a, err := g.one(f, base)
		var refused *message.Error
		if errors.As(err, &refused) {
			a.Kind = message.KindError
			a.Body, err = refused.Marshal()
		}
		if err != nil {
			return nil, err
		}
		a.ID = f.ID
		out = append(out, a)
	}
	return message.Marshal(out...)
}

func refuse(code message.ErrorCode) error { return &message.Error{Code: code} }

func (g *Origin) one(f message.Frame, base *kdf.Secret) (message.Frame, error) {
	switch f.Kind {
	case message.KindHello:
		body, err := (&message.Welcome{Edges: g.edges}).Marshal()
		return message.Frame{Kind: message.KindWelcome, Body: body}, err
	case message.KindLive:
		ask, err := message.ParseLive(f.Body)
		if err != nil || g.live == nil || ask.Tier != g.live.Tier {
			return message.Frame{}, refuse(message.CodeNotFound)
		}
		body, err := g.live.Marshal()
		return message.Frame{Kind: message.KindLiveIs, Body: body}, err
	case message.KindBuy, message.KindTopUp, message.KindSwap:
		hash := message.BodyHash(f.Kind, f.Body)
		if a, ok := g.answers[hash]; ok {
			return a, nil
		}
		a, err := g.act(f, base)
		if err == nil && a.Kind == message.KindOffer {
			g.acts++ // its salt is of this exchange: the next one gets another
			return a, nil
		}
		if err == nil {
			g.acts++
			g.answers[hash] = a
		}
		return a, err
	}
	return message.Frame{}, refuse(message.CodeUnsupported)
}

func (g *Origin) act(f message.Frame, base *kdf.Secret) (message.Frame, error) {
	switch f.Kind {
	case message.KindBuy:
		b, err := message.ParseBuy(f.Body)
		if err != nil {
			return message.Frame{}, refuse(message.CodeBadRequest)
		}
		return g.buy(b, base)
	case message.KindTopUp:
		t, err := message.ParseTopUp(f.Body)
		if err != nil || t.Rail != message.TopUpVoucher && t.Rail != message.TopUpLightning {
			return message.Frame{}, refuse(message.CodeBadRequest)
		}
		blinds, err := message.ParseBlinds(t.Blinds)
		if err != nil {
			return message.Frame{}, refuse(message.CodeBadRequest)
		}
		if t.Rail == message.TopUpLightning {
			return g.offerTokens(base, t, blinds)
		}
		body, err := (&message.Tokens{KeySet: t.KeySet, Evals: echo(blinds)}).Marshal()
		return message.Frame{Kind: message.KindTokens, Body: body}, err
	}
	r, err := message.ParseRedeem(f.Body)
	if err != nil {
		return message.Frame{}, refuse(message.CodeBadRequest)
	}
	if r.Spend.Units() != r.Change.Units() {
		return message.Frame{}, refuse(message.CodePrice)
	}
	body, err := (&message.Tokens{KeySet: r.KeySet, Evals: echo(r.Change)}).Marshal()
	return message.Frame{Kind: message.KindTokens, Body: body}, err
}

// echo has the shape of an evaluation and the blinds' own points.
func echo(b message.Blinds) []byte {
	var e message.Evals
	for _, g := range b {
		e = append(e, message.EvalGroup{Denom: g.Denom, Points: g.Points})
	}
	raw, err := e.Marshal()
	if err != nil {
		return nil
	}
	return raw
}

func (g *Origin) buy(b *message.Buy, base *kdf.Secret) (message.Frame, error) {
	h := g.Head[b.Range.Tier]
	if h == nil || b.Range.Broadcast != h.Broadcast || b.Range.First+uint64(b.Range.N) > h.TreeSize {
		return message.Frame{}, refuse(message.CodeNotFound)
	}
	if b.Rail == message.RailLightning {
		h, plain, err := g.epochs(b.Range)
		if err != nil {
			return message.Frame{}, err
		}
		return g.offer(base, h, plain)
	}
	grant := &message.Grant{Range: b.Range, Keys: make([]kdf.Secret, b.Range.N)}
	var frames uint64
	for i := range grant.Keys {
		n := b.Range.First + uint64(i)
		frames += uint64(h.EpochFrames(n))
		if err := segment.EpochSecret(&grant.Keys[i], g.master, h.Epoch(n)); err != nil {
			return message.Frame{}, err
		}
	}
	switch b.Rail {
	case message.RailOpening:
		if b.Range.First+uint64(b.Range.N) > FreeEpochs || len(b.Body) > 0 {
			return message.Frame{}, refuse(message.CodePrice)
		}
	case message.RailFFXS:
		r, err := message.ParseRedeem(b.Body)
		if err != nil {
			return message.Frame{}, refuse(message.CodeBadRequest)
		}
		grant.AmountMsat = (PriceMsatS*frames + Rate - 1) / Rate
		grant.Split = []message.Share{{Role: 1, Msat: grant.AmountMsat}}
		if units := (grant.AmountMsat + UnitMsat - 1) / UnitMsat; r.Spend.Units() != units+r.Change.Units() {
			return message.Frame{}, refuse(message.CodePrice)
		}
		grant.Evals = echo(r.Change)
	default:
		return message.Frame{}, refuse(message.CodeUnsupported)
	}
	if g.corrupt != nil {
		g.corrupt(grant)
	}
	body, err := grant.Marshal()
	return message.Frame{Kind: message.KindGrant, Body: body}, err
}
