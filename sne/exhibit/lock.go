package exhibit

import (
	"errors"
	"fmt"

	"sonahub/sne/bundle"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
)

// lockParts is how many parts come before the goods: Bundle, tbs, sig, p, salt.
const lockParts = 5

// Lock makes the exhibit of a paid Claim whose Unlock gave a *offer.FaultError.
func Lock(c *offer.Claim) ([]byte, error) {
	parts := [][]byte{c.Bundle, c.TBS, c.Sig, c.Preimage[:], c.Salt[:]}
	if c.Goods == offer.GoodsTokens {
		return marshal(TypeLock, append(parts, c.KeySet, c.Blinds)...)
	}
	for _, rec := range c.Records {
		raw, err := rec.Marshal()
		if err != nil {
			return nil, err
		}
		parts = append(parts, raw)
	}
	return marshal(TypeLock, parts...)
}

func judgeLock(parts [][]byte, accused wire.ID) (string, error) {
	if len(parts) <= lockParts || len(parts[3]) != len(kdf.Secret{}) || len(parts[4]) != len(kdf.Secret{}) {
		return "", wire.Malformed("exhibit with a wrong number of parts")
	}
	c := &offer.Claim{Root: accused, Bundle: parts[0], TBS: parts[1], Sig: parts[2], Preimage: kdf.Secret(parts[3]), Salt: kdf.Secret(parts[4])}
	defer c.Erase()
	h, err := offer.Parse(c.TBS) // says how to read the rest; Check verifies it
	if err != nil {
		return "", err
	}
	goods := parts[lockParts:]
	if h.Goods == offer.GoodsTokens {
		if err := want(goods, 2); err != nil {
			return "", err
		}
		c.KeySet, c.Blinds = goods[0], goods[1]
	} else {
		for _, raw := range goods {
			rec, err := manifest.ParseRecord(raw)
			if err != nil {
				return "", err
			}
			c.Records = append(c.Records, rec)
		}
	}
	if err := c.Check(); err != nil {
		return "", accusedError(err)
	}
	u, err := c.Unlock()
	if u != nil {
		u.Erase()
	}
	var fault *offer.FaultError
	switch {
	case errors.As(err, &fault):
		return fmt.Sprintf("sold for %d msat; %v", c.AmountMsat, fault), nil
	case err == nil:
		return "", ErrNoFault
	}
	return "", err
}

// accusedError names the case that the Bundle is another root's.
func accusedError(err error) error {
	if errors.Is(err, bundle.ErrRoot) {
		return fmt.Errorf("%w: %w", ErrAccused, err)
	}
	return err
}

// Bundles makes the exhibit of two signed Bundles of one root with one number.
func Bundles(a, b []byte) ([]byte, error) { return marshal(TypeBundle, a, b) }

func judgeBundle(parts [][]byte, accused wire.ID) (string, error) {
	if err := want(parts, 2); err != nil {
		return "", err
	}
	var b [2]*bundle.Bundle
	var ids [2]wire.ID
	for i, raw := range parts {
		var err error
		if b[i], err = bundle.Parse(raw, accused); err != nil {
			return "", accusedError(err)
		}
		if ids[i], err = b[i].ID(); err != nil {
			return "", err
		}
	}
	if b[0].Seq != b[1].Seq || ids[0] == ids[1] {
		return "", ErrNoFault
	}
	return fmt.Sprintf("signed two bundles with number %d: %v and %v", b[0].Seq, ids[0], ids[1]), nil
}
