// Package catalog is what an origin offers (section 9.1): pages of JSON, each
// signed by the online key of the Bundle that it names.
//
// Invariants: a page is read only after its signature verified; its JSON has no
// duplicate keys, no number that is not an integer below 2^53, and no more than
// eight levels; unknown keys are ignored; text is cut at 500 characters and is
// data, never markup. The price that the listener saw here is the ceiling for
// what is paid later.
package catalog

import (
	"sonahub/sne/composite"
	"sonahub/sne/wire"
)

// Limits of a page.
const (
	MaxPage  = 1 << 20 // bytes, signature included
	MaxJSON  = 900000  // bytes
	MaxPages = 4096
)

// Page is one signed page.
type Page struct {
	Page   uint16  // 0, 1, ...
	Pages  uint16  // 1 to 4096
	Bundle wire.ID // whose online key signed
	Seq    uint64  // rises with every change; lower ones than seen are a stale cache
	Time   uint64  // ms since 1970, for display
	JSON   []byte
}

func (p *Page) check() error {
	if p.Pages == 0 || p.Pages > MaxPages || p.Page >= p.Pages {
		return wire.Malformed("catalogue page number")
	}
	return nil
}

// Sign returns TBS || signature.
func (p *Page) Sign(online *composite.SecretKey) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(1)
	w.U8(0)
	w.U16(p.Page)
	w.U16(p.Pages)
	w.Raw(p.Bundle[:])
	w.U64(p.Seq)
	w.U64(p.Time)
	w.X32(p.JSON, MaxJSON)
	tbs, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	return online.Signed(composite.ContextCatalog, tbs)
}

func readPage(tbs []byte) (*Page, error) {
	r := wire.NewReader(tbs)
	r.Want8(1, "catalogue version")
	r.Want8(0, "catalogue reserved byte")
	p := &Page{Page: r.U16(), Pages: r.U16(), Bundle: r.ID(), Seq: r.U64(), Time: r.U64(), JSON: r.X32(MaxJSON)}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return p, p.check()
}

// Bundle tells which Bundle's online key a page names. Nothing is verified.
func Bundle(signed []byte) (wire.ID, error) {
	tbs, _, err := composite.Split(signed)
	if err != nil {
		return wire.ID{}, err
	}
	p, err := readPage(tbs)
	if err != nil {
		return wire.ID{}, err
	}
	return p.Bundle, nil
}

// Parse verifies and reads a page. The JSON shares the memory of signed; Decode
// reads it.
func Parse(signed []byte, online *composite.PublicKey) (*Page, error) {
	if len(signed) > MaxPage {
		return nil, wire.Malformed("catalogue page too big")
	}
	tbs, err := online.Open(composite.ContextCatalog, signed)
	if err != nil {
		return nil, err
	}
	return readPage(tbs)
}
