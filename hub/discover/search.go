package discover

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
)

// searches counts the searches of one sweep and collects those that failed.
type searches struct {
	sync.WaitGroup
	mu     sync.Mutex
	failed []string
}

func (s *searches) fail(service string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, service)
}

func (s *searches) services() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// start starts all searches of a sweep.
func (b *Browser) start(ctx context.Context, answers chan<- Record) *searches {
	var all searches
	hand := func(r Record) {
		select {
		case answers <- r:
		case <-ctx.Done():
		}
	}
	begin := func(service string, search func() error) {
		all.Go(func() {
			if err := search(); err != nil {
				b.log().Warn("discover: search failed", "service", service, "err", err)
				all.fail(service)
			}
		})
	}
	for _, m := range b.Manual {
		begin("", func() error { probe(ctx, m, hand); return nil })
	}
	if b.Off {
		return &all
	}
	interfaces, search, services := b.Interfaces, b.Search, b.Services
	if interfaces == nil {
		interfaces = multicast
	}
	if search == nil {
		search = mdns
	}
	if services == nil {
		services = []string{"_raop._tcp", "_airplay._tcp"}
	}
	on, err := interfaces()
	if err == nil && len(on) == 0 {
		return &all // no network: nothing is said about anybody
	}
	for _, service := range services {
		begin(service, func() error {
			if err != nil {
				return err
			}
			return search(ctx, service, on, hand)
		})
	}
	return &all
}

// multicast lists the interfaces that are up and can multicast.
func multicast() ([]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []net.Interface
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			out = append(out, i)
		}
	}
	return out, nil
}

// probe tries an address that the owner gave. Silence is no error: whoever is
// there comes, whoever is not is missed.
func probe(ctx context.Context, m Manual, found func(Record)) {
	host, port, err := net.SplitHostPort(m.Address)
	if err != nil {
		return
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Address)
	if err != nil {
		return
	}
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	_ = conn.Close() // it has told what we wanted to know
	if err != nil {
		return
	}
	found(Record{Service: m.Service, Instance: m.Address, Host: host, Addrs: []netip.Addr{remote.Addr()},
		Port: int(n), Manual: true})
}
