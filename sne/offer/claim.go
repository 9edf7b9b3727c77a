package offer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// ErrPreimage means that a preimage is not the one of this purchase.
var ErrPreimage = errors.New("sne: not the preimage of this offer")

// FaultError means that the origin signed a lock that does not hold what it
// sold. The Claim proves it: see package exhibit.
type FaultError struct {
	What   string
	Epochs []uint64 // GoodsEpochs: whose key is wrong
}

func (e *FaultError) Error() string {
	if len(e.Epochs) > 0 {
		return fmt.Sprintf("sne: bought lock is faulty: %s: epochs %v", e.What, e.Epochs)
	}
	return "sne: bought lock is faulty: " + e.What
}

// Claim is a verified offer and the salt to it: with the preimage it opens the
// purchase, and nothing else is needed, no session and no origin. Its marshalled
// form is what a ledger keeps, sealed, until the goods were heard. It holds a
// secret and does not print one.
type Claim struct {
	*Head
	Root     wire.ID    // KeyID of the origin's root
	Bundle   []byte     // signed; of the session
	TBS, Sig []byte     // the offer
	Bolt11   string     // its invoice
	Salt     kdf.Secret // the session's half of the lock
	Preimage kdf.Secret // the payment's half; zero until Pay

	Records        []*manifest.Record // GoodsEpochs
	KeySet, Blinds []byte             // GoodsTokens

	Deadline time.Time // of the offer, by the clock of the process that asked for it; zero in a Claim read back
}

// Payable refuses an offer that has less than MinLeft of its life left, and one
// that was read back: whatever became of it, it is not paid a second time.
func (c *Claim) Payable(now time.Time) error {
	if c.Deadline.IsZero() || now.Add(MinLeft).After(c.Deadline) {
		return refuse("too little time left")
	}
	return nil
}

// Erase overwrites the secrets.
func (c *Claim) Erase() {
	c.Salt.Erase()
	c.Preimage.Erase()
}

// Pay takes the preimage in, or gives ErrPreimage.
func (c *Claim) Pay(p *kdf.Secret) error {
	if !c.preimageFits(p) {
		return ErrPreimage
	}
	c.Preimage = *p
	return nil
}

// Paid reports whether the preimage is there.
func (c *Claim) Paid() bool { return c.preimageFits(&c.Preimage) }

// Check holds a Claim that was read from somewhere against itself: everything
// that the root and its online key signed, and the hashes of the rest, but not
// the preimage. Errors: those of bundle, ErrOffer, composite.ErrSignature,
// wire.ErrMalformed.
func (c *Claim) Check() error {
	b, err := bundle.Parse(c.Bundle, c.Root)
	if err != nil {
		return err
	}
	if err := b.Online.Verify(composite.ContextOffer, c.TBS, c.Sig); err != nil {
		return err
	}
	t, err := parse(c.TBS)
	if err != nil {
		return err
	}
	c.Head = t.Head
	id, err := b.ID()
	if err != nil {
		return err
	}
	switch {
	case t.Bundle != id:
		return refuse("another bundle")
	case !t.saltFits(&c.Salt):
		return refuse("another salt")
	}
	return t.names(c)
}

// names checks that the goods of a Claim are those whose hashes the offer has.
func (t *terms) names(c *Claim) error {
	if t.Goods == GoodsTokens {
		if t.KeySet != message.KeySetID(c.KeySet) || t.BlindsHash != wire.ID(sha256.Sum256(c.Blinds)) {
			return refuse("another keyset or other blinds")
		}
		return nil
	}
	if len(c.Records) != len(t.Leaves) {
		return refuse("another number of epochs")
	}
	for i, rec := range c.Records {
		leaf, err := rec.Leaf()
		if err != nil {
			return err
		}
		if leaf != t.Leaves[i] {
			return refuse("epochs of another manifest")
		}
	}
	return nil
}

// Unlocked is what a lock held.
type Unlocked struct {
	Keys  []*kdf.Secret // GoodsEpochs: one for each epoch; nil where it does not fit
	Evals []byte        // GoodsTokens: proofs verified
}

// Erase overwrites the keys.
func (u *Unlocked) Erase() {
	for _, k := range u.Keys {
		k.Erase()
	}
}

// Unlock opens the lock and compares every key with its commitment (or every
// evaluation with its proof). Beside a *FaultError the Unlocked holds what is
// good. Before Pay it is ErrPreimage.
func (c *Claim) Unlock() (*Unlocked, error) {
	if !c.Paid() {
		return nil, ErrPreimage
	}
	t, err := parse(c.TBS)
	if err != nil {
		return nil, err
	}
	if !t.saltFits(&c.Salt) {
		return nil, refuse("another salt")
	}
	plain, err := t.open(&c.Salt, &c.Preimage)
	if err != nil && !errors.Is(err, kdf.ErrOpen) {
		return nil, err
	}
	defer clear(plain)
	if t.Goods == GoodsTokens {
		return c.evals(plain, err == nil)
	}
	return c.keys(plain, err == nil)
}

// keys takes the epoch secrets out of the plaintext.
func (c *Claim) keys(plain []byte, opened bool) (*Unlocked, error) {
	u := &Unlocked{Keys: make([]*kdf.Secret, len(c.Records))}
	f := &FaultError{What: "keys do not fit the manifest"}
	switch {
	case !opened:
		f.What = "the lock does not open"
	case len(plain) != len(c.Records)*hashLen:
		f.What = "the lock holds another number of keys"
	}
	for i, rec := range c.Records {
		if opened && len(plain) == len(c.Records)*hashLen {
			k := kdf.Secret(plain[i*hashLen:])
			if segment.Fits(&k, rec.Epoch, rec.Commit) {
				u.Keys[i] = &k
				continue
			}
			k.Erase()
		}
		f.Epochs = append(f.Epochs, rec.Number)
	}
	if f.Epochs != nil {
		return u, f
	}
	return u, nil
}

// evals checks the evaluations.
func (c *Claim) evals(plain []byte, opened bool) (*Unlocked, error) {
	if !opened {
		return &Unlocked{}, &FaultError{What: "the lock does not open"}
	}
	x, err := readIssue(c.KeySet, c.Blinds)
	if err != nil {
		return nil, err
	}
	if fault := x.fault(plain); fault != "" {
		return &Unlocked{}, &FaultError{What: fault}
	}
	return &Unlocked{Evals: append([]byte(nil), plain...)}, nil
}
