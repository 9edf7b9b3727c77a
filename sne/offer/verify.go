package offer

import (
	"crypto/sha256"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
)

// MinLeft is how much of its lifetime an offer must have before it is paid: the
// longest a payment is tried.
const MinLeft = 10 * time.Second

// Held is what a hub keeps of an offer that it had in this session, so that it
// knows it again: a repeat is under the salt of the exchange that carried it
// first.
type Held struct {
	Salt kdf.Secret
	TBS  [32]byte  // SHA-256
	Sent time.Time // when its BUY was sent
}

// Want is what the hub asked for and knows by itself.
type Want struct {
	Bundle *bundle.Bundle       // of the session
	Price  uint64               // msat: the hub's own price, from the catalogue that the listener saw
	Base   *kdf.Secret          // lock base of the exchange that carried the offer
	Held   func([32]byte) *Held // offers of this session by payment hash, copies; nil = none yet
	Sent   time.Time            // when the BUY was sent; its monotonic part counts
	Now    time.Time

	Records []*manifest.Record // GoodsEpochs: verified, consecutive
	KeySet  []byte             // GoodsTokens: checked by its id
	Blinds  []byte             // GoodsTokens
}

// goods is what Want asks for.
func (w *Want) goods() Goods {
	if len(w.Records) > 0 {
		return GoodsEpochs
	}
	return GoodsTokens
}

// Verify is step 2 of the listener's order (7.2), all of it but the invoice:
// signature, Bundle, goods as asked, amount, Split, salt, length of the lock,
// time left. It returns the Claim that opens the purchase later. Errors:
// ErrOffer, composite.ErrSignature, wire.ErrMalformed.
func Verify(o *message.Offer, w Want) (*Claim, error) {
	if err := w.Bundle.Online.Verify(composite.ContextOffer, o.TBS, o.Sig); err != nil {
		return nil, err
	}
	t, err := parse(o.TBS)
	if err != nil {
		return nil, err
	}
	id, err := w.Bundle.ID()
	if err != nil {
		return nil, err
	}
	switch {
	case t.Bundle != id:
		return nil, refuse("another bundle")
	case t.Goods != w.goods():
		return nil, refuse("other goods")
	case t.AmountMsat > w.Price:
		return nil, refuse("dearer than the catalogue says")
	}
	if t.Goods == GoodsEpochs {
		err = t.sells(w.Records)
	} else {
		err = t.issues(&w)
	}
	if err != nil {
		return nil, err
	}
	c := &Claim{Head: t.Head, Root: w.Bundle.Root.KeyID(), Bundle: w.Bundle.Signed, TBS: o.TBS, Sig: o.Sig, Bolt11: o.Bolt11,
		Records: w.Records, KeySet: w.KeySet, Blinds: w.Blinds}
	sent, err := c.takeSalt(&w)
	if err != nil {
		return nil, err
	}
	c.Deadline = sent.Add(time.Duration(t.TTL) * time.Second)
	if err := c.Payable(w.Now); err != nil {
		c.Erase()
		return nil, err
	}
	return c, nil
}

// sells checks that the offer is of exactly these epochs, and the length of
// the lock.
func (t *terms) sells(records []*manifest.Record) error {
	first := records[0].Epoch
	want := message.Range{Broadcast: first.Broadcast, Tier: first.Tier, First: first.Number, N: uint8(len(records))}
	if t.Range != want {
		return refuse("another range")
	}
	if err := t.names(&Claim{Records: records}); err != nil {
		return err
	}
	if len(t.locked) != len(records)*hashLen+kdf.Overhead {
		return refuse("lock of a wrong length")
	}
	return nil
}

// issues checks that the offer is of evaluations of exactly these blinds.
func (t *terms) issues(w *Want) error {
	set, err := message.ParseKeySet(w.KeySet)
	if err != nil {
		return err
	}
	x, err := readIssue(w.KeySet, w.Blinds)
	if err != nil {
		return err
	}
	if err := t.names(&Claim{KeySet: w.KeySet, Blinds: w.Blinds}); err != nil {
		return err
	}
	units := x.shape.Units()
	switch {
	case uint64(t.Units) != units || t.AmountMsat != units*uint64(set.UnitMsat):
		return refuse("another number of units")
	case len(t.locked) != x.shape.EvalsSize()+kdf.Overhead:
		return refuse("lock of a wrong length")
	}
	return nil
}

// takeSalt finds the salt that the offer commits to: of this exchange, or of
// the one that carried the same offer first. It returns when that was asked for.
func (c *Claim) takeSalt(w *Want) (time.Time, error) {
	if err := Salt(&c.Salt, w.Base, c.PaymentHash); err != nil {
		return time.Time{}, err
	}
	if c.saltFits(&c.Salt) {
		return w.Sent, nil
	}
	c.Salt.Erase()
	if w.Held != nil {
		if h := w.Held(c.PaymentHash); h != nil {
			defer h.Salt.Erase()
			if h.TBS == sha256.Sum256(c.TBS) && c.saltFits(&h.Salt) {
				c.Salt = h.Salt
				return h.Sent, nil
			}
		}
	}
	return time.Time{}, refuse("the salt is not of this session")
}

// Invoice is what a reader of BOLT11 must tell about an invoice whose own
// signature it has verified.
type Invoice struct {
	PaymentHash     [32]byte
	DescriptionHash [32]byte // zero if it has none
	AmountMsat      uint64   // zero if the payer may choose
	Payee           [33]byte // node key that signed it
	Network         string   // "bitcoin", "regtest", ...
	Expiry          uint32   // s, as written in it
	MinFinalCLTV    uint32   // blocks
	AMP             bool     // it asks for AMP: there the payer picks the preimage
}

// maxFinalCLTV bounds how long a payment may hang.
const maxFinalCLTV = 80

// CheckInvoice holds every MUST of 7.1 on the invoice of an offer. nodes are
// those of the Bundle; network is the hub's own. Errors: ErrOffer.
func (c *Claim) CheckInvoice(inv Invoice, nodes [][33]byte, network string) error {
	known := false
	for i := range nodes {
		known = known || nodes[i] == inv.Payee
	}
	switch {
	case inv.AMP:
		return refuse("invoice asks for AMP")
	case inv.PaymentHash != c.PaymentHash:
		return refuse("invoice with another payment hash")
	case inv.AmountMsat != c.AmountMsat:
		return refuse("invoice with another amount")
	case inv.DescriptionHash != DescriptionHash(c.TBS):
		return refuse("invoice for something else")
	case !known:
		return refuse("invoice of a node that the bundle does not name")
	case inv.Network != network:
		return refuse("invoice for another network")
	case inv.Expiry < c.TTL:
		return refuse("invoice ends before the offer")
	case inv.MinFinalCLTV > maxFinalCLTV:
		return refuse("invoice could hang too long")
	}
	return nil
}
