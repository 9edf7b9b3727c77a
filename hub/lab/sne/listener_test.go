//go:build lab && linux

package sne

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sonahub/sne/catalog"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/snetest"
)

// The lossless rung of a platform's catalogue.
const (
	tier      = 2
	rendition = 1
	price     = 500 // msat per second
)

// listener is a hub that buys by Lightning.
type listener struct {
	*sale.Client
	base    string
	head    *manifest.Head
	records []*manifest.Record
}

func newListener(ctx context.Context, p *platform) (*listener, error) {
	c, err := sale.NewClient(sale.Config{URL: p.url, Plain: true, Invoice: snetest.Decode, Network: "regtest"})
	if err != nil {
		return nil, err
	}
	l := &listener{Client: c, base: p.base}
	list, err := c.Catalog(ctx)
	if err != nil {
		return l, err
	}
	item := list.Items[0]
	if !sold(item) {
		return l, fmt.Errorf("the catalogue has other rungs than was thought: %+v", item.Tiers)
	}
	if l.head, err = c.Head(ctx, item.ID, tier); err != nil {
		return l, err
	}
	l.records, err = c.Records(ctx, l.head, 0, int(l.head.TreeSize))
	return l, err
}

func sold(item catalog.Item) bool {
	for _, t := range item.Tiers {
		if t.Tier == tier && t.PriceMsatS == price && t.Renditions[0].R == rendition {
			return true
		}
	}
	return false
}

// buy is the listener's order of section 7.2, without its ledger: offer,
// ciphertext, payment, keys.
func (l *listener) buy(ctx context.Context, first, n int) ([32]byte, error) {
	records := l.records[first : first+n]
	var frames uint64
	for _, r := range records {
		frames += uint64(r.Frames)
	}
	claim, err := l.Offer(ctx, records, (price*frames+uint64(l.head.Rate)-1)/uint64(l.head.Rate))
	if err != nil {
		return [32]byte{}, err
	}
	defer claim.Erase()
	var objects [][]byte
	for _, r := range records {
		o, err := l.Segment(ctx, r, rendition)
		if err != nil {
			return [32]byte{}, err
		}
		objects = append(objects, o)
	}
	if err := l.pay(ctx, claim.Bolt11, claim.Pay); err != nil {
		return [32]byte{}, err
	}
	raw, err := claim.Marshal()
	if err != nil {
		return [32]byte{}, err
	}
	g, err := sale.Unlock(records, raw)
	if err != nil {
		return [32]byte{}, err
	}
	defer g.Erase()
	sum := sha256.New()
	for i, r := range records {
		var p *segment.Payload
		if p, err = sale.OpenEpoch(l.head, r, rendition, objects[i], g.Keys[i]); err != nil {
			return [32]byte{}, err
		}
		for _, packet := range p.Packets {
			sum.Write(packet)
		}
	}
	return [32]byte(sum.Sum(nil)), nil
}

// pay takes an invoice to the platform's till.
func (l *listener) pay(ctx context.Context, invoice string, paid func(*kdf.Secret) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+"/lab/pay", strings.NewReader(invoice))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || len(raw) != len(kdf.Secret{}) {
		return errors.New(strings.TrimSpace(string(raw)))
	}
	p := kdf.Secret(raw)
	return paid(&p)
}
