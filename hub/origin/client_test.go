package origin_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec"
	"sonahub/hub/origin"
	"sonahub/sne/bundle"
	"sonahub/sne/catalog"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

// hub is a listener of the tests: sne's client, and a purse that knows no
// ledger and shares no code with the mint.
type hub struct {
	*sale.Client
	tb   testing.TB
	o    *origin.Origin
	base string // of plain HTTP
	ring map[uint8][]message.Token
	set  wire.ID
}

func newHub(tb testing.TB, o *origin.Origin) *hub {
	tb.Helper()
	return newHubAt(tb, o, time.Now)
}

// newHubAt is a hub with a clock of its own.
func newHubAt(tb testing.TB, o *origin.Origin, now func() time.Time) *hub {
	tb.Helper()
	u, err := bundle.ParseURL(o.URL())
	if err != nil {
		tb.Fatal(err)
	}
	c, err := sale.NewClient(sale.Config{URL: u, Plain: true, Clock: func() bundle.Clock { return bundle.Clock{Now: now(), Trusted: true} }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &hub{Client: c, tb: tb, o: o, base: "http://" + o.Addr().String(), ring: map[uint8][]message.Token{}}
}

// fresh is another hub at the same platform.
func (h *hub) fresh() *hub { return newHub(h.tb, h.o) }

// item returns the catalogue's entry of that title.
func (h *hub) item(title string) catalog.Item {
	h.tb.Helper()
	c, err := h.Catalog(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	i := slices.IndexFunc(c.Items, func(it catalog.Item) bool { return it.Title == title })
	if i < 0 {
		h.tb.Fatalf("no %q in the catalogue: %+v", title, c.Items)
	}
	return c.Items[i]
}

func (h *hub) records(b wire.ID, tier uint16) (*manifest.Head, []*manifest.Record) {
	h.tb.Helper()
	head, err := h.Head(h.tb.Context(), b, tier)
	if err != nil {
		h.tb.Fatal(err)
	}
	records, err := h.Records(h.tb.Context(), head, 0, int(head.TreeSize))
	if err != nil {
		h.tb.Fatal(err)
	}
	return head, records
}

// blinds are points that wait for their evaluation.
type blinds struct {
	wire   message.Blinds
	groups []pending
}

type pending struct {
	denom  uint8
	client oprf.VerifiableClient
	data   *oprf.FinalizeData
	req    *oprf.EvaluationRequest
	inputs [][]byte
}

// blind makes points worth so many units: one for each bit, rising.
func (h *hub) blind(units uint64) blinds {
	h.tb.Helper()
	b, err := h.Bundle(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	h.set = b.KeySets[0]
	raw, err := h.KeySet(h.tb.Context(), h.set)
	if err != nil {
		h.tb.Fatal(err)
	}
	var out blinds
	for d := uint8(0); units>>d > 0; d++ {
		if units>>d&1 == 0 {
			continue
		}
		// KeySet: u8 ver, u8 0, u16 unit, u64, u64, u8 n, { u8 denom; pk[32] }
		var pk oprf.PublicKey
		if err := pk.UnmarshalBinary(oprf.SuiteRistretto255, raw[21+33*int(d)+1:][:32]); err != nil {
			h.tb.Fatal(err)
		}
		p := pending{denom: d, client: oprf.NewVerifiableClient(oprf.SuiteRistretto255, &pk), inputs: [][]byte{random(h.tb)}}
		if p.data, p.req, err = p.client.Blind(p.inputs); err != nil {
			h.tb.Fatal(err)
		}
		point, err := p.req.Elements[0].MarshalBinaryCompress()
		if err != nil {
			h.tb.Fatal(err)
		}
		out.wire = append(out.wire, message.PointGroup{Denom: d, Points: []message.Point{message.Point(point)}})
		out.groups = append(out.groups, p)
	}
	return out
}

func (b blinds) bytes(tb testing.TB) []byte {
	tb.Helper()
	raw, err := b.wire.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// finish turns evaluations into tokens; circl checks the proofs.
func (h *hub) finish(b blinds, raw []byte) {
	h.tb.Helper()
	evals, err := message.ParseEvals(raw)
	if err != nil {
		h.tb.Fatal(err)
	}
	for i, p := range b.groups {
		h.ring[p.denom] = append(h.ring[p.denom], finalize(h.tb, p, evals[i]))
	}
}

// voucher asks for a welcome voucher.
func (h *hub) voucher() (code string, units uint64, status int) {
	h.tb.Helper()
	req, err := http.NewRequestWithContext(h.tb.Context(), http.MethodPost, h.base+"/welcome", nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer res.Body.Close()
	var v struct {
		Voucher string
		Units   uint64
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &v); err != nil {
			h.tb.Fatalf("%v in %q", err, body)
		}
	}
	return v.Voucher, v.Units, res.StatusCode
}

// topUp fills the purse with a welcome voucher.
func (h *hub) topUp() {
	h.tb.Helper()
	code, units, status := h.voucher()
	if status != http.StatusOK {
		h.tb.Fatalf("welcome: status %d", status)
	}
	b := h.blind(units)
	evals, err := h.TopUp(h.tb.Context(), h.set, b.bytes(h.tb), code)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.finish(b, evals)
}

// body takes tokens worth at least price out of the purse and returns the
// body that pays and the change it asks for.
func (h *hub) body(price uint64) ([]byte, blinds) {
	h.tb.Helper()
	r := message.Redeem{}
	var sum uint64
	for d := range uint8(24) {
		n := 0
		for sum < price && n < len(h.ring[d]) {
			n++
			sum += 1 << d
		}
		if n > 0 {
			r.Spend.Groups = append(r.Spend.Groups, message.TokenGroup{Denom: d, Tokens: h.ring[d][:n]})
			h.ring[d] = h.ring[d][n:]
		}
	}
	if sum < price {
		h.tb.Fatalf("purse holds %d units, %d are needed", sum, price)
	}
	change := h.blind(sum - price)
	r.Spend.KeySet, r.KeySet, r.Change = h.set, h.set, change.wire
	raw, err := r.Marshal()
	if err != nil {
		h.tb.Fatal(err)
	}
	return raw, change
}

// listen buys a whole tier, free epoch first, and returns its sound as
// decoded by the hub's codec, and what the grants cost.
func (h *hub) listen(it catalog.Item, tier, rendition uint16, perSecond uint64) (audio.Format, []int32, uint64) {
	h.tb.Helper()
	ctx := h.tb.Context()
	head, records := h.records(it.ID, tier)
	f := audio.Format{Rate: audio.Rate(head.Rate), Channels: int(head.Channels), Bits: int(head.Bits)}
	dec, err := codec.NewDecoder(f)
	if err != nil {
		h.tb.Fatal(err)
	}
	var pcm []int32
	var paid uint64
	for first := 0; first < len(records); {
		var g *sale.Grant
		n := min(5, len(records)-first)
		if first == 0 {
			n = 1
			g, err = h.Grant(ctx, records[:1])
		} else {
			var frames uint64
			for _, rec := range records[first : first+n] {
				frames += uint64(rec.Frames)
			}
			price := (perSecond*frames + uint64(head.Rate) - 1) / uint64(head.Rate)
			body, change := h.body((price + 99) / 100)
			if g, err = h.Redeem(ctx, records[first:first+n], body); err == nil {
				if g.AmountMsat != price {
					h.tb.Errorf("granted for %d msat, the price is %d", g.AmountMsat, price)
				}
				h.finish(change, g.Evals)
			}
		}
		if err != nil {
			h.tb.Fatal(err)
		}
		paid += g.AmountMsat
		for i, rec := range records[first : first+n] {
			object, err := h.Segment(ctx, rec, rendition)
			if err != nil {
				h.tb.Fatal(err)
			}
			p, err := sale.OpenEpoch(head, rec, rendition, object, g.Keys[i])
			if err != nil {
				h.tb.Fatal(err)
			}
			pcm = append(pcm, decode(h.tb, dec, p, audio.Pos(len(pcm)/f.Channels), int(rec.Frames))...)
		}
		first += n
	}
	return f, pcm, paid
}

func decode(tb testing.TB, dec *codec.Decoder, p *segment.Payload, at audio.Pos, frames int) []int32 {
	tb.Helper()
	var b *audio.Block
	var err error
	if p.Codec == segment.CodecOpus {
		b, err = dec.Opus(at, p.Packets, int(p.PreSkip), frames)
	} else {
		b, err = dec.FLAC(at, p.Packets, frames)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if int(b.Frames()) != frames {
		tb.Fatalf("%d frames decoded, the record says %d", b.Frames(), frames)
	}
	return b.PCM
}

func hash(f audio.Format, pcm []int32) [sha256.Size]byte { return audiotest.SHA256(f, pcm) }

func ready(tb testing.TB, wait func(context.Context) error) {
	tb.Helper()
	if err := wait(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func random(tb testing.TB) []byte {
	tb.Helper()
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		tb.Fatal(err)
	}
	return b
}

// finalize unblinds one point.
func finalize(tb testing.TB, p pending, e message.EvalGroup) message.Token {
	tb.Helper()
	g := oprf.SuiteRistretto255.Group()
	el := g.NewElement()
	if err := el.UnmarshalBinary(e.Points[0][:]); err != nil {
		tb.Fatal(err)
	}
	proof := new(dleq.Proof)
	if err := proof.UnmarshalBinary(g, e.Proof[:]); err != nil {
		tb.Fatal(err)
	}
	out, err := p.client.Finalize(p.data, &oprf.Evaluation{Elements: []oprf.Evaluated{el}, Proof: proof})
	if err != nil {
		tb.Fatal(err)
	}
	return message.Token{T: [32]byte(p.inputs[0]), Y: [64]byte(out[0])}
}
