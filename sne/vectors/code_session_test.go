package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

func TestBundle(t *testing.T) {
	f := load[bundleFile](t, "bundle.json")
	for name, v := range f.Bundles {
		b, err := bundle.Parse(v.Signed, wire.ID(v.RootID))
		check(t, err)
		if got := must(b.ID())(t); got != wire.ID(v.ID) || b.Seq != v.Seq || b.MinSeq != v.MinSeq || b.NotBefore != v.NotBefore || b.NotAfter != v.NotAfter || b.Host != v.Host ||
			len(b.LightningNodes) != len(v.Nodes) || len(b.KeySets) != len(v.KeySets) || len(b.DeadCreators) != len(v.Dead) {
			t.Errorf("%s: read %+v", name, b)
		}
		same(t, "kem key", b.KEM[:], must(kem.NewSecretKey(v.KEM))(t).Public()[:])
		same(t, "online key", b.Online[:], must(composite.NewSecretKey(v.Online))(t).Public()[:])
	}
	bundles := f.Bundles
	again := makePins(t, bundles)
	for i, p := range f.Pins {
		for k, s := range p.Steps {
			if again[i].Steps[k] != s {
				t.Errorf("%s, step %d: %s, want %s", p.Name, k, again[i].Steps[k].Expect, s.Expect)
			}
		}
	}
	for _, v := range f.URLs {
		u, err := bundle.ParseURL(v.URL)
		check(t, err)
		if u.Host != v.Host || u.Port != v.Port || u.Root != wire.ID(v.Root) || u.Tier != v.Tier || (v.Broadcast != nil && u.Broadcast != wire.ID(v.Broadcast)) {
			t.Errorf("%s: read %+v", v.URL, u)
		}
	}
	for _, s := range f.BadURLs {
		if u, err := bundle.ParseURL(s); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: read %+v, %v", s, u, err)
		}
	}
}

// sides builds hub and origin of a handshake vector with its own randomness.
func (v *handshakeVector) sides(t testing.TB) (*handshake.Initiator, []byte, *handshake.Responder) {
	t.Helper()
	b := must(bundle.Parse(v.Bundle.Signed, wire.ID(v.Bundle.RootID)))(t)
	hub, msg1, err := handshake.Start(source(v.ESeed, v.SkemESeed), b)
	check(t, err)
	return hub, msg1, &handshake.Responder{
		Bundle: wire.ID(v.Bundle.ID), KEM: must(kem.NewSecretKey(v.Bundle.KEM))(t), Online: must(composite.NewSecretKey(v.Bundle.Online))(t),
		Limits: handshake.Limits{MaxExchanges: v.MaxExchanges, TTL: v.TTL}, Random: source(v.Session, v.EkemESeed),
	}
}

func TestHandshake(t *testing.T) {
	f := load[handshakeFile](t, "handshake.json")
	for _, v := range f.Good {
		hub, msg1, origin := v.sides(t)
		same(t, "msg1", msg1, v.Message1)
		msg2, theirs, err := origin.Respond(v.Message1)
		check(t, err)
		same(t, "ekem of msg2", msg2[:1121], v.Message2[:1121]) // the signature is hedged
		res, err := hub.Finish(v.Message2)
		check(t, err)
		same(t, "root_0", res.Root[:], v.Root)
		same(t, "h_0", res.Hash[:], v.Hash)
		same(t, "session_id", res.Session[:], v.Session)
		if res.MaxExchanges != v.MaxExchanges || res.TTL != v.TTL || theirs.Session != res.Session {
			t.Errorf("limits %+v", res.Limits)
		}
	}
	v := f.Good[0]
	for _, bad := range f.Bad {
		hub, _, origin := v.sides(t)
		var err error
		if bad.Message == 1 {
			_, _, err = origin.Respond(damage(v.Message1, bad.At, bad.Length))
		} else {
			_, err = hub.Finish(damage(v.Message2, bad.At, bad.Length))
		}
		if !errors.Is(err, handshake.ErrHandshake) {
			t.Errorf("message %d, %s: %v", bad.Message, bad.Why, err)
		}
	}
}

// chainOf derives what both sides keep after exchange i, which the package does
// not show: once more from the text.
func chainOf(t testing.TB, f *exchangeFile, i int, v *exchangeVector, request, response []byte) (lockBase, root, hash []byte) {
	t.Helper()
	before := exchangeVector{NextRoot: f.Root, NextHash: f.Hash}
	if i > 0 {
		before = f.Exchanges[i-1]
	}
	ct := response[10:][:kem.CiphertextSize]
	h := sha256.Sum256(bytes.Join([][]byte{[]byte("sne1 exchange"), before.NextHash, request, ct}, nil))
	var ss, x, lb, next kdf.Secret
	must(kem.NewSecretKey(v.DKSeed))(t).Decapsulate(&ss, (*kem.Ciphertext)(ct))
	check(t, kdf.Expand(&x, (*kdf.Secret)(before.NextRoot), "heal", h[:]))
	check(t, kdf.Extract(&x, &x, &ss))
	check(t, kdf.Expand(&next, &x, "next", h[:]))
	check(t, kdf.Expand(&lb, &x, "lock base", h[:]))
	return lb[:], next[:], h[:]
}

// replay makes the requests and responses of all exchanges.
func (f *exchangeFile) replay(t testing.TB) (requests, responses [][]byte) {
	t.Helper()
	hub, origin := session.NewClient(f.result(), time.Unix(0, 0)), session.NewServer(f.result(), time.Unix(0, 0))
	for i := range f.Exchanges {
		v := &f.Exchanges[i]
		request := must(hub.Request(source(v.DKSeed), v.Up.bytes()))(t)
		origin.Random = source(v.ESeed)
		response := must(origin.Handle(time.Unix(int64(i), 0), request, func(up []byte) ([]byte, error) {
			same(t, "messages up", up[:v.Up.Len], v.Up.bytes())
			return v.Down.bytes(), nil
		}))(t)
		down := must(hub.Response(response))(t)
		same(t, "messages down", down[:v.Down.Len], v.Down.bytes())
		requests, responses = append(requests, request), append(responses, response)
	}
	return requests, responses
}

func TestExchange(t *testing.T) {
	f := load[exchangeFile](t, "exchange.json")
	requests, responses := f.replay(t)
	for i := range f.Exchanges {
		v := &f.Exchanges[i]
		a, b := sha256.Sum256(requests[i]), sha256.Sum256(responses[i])
		same(t, "request", a[:], v.RequestSum)
		same(t, "response", b[:], v.ResponseSum)
		if v.Request != nil {
			same(t, "request", requests[i], v.Request)
			same(t, "response", responses[i], v.Response)
		}
		lb, root, hash := chainOf(t, f, i, v, requests[i], responses[i])
		same(t, "lock base", lb, v.LockBase)
		same(t, "root", root, v.NextRoot)
		same(t, "h", hash, v.NextHash)
	}
	origin := session.NewServer(f.result(), time.Unix(0, 0))
	for n, s := range f.Steps {
		acted := false
		send := requests[s.Request]
		if s.Length > 0 {
			send = send[:s.Length]
		}
		if s.At >= 0 {
			send = flip(send, s.At)
		}
		origin.Random = source(f.Exchanges[s.Request].ESeed)
		got, err := origin.Handle(time.Unix(1, 0), send, func([]byte) ([]byte, error) { acted = true; return f.Exchanges[s.Request].Down.bytes(), nil })
		what := "answer"
		switch {
		case errors.Is(err, session.ErrBad):
			what = "bad"
		case errors.Is(err, session.ErrGone):
			what = "gone"
		case err != nil:
			t.Fatal(err)
		case !acted:
			what = "repeat"
		}
		if what != s.Expect || err == nil && !bytes.Equal(got, responses[s.Request]) {
			t.Errorf("step %d %+v: %s", n, s, what)
		}
	}
}
