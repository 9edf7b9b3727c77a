package offer

import (
	"crypto/sha256"
	"crypto/subtle"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Salt sets dst to the salt of the offer with this payment hash, from the lock
// base of the exchange that carries it for the first time.
func Salt(dst, base *kdf.Secret, paymentHash [32]byte) error {
	return kdf.Expand(dst, base, "lock salt", paymentHash[:])
}

// SaltCommit is SHA-256("sne1 salt" || salt).
func SaltCommit(salt *kdf.Secret) [32]byte {
	h := sha256.New()
	h.Write([]byte("sne1 salt"))
	h.Write(salt[:])
	return [32]byte(h.Sum(nil))
}

// PaymentHash is SHA-256(p).
func PaymentHash(p *kdf.Secret) [32]byte { return sha256.Sum256(p[:]) }

// saltFits reports, in constant time, whether salt is the one that a Head
// commits to.
func (h *Head) saltFits(salt *kdf.Secret) bool {
	c := SaltCommit(salt)
	return subtle.ConstantTimeCompare(c[:], h.SaltCommit[:]) == 1
}

// preimageFits reports, in constant time, whether p pays a Head.
func (h *Head) preimageFits(p *kdf.Secret) bool {
	c := PaymentHash(p)
	return subtle.ConstantTimeCompare(c[:], h.PaymentHash[:]) == 1
}

// lockContext is lctx = SHA-256("sne1 lock" || OfferHead).
func lockContext(head []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("sne1 lock"))
	h.Write(head)
	return [32]byte(h.Sum(nil))
}

// lockKey sets lk = Expand(HKDF-Extract(salt, p), "lock key", lctx).
func lockKey(lk, salt, p *kdf.Secret, ctx [32]byte) error {
	if err := kdf.Extract(lk, salt, p); err != nil {
		return err
	}
	return kdf.Expand(lk, lk, "lock key", ctx[:])
}

// Build locks plaintext (the epoch secrets, or the Evals) under the terms of h
// and signs it. base is the lock base of the exchange that will carry the
// offer; p is the preimage: 32 fresh random bytes for every offer. It fills
// h.PaymentHash and h.SaltCommit; the caller adds the invoice. The salt is gone
// when it returns.
func Build(online *composite.SecretKey, base, p *kdf.Secret, h *Head, plaintext []byte) (*message.Offer, error) {
	h.PaymentHash = PaymentHash(p)
	var salt, lk kdf.Secret
	defer salt.Erase()
	defer lk.Erase()
	if err := Salt(&salt, base, h.PaymentHash); err != nil {
		return nil, err
	}
	h.SaltCommit = SaltCommit(&salt)
	head, err := h.marshal()
	if err != nil {
		return nil, err
	}
	ctx := lockContext(head)
	if err := lockKey(&lk, &salt, p, ctx); err != nil {
		return nil, err
	}
	if len(plaintext) > maxPlain {
		return nil, wire.Malformed("goods too long for a lock")
	}
	locked, err := kdf.Seal(nil, &lk, ctx[:], plaintext)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.Raw(head)
	w.X32(locked, maxLocked)
	tbs, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	sig, err := online.Sign(composite.ContextOffer, tbs)
	if err != nil {
		return nil, err
	}
	return &message.Offer{TBS: tbs, Sig: sig}, nil
}

// open opens the lock. ErrOpen with the right salt and preimage is a fault of
// the origin.
func (t *terms) open(salt, p *kdf.Secret) ([]byte, error) {
	var lk kdf.Secret
	defer lk.Erase()
	if err := lockKey(&lk, salt, p, t.ctx); err != nil {
		return nil, err
	}
	return kdf.Open(nil, &lk, t.ctx[:], t.locked)
}
