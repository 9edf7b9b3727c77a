package raop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sonahub/airplay/rtp"
	"sonahub/hub/audio"
)

// Timing answers the receivers' questions for the time. One serves all
// sessions of a sender. It answers only addresses that were let in, so that
// it is of no use to strangers.
type Timing struct {
	conn  *net.UDPConn
	clock audio.Clock
	done  chan struct{}

	mu   sync.Mutex
	seen map[netip.Addr]poll
}

// poll is one address that may ask.
type poll struct {
	users int           // sessions that let it in
	last  audio.Instant // last question, 0 = none since the first session
	count int
}

// NewTiming listens on addr (host:port, ":0" for any) and serves until Close.
func NewTiming(addr string, clock audio.Clock) (*Timing, error) {
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("raop: timing: %w", err)
	}
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, fmt.Errorf("raop: timing: %w", err)
	}
	if err := stampArrivals(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	t := &Timing{conn: conn, clock: clock, done: make(chan struct{}), seen: map[netip.Addr]poll{}}
	go t.serve()
	return t, nil
}

// Port is where receivers must ask.
func (t *Timing) Port() uint16 {
	if a, ok := t.conn.LocalAddr().(*net.UDPAddr); ok {
		return a.AddrPort().Port()
	}
	return 0
}

func (t *Timing) serve() {
	defer close(t.done)
	buf, oob, reply := make([]byte, 2048), make([]byte, 128), make([]byte, 0, rtp.TimingLen)
	for {
		n, more, _, from, err := t.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		received := t.arrival(oob[:more])
		if !t.note(from.Addr(), received) {
			continue
		}
		answer, ok := rtp.TimingReply(reply, buf[:n], rtp.NTPOf(received), rtp.NTPOf(t.clock.Now()))
		if ok {
			_, _ = t.conn.WriteToUDPAddrPort(answer, from) // it asks again
		}
	}
}

// stampArrivals has the kernel note when a packet came in, so that a busy
// machine's delay in waking us is not taken for a delay of the network: a
// receiver's clock would be wrong by half of it.
func stampArrivals(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err == nil {
		fault := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		})
		err = errors.Join(err, fault)
	}
	if err != nil {
		return fmt.Errorf("raop: timing: %w", err)
	}
	return nil
}

// arrival returns when a packet came in, on our clock. The two clocks that it
// takes are read close together: if we were held up in between, again.
func (t *Timing) arrival(oob []byte) audio.Instant {
	for tries := 0; ; tries++ {
		before := t.clock.Now()
		d := age(oob)
		after := t.clock.Now()
		if after.Sub(before) < 50*time.Microsecond || tries == 5 {
			return before.Add(-d)
		}
	}
}

// age returns how long ago the kernel took the packet in, 0 if it does not say
// or its clock was set in between.
func age(oob []byte) time.Duration {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPNS || len(m.Data) < 16 {
			continue
		}
		at := time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		if d := time.Since(at); d > 0 && d < time.Second {
			return d
		}
	}
	return 0
}

func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (t *Timing) note(from netip.Addr, at audio.Instant) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.seen[bare(from)]
	if ok {
		p.last = at
		p.count++
		t.seen[bare(from)] = p
	}
	return ok
}

// Admit lets an address ask from now on; Dismiss takes that back.
func (t *Timing) Admit(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.seen[bare(a)]
	p.users++
	t.seen[bare(a)] = p
}

// Dismiss undoes one Admit.
func (t *Timing) Dismiss(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.seen[bare(a)]
	if p.users--; p.users <= 0 {
		delete(t.seen, bare(a))
		return
	}
	t.seen[bare(a)] = p
}

// Asked returns how often an address has asked since it was let in, and when
// last. A receiver that asks follows our clock.
func (t *Timing) Asked(a netip.Addr) (count int, last audio.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.seen[bare(a)]
	return p.count, p.last
}

// Close stops answering.
func (t *Timing) Close() error {
	err := t.conn.Close()
	<-t.done
	return err
}
