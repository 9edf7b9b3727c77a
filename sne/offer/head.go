// Package offer is the sale by Lightning: goods that an origin locked to the
// preimage of an invoice and signed before anybody paid (sections 7.1 and 7.2).
//
// An origin Builds an offer. A hub Verifies it, checks its invoice, and keeps a
// Claim: all that opens the purchase once the preimage is known, also after a
// crash. A Claim that does not open as it should is a proof of fraud; package
// exhibit makes it one.
//
// Invariants: a lock opens only with both halves, the preimage (which every
// routing node learns) and the salt (which only the session has); everything
// that decides what a lock opens to is fixed by hashes that the origin signed;
// keys are handed out only if they fit the commitments of the records. The
// package moves no money and reads no clock.
package offer

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Goods says what an offer sells.
type Goods uint8

// The goods of section 7.1.
const (
	GoodsEpochs Goods = 1 // epoch secrets
	GoodsTokens Goods = 2 // evaluations of blinds: prepaid units
)

// Bounds of an offer.
const (
	MinTTL    = 15   // s, and an invoice may not end sooner
	MaxTTL    = 3600 // s, as long as a session lives
	MinAmount = 1000 // msat: a default lnd takes no less

	maxLocked  = 4096
	lockSHA256 = 1 // lock_type: SHA-256 preimage; 2 is reserved for PTLCs
	maxPlain   = maxLocked - kdf.Overhead
	hashLen    = 32
)

// ErrOffer means that an offer or its invoice is not what was asked for; it
// must not be paid. The text says which rule it breaks.
var ErrOffer = errors.New("sne: offer refused")

func refuse(what string) error { return fmt.Errorf("%w: %s", ErrOffer, what) }

// Head is the OfferHead: every term of an offer.
type Head struct {
	Goods       Goods
	Bundle      wire.ID  // of the session
	PaymentHash [32]byte // SHA-256 of the preimage; set by Build
	AmountMsat  uint64
	TTL         uint32          // s, from the answer on
	SaltCommit  [32]byte        // set by Build
	Split       []message.Share // GoodsEpochs: sums to the amount; GoodsTokens: none

	Range  message.Range // GoodsEpochs
	Leaves []wire.ID     // GoodsEpochs: manifest leaf hashes, one for each epoch

	KeySet     wire.ID // GoodsTokens
	Units      uint32  // GoodsTokens
	BlindsHash wire.ID // GoodsTokens: SHA-256 of the Blinds
}

// check holds the rules that a Head follows by itself.
func (h *Head) check() error {
	switch {
	case h.AmountMsat < MinAmount:
		return wire.Malformed("offer below the smallest amount")
	case h.TTL < MinTTL || h.TTL > MaxTTL:
		return wire.Malformed("offer with a forbidden lifetime")
	}
	if err := message.CheckSplit(h.Split, h.AmountMsat); err != nil {
		return err
	}
	switch h.Goods {
	case GoodsEpochs:
		if len(h.Split) == 0 {
			return wire.Malformed("offer of epochs without a split")
		}
		if len(h.Leaves) != int(h.Range.N) {
			return wire.Malformed("offer with a wrong number of leaves")
		}
	case GoodsTokens:
		if len(h.Split) != 0 {
			return wire.Malformed("offer of tokens with a split")
		}
		if h.Units == 0 {
			return wire.Malformed("offer of no units")
		}
	default:
		return wire.Malformed("unknown goods")
	}
	return nil
}

func (h *Head) marshal() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(1)
	w.U8(lockSHA256)
	w.U8(uint8(h.Goods))
	w.U8(0)
	w.Raw(h.Bundle[:])
	w.Raw(h.PaymentHash[:])
	w.U64(h.AmountMsat)
	w.U32(h.TTL)
	w.Raw(h.SaltCommit[:])
	message.WriteSplit(&w, h.Split)
	if h.Goods == GoodsTokens {
		w.Raw(h.KeySet[:])
		w.U32(h.Units)
		w.Raw(h.BlindsHash[:])
		return w.Bytes()
	}
	h.Range.Write(&w)
	for i := range h.Leaves {
		w.Raw(h.Leaves[i][:])
	}
	return w.Bytes()
}

func readHead(r *wire.Reader) *Head {
	r.Want8(1, "offer version")
	r.Want8(lockSHA256, "lock type")
	h := &Head{Goods: Goods(r.U8())}
	r.Want8(0, "offer reserved byte")
	h.Bundle = r.ID()
	r.Fixed(h.PaymentHash[:])
	h.AmountMsat = r.U64()
	h.TTL = r.U32()
	r.Fixed(h.SaltCommit[:])
	h.Split = message.ReadSplit(r)
	if h.Goods == GoodsTokens {
		h.KeySet = r.ID()
		h.Units = r.U32()
		h.BlindsHash = r.ID()
		return h
	}
	h.Range = message.ReadRange(r)
	for i := uint8(0); i < h.Range.N && r.Err() == nil; i++ {
		h.Leaves = append(h.Leaves, r.ID())
	}
	return h
}

// terms is a parsed tbs: the Head, its lctx, and what is locked.
type terms struct {
	*Head
	ctx    [32]byte
	locked []byte
}

// parse reads tbs = OfferHead || locked<<4096>>. locked shares its memory.
func parse(tbs []byte) (*terms, error) {
	r := wire.NewReader(tbs)
	h := readHead(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	t := &terms{Head: h, ctx: lockContext(tbs[:len(tbs)-r.Len()]), locked: r.X32(maxLocked)}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return t, h.check()
}

// Parse reads the Head out of a tbs. The signature under it was verified
// before, or the caller does not rely on it.
func Parse(tbs []byte) (*Head, error) {
	t, err := parse(tbs)
	if err != nil {
		return nil, err
	}
	return t.Head, nil
}

// DescriptionHash is what the invoice must carry: SHA-256(tbs).
func DescriptionHash(tbs []byte) [32]byte { return sha256.Sum256(tbs) }
