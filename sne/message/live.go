package message

import (
	"sonahub/sne/wire"
)

// Live asks how long a live broadcast is now.
type Live struct {
	Broadcast wire.ID
	Tier      uint16
}

// Marshal encodes the body of a LIVE.
func (m *Live) Marshal() ([]byte, error) {
	var w wire.Writer
	w.Raw(m.Broadcast[:])
	w.U16(m.Tier)
	return w.Bytes()
}

// ParseLive reads the body of a LIVE.
func ParseLive(body []byte) (*Live, error) {
	r := wire.NewReader(body)
	m := &Live{Broadcast: r.ID(), Tier: r.U16()}
	return m, r.Close()
}

// LiveIs answers a LIVE over the authenticated session: a Head that is smaller
// is stale.
type LiveIs struct {
	Broadcast    wire.ID
	Tier         uint16
	Closed       bool // no epoch will follow
	TreeSize     uint64
	Root         wire.ID
	FirstForSale uint64 // the oldest epoch whose key is not erased; TreeSize if there is none
}

// Marshal encodes the body of a LIVE_IS.
func (m *LiveIs) Marshal() ([]byte, error) {
	var w wire.Writer
	w.Raw(m.Broadcast[:])
	w.U16(m.Tier)
	var flags uint8
	if m.Closed {
		flags = 1
	}
	w.U8(flags)
	w.U64(m.TreeSize)
	w.Raw(m.Root[:])
	if m.FirstForSale > m.TreeSize {
		w.Fail("sale begins behind the edge")
	}
	w.U64(m.FirstForSale)
	return w.Bytes()
}

// ParseLiveIs reads the body of a LIVE_IS.
func ParseLiveIs(body []byte) (*LiveIs, error) {
	r := wire.NewReader(body)
	m := &LiveIs{Broadcast: r.ID(), Tier: r.U16()}
	flags := r.U8()
	if flags > 1 {
		r.Fail("unknown flags")
	}
	m.Closed, m.TreeSize, m.Root, m.FirstForSale = flags == 1, r.U64(), r.ID(), r.U64()
	if m.FirstForSale > m.TreeSize {
		r.Fail("sale begins behind the edge")
	}
	return m, r.Close()
}
