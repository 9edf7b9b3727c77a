package stream

import (
	"sonahub/sne/exhibit"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// proveLock makes an exhibit of a purchase by Lightning whose lock does not
// hold what was sold. A bad key out of a GRANT has no signature: it blocks the
// platform and proves nothing to others.
func (s *Source) proveLock(p payment) {
	if s.cfg.Exhibit == nil || p.proof.Rail != railLightning {
		return
	}
	c, err := offer.ParseClaim(p.proof.Body)
	if err != nil {
		s.cfg.Log.Error("stream: a purchase does not read", "err", err)
		return
	}
	defer c.Erase()
	raw, err := exhibit.Lock(c)
	s.keep(raw, c.Root, err)
}

// proveSegment makes an exhibit of a segment that is the recorded one and does
// not open with its own key. Without that key there is no proof.
func (s *Source) proveSegment(h *manifest.Head, r *manifest.Record, object []byte, key *sale.Key) {
	if s.cfg.Exhibit == nil || key == nil || !segment.Fits(key, r.Epoch, r.Commit) {
		return
	}
	raw, err := exhibit.Segment(h, r, key, object)
	s.keep(raw, h.Creator, err)
}

// keep hands on an exhibit that proves what it says.
func (s *Source) keep(raw []byte, accused wire.ID, err error) {
	var v *exhibit.Verdict
	if err == nil {
		v, err = exhibit.Verify(raw, accused)
	}
	if err != nil {
		s.cfg.Log.Debug("stream: no exhibit", "err", err)
		return
	}
	s.cfg.Log.Warn("stream: fraud", "verdict", v.String())
	s.cfg.Exhibit(raw)
}
