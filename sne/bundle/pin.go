package bundle

import (
	"errors"
	"fmt"
	"time"

	"sonahub/sne/wire"
)

// Refusals of a Bundle by a Pin.
var (
	ErrRoot    = errors.New("sne: bundle of another root key")
	ErrHost    = errors.New("sne: bundle of another host")
	ErrDead    = errors.New("sne: bundle was revoked")
	ErrStale   = errors.New("sne: bundle is older than one already seen") // a stale cache: fetch again past the caches
	ErrNotYet  = errors.New("sne: bundle is not valid yet")
	ErrExpired = errors.New("sne: bundle has expired")
)

// SplitViewError means that the root signed two Bundles with one sequence
// number. That is a hard stop: somebody shows different keys to different hubs.
type SplitViewError struct {
	Seq       uint64
	Have, Got wire.ID
}

func (e *SplitViewError) Error() string {
	return fmt.Sprintf("sne: root signed two bundles with number %d: %v and %v", e.Seq, e.Have, e.Got)
}

// Clock is what the hub knows of the time.
type Clock struct {
	Now     time.Time // read only if Trusted
	Trusted bool      // NTP has synchronised since boot
	Floor   time.Time // it is later than this: max(build time, last trusted time on disk)
}

// skew is how early a Bundle may be used by a trusted clock.
const skew = 10 * time.Minute

// Pin is what a hub keeps on disk for a root (section 2.2). It is a plain
// value; the JSON form is for the hub's own store.
type Pin struct {
	Host      string  `json:"host"`
	Root      wire.ID `json:"root"`       // KeyID, from the sne URL
	Seq       uint64  `json:"seq"`        // highest seen
	ID        wire.ID `json:"id"`         // of the Bundle with that Seq; zero = none seen
	MinSeq    uint64  `json:"min_seq"`    // highest seen
	NotBefore uint64  `json:"not_before"` // latest of its verified Bundles, ms: this root's lower bound of the time
	Catalog   uint64  `json:"catalog"`    // highest catalogue seq seen
}

// NewPin starts a pin from a URL; nothing was seen yet.
func NewPin(u URL) Pin { return Pin{Host: u.Host, Root: u.Root} }

// Accept decides whether b may be used now and returns the pin that must be
// stored before it is. On error the returned pin equals p. Accepting the same
// Bundle again is how its validity is checked later.
func (p Pin) Accept(b *Bundle, c Clock) (Pin, error) {
	id, err := b.ID()
	if err != nil {
		return p, err
	}
	switch {
	case b.Root.KeyID() != p.Root:
		return p, ErrRoot
	case b.Host != p.Host:
		return p, ErrHost
	case b.Seq < p.MinSeq:
		return p, ErrDead
	case !p.ID.IsZero() && b.Seq < p.Seq:
		return p, ErrStale
	case !p.ID.IsZero() && b.Seq == p.Seq && id != p.ID:
		return p, &SplitViewError{Seq: b.Seq, Have: p.ID, Got: id}
	}
	if err := p.checkTime(b, c); err != nil {
		return p, err
	}
	p.Seq, p.ID = b.Seq, id
	p.MinSeq = max(p.MinSeq, b.MinSeq)
	p.NotBefore = max(p.NotBefore, b.NotBefore)
	return p, nil
}

// checkTime holds the clock rules (2.3). An untrusted clock knows only a lower
// bound; one root never moves the bound of another.
func (p Pin) checkTime(b *Bundle, c Clock) error {
	if !c.Trusted {
		if b.NotAfter < max(millis(c.Floor), p.NotBefore) {
			return ErrExpired
		}
		return nil
	}
	now := millis(c.Now)
	if now > b.NotAfter {
		return ErrExpired
	}
	if millis(c.Now.Add(skew)) < b.NotBefore {
		return ErrNotYet
	}
	return nil
}

func millis(t time.Time) uint64 {
	if ms := t.UnixMilli(); ms > 0 {
		return uint64(ms)
	}
	return 0
}
