package publish

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin/keyring"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/catalog"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet"
)

// Tiers of every broadcast.
const (
	TierOpus     uint16 = 1
	TierLossless uint16 = 2
)

// Rung is one Opus rendition.
type Rung struct {
	R   uint16
	Bps int // bits per second
}

// Rungs lists the Opus renditions, the best first.
func Rungs() []Rung { return []Rung{{1, 256000}, {2, 160000}, {3, 96000}} }

// Role is the one role that the money goes to, and its name in the catalogue.
const (
	Role     uint8 = 1
	RoleName       = "creator"
)

// Terms are what things cost and what is given away.
type Terms struct {
	Lossless, Opus wallet.Msat // per second
	FreeEpochs     int         // leading epochs of the opening grant
}

// PerSecond returns the price of a tier, and whether there is such a tier.
func (t Terms) PerSecond(tier uint16) (wallet.Msat, bool) {
	switch tier {
	case TierOpus:
		return t.Opus, true
	case TierLossless:
		return t.Lossless, true
	}
	return 0, false
}

// Price returns what so many frames at a rate cost: the exact quotient,
// rounded up to a whole msat (SNE-SPEC 7.2 step 1).
func (t Terms) Price(tier uint16, frames uint64, rate audio.Rate) (wallet.Msat, bool) {
	perSecond, ok := t.PerSecond(tier)
	if !ok || rate <= 0 {
		return 0, false
	}
	return wallet.Msat((uint64(perSecond)*frames + uint64(rate) - 1) / uint64(rate)), true
}

// Offer is a listed track and which of its tiers are complete.
type Offer struct {
	Track shelf.Track
	Tiers []uint16
}

// Item describes an offer. The lossless tier is listed at once, so that it
// can be asked for; the Opus tier when it is there.
func (t Terms) Item(o Offer, creator wire.ID) catalog.Item {
	tr := o.Track
	item := catalog.Item{
		ID: tr.Broadcast, Kind: catalog.KindVOD, Title: tr.Title, Artist: tr.Artist, Album: tr.Album, Index: max(0, tr.Index),
		Creator: creator, Art: tr.Art, FreeEpochs: t.FreeEpochs,
	}
	if tr.Frames > 0 {
		item.Ms = int64(tr.Frames) * 1000 / int64(tr.Format.Rate)
	}
	for _, n := range o.Tiers {
		if n != TierOpus {
			continue
		}
		tier := catalog.Tier{Tier: TierOpus, Name: "Opus", PriceMsatS: int64(t.Opus)}
		for _, r := range Rungs() {
			tier.Renditions = append(tier.Renditions, catalog.Rendition{
				R: r.R, Codec: segment.CodecOpus.String(), Bps: r.Bps, Rate: 48000, Bits: 16, Ch: tr.Format.Channels})
		}
		item.Tiers = append(item.Tiers, tier)
	}
	item.Tiers = append(item.Tiers, catalog.Tier{
		Tier: TierLossless, Name: Quality(tr), PriceMsatS: int64(t.Lossless),
		Renditions: []catalog.Rendition{{R: 1, Codec: segment.CodecFLAC.String(),
			Rate: int(tr.Format.Rate), Bits: tr.Format.Bits, Ch: tr.Format.Channels}},
	})
	return item
}

// Quality names the lossless tier and says what it was made from, where that
// is not the same: "FLAC 24 bit 48 kHz (from 96 kHz)".
func Quality(t shelf.Track) string {
	name := fmt.Sprintf("FLAC %d bit %s", t.Format.Bits, kHz(t.Format.Rate))
	from := ""
	switch {
	case t.Kind == "mp3":
		from = "MP3"
	case t.Kind == "vorbis":
		from = "Vorbis"
	}
	if t.Source.Rate != t.Format.Rate {
		if from != "" {
			from += " "
		}
		from += kHz(t.Source.Rate)
	}
	if from != "" {
		name += " (from " + from + ")"
	}
	return name
}

func kHz(r audio.Rate) string {
	return strconv.FormatFloat(float64(r)/1000, 'f', -1, 64) + " kHz"
}

// Items describes the offers, whose Heads creator signs.
func (t Terms) Items(offers []Offer, creator wire.ID) []catalog.Item {
	items := make([]catalog.Item, len(offers))
	for i, o := range offers {
		items[i] = t.Item(o, creator)
	}
	return items
}

// Pages signs the catalogue of these items as pages of sequence number seq.
func Pages(items []catalog.Item, g *keyring.Generation, seq uint64, now time.Time) ([][]byte, error) {
	texts, err := split(items)
	if err != nil {
		return nil, err
	}
	if len(texts) > catalog.MaxPages {
		return nil, errors.New("publish: the catalogue is too long")
	}
	pages := make([][]byte, len(texts))
	for i, text := range texts {
		page := catalog.Page{Page: uint16(i), Pages: uint16(len(texts)), Bundle: g.ID, Seq: seq, Time: uint64(now.UnixMilli()), JSON: text}
		if pages[i], err = page.Sign(g.Online); err != nil {
			return nil, fmt.Errorf("publish: catalogue: %w", err)
		}
	}
	return pages, nil
}

// pageItems keeps a page below its limit of 900,000 bytes: an item has at most
// three texts of 500 characters (6 bytes each when escaped) and 2 kB besides.
const pageItems = 900000 / (3*500*6 + 2000)

func split(items []catalog.Item) ([][]byte, error) {
	var texts [][]byte
	for first := 0; first == 0 || first < len(items); first += pageItems {
		c := catalog.Catalog{Items: append([]catalog.Item{}, items[first:min(first+pageItems, len(items))]...)}
		if first == 0 {
			c.Roles = map[string]string{strconv.Itoa(int(Role)): RoleName}
		}
		text, err := c.Encode()
		if err != nil {
			return nil, fmt.Errorf("publish: catalogue: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}
