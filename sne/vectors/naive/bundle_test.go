package naive_test

import (
	"bytes"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

type bundleVector struct {
	Root      hx     `json:"root_seeds"`
	KEM       hx     `json:"kem_seed"`
	Online    hx     `json:"online_seeds"`
	Seq       uint64 `json:"seq"`
	MinSeq    uint64 `json:"min_seq"`
	NotBefore uint64 `json:"not_before"`
	NotAfter  uint64 `json:"not_after"`
	Host      string
	Nodes     []hx `json:"ln_nodes"`
	KeySets   []hx
	Dead      []hx `json:"dead_creators"`
	RootID    hx   `json:"root_key_id"`
	ID        hx   `json:"bundle_id"`
	Signed    hx
}

// tbs builds the signed part from the fields.
func (v *bundleVector) tbs(t testing.TB) []byte {
	t.Helper()
	_, _, root, err := compositeKeys(v.Root)
	check(t, err)
	_, _, online, err := compositeKeys(v.Online)
	check(t, err)
	_, _, kemPK, err := xwingKeys(v.KEM)
	check(t, err)
	list := func(items []hx) []byte {
		b := []byte{byte(len(items))}
		for _, i := range items {
			b = append(b, i...)
		}
		return b
	}
	return cat([]byte{1, 0, 0, 1}, be64(v.Seq), be64(v.MinSeq), be64(v.NotBefore), be64(v.NotAfter), be16(uint64(len(v.Host))), []byte(v.Host),
		root, kemPK, online, list(v.Nodes), list(v.KeySets), list(v.Dead))
}

// parseBundle reads the signed part under a root.
func parseBundle(tbs, rootID []byte) error {
	return parse(tbs, func(r *rd) {
		r.want(r.u8() == 1 && r.u8() == 0 && r.u16() == 1)
		seq, minSeq, from, to := r.u64(), r.u64(), r.u64(), r.u64()
		r.want(seq >= minSeq && to >= from && to-from <= 8*24*3600*1000)
		host := r.upTo(255)
		r.want(len(host) > 0 && utf8.Valid(host))
		r.want(bytes.Equal(keyID(r.take(1984)), rootID))
		r.take(1216 + 1984)
		n := r.u8()
		r.want(n <= 4)
		r.take(33 * n)
		n = r.u8()
		r.want(n <= 4)
		r.take(32 * n)
		r.take(32 * r.u8())
	})
}

// pin is what a hub keeps of a root.
type pin struct {
	host                   string
	root, id               []byte
	seq, minSeq, notBefore uint64
}

func (p *pin) show(t testing.TB, v *bundleVector, now, floor uint64, trusted bool) string {
	t.Helper()
	switch {
	case !bytes.Equal(v.RootID, p.root):
		return "root"
	case v.Host != p.host:
		return "host"
	case v.Seq < p.minSeq:
		return "dead"
	case p.id != nil && v.Seq < p.seq:
		return "stale"
	case p.id != nil && v.Seq == p.seq && !bytes.Equal(v.ID, p.id):
		return "split"
	case trusted && now > v.NotAfter:
		return "expired"
	case trusted && now+600_000 < v.NotBefore:
		return "not_yet"
	case !trusted && v.NotAfter < max(floor, p.notBefore):
		return "expired"
	}
	p.id, p.seq, p.minSeq, p.notBefore = v.ID, v.Seq, max(p.minSeq, v.MinSeq), max(p.notBefore, v.NotBefore)
	return "ok"
}

type urlVector struct {
	URL, Host string
	Port      uint64
	Root      hx `json:"root_key_id"`
	Broadcast hx `json:"broadcast_id"`
	Tier      uint64
}

var sneURL = regexp.MustCompile(`^sne://(\[[0-9a-fA-F:.]+\]|[^\[\]/?#@:%]+)(:([1-9][0-9]*))?/([a-z2-7]{52})(/([a-z2-7]{52})(/([1-9][0-9]*))?)?$`)

func parseURL(s string) (*urlVector, error) {
	m := sneURL.FindStringSubmatch(s)
	if _, err := url.Parse(s); err != nil || m == nil {
		return nil, errParse
	}
	v := &urlVector{URL: s, Host: strings.ToLower(strings.Trim(m[1], "[]"))}
	var err error
	number := func(s string) uint64 {
		if s == "" {
			return 0
		}
		n, bad := strconv.ParseUint(s, 10, 16)
		if bad != nil {
			err = bad
		}
		return n
	}
	v.Port, v.Tier = number(m[3]), number(m[8])
	for i, dst := range map[int]*hx{4: &v.Root, 6: &v.Broadcast} {
		if m[i] != "" {
			b, bad := parseID(m[i], 32)
			*dst = b
			if bad != nil {
				err = bad
			}
		}
	}
	return v, err
}

func TestBundle(t *testing.T) {
	f := load[struct {
		head
		Bundles map[string]*bundleVector
		Pins    []struct {
			Name, Host string
			Root       hx `json:"root_key_id"`
			Steps      []struct {
				Bundle     string
				Now, Floor uint64
				Trusted    bool
				Expect     string
			}
		}
		URLs    []urlVector
		BadURLs []string `json:"bad_urls"`
	}](t, "bundle.json")
	for name, v := range f.Bundles {
		_, _, root, err := compositeKeys(v.Root)
		check(t, err)
		tbs, err := opened(root, "sne/1 bundle", v.Signed)
		check(t, err)
		same(t, name, tbs, v.tbs(t))
		same(t, "bundle_id", sum([]byte("sne1 bundle"), tbs), v.ID)
		same(t, "root", keyID(root), v.RootID)
		check(t, parseBundle(tbs, v.RootID))
	}
	for _, p := range f.Pins {
		state := &pin{host: p.Host, root: p.Root}
		for i, s := range p.Steps {
			if got := state.show(t, f.Bundles[s.Bundle], s.Now, s.Floor, s.Trusted); got != s.Expect {
				t.Errorf("%s, step %d: %s, want %s", p.Name, i, got, s.Expect)
			}
		}
	}
	for _, v := range f.URLs {
		u, err := parseURL(v.URL)
		if err != nil || u.Host != v.Host || u.Port != v.Port || u.Tier != v.Tier || !bytes.Equal(u.Root, v.Root) || !bytes.Equal(u.Broadcast, v.Broadcast) {
			t.Errorf("%s: %+v, %v", v.URL, u, err)
		}
	}
	for _, s := range f.BadURLs {
		if u, err := parseURL(s); err == nil {
			t.Errorf("%q: %+v", s, u)
		}
	}
}
