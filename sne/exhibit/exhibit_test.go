package exhibit_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/exhibit"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/snetest"
	"sonahub/sne/wire"
)

func sum(b []byte) wire.ID { return sha256.Sum256(b) }

// proves wants a verdict against the accused, and none against anybody else.
func proves(t *testing.T, name string, raw []byte, accused wire.ID, want exhibit.Type) {
	t.Helper()
	v, err := exhibit.Verify(raw, accused)
	if err != nil || v.Type != want || v.Accused != accused || v.What == "" {
		t.Errorf("%s: %v, %v", name, v, err)
		return
	}
	if v, err := exhibit.Verify(raw, wire.ID{1}); v != nil || !errors.Is(err, exhibit.ErrAccused) {
		t.Errorf("%s against somebody else: %v, %v", name, v, err)
	}
}

// denied wants no verdict.
func denied(t *testing.T, name string, raw []byte, accused wire.ID, want error) {
	t.Helper()
	if v, err := exhibit.Verify(raw, accused); v != nil || !errors.Is(err, want) {
		t.Errorf("%s: %v, %v", name, v, err)
	}
}

// TestLiarsCannotEscape makes an exhibit of every lie that a hub cannot see
// before it pays.
func TestLiarsCannotEscape(t *testing.T) {
	for name, lie := range map[string]snetest.Lie{
		"one bad key": func(_ *offer.Head, p []byte) []byte { p[35] ^= 1; return p },
		"no key":      func(_ *offer.Head, p []byte) []byte { clear(p); return p },
	} {
		d := buyEpochs(t, 3, lie)
		proves(t, name, must(exhibit.Lock(d.claim))(t), d.URL.Root, exhibit.TypeLock)
	}
	all := buyEpochs(t, 30, func(_ *offer.Head, p []byte) []byte { p[959] ^= 1; return p })
	proves(t, "the last of 30", must(exhibit.Lock(all.claim))(t), all.URL.Root, exhibit.TypeLock)
	for name, lie := range map[string]snetest.Lie{
		"proof":      func(_ *offer.Head, p []byte) []byte { p[len(p)-1] ^= 1; return p },
		"evaluation": func(_ *offer.Head, p []byte) []byte { copy(p[3:35], p[101:133]); return p },
		"garbage":    func(_ *offer.Head, p []byte) []byte { clear(p); return p },
	} {
		d := buyTokens(t, lie)
		proves(t, name, must(exhibit.Lock(d.claim))(t), d.URL.Root, exhibit.TypeLock)
	}
}

// TestHonestOriginCannotBeFramed tries everything that a liar among the hubs
// could do with an honest sale.
func TestHonestOriginCannotBeFramed(t *testing.T) {
	d := buyEpochs(t, 3, nil)
	root := d.URL.Root
	denied(t, "the sale as it was", must(exhibit.Lock(d.claim))(t), root, exhibit.ErrNoFault)
	x := buyTokens(t, nil)
	denied(t, "the sale of tokens", must(exhibit.Lock(x.claim))(t), x.URL.Root, exhibit.ErrNoFault)
	other := must(newClient(t, d.Origin).Offer(t.Context(), d.claim.Records, 100000))(t)
	pay(t, d.Origin, other)
	stranger := must(composite.Generate(nil))(t)
	forged := must(stranger.Sign(composite.ContextOffer, d.claim.TBS))(t)
	for _, tc := range []struct {
		name   string
		change func(c *offer.Claim)
		want   error
	}{
		{"salt of another sale", func(c *offer.Claim) { c.Salt = other.Salt }, offer.ErrOffer},
		{"preimage of another sale", func(c *offer.Claim) { c.Preimage = other.Preimage }, offer.ErrPreimage},
		{"no preimage", func(c *offer.Claim) { c.Preimage = kdf.Secret{} }, offer.ErrPreimage},
		{"lock of another sale", func(c *offer.Claim) { c.TBS, c.Sig = other.TBS, other.Sig }, offer.ErrOffer},
		{"somebody else's signature", func(c *offer.Claim) { c.Sig = forged }, composite.ErrSignature},
		{"signature of another sale", func(c *offer.Claim) { c.Sig = other.Sig }, composite.ErrSignature},
		{"records of other epochs", func(c *offer.Claim) { c.Records = d.Records[tier][1:4] }, offer.ErrOffer},
		{"records of another tier", func(c *offer.Claim) { c.Records = d.Records[1][:3] }, offer.ErrOffer},
		{"another commitment", func(c *offer.Claim) {
			rec := *c.Records[0]
			rec.Commit[0]++
			c.Records = []*manifest.Record{&rec, c.Records[1], c.Records[2]}
		}, offer.ErrOffer},
		{"a record too few", func(c *offer.Claim) { c.Records = c.Records[:2] }, offer.ErrOffer},
		{"a record too many", func(c *offer.Claim) { c.Records = d.Records[tier][:4] }, offer.ErrOffer},
		{"records in another order", func(c *offer.Claim) {
			c.Records = []*manifest.Record{c.Records[1], c.Records[0], c.Records[2]}
		}, offer.ErrOffer},
	} {
		c := *d.claim
		tc.change(&c)
		denied(t, tc.name, must(exhibit.Lock(&c))(t), root, tc.want)
	}
	// Another Bundle of the same root, with an online key that the liar wishes.
	b := d.Bundle()
	b.Seq++
	d.SetBundle(b)
	c := *d.claim
	c.Bundle = d.Bundle().Signed
	denied(t, "another bundle of that root", must(exhibit.Lock(&c))(t), root, offer.ErrOffer)
	y := *x.claim
	y.KeySet = snetest.NewIssuer(t, 200).KeySet
	denied(t, "another keyset", must(exhibit.Lock(&y))(t), x.URL.Root, offer.ErrOffer)
	y.KeySet, y.Blinds = x.claim.KeySet, append(bytes.Clone(x.claim.Blinds[:34]), bytes.Clone(x.claim.Blinds[34:])...)
	y.Blinds[3] ^= 1
	denied(t, "other blinds", must(exhibit.Lock(&y))(t), x.URL.Root, offer.ErrOffer)
}

// TestSegment: creators who recorded what does not open, or other sound.
func TestSegment(t *testing.T) {
	c := newCreator(t)
	seal := func(r uint16, p []byte) []byte { return must(segment.Seal(nil, &c.es, c.epoch(0), r, p))(t) }
	good := seal(3, plain(t, nil))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	otherKey := must(segment.Seal(nil, &kdf.Secret{6}, c.epoch(0), 3, plain(t, nil)))(t)
	for _, tc := range []struct {
		name   string
		object []byte
		codec  segment.Codec
		fault  error // nil = proved
	}{
		{"honest", good, segment.CodecPCM, exhibit.ErrNoFault},
		{"does not open", flipped, segment.CodecPCM, nil},
		{"sealed with another secret", otherKey, segment.CodecPCM, nil},
		{"header of another rendition", seal(4, plain(t, nil)), segment.CodecPCM, nil},
		{"malformed sound", seal(3, []byte{1, 2, 3}), segment.CodecPCM, nil},
		{"another codec", good, segment.CodecFLAC, nil},
		{"another length", seal(3, plain(t, func(p *segment.Payload) { p.Frames-- })), segment.CodecPCM, nil},
		{"a codec of the future", good, 9, manifest.ErrRecord},
	} {
		h, tree := c.signed(t, nil, c.record(t, 0, tc.codec, tc.object))
		raw := must(exhibit.Segment(h, verified(t, h, tree, 0), &c.es, tc.object))(t)
		if tc.fault == nil {
			proves(t, tc.name, raw, c.id(), exhibit.TypeSegment)
		} else {
			denied(t, tc.name, raw, c.id(), tc.fault)
		}
	}
}

// TestHonestCreatorCannotBeFramed puts other things beside a good manifest.
func TestHonestCreatorCannotBeFramed(t *testing.T) {
	c, stranger := newCreator(t), newCreator(t)
	good := must(segment.Seal(nil, &c.es, c.epoch(0), 3, plain(t, nil)))(t)
	next := must(segment.Seal(nil, &c.es, c.epoch(1), 3, plain(t, nil)))(t)
	flipped := bytes.Clone(good)
	flipped[80] ^= 1
	h, tree := c.signed(t, nil, c.record(t, 0, segment.CodecPCM, good), c.record(t, 1, segment.CodecPCM, next))
	bad, badTree := stranger.signed(t, nil, stranger.record(t, 0, segment.CodecPCM, flipped))
	rec := verified(t, h, tree, 0)
	lost := *rec
	lost.Path = nil
	mixed := *h
	mixed.Key, mixed.Signed = c.key.Public(), bad.Signed
	for _, tc := range []struct {
		name   string
		head   *manifest.Head
		rec    *manifest.Record
		es     kdf.Secret
		object []byte
		want   error
	}{
		{"object that is not recorded", h, rec, c.es, flipped, manifest.ErrRecord},
		{"object of another epoch", h, rec, c.es, next, manifest.ErrRecord},
		{"another secret", h, rec, kdf.Secret{6}, good, manifest.ErrRecord},
		{"no path", h, &lost, c.es, good, manifest.ErrRecord},
		{"record of a stranger's manifest", h, verified(t, bad, badTree, 0), c.es, flipped, manifest.ErrRecord},
		{"a stranger's head under his key", &mixed, verified(t, bad, badTree, 0), c.es, flipped, composite.ErrSignature},
	} {
		denied(t, tc.name, must(exhibit.Segment(tc.head, tc.rec, &tc.es, tc.object))(t), c.id(), tc.want)
	}
}

// TestManifest holds pairs of Heads against each other.
func TestManifest(t *testing.T) {
	c := newCreator(t)
	a, b, x := c.record(t, 0, 3, make([]byte, 100)), c.record(t, 1, 3, make([]byte, 101)), c.record(t, 1, 3, make([]byte, 102))
	shut := func(h *manifest.Head) { h.Closed = true }
	heads := map[string]*manifest.Head{}
	for name, records := range map[string][]*manifest.Record{"1": {a}, "2": {a, b}, "2x": {a, x}} {
		heads[name], _ = c.signed(t, nil, records...)
		heads[name+" closed"], _ = c.signed(t, shut, records...)
	}
	heads["2 shorter"], _ = c.signed(t, func(h *manifest.Head) { h.Closed = true; h.TotalFrames -= 10 }, a, b)
	heads["1 stereo"], _ = c.signed(t, func(h *manifest.Head) { h.Channels = 2 }, a)
	heads["1 later"], _ = c.signed(t, func(h *manifest.Head) { h.Time = 9; h.OriginRoot = wire.ID{2} }, a)
	heads["1 elsewhere"], _ = c.signed(t, func(h *manifest.Head) { h.Nonce[0]++; h.Channels = 2 }, a)
	for _, tc := range []struct {
		a, b  string
		fault bool
	}{
		{"1", "2", false}, {"1", "2 closed", false}, {"2", "2 closed", false}, {"1", "1", false}, {"1", "1 later", false}, {"1", "1 elsewhere", false},
		{"2", "2x", true}, {"2 closed", "2x", true}, {"1 closed", "2", true}, {"1 closed", "2 closed", true},
		{"2 closed", "2 shorter", true}, {"1", "1 stereo", true}, {"2", "1 stereo", true},
	} {
		for _, pair := range [][2]string{{tc.a, tc.b}, {tc.b, tc.a}} {
			raw := must(exhibit.Heads(heads[pair[0]], heads[pair[1]]))(t)
			if tc.fault {
				proves(t, pair[0]+" and "+pair[1], raw, c.id(), exhibit.TypeManifest)
			} else {
				denied(t, pair[0]+" and "+pair[1], raw, c.id(), exhibit.ErrNoFault)
			}
		}
	}
}

// TestLeaves: two trees of different sizes that disagree about an epoch.
func TestLeaves(t *testing.T) {
	c := newCreator(t)
	a, b, x := c.record(t, 0, 3, make([]byte, 100)), c.record(t, 1, 3, make([]byte, 101)), c.record(t, 1, 3, make([]byte, 102))
	old, oldTree := c.signed(t, nil, a, b)
	now, nowTree := c.signed(t, nil, a, x, c.record(t, 2, 3, make([]byte, 103)))
	leaf := func(h *manifest.Head, tree *manifest.Tree, n uint64) exhibit.Leaf {
		return must(exhibit.LeafOf(verified(t, h, tree, n)))(t)
	}
	proves(t, "epoch 1", must(exhibit.Leaves(old, now, leaf(old, oldTree, 1), leaf(now, nowTree, 1)))(t), c.id(), exhibit.TypeManifest)
	denied(t, "epoch 0", must(exhibit.Leaves(old, now, leaf(old, oldTree, 0), leaf(now, nowTree, 0)))(t), c.id(), exhibit.ErrNoFault)
	denied(t, "two epochs", must(exhibit.Leaves(old, now, leaf(old, oldTree, 0), leaf(now, nowTree, 1)))(t), c.id(), exhibit.ErrNoFault)
	wrong := leaf(now, nowTree, 1)
	wrong.Hash[0]++
	denied(t, "a leaf that is not there", must(exhibit.Leaves(old, now, leaf(old, oldTree, 1), wrong))(t), c.id(), manifest.ErrRecord)
	wrong.Epoch = 1 << 63
	denied(t, "an epoch that is not there", must(exhibit.Leaves(old, now, leaf(old, oldTree, 1), wrong))(t), c.id(), manifest.ErrRecord)
	// An inner node is no leaf: the path would be too short for its place.
	inner := exhibit.Leaf{Epoch: 0, Hash: leaf(now, nowTree, 2).Path[0], Path: []wire.ID{leaf(now, nowTree, 2).Hash}}
	denied(t, "an inner node", must(exhibit.Leaves(old, now, leaf(old, oldTree, 0), inner))(t), c.id(), manifest.ErrRecord)
}

func TestBundles(t *testing.T) {
	root, stranger := must(composite.Generate(nil))(t), must(composite.Generate(nil))(t)
	id := root.Public().KeyID()
	same := func(*bundle.Bundle) {}
	b := bundles(t, root, same, func(b *bundle.Bundle) { b.NotAfter++ }, same, func(b *bundle.Bundle) { b.Seq++ })
	other := bundles(t, stranger, func(b *bundle.Bundle) { b.NotAfter++ })[0]
	proves(t, "two of one number", must(exhibit.Bundles(b[0], b[1]))(t), id, exhibit.TypeBundle)
	denied(t, "the same, signed twice", must(exhibit.Bundles(b[0], b[2]))(t), id, exhibit.ErrNoFault)
	denied(t, "two numbers", must(exhibit.Bundles(b[0], b[3]))(t), id, exhibit.ErrNoFault)
	denied(t, "one of a stranger", must(exhibit.Bundles(b[0], other))(t), id, exhibit.ErrAccused)
}
