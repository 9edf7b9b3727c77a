package vectors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/token"
)

type negativeFile struct {
	About  string        `json:"about"`
	Root   hx            `json:"bundle_root_seeds"`
	Bases  map[string]hx `json:"bases"`
	Cases  []parseCase   `json:"cases"`
	Paths  []pathCase    `json:"paths"`
	Limits []limitVector `json:"limits"`
}

// parseCase is a base with edits, for one parser.
type parseCase struct {
	Parser string `json:"parser"` // also the name of the base
	Why    string `json:"why"`
	OK     bool   `json:"ok"`
	Edits  []edit `json:"edits"`
}

// edit cuts Del bytes at At (from the end, if negative: -1 is behind the last
// byte) and puts Put there, Rep times.
type edit struct {
	At  int `json:"at"`
	Del int `json:"del,omitempty"`
	Put hx  `json:"put,omitempty"`
	Rep int `json:"rep,omitempty"`
}

type pathCase struct {
	Path string `json:"path"`
	OK   bool   `json:"ok"`
}

// limitVector is one line of the HTTP table: a body of exactly Limit bytes is
// read, one of a byte more is refused.
type limitVector struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Limit   int64  `json:"response_limit"`
	Request int64  `json:"request_limit"`
	Cache   string `json:"cache"`                // of status 200
	Live    string `json:"cache_live,omitempty"` // of an open Head
}

func edited(base []byte, edits []edit) []byte {
	b := bytes.Clone(base)
	for _, e := range edits {
		at := e.At
		if at < 0 {
			at += len(b) + 1
		}
		put := bytes.Repeat(e.Put, max(e.Rep, 1))
		b = append(append(bytes.Clone(b[:at]), put...), b[at+e.Del:]...)
	}
	return b
}

// parsers are the code's, by name.
func parsers(t testing.TB, root []byte) map[string]func([]byte) error {
	t.Helper()
	key := must(composite.NewSecretKey(root))(t)
	return map[string]func([]byte) error{
		"bundle": func(tbs []byte) error {
			_, err := bundle.Parse(must(key.Signed(composite.ContextBundle, tbs))(t), key.Public().KeyID())
			return err
		},
		"record":      func(b []byte) error { _, err := manifest.ParseRecord(b); return err },
		"consistency": func(b []byte) error { _, err := manifest.ParseConsistency(b); return err },
		"payload":     func(b []byte) error { _, err := segment.ParsePayload(b); return err },
		"messages":    func(b []byte) error { _, err := message.Parse(b); return err },
		"hello":       func(b []byte) error { _, err := message.ParseHello(b); return err },
		"welcome":     func(b []byte) error { _, err := message.ParseWelcome(b); return err },
		"buy":         func(b []byte) error { _, err := message.ParseBuy(b); return err },
		"grant":       func(b []byte) error { _, err := message.ParseGrant(b); return err },
		"topup":       func(b []byte) error { _, err := message.ParseTopUp(b); return err },
		"tokens":      func(b []byte) error { _, err := message.ParseTokens(b); return err },
		"voucher":     func(b []byte) error { _, err := message.ParseVoucher(b); return err },
		"error":       func(b []byte) error { _, err := message.ParseError(b); return err },
		"blinds":      func(b []byte) error { _, err := message.ParseBlinds(b); return err },
		"evals":       func(b []byte) error { _, err := message.ParseEvals(b); return err },
		"redeem":      func(b []byte) error { _, err := message.ParseRedeem(b); return err },
		"live":        func(b []byte) error { _, err := message.ParseLive(b); return err },
		"live_is":     func(b []byte) error { _, err := message.ParseLiveIs(b); return err },
		"offer":       func(b []byte) error { _, err := message.ParseOffer(b); return err },
		"keyset": func(b []byte) error {
			_, err := token.ParseKeySet(b)
			if _, also := message.ParseKeySet(b); (also == nil) != (err == nil) {
				t.Errorf("wallet and sne do not agree on a key set: %v, %v", err, also)
			}
			return err
		},
	}
}

func makeNegative(t *testing.T) any {
	f := &negativeFile{
		About: "Every parser at its limits: a case is the base of its name with edits (cut `del` bytes at `at`, put `put` there `rep` times; a negative `at` counts from the end, -1 is behind the last byte). A Bundle's cases are the signed part; sign it with the root of bundle_root_seeds. paths are those of section 9, limits its table.",
		Root:  signer(t, "negative root").Seeds(), Bases: bases(t),
	}
	f.Cases = append(objectCases(), messageCases()...)
	parse := parsers(t, f.Root)
	for _, c := range f.Cases {
		if err := parse[c.Parser](edited(f.Bases[c.Parser], c.Edits)); (err == nil) != c.OK {
			t.Errorf("%s, %s: %v", c.Parser, c.Why, err)
		}
	}
	f.Paths, f.Limits = paths(t), limits()
	return f
}

func bases(t *testing.T) map[string]hx {
	t.Helper()
	b, _ := makeOneBundle(t, "negative", "negative root", func(b *bundle.Bundle) {
		b.LightningNodes = [][33]byte{[33]byte(draw(33, "node"))}
		b.KeySets, b.DeadCreators = []wire.ID{id("keyset")}, []wire.ID{id("dead")}
	})
	signed := must(b.Sign(signer(t, "negative root")))(t)
	rng := message.Range{Broadcast: id("range"), Tier: 2, First: 7, N: 1}
	evals := must(message.Evals{{Denom: 1, Points: []message.Point{message.Point(draw(32, "point"))}}}.Marshal())(t)
	blinds := must(message.Blinds{{Denom: 1, Points: []message.Point{message.Point(draw(32, "point"))}}}.Marshal())(t)
	redeem := must((&message.Redeem{Spend: message.Spend{KeySet: id("keyset"), Groups: []message.TokenGroup{{Denom: 1, Tokens: []message.Token{{T: [32]byte(draw(32, "t")), Y: [64]byte(draw(64, "y"))}}}}}, KeySet: id("keyset"), Change: message.Blinds{}}).Marshal())(t)
	voucher := must(message.MarshalVoucher("1000-" + wire.SessionID(draw(16, "voucher")).String()))(t)
	frame := must(message.Marshal(message.Frame{Kind: message.KindHello, ID: 1, Body: []byte{0}}))(t)
	return map[string]hx{
		"bundle":      signed[:len(signed)-composite.SignatureSize],
		"record":      must(record(id("broadcast"), 5, false, "").Marshal())(t),
		"consistency": append([]byte{1}, draw(32, "hash")...),
		"payload":     must((&segment.Payload{Codec: segment.CodecOpus, Channels: 2, Bits: 16, Rate: 48000, Frames: 96000, PreSkip: 312, Packets: [][]byte{draw(5, "packet")}}).Marshal())(t),
		"messages":    append(frame, make([]byte, 10)...),
		"hello":       must((&message.Hello{Credentials: []message.Credential{{Type: 1, Data: draw(3, "credential")}}}).Marshal())(t),
		"welcome":     must((&message.Welcome{Trust: 1, MaxOpenOffers: 4, Time: noon, Edges: []string{"https://e"}}).Marshal())(t),
		"buy":         must((&message.Buy{Rail: message.RailOpening, Range: rng}).Marshal())(t),
		"grant":       must((&message.Grant{Range: rng, AmountMsat: 900, Split: []message.Share{{Role: 1, Msat: 600}, {Role: 2, Msat: 300}}, Keys: []kdf.Secret{*secret("es")}, Evals: evals}).Marshal())(t),
		"topup":       must((&message.TopUp{Rail: message.TopUpVoucher, KeySet: id("keyset"), Blinds: blinds, Body: voucher}).Marshal())(t),
		"tokens":      must((&message.Tokens{KeySet: id("keyset"), Evals: evals}).Marshal())(t),
		"voucher":     voucher,
		"error":       must((&message.Error{Code: message.CodeBusy, RetryMs: 500}).Marshal())(t),
		"blinds":      blinds,
		"evals":       evals,
		"redeem":      redeem,
		"live":        must((&message.Live{Broadcast: id("range"), Tier: 2}).Marshal())(t),
		"live_is":     must((&message.LiveIs{Broadcast: id("range"), Tier: 2, TreeSize: 9, Root: id("root"), FirstForSale: 4}).Marshal())(t),
		"offer":       must((&message.Offer{TBS: []byte{9}, Sig: make([]byte, composite.SignatureSize), Bolt11: "lnbc1"}).Marshal())(t),
		"keyset":      newMint(t).KeySet(),
	}
}

func paths(t *testing.T) []pathCase {
	t.Helper()
	var out []pathCase
	for _, l := range limits() {
		out = append(out, pathCase{l.Path, true})
		for _, bad := range []string{l.Path + "/", l.Path + "/x", "/" + l.Path, strings.ToUpper(l.Path), strings.TrimPrefix(l.Path, "/sne/1"), strings.Replace(l.Path, "/sne/1", "/sne/2", 1)} {
			out = append(out, pathCase{bad, false})
		}
	}
	b := id("path").String()
	for _, bad := range []string{
		"", "/", "/sne/1", "/sne/1/", "/sne/1//bundle", "/sne/1/./bundle", "/sne/1/nothing", "/sne/1/b/" + b + "/1", "/sne/1/b/" + b + "/01/head", "/sne/1/b/" + b + "/+1/head",
		"/sne/1/b/" + b + "/65536/head", "/sne/1/b/" + b + "/-1/head", "/sne/1/b/" + b + "/1/records/5/0/0", "/sne/1/b/" + b + "/1/records/5/0/33", "/sne/1/b/" + b + "/1/records/5/0",
		"/sne/1/c/" + b + "/1/18446744073709551616/1", "/sne/1/c/" + b + "/1/1", "/sne/1/blob/" + b[:51] + "b", "/sne/1/catalog/1", "/sne/1/session/" + b,
	} {
		out = append(out, pathCase{bad, false})
	}
	for _, p := range out {
		if _, err := resource.Parse(p.Path); (err == nil) != p.OK {
			t.Errorf("%q: %v", p.Path, err)
		}
	}
	return out
}

func resources() []resource.Resource {
	b := id("path")
	return []resource.Resource{
		{Kind: resource.Bundle}, {Kind: resource.BundleByID, ID: b}, {Kind: resource.Key, ID: b}, {Kind: resource.Catalog},
		{Kind: resource.CatalogPage, Seq: 18446744073709551615, Page: 65535}, {Kind: resource.Blob, ID: b}, {Kind: resource.Head, ID: b, Tier: 2},
		{Kind: resource.Records, ID: b, Tier: 2, Size: 100, First: 64, N: 32}, {Kind: resource.Consistency, ID: b, Tier: 2, First: 5, Size: 11},
		{Kind: resource.Segment, ID: b, Tier: 2, Epoch: 7, Rendition: 1}, {Kind: resource.KeySet, ID: b}, {Kind: resource.Session},
		{Kind: resource.Exchange, Session: wire.SessionID(draw(16, "path"))},
	}
}

func limits() []limitVector {
	var out []limitVector
	for _, r := range resources() {
		v := limitVector{Method: r.Method(), Path: r.Path(), Limit: r.Limit(), Request: r.RequestLimit(), Cache: r.Cache(true)}
		if live := r.Cache(false); live != v.Cache {
			v.Live = live
		}
		out = append(out, v)
	}
	return out
}

func TestNegative(t *testing.T) {
	f := load[negativeFile](t, "negative.json")
	parse := parsers(t, f.Root)
	for name := range parse {
		base := f.Bases[name]
		check(t, parse[name](base))
		step := 1 + len(base)/400
		for n := 0; n < len(base); n += step { // cut anywhere, every object is refused, unless what is left is whole by itself
			err := parse[name](base[:n])
			if err == nil && !(name == "messages" && (n == 0 || n >= 8)) && !(name == "topup" && n >= 68) {
				t.Errorf("%s cut to %d bytes was taken", name, n)
			}
		}
	}
	for _, c := range f.Cases {
		err := parse[c.Parser](edited(f.Bases[c.Parser], c.Edits))
		if (err == nil) != c.OK {
			t.Errorf("%s, %s: %v", c.Parser, c.Why, err)
		}
		if err != nil && !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, token.ErrMalformed) && !errors.Is(err, bundle.ErrRoot) {
			t.Errorf("%s, %s: not a typed refusal: %v", c.Parser, c.Why, err)
		}
	}
	for _, p := range f.Paths {
		if _, err := resource.Parse(p.Path); (err == nil) != p.OK {
			t.Errorf("%q: %v", p.Path, err)
		}
	}
	for i, l := range limits() {
		if l != f.Limits[i] {
			t.Errorf("%s: %+v, want %+v", l.Path, l, f.Limits[i])
		}
	}
}

func u16(v int) hx { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func u32(v int) hx { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
