// Package raop holds one session with one AirPlay 1 receiver: OPTIONS,
// auth-setup where it is asked for, ANNOUNCE, SETUP, RECORD, then volume,
// flush, metadata and TEARDOWN, with the UDP sockets that belong to it.
//
// The session knows nothing of timelines or groups: it sends the packets that
// it is given and answers retransmission requests out of the caller's ring.
// Sound goes out unencrypted (SDP without keys), which every receiver takes
// that lists 0 under "et". Invariants: Send and Sync never block; every other
// call is bounded by its context; Close leaves neither goroutine nor socket.
package raop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"sonahub/airplay/rtsp"
)

// Config is what a session needs to begin.
type Config struct {
	Addr       netip.AddrPort          // where the receiver's RTSP listens
	AuthSetup  bool                    // the receiver lists 4 under "et" and wants an auth-setup first
	Client     Client                  // who we are
	TimingPort uint16                  // where our Timing answers
	Seq        uint16                  // sequence number that the first packet will have
	Time       uint32                  // its RTP time
	Packet     func(seq uint16) []byte // a packet sent before, nil if it is gone; for retransmission
	Log        *slog.Logger            // never nil
}

// Client is how a sender introduces itself. The identifiers are the same in
// all its sessions.
type Client struct {
	Name         string // shown by some receivers
	DACPID       uint64
	ActiveRemote uint32
}

// Session is a session that has been set up.
type Session struct {
	cfg     Config
	rtsp    *rtsp.Client
	uri     string
	id      string // Session header
	audio   *socket
	control *socket
	readers sync.WaitGroup
	resent  atomic.Int64
	once    sync.Once
}

// Dial connects and goes through the whole hand-shake. A receiver that says no
// gives a *Refusal.
func Dial(ctx context.Context, cfg Config) (*Session, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", cfg.Addr.String())
	if err != nil {
		return nil, fmt.Errorf("raop: the speaker cannot be reached: %w", err)
	}
	s := &Session{cfg: cfg, rtsp: rtsp.NewClient(conn, cfg.Client.fields()...)}
	if err := s.handshake(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Session) handshake(ctx context.Context) error {
	own, err := netip.ParseAddrPort(s.rtsp.LocalAddr().String())
	if err != nil {
		return fmt.Errorf("raop: own address: %w", err)
	}
	number := s.cfg.Client.ActiveRemote
	s.uri = fmt.Sprintf("rtsp://%s/%d", host(own.Addr()), number)
	if s.control, err = listen(own.Addr()); err != nil {
		return err
	}
	if _, err := s.ask(ctx, rtsp.Request{Method: "OPTIONS", URI: "*"}); err != nil {
		return err
	}
	if s.cfg.AuthSetup {
		if err := s.authSetup(ctx); err != nil {
			return err
		}
	}
	if _, err := s.ask(ctx, rtsp.Request{Method: "ANNOUNCE", URI: s.uri,
		Header: []rtsp.Field{{Name: "Content-Type", Value: "application/sdp"}},
		Body:   sdp(number, own.Addr(), s.cfg.Addr.Addr())}); err != nil {
		return err
	}
	setup, err := s.ask(ctx, rtsp.Request{Method: "SETUP", URI: s.uri,
		Header: []rtsp.Field{{Name: "Transport", Value: fmt.Sprintf(
			"RTP/AVP/UDP;unicast;interleaved=0-1;mode=record;control_port=%d;timing_port=%d",
			s.control.port, s.cfg.TimingPort)}}})
	if err != nil {
		return err
	}
	ports, err := parseTransport(setup.Header["transport"])
	if err != nil {
		return err
	}
	s.id = setup.Header["session"]
	if s.audio, err = dial(netip.AddrPortFrom(s.cfg.Addr.Addr(), ports.server)); err != nil {
		return err
	}
	s.control.sendTo(netip.AddrPortFrom(s.cfg.Addr.Addr(), ports.control))
	s.readers.Go(s.answerRetransmits)
	_, err = s.ask(ctx, rtsp.Request{Method: "RECORD", URI: s.uri,
		Header: []rtsp.Field{{Name: "Range", Value: "npt=0-"}, rtpInfo(s.cfg.Seq, s.cfg.Time)}})
	return err
}

// ask sends a request within the session and turns a status other than 200
// into a *Refusal.
func (s *Session) ask(ctx context.Context, q rtsp.Request) (*rtsp.Response, error) {
	if s.id != "" {
		q.Header = append(q.Header, rtsp.Field{Name: "Session", Value: s.id})
	}
	resp, err := s.rtsp.Do(ctx, q)
	if err != nil {
		return nil, err
	}
	if resp.Status != 200 {
		return resp, &Refusal{Method: q.Method, Status: resp.Status}
	}
	return resp, nil
}

// Volume sets the receiver's volume: Loudest (0) to Quietest (-30), or Mute.
func (s *Session) Volume(ctx context.Context, db float64) error {
	return s.parameter(ctx, "text/parameters", fmt.Appendf(nil, "volume: %.6f\r\n", db))
}

// Flush has the receiver forget all that it holds before the packet of that
// number and RTP time.
func (s *Session) Flush(ctx context.Context, seq uint16, time uint32) error {
	_, err := s.ask(ctx, rtsp.Request{Method: "FLUSH", URI: s.uri, Header: []rtsp.Field{rtpInfo(seq, time)}})
	return err
}

// KeepAlive asks for a sign of life.
func (s *Session) KeepAlive(ctx context.Context) error {
	_, err := s.ask(ctx, rtsp.Request{Method: "OPTIONS", URI: "*"})
	return err
}

// Teardown ends the session politely; Close is still needed.
func (s *Session) Teardown(ctx context.Context) error {
	_, err := s.ask(ctx, rtsp.Request{Method: "TEARDOWN", URI: s.uri})
	return err
}

func (s *Session) parameter(ctx context.Context, kind string, body []byte, more ...rtsp.Field) error {
	_, err := s.ask(ctx, rtsp.Request{Method: "SET_PARAMETER", URI: s.uri,
		Header: append(more, rtsp.Field{Name: "Content-Type", Value: kind}), Body: body})
	return err
}

// Send sends an audio packet, or returns ErrBusy at once if the system has no
// room for it.
func (s *Session) Send(packet []byte) error { return s.audio.send(packet) }

// Sync sends a synchronisation packet, like Send.
func (s *Session) Sync(packet []byte) error { return s.control.send(packet) }

// Resent is how many packets were sent again because the receiver asked.
func (s *Session) Resent() int64 { return s.resent.Load() }

// Done is closed when the receiver has gone away; Err then says why.
func (s *Session) Done() <-chan struct{} { return s.rtsp.Done() }

// Err returns why the session ended, nil while it lives.
func (s *Session) Err() error { return s.rtsp.Err() }

// Close drops the session.
func (s *Session) Close() error {
	var err error
	s.once.Do(func() {
		err = errors.Join(s.rtsp.Close(), s.control.close(), s.audio.close())
		s.readers.Wait()
	})
	return err
}

// Refusal is a receiver's no.
type Refusal struct {
	Method string
	Status int // RTSP status code
}

// Error is a sentence for the owner.
func (r *Refusal) Error() string {
	switch r.Status {
	case 453:
		return "the speaker is playing for somebody else"
	case 401:
		return "the speaker asks for a password, which the hub cannot give yet"
	case 403, 470:
		return "the speaker does not let the hub play; it may want to be paired first"
	case 404, 405, 501:
		return fmt.Sprintf("the speaker does not speak AirPlay 1 (%d to %s)", r.Status, r.Method)
	}
	return fmt.Sprintf("the speaker refused with %d to %s", r.Status, r.Method)
}
