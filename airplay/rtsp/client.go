package rtsp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Timeout bounds a request whose context has no deadline.
const Timeout = 5 * time.Second

// ErrClosed is returned after Close.
var ErrClosed = errors.New("rtsp: connection closed")

// Client speaks over one connection, which it owns. Its methods are safe for
// concurrent use; requests go out one after the other.
type Client struct {
	conn    net.Conn
	common  []Field
	turn    chan struct{}      // holds one token: the right to send
	answers chan *Response     // from the reader to whoever has the turn
	done    chan struct{}      // closed when the reader has ended
	stop    context.CancelFunc // tells the reader not to wait for a taker
	cseq    int

	mu  sync.Mutex
	err error // why the connection ended
}

// NewClient takes over conn. The common fields go out with every request.
func NewClient(conn net.Conn, common ...Field) *Client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{conn: conn, common: common, stop: cancel,
		turn: make(chan struct{}, 1), answers: make(chan *Response), done: make(chan struct{})}
	c.turn <- struct{}{}
	go c.read(ctx)
	return c
}

// read hands answers on until the connection ends; it also notices when the
// other end goes away between requests.
func (c *Client) read(ctx context.Context) {
	defer close(c.done)
	r := bufio.NewReader(c.conn)
	for {
		resp, err := ReadResponse(r)
		if err != nil {
			c.fail(err)
			return
		}
		select {
		case c.answers <- resp:
		case <-ctx.Done():
			return
		}
	}
}

// fail closes the connection and keeps the first reason.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.stop()
	_ = c.conn.Close() // the reason is kept above
}

// Do sends a request and waits for its answer, whatever its status. An error
// means that the connection is lost, or that ctx ended before it was sent.
func (c *Client) Do(ctx context.Context, q Request) (*Response, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-c.done:
		return nil, c.lost(q.Method)
	case <-ctx.Done():
		return nil, fmt.Errorf("rtsp: %s: %w", q.Method, ctx.Err())
	}
	c.cseq++
	deadline, _ := ctx.Deadline()
	_ = c.conn.SetWriteDeadline(deadline) // a failure shows in Write
	if _, err := c.conn.Write(q.append(nil, c.cseq, c.common)); err != nil {
		c.fail(err)
		return nil, c.lost(q.Method)
	}
	for {
		select {
		case resp := <-c.answers:
			if n, err := strconv.Atoi(resp.Header["cseq"]); err != nil || n == c.cseq {
				return resp, nil // some receivers leave CSeq out; one request is under way
			}
		case <-c.done:
			return nil, c.lost(q.Method)
		case <-ctx.Done():
			c.fail(ctx.Err())
			return nil, fmt.Errorf("rtsp: %s: no answer: %w", q.Method, ctx.Err())
		}
	}
}

func (c *Client) lost(method string) error { return fmt.Errorf("rtsp: %s: %w", method, c.Err()) }

// Done is closed when the connection has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// LocalAddr is our end of the connection.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Close ends the connection and waits for the reader.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	<-c.done
	return nil
}
