package resource

import (
	"strconv"
	"strings"

	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// maxPath is longer than every path there is.
const maxPath = 256

// Parse reads a path, Prefix included. A path that is not exactly canonical is
// refused with wire.ErrMalformed: the origin answers 404.
func Parse(path string) (Resource, error) {
	rest, ok := strings.CutPrefix(path, Prefix+"/")
	if !ok || len(path) > maxPath {
		return Resource{}, wire.Malformed("path")
	}
	p := &parser{parts: strings.Split(rest, "/")}
	r := p.resource()
	if p.bad || len(p.parts) > 0 {
		return Resource{}, wire.Malformed("path")
	}
	return r, nil
}

// parser takes a path apart; the first failure sticks.
type parser struct {
	parts []string
	bad   bool
}

func (p *parser) word() string {
	if len(p.parts) == 0 {
		p.bad = true
		return ""
	}
	w := p.parts[0]
	p.parts = p.parts[1:]
	return w
}

func (p *parser) id() wire.ID {
	id, err := wire.ParseID(p.word())
	p.bad = p.bad || err != nil
	return id
}

// number reads a decimal number without leading zeros.
func (p *parser) number(bits int) uint64 {
	w := p.word()
	n, err := strconv.ParseUint(w, 10, bits)
	p.bad = p.bad || err != nil || strconv.FormatUint(n, 10) != w
	return n
}

func (p *parser) resource() Resource {
	switch p.word() {
	case "bundle":
		if len(p.parts) == 0 {
			return Resource{Kind: Bundle}
		}
		return Resource{Kind: BundleByID, ID: p.id()}
	case "key":
		return Resource{Kind: Key, ID: p.id()}
	case "catalog":
		if len(p.parts) == 0 {
			return Resource{Kind: Catalog}
		}
		return Resource{Kind: CatalogPage, Seq: p.number(64), Page: uint16(p.number(16))}
	case "blob":
		return Resource{Kind: Blob, ID: p.id()}
	case "b":
		return p.broadcast()
	case "c":
		return Resource{Kind: Segment, ID: p.id(), Tier: uint16(p.number(16)), Epoch: p.number(64), Rendition: uint16(p.number(16))}
	case "ffxs":
		return Resource{Kind: KeySet, ID: p.id()}
	case "session":
		if len(p.parts) == 0 {
			return Resource{Kind: Session}
		}
		id, err := wire.ParseSessionID(p.word())
		p.bad = p.bad || err != nil
		return Resource{Kind: Exchange, Session: id}
	}
	p.bad = true
	return Resource{}
}

func (p *parser) broadcast() Resource {
	r := Resource{ID: p.id(), Tier: uint16(p.number(16))}
	switch p.word() {
	case "head":
		r.Kind = Head
	case "records":
		r.Kind = Records
		r.Size, r.First, r.N = p.number(64), p.number(64), uint8(p.number(8))
		p.bad = p.bad || r.N < 1 || r.N > manifest.MaxPage
	case "consistency":
		r.Kind = Consistency
		r.First, r.Size = p.number(64), p.number(64)
	default:
		p.bad = true
	}
	return r
}
