// Package fetch is the hub's HTTP client for the resources of section 9.
//
// Invariants: no redirect is followed, no cookie kept, no header tells who
// asks; a body is read up to its limit and within its deadline; at most six
// connections go to one host; plain HTTP goes only to loopback or to a private
// address that the owner typed; an edge cannot make the hub knock at the
// household's doors. What was fetched is not trusted: the callers verify it.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sonahub/sne/resource"
)

// Options of a client. The zero value is for an origin over TLS.
type Options struct {
	Typed       bool          // the owner typed this address: plain HTTP may go to a private one
	Edge        bool          // an edge that the origin named, not the origin
	PrivateEdge bool          // the origin itself is in the household, so its edges may be
	TLS         *tls.Config   // nil = the system's roots
	Connect     time.Duration // default 3 s
	FirstByte   time.Duration // after the request was sent; default 5 s
	Body        time.Duration // default 10 s; bytes / 16 kB/s are added
}

const (
	maxConns     = 6
	slowest      = 16000 // bytes per second
	octetStream  = "application/octet-stream"
	maxRetry     = time.Hour
	defaultRetry = time.Second
)

// Client fetches from one origin or edge. It is safe for concurrent use.
type Client struct {
	base string // scheme://host[:port][/prefix]
	o    Options
	http *http.Client
}

// New makes a client for scheme://host[:port][/prefix]; section 9's Prefix is
// added by the client.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, &Error{Kind: ErrForbidden, Path: base, Err: err}
	}
	o.Connect = orDefault(o.Connect, 3*time.Second)
	o.FirstByte = orDefault(o.FirstByte, 5*time.Second)
	o.Body = orDefault(o.Body, 10*time.Second)
	dialer := &net.Dialer{Timeout: o.Connect, Control: o.control(u.Scheme == "http")}
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"),
		o:    o,
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSClientConfig:        o.TLS,
				TLSHandshakeTimeout:    o.Connect,
				ResponseHeaderTimeout:  o.FirstByte,
				MaxConnsPerHost:        maxConns,
				MaxIdleConnsPerHost:    maxConns,
				IdleConnTimeout:        time.Minute,
				DisableCompression:     true,
				MaxResponseHeaderBytes: 16 << 10,
			},
		},
	}, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get fetches a resource.
func (c *Client) Get(ctx context.Context, r resource.Resource) ([]byte, error) {
	return c.do(ctx, r, nil, false)
}

// GetFresh fetches a resource past all caches, because a cache gave a stale
// one.
func (c *Client) GetFresh(ctx context.Context, r resource.Resource) ([]byte, error) {
	return c.do(ctx, r, nil, true)
}

// Post sends body to a resource and returns the answer.
func (c *Client) Post(ctx context.Context, r resource.Resource, body []byte) ([]byte, error) {
	if int64(len(body)) > r.RequestLimit() {
		return nil, &Error{Kind: ErrTooBig, Path: r.Path()}
	}
	return c.do(ctx, r, body, false)
}

func (c *Client) do(ctx context.Context, r resource.Resource, body []byte, fresh bool) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, r.Method(), c.base+r.Path(), bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Kind: ErrForbidden, Path: r.Path(), Err: err}
	}
	req.Header.Set("User-Agent", "") // net/http leaves an empty one out
	req.Header.Set("Accept-Encoding", "identity")
	if body != nil {
		req.Header.Set("Content-Type", octetStream)
	}
	if fresh {
		req.Header.Set("Cache-Control", "no-cache")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, transportError(r, err)
	}
	defer resp.Body.Close()
	if err := check(r, resp); err != nil {
		return nil, err
	}
	return c.read(ctx, cancel, r, resp)
}

// transportError tells an address that is not allowed from one that does not
// answer.
func transportError(r resource.Resource, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the URL, which the path says already
	}
	if errors.Is(err, ErrForbidden) {
		return &Error{Kind: ErrForbidden, Path: r.Path(), Err: err}
	}
	return &Error{Kind: ErrUnreachable, Path: r.Path(), Err: err}
}

// check maps the status and refuses what no SNE server sends.
func check(r resource.Resource, resp *http.Response) error {
	e := &Error{Path: r.Path()}
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return checkType(e, resp)
	case s == http.StatusBadRequest:
		e.Kind = ErrBadRequest
	case s == http.StatusNotFound:
		e.Kind = ErrNotFound
	case s == http.StatusGone:
		e.Kind = ErrGone
	case s == http.StatusRequestEntityTooLarge:
		e.Kind = ErrTooBig
	case s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable:
		e.Kind, e.RetryAfter = ErrBusy, retryAfter(resp)
	case s >= 500:
		e.Kind, e.What = ErrUnreachable, "status "+strconv.Itoa(s)
	default:
		e.Kind, e.What = ErrMalformed, "status "+strconv.Itoa(s)
	}
	return e
}

func checkType(e *Error, resp *http.Response) error {
	e.Kind = ErrMalformed
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || t != octetStream {
		e.What = "content type is not " + octetStream
		return e
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		e.What = "encoded content"
		return e
	}
	return nil
}

// retryAfter reads the form in seconds; a date would need a clock.
func retryAfter(resp *http.Response) time.Duration {
	s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return defaultRetry
	}
	return min(time.Duration(s)*time.Second, maxRetry)
}

// errSlow is the cause of an answer that did not come within its deadline. It
// must not look like the caller's own cancellation.
var errSlow = errors.New("slower than its deadline")

// read takes the body within its limit and its deadline.
func (c *Client) read(ctx context.Context, cancel context.CancelCauseFunc, r resource.Resource, resp *http.Response) ([]byte, error) {
	limit := r.Limit()
	size := resp.ContentLength
	if size > limit {
		return nil, &Error{Kind: ErrTooBig, Path: r.Path()}
	}
	if size < 0 {
		size = limit
	}
	timer := time.AfterFunc(c.o.Body+time.Duration(size)*time.Second/slowest, func() { cancel(errSlow) })
	defer timer.Stop()
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = errSlow
		}
		return nil, &Error{Kind: ErrUnreachable, Path: r.Path(), What: "answer broke off", Err: err}
	}
	if int64(buf.Len()) > limit {
		return nil, &Error{Kind: ErrTooBig, Path: r.Path()}
	}
	return buf.Bytes(), nil
}
