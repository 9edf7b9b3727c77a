package bundle

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"sonahub/sne/wire"
)

// URL is sne://<host>[:port]/<root KeyID>[/<broadcast>[/<tier>]]. It pins the
// root: there is no trust on first use.
type URL struct {
	Host      string  // lower case, no port; an IPv6 address without brackets
	Port      uint16  // 0 = 443
	Root      wire.ID // KeyID of the root
	Broadcast wire.ID // zero = none
	Tier      uint16  // 0 = none; needs a Broadcast
}

const (
	scheme      = "sne"
	defaultPort = 443
	maxURL      = 512 // bytes
)

// ParseURL reads an sne URL. Errors wrap wire.ErrMalformed.
func ParseURL(s string) (URL, error) {
	var none URL
	if len(s) > maxURL {
		return none, wire.Malformed("URL too long")
	}
	p, err := url.Parse(s)
	if err != nil || p.Scheme != scheme || p.Opaque != "" {
		return none, wire.Malformed("not an sne URL")
	}
	if p.User != nil || p.RawQuery != "" || p.ForceQuery || strings.Contains(s, "#") || p.RawPath != "" {
		return none, wire.Malformed("sne URL with user, query or fragment")
	}
	u := URL{Host: strings.ToLower(p.Hostname())}
	if u.Host == "" || len(u.Host) > maxHost || strings.ContainsAny(u.Host, " /%") {
		return none, wire.Malformed("sne URL without a usable host")
	}
	if strings.HasSuffix(p.Host, ":") {
		return none, wire.Malformed("sne URL with an empty port")
	}
	if p.Port() != "" {
		port, err := strconv.ParseUint(p.Port(), 10, 16)
		if err != nil || port == 0 {
			return none, wire.Malformed("sne URL with a bad port")
		}
		u.Port = uint16(port)
	}
	return u, u.parsePath(strings.TrimPrefix(p.Path, "/"))
}

func (u *URL) parsePath(path string) error {
	parts := strings.Split(path, "/")
	if len(parts) > 3 {
		return wire.Malformed("sne URL with a long path")
	}
	var err error
	if u.Root, err = wire.ParseID(parts[0]); err != nil {
		return err
	}
	if len(parts) > 1 {
		if u.Broadcast, err = wire.ParseID(parts[1]); err != nil {
			return err
		}
	}
	if len(parts) > 2 {
		tier, err := strconv.ParseUint(parts[2], 10, 16)
		if err != nil || tier == 0 || parts[2] != strconv.FormatUint(tier, 10) {
			return wire.Malformed("sne URL with a bad tier")
		}
		u.Tier = uint16(tier)
	}
	return nil
}

// String gives the URL back; the port is left out when it is the default.
func (u URL) String() string {
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	s := scheme + "://" + host
	if u.Port != 0 && u.Port != defaultPort {
		s += ":" + strconv.Itoa(int(u.Port))
	}
	s += "/" + u.Root.String()
	if u.Broadcast.IsZero() {
		return s
	}
	s += "/" + u.Broadcast.String()
	if u.Tier != 0 {
		s += "/" + strconv.Itoa(int(u.Tier))
	}
	return s
}

// HostPort gives what a dialer wants.
func (u URL) HostPort() string {
	port := u.Port
	if port == 0 {
		port = defaultPort
	}
	return net.JoinHostPort(u.Host, strconv.Itoa(int(port)))
}
