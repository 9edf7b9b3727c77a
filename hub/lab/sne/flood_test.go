//go:build lab && linux

package sne

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/handshake"
	"sonahub/sne/resource"
)

// flood is a crowd that opens sessions and never uses them.
type flood struct {
	to      string
	request []byte
	answers [600]atomic.Int64 // by status
	failed  atomic.Int64
}

// newFlood makes one good message 1. To show it again and again costs the flood
// nothing, and the platform as much as a new one would.
func newFlood(p *platform, b *bundle.Bundle) (*flood, error) {
	i, msg1, err := handshake.Start(nil, b)
	if err != nil {
		return nil, err
	}
	i.Erase()
	path := resource.Resource{Kind: resource.Session}.Path()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", path, p.url.HostPort(), len(msg1))
	return &flood{to: p.url.HostPort(), request: append([]byte(head), msg1...)}, nil
}

// run asks n times, from as many addresses as address gives, sixteen at a time.
func (f *flood) run(ctx context.Context, n int, address func(i int) net.IP) time.Duration {
	start := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				status, err := f.ask(ctx, address(i))
				if err != nil || status < 0 || status >= len(f.answers) {
					f.failed.Add(1)
					continue
				}
				f.answers[status].Add(1)
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func (f *flood) ask(ctx context.Context, from net.IP) (int, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", f.to)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.Write(f.request); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// String lists the answers: "2000 x 200, 3000 x 503".
func (f *flood) String() string {
	var out []string
	for status := range f.answers {
		if n := f.answers[status].Load(); n > 0 {
			out = append(out, fmt.Sprintf("%d x %d", n, status))
		}
	}
	if n := f.failed.Load(); n > 0 {
		out = append(out, fmt.Sprintf("%d without an answer", n))
	}
	return strings.Join(out, ", ")
}
