package snetest

import (
	"crypto/sha256"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// TTL is how long offers live, in seconds.
const TTL = 60

// Lie changes an offer while it is made: its terms and the plaintext of its
// lock, which it may replace.
type Lie func(h *offer.Head, plain []byte) []byte

// Lie lets f spoil every offer from now on; nil makes the origin honest again.
func (g *Origin) Lie(f Lie) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lie = f
}

// Key is the epoch secret of an epoch.
func (g *Origin) Key(tier uint16, n uint64) kdf.Secret {
	var es kdf.Secret
	if err := segment.EpochSecret(&es, g.master, g.Head[tier].Epoch(n)); err != nil {
		g.tb.Error(err)
	}
	return es
}

// Epochs are the terms and the plaintext of an offer of a Range, as an honest
// origin makes them.
func (g *Origin) Epochs(rng message.Range) (*offer.Head, []byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.epochs(rng)
}

func (g *Origin) epochs(rng message.Range) (*offer.Head, []byte, error) {
	id, err := g.bundle.ID()
	if err != nil {
		return nil, nil, err
	}
	h := &offer.Head{Goods: offer.GoodsEpochs, Bundle: id, TTL: TTL, Range: rng}
	var plain []byte
	var frames uint64
	for n := rng.First; n < rng.First+uint64(rng.N); n++ {
		leaf, err := g.Records[rng.Tier][n].Leaf()
		if err != nil {
			return nil, nil, err
		}
		h.Leaves = append(h.Leaves, leaf)
		es := g.Key(rng.Tier, n)
		plain = append(plain, es[:]...)
		frames += uint64(g.Head[rng.Tier].EpochFrames(n))
	}
	h.AmountMsat = (LightningMsatS*frames + Rate - 1) / Rate
	h.Split = []message.Share{{Role: 1, Msat: h.AmountMsat - h.AmountMsat/10}, {Role: 2, Msat: h.AmountMsat / 10}}
	return h, plain, nil
}

// Offer makes an offer with a fresh preimage, and its invoice.
func (g *Origin) Offer(base *kdf.Secret, h *offer.Head, plain []byte, lie Lie) (*message.Offer, error) {
	p, err := kdf.NewSecret(nil)
	if err != nil {
		return nil, err
	}
	if lie != nil {
		plain = lie(h, plain)
	}
	o, err := offer.Build(g.Online, base, p, h, plain)
	if err != nil {
		return nil, err
	}
	o.Bolt11, err = g.Till.Add(*p, h.AmountMsat, offer.DescriptionHash(o.TBS), TTL*time.Second)
	return o, err
}

// offer answers a BUY or a TOPUP by Lightning. Unlike a real origin it makes a
// new one every time.
func (g *Origin) offer(base *kdf.Secret, h *offer.Head, plain []byte) (message.Frame, error) {
	o, err := g.Offer(base, h, plain, g.lie)
	if err != nil {
		return message.Frame{}, err
	}
	body, err := o.Marshal()
	return message.Frame{Kind: message.KindOffer, Body: body}, err
}

// offerTokens answers a TOPUP rail 1 with the evaluations that Evaluate makes.
func (g *Origin) offerTokens(base *kdf.Secret, t *message.TopUp, blinds message.Blinds) (message.Frame, error) {
	set, err := message.ParseKeySet(g.KeySet)
	if err != nil || g.Evaluate == nil || t.KeySet != message.KeySetID(g.KeySet) {
		return message.Frame{}, refuse(message.CodeKeySet)
	}
	evals, err := g.Evaluate(t.Blinds)
	if err != nil {
		return message.Frame{}, refuse(message.CodeBadRequest)
	}
	id, err := g.bundle.ID()
	if err != nil {
		return message.Frame{}, err
	}
	h := &offer.Head{
		Goods: offer.GoodsTokens, Bundle: id, TTL: TTL, AmountMsat: blinds.Units() * uint64(set.UnitMsat),
		KeySet: t.KeySet, Units: uint32(blinds.Units()), BlindsHash: wire.ID(sha256.Sum256(t.Blinds)),
	}
	return g.offer(base, h, evals)
}
