package raop

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sonahub/airplay/alac"
	"sonahub/airplay/rtp"
	"sonahub/airplay/rtsp"
)

// The volume scale of AirPlay, in its own decibels.
const (
	Loudest  = 0.0
	Quietest = -30.0
	Mute     = -144.0
)

// errTransport is wrapped by errors about the answer to SETUP.
var errTransport = errors.New("raop: the speaker's answer to SETUP names no usable port")

func (c Client) fields() []rtsp.Field {
	id := fmt.Sprintf("%016X", c.DACPID)
	return []rtsp.Field{
		{Name: "User-Agent", Value: "SonaHub/1.0"}, // shairport-sync plays nothing without one
		{Name: "X-Apple-Client-Name", Value: c.Name},
		{Name: "Client-Instance", Value: id},
		{Name: "DACP-ID", Value: id},
		{Name: "Active-Remote", Value: strconv.FormatUint(uint64(c.ActiveRemote), 10)},
	}
}

// sdp describes the stream: ALAC with the parameters of package alac, in clear.
func sdp(number uint32, own, peer netip.Addr) []byte {
	family := "IP4"
	if own.Is6() {
		family = "IP6"
	}
	return fmt.Appendf(nil, "v=0\r\no=iTunes %d 0 IN %s %s\r\ns=iTunes\r\nc=IN %s %s\r\nt=0 0\r\n"+
		"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 AppleLossless\r\na=fmtp:96 %d 0 16 40 10 14 2 255 0 0 %d\r\n",
		number, family, own.WithZone(""), family, peer.WithZone(""), alac.FrameLength, rtp.Rate)
}

func rtpInfo(seq uint16, time uint32) rtsp.Field {
	return rtsp.Field{Name: "RTP-Info", Value: fmt.Sprintf("seq=%d;rtptime=%d", seq, time)}
}

// host writes an address as it stands in a URI.
func host(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.WithZone("").String() + "]"
	}
	return a.String()
}

// ports are the receiver's UDP ports.
type ports struct{ server, control uint16 }

// parseTransport reads the Transport header of the answer to SETUP.
func parseTransport(text string) (ports, error) {
	var p ports
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			continue
		}
		switch name {
		case "server_port":
			p.server = uint16(n)
		case "control_port":
			p.control = uint16(n)
		}
	}
	if p.server == 0 || p.control == 0 {
		return p, fmt.Errorf("%w: %.80q", errTransport, text)
	}
	return p, nil
}

// authSetup sends a fresh Curve25519 key. The receiver answers with proof that
// it is a licensed device, which we do not need: our sound is not encrypted.
func (s *Session) authSetup(ctx context.Context) error {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("raop: auth-setup: %w", err)
	}
	_, err = s.ask(ctx, rtsp.Request{Method: "POST", URI: "/auth-setup",
		Header: []rtsp.Field{{Name: "Content-Type", Value: "application/octet-stream"}},
		Body:   append([]byte{1}, key.PublicKey().Bytes()...)})
	return err
}
