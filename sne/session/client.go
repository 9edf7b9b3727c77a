package session

import (
	"io"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// spare is how long before the end of its time a client gives a session up, so
// that no exchange is cut off by the origin's clock.
const spare = 10 * time.Second

// Client is the hub's side of one session. It is not safe for concurrent use.
type Client struct {
	chain
	limit   uint32
	ends    time.Time
	pending []byte         // request_i, while it is outstanding
	dk      *kem.SecretKey // dk_i, while it is outstanding
	erased  bool
}

// NewClient takes the session over from a handshake; r is erased.
func NewClient(r *handshake.Result, now time.Time) *Client {
	c := &Client{
		chain: chain{id: r.Session, root: r.Root, hash: r.Hash},
		limit: r.MaxExchanges,
		ends:  now.Add(time.Duration(r.TTL) * time.Second),
	}
	r.Erase()
	return c
}

// Session returns the id, which is also the last part of the session's path.
func (c *Client) Session() wire.SessionID { return c.id }

// Spent reports that no further exchange should be begun.
func (c *Client) Spent(now time.Time) bool {
	return c.erased || c.next >= c.limit || now.Add(spare).After(c.ends)
}

// Pending returns the outstanding request, which may be sent again byte for
// byte; nil if there is none.
func (c *Client) Pending() []byte { return c.pending }

// Request builds the next request around messages (at most MaxMessages bytes).
// While one is outstanding it refuses with ErrPending: under one root only one
// request may exist. source nil is the system's generator.
func (c *Client) Request(source io.Reader, messages []byte) ([]byte, error) {
	switch {
	case c.erased || c.next >= c.limit:
		return nil, ErrExhausted
	case c.pending != nil:
		return nil, ErrPending
	}
	dk, err := kem.Generate(source)
	if err != nil {
		return nil, err
	}
	request, err := c.seal(dk.Public()[:], messages)
	if err != nil {
		dk.Erase()
		return nil, err
	}
	c.pending, c.dk = request, dk
	return request, nil
}

func (c *Client) seal(ek, messages []byte) ([]byte, error) {
	plain, err := pad(ek, messages)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var kq kdf.Secret
	defer kq.Erase()
	if err := c.requestKey(&kq); err != nil {
		return nil, err
	}
	hdr := header(typeRequest, c.next, len(plain)+kdf.Overhead)
	out := append(make([]byte, 0, len(hdr)+len(plain)+kdf.Overhead), hdr...)
	return kdf.Seal(out, &kq, c.aad(hdr, nil), plain)
}

// Response reads the answer to the outstanding request and returns the padded
// messages. On ErrBad nothing has changed: the request may be repeated.
func (c *Client) Response(raw []byte) ([]byte, error) {
	return c.ResponseBase(raw, nil)
}

// ResponseBase is Response for an answer that may carry an OFFER: it sets base,
// unless that is nil, to the lock base of the exchange, from which the salts of
// its offers derive (section 7.1). The caller erases it as soon as it has them.
func (c *Client) ResponseBase(raw []byte, base *kdf.Secret) ([]byte, error) {
	if c.pending == nil {
		return nil, ErrBad
	}
	i, err := readHeader(typeResponse, raw, kem.CiphertextSize)
	if err != nil || i != c.next {
		return nil, ErrBad
	}
	hdr, body := raw[:headSize], raw[headSize:]
	ct := (*kem.Ciphertext)(body)
	var ss kdf.Secret
	c.dk.Decapsulate(&ss, ct)
	var s step
	defer s.erase()
	if err := c.advance(&s, c.pending, ct, &ss); err != nil {
		return nil, err
	}
	plain, err := kdf.Open(nil, &s.response, c.aad(hdr, ct[:]), body[len(ct):])
	if err != nil {
		return nil, ErrBad
	}
	c.commit(&s)
	if base != nil {
		*base = s.base
	}
	c.dk.Erase()
	c.dk, c.pending = nil, nil
	return plain, nil
}

// Erase ends the session and overwrites its secrets.
func (c *Client) Erase() {
	c.erase()
	c.dk.Erase()
	c.dk, c.pending, c.erased = nil, nil, true
}
