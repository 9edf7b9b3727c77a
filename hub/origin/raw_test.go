package origin_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/session"
)

// call makes one request and returns the answer with its whole body.
func (h *hub) call(method, path string, body []byte) (*http.Response, []byte) {
	h.tb.Helper()
	req, err := http.NewRequestWithContext(h.tb.Context(), method, h.base+path, bytes.NewReader(body))
	if err != nil {
		h.tb.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	return res, out
}

func (h *hub) post(r resource.Resource, body []byte) (*http.Response, []byte) {
	h.tb.Helper()
	return h.call(http.MethodPost, r.Path(), body)
}

// raw is a session without the comfort of sale.Client.
type raw struct {
	*hub
	s *session.Client
}

// msg1 begins a handshake with the current Bundle.
func (h *hub) msg1() (*handshake.Initiator, []byte) {
	h.tb.Helper()
	b, err := h.Bundle(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	i, msg1, err := handshake.Start(nil, b)
	if err != nil {
		h.tb.Fatal(err)
	}
	return i, msg1
}

func (h *hub) session() *raw {
	h.tb.Helper()
	i, msg1 := h.msg1()
	res, msg2 := h.post(resource.Resource{Kind: resource.Session}, msg1)
	if res.StatusCode != http.StatusOK {
		h.tb.Fatalf("handshake: status %d", res.StatusCode)
	}
	r, err := i.Finish(msg2)
	if err != nil {
		h.tb.Fatal(err)
	}
	return &raw{h, session.NewClient(r, time.Now())}
}

// ask sends frames in one exchange and returns the answers.
func (r *raw) ask(frames ...message.Frame) []message.Frame {
	r.tb.Helper()
	plain, err := message.Marshal(frames...)
	if err != nil {
		r.tb.Fatal(err)
	}
	request, err := r.s.Request(nil, plain)
	if err != nil {
		r.tb.Fatal(err)
	}
	res, body := r.post(resource.Resource{Kind: resource.Exchange, Session: r.s.Session()}, request)
	if res.StatusCode != http.StatusOK {
		r.tb.Fatalf("exchange: status %d", res.StatusCode)
	}
	plain, err = r.s.Response(body)
	if err != nil {
		r.tb.Fatal(err)
	}
	answers, err := message.Parse(plain)
	if err != nil {
		r.tb.Fatal(err)
	}
	return answers
}

// refused returns the code of an ERROR, 0 for any other answer.
func refused(tb testing.TB, f message.Frame) message.ErrorCode {
	tb.Helper()
	if f.Kind != message.KindError {
		return 0
	}
	e, err := message.ParseError(f.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return e.Code
}
