package snetest

import (
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
)

// LiveTier is the tier of the broadcast that is live; tiers 1 and 2 are closed.
const LiveTier = 3

// Live is a live broadcast that a test moves on by hand. It has Heads and the
// proofs between them; its epochs cannot be bought.
type Live struct {
	g       *Origin
	records []*manifest.Record
	Heads   [][]byte // signed, that of size 1 first
	Roots   []*manifest.Tree

	FirstForSale uint64 // as LIVE_IS says it
}

// Live prepares a live broadcast of at most n epochs and shows its first one.
// other makes different epochs from that number on; 0 = none.
func (g *Origin) Live(n int, other int) *Live {
	g.tb.Helper()
	l := &Live{g: g}
	for i := range n {
		rec := *g.Records[1][i]
		rec.Epoch.Tier = LiveTier
		if other > 0 && i >= other {
			rec.Commit[0] ^= 1
		}
		l.records = append(l.records, &rec)
		tree := must(manifest.NewTree(l.records))(g.tb)
		h := &manifest.Head{
			Tier: LiveTier, OriginRoot: g.URL.Root, Rate: Rate, Channels: 2, Bits: 16, EpochMs: EpochMs,
			TreeSize: tree.Size(), Root: tree.Root(), TotalFrames: tree.Size() * Rate * EpochMs / 1000,
		}
		copy(h.Nonce[:], nonce)
		l.Heads, l.Roots = append(l.Heads, must(h.Sign(g.Creator))(g.tb)), append(l.Roots, tree)
	}
	for to, tree := range l.Roots {
		for from := range to {
			r := resource.Resource{Kind: resource.Consistency, ID: g.URL.Broadcast, Tier: LiveTier, First: uint64(from + 1), Size: uint64(to + 1)}
			g.SetFile(r, must(manifest.MarshalConsistency(must(tree.Consistency(uint64(from+1)))(g.tb)))(g.tb))
		}
	}
	l.Show(1, 1)
	return l
}

// Show serves the Head of one size, and lets the session speak of another.
func (l *Live) Show(head, said int) {
	l.g.SetFile(resource.Resource{Kind: resource.Head, ID: l.g.URL.Broadcast, Tier: LiveTier}, l.Heads[head-1])
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	l.g.live = &message.LiveIs{Broadcast: l.g.URL.Broadcast, Tier: LiveTier, TreeSize: uint64(said), Root: l.Roots[said-1].Root(), FirstForSale: l.FirstForSale}
}
