package offer

import (
	"crypto"
	_ "crypto/sha512" // the suite's hash

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/sne/message"
)

// voprf is the context string of RFC 9497, mode VOPRF.
const voprf = "OPRFV1-\x01-ristretto255-SHA512"

// issue is the public values of an issue of tokens that the payer knows before
// paying: one group for each denomination.
type issue struct {
	shape  message.Blinds
	groups []issueGroup
}

type issueGroup struct {
	key     group.Element
	blinded []group.Element
}

// readIssue decodes keyset and blinds, so that nothing but the evaluations can
// be wrong later.
func readIssue(keySet, blinds []byte) (*issue, error) {
	set, err := message.ParseKeySet(keySet)
	if err != nil {
		return nil, err
	}
	x := &issue{}
	if x.shape, err = message.ParseBlinds(blinds); err != nil {
		return nil, err
	}
	for _, g := range x.shape {
		key, ok := set.Key(g.Denom)
		if !ok {
			return nil, refuse("blinds of a denomination that the keyset does not have")
		}
		var ig issueGroup
		if ig.key, err = element(key); err != nil {
			return nil, err
		}
		if ig.blinded, err = elements(g.Points); err != nil {
			return nil, err
		}
		x.groups = append(x.groups, ig)
	}
	return x, nil
}

// fault holds evaluations against the issue: shape, points, and the batched
// DLEQ proof of each denomination. It returns "" if an honest issuer may have
// made them, and otherwise what is wrong.
func (x *issue) fault(evals []byte) string {
	out, err := message.ParseEvals(evals)
	if err != nil || out.Fits(x.shape) != nil {
		return "the evaluations do not fit the blinds"
	}
	for i, g := range x.groups {
		evaluated, err := elements(out[i].Points)
		if err != nil {
			return "an evaluation is not a point"
		}
		var proof dleq.Proof
		if proof.UnmarshalBinary(group.Ristretto255, out[i].Proof[:]) != nil {
			return "a proof is not one"
		}
		v := dleq.Verifier{Params: dleq.Params{G: group.Ristretto255, H: crypto.SHA512, DST: []byte(voprf)}}
		if !v.VerifyBatchRFC9497(g.key, g.blinded, evaluated, &proof) {
			return "a proof does not verify"
		}
	}
	return ""
}

// elements decodes points in their one canonical form; the identity is none.
func elements(points []message.Point) ([]group.Element, error) {
	out := make([]group.Element, len(points))
	for i, p := range points {
		e, err := element(p)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

func element(p message.Point) (group.Element, error) {
	e := group.Ristretto255.NewElement()
	if e.UnmarshalBinary(p[:]) != nil {
		return nil, refuse("not a point")
	}
	canonical, err := e.MarshalBinaryCompress()
	if err != nil || message.Point(canonical) != p || e.IsIdentity() {
		return nil, refuse("identity, or not canonical")
	}
	return e, nil
}
