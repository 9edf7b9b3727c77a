package snetest

import (
	"crypto/rand"
	"encoding/binary"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"

	"sonahub/sne/message"
)

// Issuer evaluates Blinds with keys of its own, of circl alone. It has no books.
type Issuer struct {
	KeySet []byte // six denominations, 1 to 32 units

	keys []*oprf.PrivateKey
}

// NewIssuer makes an issuer whose units are worth so many msat.
func NewIssuer(t testing.TB, unitMsat uint16) *Issuer {
	t.Helper()
	x := &Issuer{}
	set := binary.BigEndian.AppendUint16([]byte{1, 0}, unitMsat)
	set = binary.BigEndian.AppendUint64(set, 1)
	set = binary.BigEndian.AppendUint64(set, 2)
	set = append(set, 6)
	for d := range 6 {
		k, err := oprf.GenerateKey(oprf.SuiteRistretto255, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pk, err := k.Public().MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		x.keys = append(x.keys, k)
		set = append(append(set, byte(d)), pk...)
	}
	x.KeySet = set
	return x
}

// Evaluate answers Blinds with Evals; it fits Origin.Evaluate.
func (x *Issuer) Evaluate(raw []byte) ([]byte, error) {
	blinds, err := message.ParseBlinds(raw)
	if err != nil {
		return nil, err
	}
	var out message.Evals
	for _, g := range blinds {
		req := &oprf.EvaluationRequest{}
		for _, p := range g.Points {
			e := group.Ristretto255.NewElement()
			if err := e.UnmarshalBinary(p[:]); err != nil {
				return nil, err
			}
			req.Elements = append(req.Elements, e)
		}
		ev, err := oprf.NewVerifiableServer(oprf.SuiteRistretto255, x.keys[g.Denom]).Evaluate(req)
		if err != nil {
			return nil, err
		}
		eg := message.EvalGroup{Denom: g.Denom}
		for _, e := range ev.Elements {
			b, err := e.MarshalBinaryCompress()
			if err != nil {
				return nil, err
			}
			eg.Points = append(eg.Points, message.Point(b))
		}
		proof, err := ev.Proof.MarshalBinary()
		if err != nil {
			return nil, err
		}
		eg.Proof = [64]byte(proof)
		out = append(out, eg)
	}
	return out.Marshal()
}

// Blinds are points worth 1 + 4 + 4 units, which nobody can unblind.
func Blinds(t testing.TB) []byte {
	t.Helper()
	point := func(text string) message.Point {
		b, err := group.Ristretto255.HashToElement([]byte(text), []byte("test")).MarshalBinaryCompress()
		if err != nil {
			t.Fatal(err)
		}
		return message.Point(b)
	}
	raw, err := message.Blinds{
		{Denom: 0, Points: []message.Point{point("a")}},
		{Denom: 2, Points: []message.Point{point("b"), point("c")}},
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
