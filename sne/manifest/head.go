package manifest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"sonahub/sne/composite"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// MaxHead is the longest signed Head in bytes.
const MaxHead = 8 << 10

// maxEpochs keeps sizes far from the edge of int64: 2^40 epochs are 70,000
// years.
const maxEpochs = 1 << 40

// Refusals of a Head.
var (
	ErrHead      = errors.New("sne: manifest head refused")
	ErrStaleHead = errors.New("sne: manifest head is older than the one held") // a stale cache
	ErrRevoked   = fmt.Errorf("%w: the creator's key was revoked", ErrHead)    // by the origin's Bundle
)

func refuse(what string) error { return fmt.Errorf("%w: %s", ErrHead, what) }

// Head is the creator's signature under a manifest.
type Head struct {
	Closed      bool // no epoch will follow
	Tier        uint16
	Broadcast   wire.ID // filled by Sign
	Nonce       [16]byte
	Creator     wire.ID // KeyID, filled by Sign
	OriginRoot  wire.ID // KeyID of the origin that may sell it
	Rate        uint32  // Hz: the time base of Frames
	Channels    uint8
	Bits        uint8
	EpochMs     uint16 // 1000 to 10000, a multiple of 20; default 2000 by convention
	TreeSize    uint64 // epochs
	Root        wire.ID
	TotalFrames uint64 // at Rate
	Time        uint64 // ms since 1970, for display

	Signed []byte               // as it was verified; evidence, not part of its meaning
	Key    *composite.PublicKey // the creator's, that verified it
}

// BroadcastID returns SHA-256("sne1 broadcast" || creator KeyID || nonce): the
// id alone says who may sign for a broadcast.
func BroadcastID(creator wire.ID, nonce [16]byte) wire.ID {
	h := sha256.New()
	h.Write([]byte("sne1 broadcast"))
	h.Write(creator[:])
	h.Write(nonce[:])
	return wire.ID(h.Sum(nil))
}

// Epoch names one epoch of this manifest.
func (h *Head) Epoch(n uint64) segment.Epoch {
	return segment.Epoch{Broadcast: h.Broadcast, Tier: h.Tier, Number: n}
}

// full is how many frames every epoch but the last of a closed broadcast has.
func (h *Head) full() uint64 { return uint64(h.EpochMs) * uint64(h.Rate) / 1000 }

// EpochFrames returns the length of epoch n in frames at h.Rate; 0 if there is
// no such epoch.
func (h *Head) EpochFrames(n uint64) uint32 {
	switch {
	case n >= h.TreeSize:
		return 0
	case h.Closed && n == h.TreeSize-1:
		return uint32(h.TotalFrames - n*h.full())
	}
	return uint32(h.full())
}

// PayloadFrames returns how many frames the segment of rec has at another rate:
// ceil(frames * rate / h.Rate).
func (h *Head) PayloadFrames(rec *Record, rate uint32) uint32 {
	if h.Rate == 0 {
		return 0
	}
	return uint32((uint64(rec.Frames)*uint64(rate) + uint64(h.Rate) - 1) / uint64(h.Rate))
}

// check holds the rules that a Head follows by itself.
func (h *Head) check() error {
	switch {
	case h.Broadcast != BroadcastID(h.Creator, h.Nonce):
		return refuse("creator does not own the broadcast")
	case h.Rate == 0 || h.Rate > segment.MaxRate || h.Rate%50 != 0:
		return refuse("forbidden rate")
	case h.Channels == 0 || h.Channels > segment.MaxChannels || h.Bits == 0 || h.Bits > segment.MaxBits:
		return refuse("forbidden format")
	case h.EpochMs < 1000 || h.EpochMs > 10000 || h.EpochMs%20 != 0:
		return refuse("forbidden epoch length")
	case h.TreeSize > maxEpochs:
		return refuse("forbidden size")
	case h.Closed && h.TreeSize == 0:
		return refuse("closed without an epoch")
	}
	most := h.TreeSize * h.full()
	if h.TotalFrames > most || !h.Closed && h.TotalFrames != most || h.Closed && h.TotalFrames <= most-h.full() {
		return refuse("total frames do not fit the size")
	}
	return nil
}

// Sign fills Creator and Broadcast and returns TBS || signature.
func (h *Head) Sign(creator *composite.SecretKey) ([]byte, error) {
	h.Creator = creator.Public().KeyID()
	h.Broadcast = BroadcastID(h.Creator, h.Nonce)
	if err := h.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(1)
	var flags uint8
	if h.Closed {
		flags = 1
	}
	w.U8(flags)
	w.U16(h.Tier)
	w.Raw(h.Broadcast[:])
	w.Raw(h.Nonce[:])
	w.Raw(h.Creator[:])
	w.Raw(h.OriginRoot[:])
	w.U32(h.Rate)
	w.U8(h.Channels)
	w.U8(h.Bits)
	w.U16(h.EpochMs)
	w.U64(h.TreeSize)
	w.Raw(h.Root[:])
	w.U64(h.TotalFrames)
	w.U64(h.Time)
	tbs, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	return creator.Signed(composite.ContextHead, tbs)
}

func readHead(tbs []byte) (*Head, error) {
	r := wire.NewReader(tbs)
	r.Want8(1, "head version")
	flags := r.U8()
	if flags > 1 {
		r.Fail("unknown head flags")
	}
	h := &Head{Closed: flags == 1, Tier: r.U16(), Broadcast: r.ID()}
	r.Fixed(h.Nonce[:])
	h.Creator = r.ID()
	h.OriginRoot = r.ID()
	h.Rate = r.U32()
	h.Channels = r.U8()
	h.Bits = r.U8()
	h.EpochMs = r.U16()
	h.TreeSize = r.U64()
	h.Root = r.ID()
	h.TotalFrames = r.U64()
	h.Time = r.U64()
	return h, r.Close()
}

// HeadCreator returns the KeyID of the creator that a signed Head names, so
// that the reader can get the key. Nothing is verified.
func HeadCreator(signed []byte) (wire.ID, error) {
	tbs, _, err := composite.Split(signed)
	if err != nil {
		return wire.ID{}, err
	}
	h, err := readHead(tbs)
	if err != nil {
		return wire.ID{}, err
	}
	return h.Creator, nil
}

// Want is what the hub asked for and knows already.
type Want struct {
	Broadcast  wire.ID
	Tier       uint16
	OriginRoot wire.ID   // the pinned root
	Dead       []wire.ID // revoked creators, from the Bundle
}

// VerifyHead reads a signed Head. Errors: ErrHead, composite.ErrSignature,
// wire.ErrMalformed.
func VerifyHead(signed []byte, creator *composite.PublicKey, want Want) (*Head, error) {
	h, err := OpenHead(signed, creator)
	if err != nil {
		return nil, err
	}
	switch {
	case h.Broadcast != want.Broadcast || h.Tier != want.Tier:
		return nil, refuse("another broadcast or tier")
	case h.OriginRoot != want.OriginRoot:
		return nil, refuse("another origin")
	case slices.Contains(want.Dead, h.Creator):
		return nil, ErrRevoked
	}
	return h, nil
}

// OpenHead reads a signed Head and holds what it says against itself alone;
// whoever asked for something uses VerifyHead. Errors as there.
func OpenHead(signed []byte, creator *composite.PublicKey) (*Head, error) {
	if len(signed) > MaxHead {
		return nil, wire.Malformed("head too big")
	}
	tbs, err := creator.Open(composite.ContextHead, signed)
	if err != nil {
		return nil, err
	}
	h, err := readHead(tbs)
	if err != nil {
		return nil, err
	}
	if h.Creator != creator.KeyID() {
		return nil, refuse("another creator")
	}
	h.Signed, h.Key = bytes.Clone(signed), creator
	return h, h.check()
}

// Follows checks that h may replace old, which was verified before: proof is
// the consistency path from old's size to h's (empty if they are equal).
func (h *Head) Follows(old *Head, proof []wire.ID) error {
	switch {
	case h.Broadcast != old.Broadcast || h.Tier != old.Tier:
		return refuse("another broadcast or tier")
	case h.TreeSize < old.TreeSize:
		return ErrStaleHead
	case h.Rate != old.Rate || h.Channels != old.Channels || h.Bits != old.Bits || h.EpochMs != old.EpochMs:
		return refuse("the format changed")
	case old.Closed && (!h.Closed || h.TreeSize != old.TreeSize || h.TotalFrames != old.TotalFrames):
		return refuse("a closed broadcast changed")
	case h.TreeSize == old.TreeSize:
		if h.Root != old.Root {
			return refuse("two roots of one size")
		}
		return nil
	case old.TreeSize == 0:
		return nil
	}
	err := tlog.CheckTree(toProof[tlog.TreeProof](proof), int64(h.TreeSize), tlog.Hash(h.Root), int64(old.TreeSize), tlog.Hash(old.Root))
	if err != nil {
		return refuse("not consistent with the head held")
	}
	return nil
}

func toProof[P ~[]tlog.Hash](ids []wire.ID) P {
	p := make(P, len(ids))
	for i := range ids {
		p[i] = tlog.Hash(ids[i])
	}
	return p
}
