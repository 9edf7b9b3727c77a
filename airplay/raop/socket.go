package raop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sonahub/airplay/rtp"
)

// ErrBusy says that the system could not take a packet now.
var ErrBusy = errors.New("raop: no room to send")

// socket is a UDP socket whose sends never wait. Each session has its own, so
// that a speaker that is gone fills nobody else's send buffer while the kernel
// looks for its hardware address.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	port uint16        // ours
	peer netip.Addr    // whom to believe
	to   unix.Sockaddr // nil: the socket is connected
}

// listen opens a socket on the address that the session leaves from.
func listen(own netip.Addr) (*socket, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, 0)))
	return wrap(conn, err)
}

// dial opens a connected socket: it learns when nobody listens over there.
func dial(to netip.AddrPort) (*socket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	return wrap(conn, err)
}

func wrap(conn *net.UDPConn, err error) (*socket, error) {
	if err != nil {
		return nil, fmt.Errorf("raop: socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("raop: socket: %w", errors.Join(err, conn.Close()))
	}
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return nil, fmt.Errorf("raop: socket: %w", errors.Join(err, conn.Close()))
	}
	return &socket{conn: conn, raw: raw, port: local.Port()}, nil
}

// sendTo sets the destination of an unconnected socket.
func (s *socket) sendTo(a netip.AddrPort) {
	s.peer = a.Addr().Unmap()
	if s.peer.Is4() {
		s.to = &unix.SockaddrInet4{Port: int(a.Port()), Addr: s.peer.As4()}
		return
	}
	to := &unix.SockaddrInet6{Port: int(a.Port()), Addr: s.peer.As16()}
	if zone, err := net.InterfaceByName(s.peer.Zone()); err == nil {
		to.ZoneId = uint32(zone.Index)
	}
	s.to = to
}

func (s *socket) send(packet []byte) error {
	var err error
	if fault := s.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), packet, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, s.to)
		return true
	}); fault != nil {
		return fmt.Errorf("raop: send: %w", fault)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
		return ErrBusy
	}
	return fmt.Errorf("raop: send: %w", err)
}

func (s *socket) close() error {
	if s == nil {
		return nil
	}
	return s.conn.Close()
}

// Limits on what a receiver may ask for again.
const (
	maxResend  = 128  // packets in one request
	resendRate = 1000 // packets a second; a stream has 125
)

// answerRetransmits serves the control socket until it is closed.
func (s *Session) answerRetransmits() {
	buf := make([]byte, 2048)
	var answer []byte
	budget, since := resendRate, time.Now()
	for {
		n, from, err := s.control.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || from.Addr().Unmap().WithZone("") != s.control.peer.WithZone("") {
			continue // an ICMP error of an earlier send, or a stranger
		}
		want, ok := rtp.ParseRetransmit(buf[:n])
		if !ok {
			continue
		}
		if now := time.Now(); now.Sub(since) > time.Second {
			budget, since = resendRate, now
		}
		for i := range min(want.Count, maxResend) {
			packet := s.cfg.Packet(want.Seq + i)
			if packet == nil || budget == 0 {
				continue
			}
			budget--
			answer = rtp.AppendResent(answer[:0], packet)
			if err := s.control.send(answer); err != nil {
				s.cfg.Log.Debug("retransmission not sent", "err", err)
				break
			}
			s.resent.Add(1)
		}
	}
}
