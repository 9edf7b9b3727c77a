package raop

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/airplay/raoptest"
	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

func TestSDP(t *testing.T) {
	got := string(sdp(7, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")))
	want := "v=0\r\no=iTunes 7 0 IN IP4 10.0.0.1\r\ns=iTunes\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 0 RTP/AVP 96\r\n" +
		"a=rtpmap:96 AppleLossless\r\na=fmtp:96 352 0 16 40 10 14 2 255 0 0 44100\r\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	six := string(sdp(7, netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::2%eth0")))
	if !strings.Contains(six, "IN IP6 fe80::1\r\n") || !strings.Contains(six, "c=IN IP6 fe80::2\r\n") {
		t.Errorf("IPv6: %q", six)
	}
}

func TestTransport(t *testing.T) {
	for text, want := range map[string]ports{
		"RTP/AVP/UDP;unicast;mode=record;control_port=6001;timing_port=6002;server_port=6000": {6000, 6001},
		" server_port=1 ; control_port=2":    {1, 2},
		"":                                   {},
		"server_port=6000":                   {},
		"server_port=0;control_port=1":       {},
		"server_port=65536;control_port=1":   {},
		"server_port=-1;control_port=70000":  {},
		"server_port=1;control_port=2;;=;==": {1, 2},
	} {
		got, err := parseTransport(text)
		if want == (ports{}) {
			if !errors.Is(err, errTransport) {
				t.Errorf("%q: %v", text, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
}

func FuzzTransport(f *testing.F) {
	f.Add("RTP/AVP/UDP;server_port=6000;control_port=6001")
	f.Add(";;;=")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseTransport(text); err == nil && (p.server == 0 || p.control == 0) {
			t.Errorf("%q gave %v", text, p)
		}
	})
}

func TestDMAP(t *testing.T) {
	got := hex.EncodeToString(Track{Title: "T", Artist: "Ä"}.dmap())
	want := "6d6c697400000024" + "6d696b640000000102" + "6d696e6d0000000154" + "6173617200000002c384" + "6173616c00000000"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := Track{Title: strings.Repeat("ä", 200)}.dmap()
	if len(long) > 4*8+1+maxText+8 || !strings.HasSuffix(string(long[:8+9+8+254]), "ä") {
		t.Errorf("a long title is not cut well: %d bytes", len(long))
	}
}

func ask(t *testing.T, to uint16) (reply []byte, err error) {
	t.Helper()
	conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := make([]byte, 32)
	copy(request, []byte{0x80, 0xd2, 0, 7})
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	return buf[:n], err
}

func TestTimingAnswersMembersOnly(t *testing.T) {
	var clock audiotest.Manual
	clock.Advance(5 * time.Second)
	timing, err := NewTiming("127.0.0.1:0", &clock)
	if err != nil {
		t.Fatal(err)
	}
	defer timing.Close()
	if _, err := ask(t, timing.Port()); err == nil {
		t.Error("a stranger got an answer")
	}
	here := netip.MustParseAddr("127.0.0.1")
	timing.Admit(here)
	timing.Admit(here)
	timing.Dismiss(here)
	reply, err := ask(t, timing.Port())
	if err != nil || len(reply) != 32 || hex.EncodeToString(reply[24:]) != "0000000500000000" {
		t.Errorf("a member got %x, %v", reply, err)
	}
	if n, last := timing.Asked(here); n != 1 || last == 0 {
		t.Errorf("asked %d times, last at %d", n, last)
	}
	timing.Dismiss(here)
	if _, err := ask(t, timing.Port()); err == nil {
		t.Error("who was dismissed got an answer")
	}
}

// open begins a session with a fake receiver.
func open(t *testing.T, o raoptest.Options, packet func(uint16) []byte) (*Session, *raoptest.Receiver, error) {
	t.Helper()
	r := raoptest.Start(t, o)
	timing, err := NewTiming("127.0.0.1:0", audio.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = timing.Close() })
	timing.Admit(r.Addr.Addr())
	s, err := Dial(t.Context(), Config{Addr: r.Addr, Client: Client{Name: "test", ActiveRemote: 1}, AuthSetup: true,
		TimingPort: timing.Port(), Packet: packet, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, r, err
}

func TestHandshake(t *testing.T) {
	s, r, err := open(t, raoptest.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, err := range []error{s.Volume(ctx, -12), s.KeepAlive(ctx), s.Flush(ctx, 1, 2), s.Teardown(ctx)} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(r.Methods(), " "); got != "POST ANNOUNCE SETUP RECORD SET_PARAMETER FLUSH TEARDOWN" {
		t.Errorf("the receiver was asked %s", got)
	}
	if v, told := r.Volume(); !told || v != -12 {
		t.Errorf("volume %v, told %v", v, told)
	}
}

func TestRefusal(t *testing.T) {
	for _, method := range []string{"OPTIONS", "POST", "ANNOUNCE", "SETUP", "RECORD"} {
		_, _, err := open(t, raoptest.Options{Refuse: map[string]int{method: 453}}, nil)
		refusal := (*Refusal)(nil)
		if !errors.As(err, &refusal) || *refusal != (Refusal{method, 453}) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	r := raoptest.Start(t, raoptest.Options{Mute: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, Config{Addr: r.Addr, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestRetransmissionIsBounded asks for everything there is.
func TestRetransmissionIsBounded(t *testing.T) {
	var looked atomic.Int64
	s, r, err := open(t, raoptest.Options{}, func(uint16) []byte { looked.Add(1); return make([]byte, 40) })
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: r.Addr.Addr().AsSlice(), Port: int(s.control.port)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, request := range [][]byte{{1}, {0x80, 0xd5, 0, 1, 0, 0, 0xff, 0xff}} {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
	}
	end := time.After(10 * time.Second)
	for s.Resent() < maxResend {
		select {
		case <-time.After(time.Millisecond):
		case <-end:
			t.Fatalf("%d packets came again, want %d", s.Resent(), maxResend)
		}
	}
	if looked.Load() != maxResend {
		t.Errorf("%d packets were looked up, want %d", looked.Load(), maxResend)
	}
}
