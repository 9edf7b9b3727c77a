package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"

	"sonahub/sne/wire"
)

// Kinds of items.
const (
	KindVOD  = "vod"
	KindLive = "live"
)

// MaxPriceMsatS is the highest price in msat per second.
const MaxPriceMsatS = 1_000_000_000

// Catalog is the content of one page, or of all pages merged.
type Catalog struct {
	Items []Item            `json:"items"`
	Lists []List            `json:"lists,omitempty"`
	Roles map[string]string `json:"roles,omitempty"` // role number of a Split -> name
}

// Item is one broadcast.
type Item struct {
	ID         wire.ID `json:"id"`   // broadcast_id
	Kind       string  `json:"kind"` // KindVOD or KindLive
	Title      string  `json:"title"`
	Artist     string  `json:"artist,omitempty"`
	Album      string  `json:"album,omitempty"`
	Index      int     `json:"index,omitempty"` // place in the album, from 1
	Creator    wire.ID `json:"creator"`         // KeyID
	Art        wire.ID `json:"art,omitzero"`    // SHA-256 of a blob; zero = none
	Ms         int64   `json:"ms,omitempty"`    // length; 0 for live
	FreeEpochs int     `json:"free_epochs,omitempty"`
	Tiers      []Tier  `json:"tiers"`
}

// Tier is one price and quality class of an item.
type Tier struct {
	Tier       uint16      `json:"tier"`
	Name       string      `json:"name,omitempty"`
	PriceMsatS int64       `json:"price_msat_s"` // msat per second, 0 to 10^9
	Renditions []Rendition `json:"renditions"`
}

// Rendition is one encoding.
type Rendition struct {
	R     uint16 `json:"r"`
	Codec string `json:"codec,omitempty"`
	Bps   int    `json:"bps,omitempty"`  // bits per second
	Rate  int    `json:"rate,omitempty"` // Hz
	Bits  int    `json:"bits,omitempty"`
	Ch    int    `json:"ch,omitempty"`
}

// List is a named choice of items.
type List struct {
	Name  string    `json:"name"`
	Items []wire.ID `json:"items"`
}

// Merge appends another page of the same catalogue.
func (c *Catalog) Merge(more *Catalog) {
	c.Items = append(c.Items, more.Items...)
	c.Lists = append(c.Lists, more.Lists...)
	for k, v := range more.Roles {
		if c.Roles == nil {
			c.Roles = make(map[string]string)
		}
		c.Roles[k] = v
	}
}

// Encode gives the JSON of a page. It refuses what Decode would.
func (c *Catalog) Encode() ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("sne: catalogue: %w", err)
	}
	if _, err := Decode(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// Decode reads the JSON of a page. Errors wrap wire.ErrMalformed.
func Decode(raw []byte) (*Catalog, error) {
	if len(raw) > MaxJSON {
		return nil, wire.Malformed("catalogue too big")
	}
	root, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	c := &Catalog{}
	for _, o := range d.objects(root, "items") {
		c.Items = append(c.Items, d.item(o))
	}
	for _, o := range d.objects(root, "lists") {
		c.Lists = append(c.Lists, List{Name: d.text(o, "name"), Items: d.ids(o, "items")})
	}
	c.Roles = d.roles(root)
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}

func (d *decoder) item(o object) Item {
	d.require(o, "id", "kind", "title", "creator", "tiers")
	it := Item{
		ID: d.id(o, "id"), Kind: d.text(o, "kind"), Title: d.text(o, "title"),
		Artist: d.text(o, "artist"), Album: d.text(o, "album"), Index: int(d.number(o, "index", 1<<31-1)),
		Creator: d.id(o, "creator"), Art: d.id(o, "art"),
		Ms: d.number(o, "ms", maxNumber), FreeEpochs: int(d.number(o, "free_epochs", 1<<31-1)),
	}
	if it.Kind != KindVOD && it.Kind != KindLive {
		d.fail("kind")
	}
	it.Tiers = []Tier{} // an item may wait for its first tier
	for _, t := range d.objects(o, "tiers") {
		it.Tiers = append(it.Tiers, d.tier(t))
	}
	return it
}

func (d *decoder) tier(o object) Tier {
	d.require(o, "tier", "price_msat_s", "renditions")
	t := Tier{
		Tier: uint16(d.number(o, "tier", 0xffff)), Name: d.text(o, "name"),
		PriceMsatS: d.number(o, "price_msat_s", MaxPriceMsatS),
	}
	t.Renditions = []Rendition{}
	for _, r := range d.objects(o, "renditions") {
		d.require(r, "r")
		t.Renditions = append(t.Renditions, Rendition{
			R: uint16(d.number(r, "r", 0xffff)), Codec: d.text(r, "codec"), Bps: int(d.number(r, "bps", 1<<31-1)),
			Rate: int(d.number(r, "rate", 1<<31-1)), Bits: int(d.number(r, "bits", 64)), Ch: int(d.number(r, "ch", 255)),
		})
	}
	return t
}

func (d *decoder) roles(root object) map[string]string {
	o := d.object(root, "roles")
	if len(o) == 0 {
		return nil
	}
	roles := make(map[string]string, len(o))
	for k := range o {
		if n, err := strconv.ParseUint(k, 10, 8); err != nil || strconv.FormatUint(n, 10) != k {
			d.fail("roles")
		}
		roles[k] = d.text(o, k)
	}
	return roles
}
