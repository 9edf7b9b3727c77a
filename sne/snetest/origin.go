// Package snetest is a small origin in memory, for tests of the hub's side: one
// closed broadcast in two tiers, the opening grant, and redemption, top-up and
// swap that check shapes alone and evaluate nothing; offers are real, and paid
// at a till in memory. It is no mint and no shop: the reference platform is
// that.
package snetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/composite"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// Fixed facts of the broadcast.
const (
	Rate       = 8000 // Hz: small segments make quick tests
	EpochMs    = 2000
	Rendition  = 1   // one rendition in each tier
	PriceMsatS = 100 // msat per second
	UnitMsat   = 100
	FreeEpochs = 2
	nonce      = "snetest" // of the broadcast

	LightningMsatS = 1000 // msat per second by Lightning, whose smallest sale is 1000 msat
)

// Options of an origin.
type Options struct {
	Epochs int    // default 20; the last one has half the length
	Pages  int    // of the catalogue; default 1
	KeySet []byte // published bytes; default: some that are none
}

// Origin serves on a loopback port until the test ends. Fields may be read
// freely; what Set methods guard may be changed while it runs.
type Origin struct {
	URL     bundle.URL
	Root    *composite.SecretKey
	Online  *composite.SecretKey
	Creator *composite.SecretKey
	KEM     *kem.SecretKey
	KeySet  []byte
	Head    map[uint16]*manifest.Head // by tier: 1 and 2
	Trees   map[uint16]*manifest.Tree
	Records map[uint16][]*manifest.Record
	Till    *Till // what offers are paid at

	// Evaluate answers Blinds with Evals under KeySet, for offers of tokens;
	// nil = none are made. Set it before the first TOPUP.
	Evaluate func(blinds []byte) ([]byte, error)

	tb       testing.TB
	server   *httptest.Server
	master   *kdf.Secret
	sessions session.Table

	mu        sync.Mutex
	bundle    *bundle.Bundle
	files     map[string][]byte
	intercept func(w http.ResponseWriter, r *http.Request, next http.Handler)
	answers   map[[32]byte]message.Frame // by body hash: what was acted on
	edges     []string
	acts      int
	corrupt   func(*message.Grant)
	lie       Lie
	live      *message.LiveIs
}

// Start makes an origin and serves it.
func Start(tb testing.TB, o Options) *Origin {
	tb.Helper()
	if o.Epochs == 0 {
		o.Epochs = 20
	}
	if o.Pages == 0 {
		o.Pages = 1
	}
	g := &Origin{
		tb: tb, files: make(map[string][]byte), answers: make(map[[32]byte]message.Frame),
		Head: make(map[uint16]*manifest.Head), Trees: make(map[uint16]*manifest.Tree), Records: make(map[uint16][]*manifest.Record),
	}
	g.Till = &Till{Node: [33]byte{2, 's', 'n', 'e'}}
	g.Root, g.Online, g.Creator = g.key(), g.key(), g.key()
	g.KEM = must(kem.Generate(nil))(tb)
	g.master = must(kdf.NewSecret(nil))(tb)
	g.server = httptest.NewServer(http.HandlerFunc(g.serve))
	tb.Cleanup(func() { g.server.Close(); g.sessions.Close() })
	host, port, _ := strings.Cut(strings.TrimPrefix(g.server.URL, "http://"), ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		tb.Fatal(err)
	}
	g.URL = bundle.URL{Host: host, Port: uint16(n), Root: g.Root.Public().KeyID()}
	g.KeySet = []byte("a keyset that nobody evaluates with")
	if o.KeySet != nil {
		g.KeySet = o.KeySet
	}
	now := uint64(time.Now().UnixMilli())
	g.SetBundle(&bundle.Bundle{
		Seq: 1, NotBefore: now - 1000, NotAfter: now + 86400000, Host: host,
		KEM: *g.KEM.Public(), Online: *g.Online.Public(), KeySets: []wire.ID{message.KeySetID(g.KeySet)},
		LightningNodes: [][33]byte{g.Till.Node},
	})
	g.publish(o)
	return g
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func (g *Origin) key() *composite.SecretKey { return must(composite.Generate(nil))(g.tb) }

// SetBundle signs and publishes another Bundle.
func (g *Origin) SetBundle(b *bundle.Bundle) {
	g.tb.Helper()
	raw := must(b.Sign(g.Root))(g.tb)
	id := must(b.ID())(g.tb)
	g.SetFile(resource.Resource{Kind: resource.Bundle}, raw)
	g.SetFile(resource.Resource{Kind: resource.BundleByID, ID: id}, raw)
	g.mu.Lock()
	g.bundle = b
	g.mu.Unlock()
}

// Bundle returns a copy of the present Bundle, to be changed and set again.
func (g *Origin) Bundle() *bundle.Bundle {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := *g.bundle
	return &b
}

// SetFile publishes bytes under a resource.
func (g *Origin) SetFile(r resource.Resource, body []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files[r.Path()] = body
}

// File returns what is published under a resource.
func (g *Origin) File(r resource.Resource) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.files[r.Path()]
}

// Intercept puts f before every request; nil takes it away.
func (g *Origin) Intercept(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.intercept = f
}

// CorruptGrants lets f change every GRANT before it is sent.
func (g *Origin) CorruptGrants(f func(*message.Grant)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.corrupt = f
}

// SetEdges names edges in the next WELCOME.
func (g *Origin) SetEdges(urls ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.edges = urls
}

// Acts returns how many times a message was acted on: repeats do not count.
func (g *Origin) Acts() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.acts
}

// Sessions returns how many sessions are open.
func (g *Origin) Sessions() int { return g.sessions.Len() }

// ForgetSessions ends all sessions, as a restart does.
func (g *Origin) ForgetSessions() { g.sessions.Close() }

// PCM returns the samples of an epoch as they were sealed: 16 bit,
// little-endian, stereo.
func PCM(tier uint16, epoch uint64, frames uint32) []byte {
	b := make([]byte, 0, frames*4)
	for i := range frames {
		v := uint16(uint64(i)*7 + epoch*31 + uint64(tier))
		b = binary.LittleEndian.AppendUint16(b, v)
		b = binary.LittleEndian.AppendUint16(b, ^v)
	}
	return b
}

// publish seals the broadcast, signs its Heads and the catalogue.
func (g *Origin) publish(o Options) {
	g.tb.Helper()
	var own [16]byte
	copy(own[:], nonce)
	creator := g.Creator.Public().KeyID()
	id := manifest.BroadcastID(creator, own)
	g.URL.Broadcast = id
	const full = Rate * EpochMs / 1000
	for tier := uint16(1); tier <= 2; tier++ {
		for n := range uint64(o.Epochs) {
			frames := uint32(full)
			if n == uint64(o.Epochs)-1 {
				frames /= 2
			}
			g.seal(segment.Epoch{Broadcast: id, Tier: tier, Number: n}, frames)
		}
		tree := must(manifest.NewTree(g.Records[tier]))(g.tb)
		h := &manifest.Head{
			Closed: true, Tier: tier, Nonce: own, OriginRoot: g.URL.Root, Rate: Rate, Channels: 2, Bits: 16, EpochMs: EpochMs,
			TreeSize: tree.Size(), Root: tree.Root(), TotalFrames: uint64(o.Epochs)*full - full/2, Time: 1,
		}
		g.Trees[tier], g.Head[tier] = tree, h
		g.SetFile(resource.Resource{Kind: resource.Head, ID: id, Tier: tier}, must(h.Sign(g.Creator))(g.tb))
	}
	g.SetFile(resource.Resource{Kind: resource.Key, ID: creator}, g.Creator.Public()[:])
	g.SetFile(resource.Resource{Kind: resource.KeySet, ID: message.KeySetID(g.KeySet)}, g.KeySet)
	g.PublishCatalog(1, o.Pages)
}

func (g *Origin) seal(e segment.Epoch, frames uint32) {
	g.tb.Helper()
	p := &segment.Payload{Codec: segment.CodecPCM, Channels: 2, Bits: 16, Rate: Rate, Frames: frames}
	for pcm := PCM(e.Tier, e.Number, frames); len(pcm) > 0; {
		n := min(len(pcm), 3200) // 100 ms
		p.Packets, pcm = append(p.Packets, pcm[:n]), pcm[n:]
	}
	plain := must(p.Marshal())(g.tb)
	var es kdf.Secret
	if err := segment.EpochSecret(&es, g.master, e); err != nil {
		g.tb.Fatal(err)
	}
	object := must(segment.Seal(nil, &es, e, Rendition, plain))(g.tb)
	g.SetFile(resource.Resource{Kind: resource.Segment, ID: e.Broadcast, Tier: e.Tier, Epoch: e.Number, Rendition: Rendition}, object)
	g.Records[e.Tier] = append(g.Records[e.Tier], &manifest.Record{
		Epoch: e, Frames: frames, Commit: must(segment.Commit(&es, e))(g.tb),
		Renditions: []manifest.Rendition{{R: Rendition, Codec: segment.CodecPCM, BitsPerS: 1536000, ObjectLen: uint32(len(object)), SHA256: sha256.Sum256(object)}},
	})
}

// PublishCatalog signs a catalogue of one item a page.
func (g *Origin) PublishCatalog(seq uint64, pages int) {
	g.tb.Helper()
	for n := range pages {
		item := catalog.Item{ID: g.URL.Broadcast, Kind: catalog.KindVOD, Title: fmt.Sprintf("Page %d", n), Creator: g.Creator.Public().KeyID(), FreeEpochs: FreeEpochs}
		for tier := uint16(1); tier <= 2; tier++ {
			item.Tiers = append(item.Tiers, catalog.Tier{Tier: tier, PriceMsatS: PriceMsatS, Renditions: []catalog.Rendition{{R: Rendition, Codec: "pcm", Rate: Rate, Bits: 16, Ch: 2}}})
		}
		json := must((&catalog.Catalog{Items: []catalog.Item{item}, Roles: map[string]string{"1": "creator"}}).Encode())(g.tb)
		page := &catalog.Page{Page: uint16(n), Pages: uint16(pages), Bundle: must(g.Bundle().ID())(g.tb), Seq: seq, JSON: json}
		raw := must(page.Sign(g.Online))(g.tb)
		g.SetFile(resource.Resource{Kind: resource.CatalogPage, Seq: seq, Page: uint16(n)}, raw)
		if n == 0 {
			g.SetFile(resource.Resource{Kind: resource.Catalog}, raw)
		}
	}
}

// responder belongs to the present Bundle.
func (g *Origin) responder() *handshake.Responder {
	id, err := g.Bundle().ID()
	if err != nil {
		return &handshake.Responder{}
	}
	return &handshake.Responder{Bundle: id, KEM: g.KEM, Online: g.Online}
}
