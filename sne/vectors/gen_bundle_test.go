package vectors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/wire"
)

type bundleFile struct {
	About   string                   `json:"about"`
	Bundles map[string]*bundleVector `json:"bundles"`
	Pins    []pinVector              `json:"pins"`
	URLs    []urlVector              `json:"urls"`
	BadURLs []string                 `json:"bad_urls"`
}

type bundleVector struct {
	Root      hx     `json:"root_seeds"`
	KEM       hx     `json:"kem_seed"`
	Online    hx     `json:"online_seeds"`
	Seq       uint64 `json:"seq"`
	MinSeq    uint64 `json:"min_seq"`
	NotBefore uint64 `json:"not_before"`
	NotAfter  uint64 `json:"not_after"`
	Host      string `json:"host"`
	Nodes     []hx   `json:"ln_nodes"`
	KeySets   []hx   `json:"keysets"`
	Dead      []hx   `json:"dead_creators"`
	RootID    hx     `json:"root_key_id"`
	ID        hx     `json:"bundle_id"`
	Signed    hx     `json:"signed"`
}

// pinVector is what one hub sees, in order.
type pinVector struct {
	Name  string    `json:"name"`
	Host  string    `json:"host"`
	Root  hx        `json:"root_key_id"`
	Steps []pinStep `json:"steps"`
}

type pinStep struct {
	Bundle  string `json:"bundle"`
	Now     uint64 `json:"now"`     // ms
	Trusted bool   `json:"trusted"` // false: now is unknown and floor counts
	Floor   uint64 `json:"floor"`   // ms
	Expect  string `json:"expect"`  // ok root host dead stale split not_yet expired
}

type urlVector struct {
	URL       string `json:"url"`
	Host      string `json:"host"`
	Port      uint16 `json:"port"` // 0 = 443
	Root      hx     `json:"root_key_id"`
	Broadcast hx     `json:"broadcast_id,omitempty"`
	Tier      uint16 `json:"tier,omitempty"`
}

const day = 24 * 60 * 60 * 1000 // ms

// noon is the middle of the vectors' time.
const noon = uint64(1_800_000_000_000)

func idBytes(ids []wire.ID) []hx {
	out := []hx{}
	for i := range ids {
		out = append(out, ids[i][:])
	}
	return out
}

// makeOneBundle signs a Bundle of the root "bundle root" unless change says otherwise.
func makeOneBundle(t *testing.T, name string, root string, change func(*bundle.Bundle)) (*bundle.Bundle, *bundleVector) {
	t.Helper()
	k, e, o := signer(t, root), kemKey(t, "kem "+name), signer(t, "online "+name)
	b := &bundle.Bundle{
		Seq: 7, MinSeq: 5, NotBefore: noon - day, NotAfter: noon + 7*day, Host: "music.example",
		KEM: *e.Public(), Online: *o.Public(),
	}
	change(b)
	v := &bundleVector{
		Root: k.Seeds(), KEM: e.Seed(), Online: o.Seeds(), Seq: b.Seq, MinSeq: b.MinSeq, NotBefore: b.NotBefore, NotAfter: b.NotAfter,
		Host: b.Host, Nodes: []hx{}, KeySets: idBytes(b.KeySets), Dead: idBytes(b.DeadCreators),
	}
	for i := range b.LightningNodes {
		v.Nodes = append(v.Nodes, b.LightningNodes[i][:])
	}
	v.Signed = must(b.Sign(k))(t)
	bundleID := must(b.ID())(t)
	rootID := b.Root.KeyID()
	v.ID, v.RootID = bundleID[:], rootID[:]
	return b, v
}

func makeBundle(t *testing.T) any {
	f := &bundleFile{
		About:   "Sections 2.2 and 2.3: Bundles (the signature is hedged: only its validity counts), what a hub with a pin and a clock does with them in order, and sne URLs.",
		Bundles: map[string]*bundleVector{},
	}
	add := func(name, root string, change func(*bundle.Bundle)) {
		_, f.Bundles[name] = makeOneBundle(t, name, root, change)
	}
	add("seven", "root", func(b *bundle.Bundle) {
		for i := range 4 {
			b.LightningNodes = append(b.LightningNodes, [33]byte(draw(33, fmt.Sprint("node ", i))))
			b.KeySets = append(b.KeySets, id(fmt.Sprint("keyset ", i)))
			b.DeadCreators = append(b.DeadCreators, id(fmt.Sprint("dead ", i)))
		}
	})
	add("six", "root", func(b *bundle.Bundle) { b.Seq = 6 })
	add("other seven", "root", func(b *bundle.Bundle) {})
	add("nine kills eight", "root", func(b *bundle.Bundle) { b.Seq, b.MinSeq, b.NotBefore, b.NotAfter = 9, 9, noon, noon+8*day })
	add("eight", "root", func(b *bundle.Bundle) { b.Seq = 8 })
	add("other host", "root", func(b *bundle.Bundle) { b.Host = "other.example" })
	add("other root", "second root", func(b *bundle.Bundle) {})
	f.Pins = makePins(t, f.Bundles)
	f.URLs, f.BadURLs = makeURLs(t)
	return f
}

func makePins(t *testing.T, bundles map[string]*bundleVector) []pinVector {
	t.Helper()
	at := func(name string, now uint64) pinStep { return pinStep{Bundle: name, Now: now, Trusted: true} }
	dark := func(name string, floor uint64) pinStep { return pinStep{Bundle: name, Floor: floor} }
	start, end := noon-day, noon+7*day
	pins := []pinVector{
		{Name: "forward, stale, split view", Steps: []pinStep{at("six", noon), at("seven", noon), at("seven", noon), at("six", noon), at("other seven", noon), at("seven", noon)}},
		{Name: "revocation", Steps: []pinStep{at("eight", noon), at("nine kills eight", noon), at("eight", noon), at("seven", noon)}},
		{Name: "wrong name", Steps: []pinStep{at("other host", noon), at("other root", noon), at("seven", noon)}},
		{Name: "trusted clock", Steps: []pinStep{at("seven", start-600_001), at("seven", start-600_000), at("seven", end), at("seven", end+1)}},
		{Name: "no clock", Steps: []pinStep{dark("seven", 0), dark("seven", end), dark("seven", end+1), dark("nine kills eight", end+1), dark("nine kills eight", 0)}},
	}
	expect := map[error]string{nil: "ok", bundle.ErrRoot: "root", bundle.ErrHost: "host", bundle.ErrDead: "dead", bundle.ErrStale: "stale", bundle.ErrNotYet: "not_yet", bundle.ErrExpired: "expired"}
	for i := range pins {
		p := &pins[i]
		p.Host, p.Root = "music.example", bundles["seven"].RootID
		pin := bundle.Pin{Host: p.Host, Root: wire.ID(p.Root)}
		for k := range p.Steps {
			err := step(&pin, &p.Steps[k], bundles)
			var split *bundle.SplitViewError
			if errors.As(err, &split) {
				p.Steps[k].Expect = "split"
				continue
			}
			p.Steps[k].Expect = expect[err]
		}
	}
	return pins
}

// step shows a pin one Bundle.
func step(pin *bundle.Pin, s *pinStep, bundles map[string]*bundleVector) error {
	b, err := bundle.Parse(bundles[s.Bundle].Signed, pin.Root)
	if err != nil {
		return err
	}
	next, err := pin.Accept(b, bundle.Clock{Now: time.UnixMilli(int64(s.Now)), Trusted: s.Trusted, Floor: time.UnixMilli(int64(s.Floor))})
	if err == nil {
		*pin = next
	}
	return err
}

func makeURLs(t *testing.T) ([]urlVector, []string) {
	t.Helper()
	root, b := id("url root"), id("url broadcast")
	r, c := root.String(), b.String()
	var good []urlVector
	for _, s := range []string{
		"sne://music.example/" + r, "sne://music.example:8443/" + r, "sne://127.0.0.1:8080/" + r + "/" + c,
		"sne://[2001:db8::1]:8443/" + r + "/" + c + "/2", "sne://music.example/" + r + "/" + c + "/65535",
	} {
		u := must(bundle.ParseURL(s))(t)
		v := urlVector{URL: s, Host: u.Host, Port: u.Port, Root: u.Root[:], Tier: u.Tier}
		if !u.Broadcast.IsZero() {
			v.Broadcast = u.Broadcast[:]
		}
		good = append(good, v)
	}
	return good, []string{
		"", "https://music.example/" + r, "sne://music.example/", "sne://music.example", "sne:///" + r, "sne://user@music.example/" + r,
		"sne://music.example/" + r + "?x=1", "sne://music.example/" + r + "#x", "sne://music.example:0/" + r, "sne://music.example:65536/" + r,
		"sne://music.example:/" + r, "sne://music.example/" + r + "/", "sne://music.example/" + r + "/" + c + "/0", "sne://music.example/" + r + "/" + c + "/01",
		"sne://music.example/" + r + "/" + c + "/65536", "sne://music.example/" + r + "/" + c + "/1/1", "sne://music.example/" + r[:51], "sne://music.example/" + r[:51] + "b",
	}
}
