package raoptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"sonahub/hub/audio"
)

// session is one sender's visit.
type session struct {
	conn    net.Conn
	audio   *net.UDPConn
	control *net.UDPConn
	timing  *net.UDPConn
	sender  netip.Addr
	ctlPort uint16 // the sender's
	timPort uint16
	ended   chan struct{}
	once    bool
}

func (s *session) close() {
	if s.once {
		return
	}
	s.once = true
	close(s.ended)
	_ = s.conn.Close()
	for _, c := range []*net.UDPConn{s.audio, s.control, s.timing} {
		if c != nil {
			_ = c.Close()
		}
	}
}

func (r *Receiver) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r.work.Go(func() { r.converse(conn) })
	}
}

// request is what a sender asks.
type request struct {
	method, uri string
	header      textproto.MIMEHeader
	body        []byte
}

func readRequest(br *bufio.Reader) (*request, error) {
	tp := textproto.NewReader(br)
	line, err := tp.ReadLine()
	if err != nil {
		return nil, err
	}
	q := &request{}
	if n, _ := fmt.Sscanf(line, "%s %s RTSP/1.0", &q.method, &q.uri); n != 2 {
		return nil, errors.New("no request: " + line)
	}
	if q.header, err = tp.ReadMIMEHeader(); err != nil {
		return nil, err
	}
	if n, _ := strconv.Atoi(q.header.Get("Content-Length")); n > 0 {
		q.body = make([]byte, min(n, 2<<20))
		if _, err := io.ReadFull(br, q.body); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// converse speaks RTSP with one sender. The second one gets 453.
func (r *Receiver) converse(conn net.Conn) {
	s := &session{conn: conn, ended: make(chan struct{})}
	s.sender = conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	stop := make(chan struct{})
	defer close(stop)
	r.work.Go(func() { // a plug pulled between two sessions ends this one too
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				r.mu.Lock()
				off := r.closed
				r.mu.Unlock()
				if off {
					_ = conn.Close()
				}
			}
		}
	})
	defer r.leave(s)
	br := bufio.NewReader(conn)
	for {
		q, err := readRequest(br)
		if err != nil {
			return
		}
		r.gate.pass()
		if r.options.Mute {
			continue
		}
		status, header := r.answer(s, q)
		reply := fmt.Sprintf("RTSP/1.0 %d %s\r\nCSeq: %s\r\n%s\r\n", status, "Status", q.header.Get("Cseq"), header)
		if _, err := io.WriteString(conn, reply); err != nil || q.method == "TEARDOWN" {
			return
		}
	}
}

func (r *Receiver) leave(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == s {
		r.session = nil
		r.player.stop()
	}
	s.close()
}

func (r *Receiver) answer(s *session, q *request) (status int, header string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.method != "OPTIONS" {
		r.methods = append(r.methods, q.method)
	}
	if code := r.options.Refuse[q.method]; code != 0 {
		return code, ""
	}
	switch q.method {
	case "ANNOUNCE":
		if r.session != nil && r.session != s {
			if !r.options.Yield {
				return 453, ""
			}
			r.player.stop()
			r.session.close()
		}
		if !strings.Contains(string(q.body), "a=fmtp:96 352 0 16 40 10 14 2 255 0 0 44100\r\n") {
			return 415, ""
		}
		r.session = s
	case "SETUP":
		return r.setup(s, q.header.Get("Transport"))
	case "RECORD", "FLUSH":
		var seq uint16
		var at uint32
		if _, err := fmt.Sscanf(q.header.Get("Rtp-Info"), "seq=%d;rtptime=%d", &seq, &at); err != nil || s.audio == nil {
			return 400, ""
		}
		r.player.flush(seq, at)
		return 200, "Audio-Latency: 11025\r\n"
	case "SET_PARAMETER":
		if n, _ := fmt.Sscanf(string(q.body), "volume: %f", &r.volume); n == 1 {
			r.told = true
		}
	case "OPTIONS", "TEARDOWN", "POST":
	default:
		return 405, ""
	}
	return 200, ""
}

func (r *Receiver) setup(s *session, transport string) (int, string) {
	for part := range strings.SplitSeq(transport, ";") {
		_, _ = fmt.Sscanf(part, "control_port=%d", &s.ctlPort)
		_, _ = fmt.Sscanf(part, "timing_port=%d", &s.timPort)
	}
	if s.ctlPort == 0 || s.timPort == 0 || s.audio != nil {
		return 400, ""
	}
	var ports []any
	for _, c := range []**net.UDPConn{&s.audio, &s.control, &s.timing} {
		var err error
		if *c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return 500, ""
		}
		ports = append(ports, (*c).LocalAddr().(*net.UDPAddr).Port)
	}
	r.player.begin()
	r.work.Go(func() { r.hear(s) })
	r.work.Go(func() { r.follow(s) })
	r.work.Go(func() { r.timeReplies(s) })
	r.work.Go(func() { r.askTime(s) })
	r.work.Go(func() { r.tick(s) })
	return 200, fmt.Sprintf("Session: 1\r\nTransport: RTP/AVP/UDP;unicast;mode=record;"+
		"server_port=%d;control_port=%d;timing_port=%d\r\n", ports...)
}

// hear takes audio packets.
func (r *Receiver) hear(s *session) {
	buf := make([]byte, 2048)
	for {
		n, err := s.audio.Read(buf)
		if err != nil {
			return
		}
		r.gate.pass()
		if seq := binary.BigEndian.Uint16(buf[2:]); n < 12 || buf[1]&0x7f != 0x60 || r.options.Drop != nil && r.options.Drop(seq) {
			continue
		}
		for _, missing := range r.player.take(buf[:n], false) {
			ask := []byte{0x80, 0xd5, 0, 1, byte(missing >> 8), byte(missing), 0, 1}
			_, _ = s.control.WriteToUDPAddrPort(ask, netip.AddrPortFrom(s.sender, s.ctlPort))
		}
	}
}

// follow takes synchronisation and retransmitted packets.
func (r *Receiver) follow(s *session) {
	buf := make([]byte, 2048)
	for {
		n, err := s.control.Read(buf)
		if err != nil {
			return
		}
		r.gate.pass()
		switch {
		case n == 20 && buf[1] == 0xd4:
			r.player.sync(buf[:n])
		case n > 16 && buf[1] == 0xd6:
			r.player.take(buf[4:n], true)
		}
	}
}

// askTime asks the sender for the time: quickly until an answer came quickly
// too (a busy machine may need many), then every second.
func (r *Receiver) askTime(s *session) {
	for {
		wait := 10 * time.Millisecond
		if r.player.knowsTime() {
			wait = time.Second
		}
		q := make([]byte, 32)
		copy(q, []byte{0x80, 0xd2, 0, 7})
		binary.BigEndian.PutUint64(q[24:], uint64(r.player.now()))
		_, _ = s.timing.WriteToUDPAddrPort(q, netip.AddrPortFrom(s.sender, s.timPort))
		select {
		case <-s.ended:
			return
		case <-time.After(wait):
		}
	}
}

func (r *Receiver) timeReplies(s *session) {
	buf := make([]byte, 2048)
	for {
		n, err := s.timing.Read(buf)
		if err != nil {
			return
		}
		arrived := r.player.now()
		r.gate.pass()
		if n == 32 && buf[1] == 0xd3 {
			sent := audio.Instant(binary.BigEndian.Uint64(buf[8:]))
			r.player.time(sent, ntp(buf[16:]), ntp(buf[24:]), arrived)
		}
	}
}

// ntp reads a time stamp in nanoseconds.
func ntp(b []byte) audio.Instant {
	s, frac := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	return audio.Instant(int64(s)*1e9 + int64(uint64(frac)*1e9>>32))
}

// tick lets time pass for the player.
func (r *Receiver) tick(s *session) {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-t.C:
			r.gate.pass()
			r.player.advance()
		}
	}
}
