package fetch

import (
	"fmt"
	"net/netip"
	"syscall"
)

// household reports whether an address lies inside the house or the machine.
func household(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() ||
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10).Contains(a)
}

// allowed holds the address rules of section 9. They look at the address that
// is dialled, so that a name cannot resolve past them.
func (o Options) allowed(plain bool, a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case a.IsMulticast():
		return false
	case o.Edge && plain:
		return o.PrivateEdge && a.IsLoopback()
	case o.Edge:
		return o.PrivateEdge || !household(a)
	case plain:
		return a.IsLoopback() || o.Typed && (a.IsPrivate() || a.IsLinkLocalUnicast())
	}
	return true
}

// control is called by the dialer with the resolved address.
func (o Options) control(plain bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || !o.allowed(plain, ap.Addr()) {
			return fmt.Errorf("%w: %s", ErrForbidden, address)
		}
		return nil
	}
}
