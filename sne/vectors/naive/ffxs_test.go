package naive_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
)

// RFC 9497, mode VOPRF, ristretto255-SHA512, from the group's operations alone.
const oprfContext = "OPRFV1-\x01-ristretto255-SHA512"

var ristretto = group.Ristretto255

func hashToGroup(in []byte) group.Element {
	return ristretto.HashToElement(in, []byte("HashToGroup-"+oprfContext))
}

func hashToScalar(in []byte) group.Scalar {
	return ristretto.HashToScalar(in, []byte("HashToScalar-"+oprfContext))
}

func bin(v interface{ MarshalBinary() ([]byte, error) }) []byte {
	b, err := v.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}

// point decodes a canonical element that is not the identity.
func point(b []byte) (group.Element, error) {
	e := ristretto.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	if c, err := e.MarshalBinaryCompress(); err != nil || !bytes.Equal(c, b) || e.IsIdentity() {
		return nil, errParse
	}
	return e, nil
}

func scalar(t testing.TB, b []byte) group.Scalar {
	t.Helper()
	s := ristretto.NewScalar()
	check(t, s.UnmarshalBinary(b))
	return s
}

func mul(e group.Element, s group.Scalar) group.Element { return ristretto.NewElement().Mul(e, s) }

func add(a, b group.Element) group.Element { return ristretto.NewElement().Add(a, b) }

func lengthed(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = cat(b, be16(uint64(len(p))), p)
	}
	return b
}

// composites is ComputeComposites of RFC 9497, 2.2.1.
func composites(pk group.Element, c, d []group.Element) (m, z group.Element) {
	seed := sha512.Sum512(cat(lengthed(bin(pk)), lengthed([]byte("Seed-"+oprfContext))))
	m, z = ristretto.Identity(), ristretto.Identity()
	for i := range c {
		in := cat(lengthed(seed[:]), be16(uint64(i)), lengthed(bin(c[i]), bin(d[i])), []byte("Composite"))
		di := hashToScalar(in)
		m, z = add(m, mul(c[i], di)), add(z, mul(d[i], di))
	}
	return m, z
}

func challenge(parts ...group.Element) group.Scalar {
	var in []byte
	for _, e := range parts {
		in = cat(in, lengthed(bin(e)))
	}
	return hashToScalar(cat(in, []byte("Challenge")))
}

// proofHolds is VerifyProof of RFC 9497, 2.2.2.
func proofHolds(t testing.TB, pk group.Element, c, d []group.Element, proof []byte) bool {
	t.Helper()
	m, z := composites(pk, c, d)
	cs, s := scalar(t, proof[:32]), scalar(t, proof[32:])
	t2 := add(mul(ristretto.Generator(), s), mul(pk, cs))
	t3 := add(mul(m, s), mul(z, cs))
	return challenge(pk, m, z, t2, t3).IsEqual(cs)
}

// prove is GenerateProof with a given r.
func prove(k, r group.Scalar, pk group.Element, c, d []group.Element) []byte {
	m, z := composites(pk, c, d)
	cs := challenge(pk, m, z, mul(ristretto.Generator(), r), mul(m, r))
	s := ristretto.NewScalar().Sub(r, ristretto.NewScalar().Mul(cs, k))
	return cat(bin(cs), bin(s))
}

func finalize(in []byte, e group.Element) []byte {
	h := sha512.Sum512(cat(lengthed(in, bin(e)), []byte("Finalize")))
	return h[:]
}

func TestPublishedVOPRF(t *testing.T) {
	f := load[struct {
		head
		SK, PK, Seed hx
		KeyInfo      hx `json:"key_info"`
		Vectors      []struct {
			Input, Blind, Blinded, Evaluated, Output string
			Proof, R                                 hx
		}
	}](t, "published_voprf.json")
	k := scalar(t, f.SK)
	derived := ristretto.HashToScalar(cat(f.Seed, lengthed(f.KeyInfo), []byte{0}), []byte("DeriveKeyPair"+oprfContext))
	same(t, "derived key", bin(derived), f.SK)
	pk := mul(ristretto.Generator(), k)
	same(t, "public key", bin(pk), f.PK)
	list := func(s string) (out []hx) {
		for x := range strings.SplitSeq(s, ",") {
			var h hx
			check(t, h.UnmarshalText([]byte(x)))
			out = append(out, h)
		}
		return out
	}
	for _, v := range f.Vectors {
		in, blinds := list(v.Input), list(v.Blind)
		var c, d []group.Element
		for i := range in {
			r := scalar(t, blinds[i])
			b := mul(hashToGroup(in[i]), r)
			e := mul(b, k)
			same(t, "blinded", bin(b), list(v.Blinded)[i])
			same(t, "evaluated", bin(e), list(v.Evaluated)[i])
			same(t, "output", finalize(in[i], mul(e, ristretto.NewScalar().Inv(r))), list(v.Output)[i])
			c, d = append(c, b), append(d, e)
		}
		same(t, "proof", prove(k, scalar(t, v.R), pk, c, d), v.Proof)
		if !proofHolds(t, pk, c, d, v.Proof) {
			t.Error("proof does not hold")
		}
	}
}

// group of points, evaluations or tokens as they stand on the wire.
type pointGroup struct {
	denom  uint64
	points [][]byte
	proof  []byte
}

func (r *rd) groups(limit, size, tail uint64) []pointGroup {
	var out []pointGroup
	last, total := -1, uint64(0)
	for range r.u8() {
		g := pointGroup{denom: r.u8()}
		m := r.u8()
		total += m
		r.want(int(g.denom) > last && g.denom <= 23 && m > 0 && total <= limit)
		last = int(g.denom)
		for range m {
			p := r.take(size)
			r.want(size != 32 || !bytes.Equal(p, make([]byte, 32)))
			g.points = append(g.points, p)
		}
		g.proof = r.take(tail)
		out = append(out, g)
	}
	return out
}

func units(gs []pointGroup) (n uint64) {
	for _, g := range gs {
		n += uint64(len(g.points)) << g.denom
	}
	return n
}

func parseKeySet(b []byte) error {
	return parse(b, func(r *rd) {
		r.want(r.u8() == 1 && r.u8() == 0 && r.u16() > 0)
		issue, redeem := r.u64(), r.u64()
		r.want(issue < 1<<63 && redeem < 1<<63)
		n, last := r.u8(), -1
		r.want(n >= 1 && n <= 24)
		for range n {
			d := int(r.u8())
			r.want(d > last && d <= 23 && !bytes.Equal(r.take(32), make([]byte, 32)))
			last = d
		}
	})
}

type ffxsKey struct {
	Denom  uint64
	SK, PK hx
}

// mint is an issuer with its books.
type mint struct {
	id    []byte
	keys  []ffxsKey
	spent map[string]string // nullifier -> body hash
}

var errIs = map[string]error{"1": errors.New("bad request"), "4": errors.New("price"), "9": errors.New("token"), "10": errors.New("key set")}

func (m *mint) evaluate(t testing.TB, blinds []pointGroup) (out [][]byte, err error) {
	t.Helper()
	for _, g := range blinds {
		if g.denom >= uint64(len(m.keys)) {
			return nil, errIs["10"]
		}
		for _, p := range g.points {
			e, err := point(p)
			if err != nil {
				return nil, errIs["1"]
			}
			out = append(out, bin(mul(e, scalar(t, m.keys[g.denom].SK))))
		}
	}
	return out, nil
}

// post answers a BUY or a SWAP: "ok" with the evaluated points, "repeat", or an
// error's number.
func (m *mint) post(t testing.TB, kind byte, body []byte, price uint64) (string, [][]byte) {
	t.Helper()
	var set, blindSet []byte
	var tokens, blinds []pointGroup
	err := parse(body, func(r *rd) {
		if kind == 3 {
			r.want(r.u8() == 2)
			r.take(32 + 2 + 8 + 1)
		}
		set, tokens = r.take(32), r.groups(32, 96, 0)
		blindSet, blinds = r.take(32), r.groups(64, 32, 0)
		r.want(len(tokens) > 0)
	})
	switch {
	case err != nil:
		return "1", nil
	case units(tokens) != price+units(blinds):
		return "4", nil
	case !bytes.Equal(set, m.id) || !bytes.Equal(blindSet, m.id):
		return "10", nil
	}
	hash := string(sum([]byte{kind}, body))
	var nulls []string
	here, known, other := map[string]bool{}, 0, false
	for _, g := range tokens {
		for _, p := range g.points {
			in := p[:32]
			y := finalize(in, mul(hashToGroup(in), scalar(t, m.keys[g.denom].SK)))
			n := string(sum([]byte("sne1 spent"), m.id, []byte{byte(g.denom)}, in))
			if !bytes.Equal(y, p[32:]) || here[n] {
				return "9", nil
			}
			here[n] = true
			h, ok := m.spent[n]
			if ok {
				known++
			}
			other = other || ok && h != hash
			nulls = append(nulls, n)
		}
	}
	if other || known > 0 && known < len(nulls) {
		return "9", nil
	}
	out, err := m.evaluate(t, blinds)
	if err != nil {
		return "1", nil
	}
	if known > 0 {
		return "repeat", out
	}
	for _, n := range nulls {
		m.spent[n] = hash
	}
	return "ok", out
}

type issueVector struct {
	Blinds, Evals hx
	Tokens        []struct {
		Denom       uint64
		T, Blind, Y hx
		Nullifier   hx
	}
}

// issue checks one issue from both sides.
func (m *mint) issue(t *testing.T, v *issueVector) {
	t.Helper()
	var blinds, evals []pointGroup
	check(t, parse(v.Blinds, func(r *rd) { blinds = r.groups(64, 32, 0) }))
	check(t, parse(v.Evals, func(r *rd) { evals = r.groups(64, 32, 64) }))
	if len(blinds) != len(evals) {
		t.Fatal("shapes differ")
	}
	at := 0
	for i, g := range blinds {
		k := scalar(t, m.keys[g.denom].SK)
		var c, d []group.Element
		for j, p := range g.points {
			tok := v.Tokens[at]
			at++
			r := scalar(t, tok.Blind)
			same(t, "blind", p, bin(mul(hashToGroup(tok.T), r)))
			b, err := point(p)
			check(t, err)
			e, err := point(evals[i].points[j])
			check(t, err)
			same(t, "evaluation", bin(e), bin(mul(b, k)))
			same(t, "token", finalize(tok.T, mul(e, ristretto.NewScalar().Inv(r))), tok.Y)
			same(t, "nullifier", sum([]byte("sne1 spent"), m.id, []byte{byte(g.denom)}, tok.T), tok.Nullifier)
			c, d = append(c, b), append(d, e)
		}
		pk, err := point(m.keys[g.denom].PK)
		check(t, err)
		if !proofHolds(t, pk, c, d, evals[i].proof) {
			t.Error("proof does not hold")
		}
		if proofHolds(t, pk, c, d, flip(evals[i].proof, 0)) || proofHolds(t, pk, c, append(d[1:], d[0]), evals[i].proof) && len(d) > 1 {
			t.Error("a wrong proof holds")
		}
	}
}

func TestFFXS(t *testing.T) {
	f := load[struct {
		head
		KeySet struct {
			Unit   uint64 `json:"unit_msat"`
			Issue  uint64 `json:"issue_until"`
			Redeem uint64 `json:"redeem_until"`
			Keys   []ffxsKey
			Bytes  hx
			ID     hx `json:"keyset_id"`
		}
		Issues []issueVector
		Books  []struct {
			Why, Expect string
			Kind        byte
			Body        hx
			Price       uint64 `json:"price_units"`
			Hash        hx     `json:"body_hash"`
			Evals       hx
		}
	}](t, "ffxs.json")
	k := f.KeySet
	b := cat([]byte{1, 0}, be16(k.Unit), be64(k.Issue), be64(k.Redeem), []byte{byte(len(k.Keys))})
	for _, key := range k.Keys {
		same(t, "public key", bin(mul(ristretto.Generator(), scalar(t, key.SK))), key.PK)
		b = cat(b, []byte{byte(key.Denom)}, key.PK)
	}
	same(t, "key set", b, k.Bytes)
	same(t, "keyset_id", sum([]byte("sne1 ffxs"), b), k.ID)
	check(t, parseKeySet(b))
	m := &mint{id: k.ID, keys: k.Keys, spent: map[string]string{}}
	for i := range f.Issues {
		m.issue(t, &f.Issues[i])
	}
	for _, v := range f.Books {
		same(t, "body_hash", sum([]byte{v.Kind}, v.Body), v.Hash)
		got, points := m.post(t, v.Kind, v.Body, v.Price)
		if got != v.Expect {
			t.Errorf("%s: %s, want %s", v.Why, got, v.Expect)
		}
		if got == "ok" {
			var evals []pointGroup
			check(t, parse(v.Evals, func(r *rd) { evals = r.groups(64, 32, 64) }))
			var all [][]byte
			for _, g := range evals {
				all = append(all, g.points...)
			}
			same(t, fmt.Sprint("change of ", v.Why), cat(points...), cat(all...))
		}
	}
}
