package message

import (
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

const (
	maxTBS    = 16384
	maxBolt11 = 2048
)

// Offer answers a BUY or a TOPUP by Lightning: goods that are locked to the
// preimage of an invoice. Package offer reads what is inside.
type Offer struct {
	TBS    []byte // OfferHead || locked
	Sig    []byte // by the online key, SignatureSize bytes
	Bolt11 string // the invoice
}

// Marshal encodes the body of an OFFER.
func (o *Offer) Marshal() ([]byte, error) {
	var w wire.Writer
	w.Grow(4 + len(o.TBS) + len(o.Sig) + len(o.Bolt11))
	if len(o.Sig) != composite.SignatureSize {
		w.Fail("signature of a wrong length")
	}
	w.X16(o.TBS, maxTBS)
	w.Raw(o.Sig)
	w.X16([]byte(o.Bolt11), maxBolt11)
	return w.Bytes()
}

// ParseOffer reads the body of an OFFER. TBS and Sig share the memory of body.
func ParseOffer(body []byte) (*Offer, error) {
	r := wire.NewReader(body)
	o := &Offer{TBS: r.X16(maxTBS), Sig: r.Take(composite.SignatureSize), Bolt11: r.Text(maxBolt11)}
	return o, r.Close()
}
