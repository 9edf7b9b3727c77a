package session

import (
	"bytes"
	"testing"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

// thief has copied the whole state of a session once, and listens to the wire
// from then on. He does all that the protocol lets him.
type thief struct {
	chain
	dk *kem.SecretKey // of the request that was outstanding; nil = none was
}

// steal copies everything that a client holds.
func steal(t *testing.T, c *Client) *thief {
	t.Helper()
	x := &thief{chain: c.chain}
	if c.dk != nil {
		dk, err := kem.NewSecretKey(c.dk.Seed())
		if err != nil {
			t.Fatal(err)
		}
		x.dk = dk
	}
	return x
}

// listen tries an exchange and moves on if he can follow it.
func (x *thief) listen(request, response []byte) (asked, answered bool) {
	asked = opensRequest(&x.chain, request)
	if x.dk == nil {
		x.dk, _ = kem.Generate(nil) // the best he can do is guess
	}
	ct := (*kem.Ciphertext)(response[headSize:])
	var ss kdf.Secret
	x.dk.Decapsulate(&ss, ct)
	x.dk = nil
	var s step
	if x.advance(&s, request, ct, &ss) != nil {
		return asked, false
	}
	_, err := kdf.Open(nil, &s.response, x.aad(response[:headSize], ct[:]), response[headSize+len(ct):])
	x.commit(&s)
	return asked, err == nil
}

type line struct {
	c *Client
	s *Server
	t *testing.T
}

func newLine(t *testing.T) *line {
	res := func() *handshake.Result {
		return &handshake.Result{Session: wire.SessionID{1}, Root: kdf.Secret{7}, Hash: [32]byte{8}, Limits: handshake.Limits{MaxExchanges: 99, TTL: 3600}}
	}
	return &line{NewClient(res(), time.Time{}), NewServer(res(), time.Time{}), t}
}

func (l *line) ask() []byte {
	l.t.Helper()
	request, err := l.c.Request(nil, []byte("tokens"))
	if err != nil {
		l.t.Fatal(err)
	}
	return bytes.Clone(request)
}

// answer returns the response and the lock base of both sides.
func (l *line) answer(request []byte) (response []byte, hub, origin kdf.Secret) {
	l.t.Helper()
	response, err := l.s.HandleBase(time.Time{}, request, func(_ []byte, base *kdf.Secret) ([]byte, error) {
		origin = *base
		return []byte("keys"), nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.c.ResponseBase(response, &hub); err != nil {
		l.t.Fatal(err)
	}
	return response, hub, origin
}

// TestThiefReadsUntilTheNextExchange: a copy of the session, taken between two
// exchanges, opens the next request (it is still under the old root) and
// nothing else, ever. Taken while a request is outstanding it opens that whole
// exchange and the next request, and nothing after it.
func TestThiefReadsUntilTheNextExchange(t *testing.T) {
	for _, outstanding := range []bool{false, true} {
		l := newLine(t)
		l.answer(l.ask())
		var x *thief
		if !outstanding {
			x = steal(t, l.c)
		}
		request := l.ask()
		if outstanding {
			x = steal(t, l.c)
		}
		response, _, _ := l.answer(request)
		asked, answered := x.listen(request, response)
		if !asked || answered != outstanding {
			t.Fatalf("outstanding %v: request %v, response %v", outstanding, asked, answered)
		}
		request = l.ask()
		response, _, _ = l.answer(request)
		if asked, answered := x.listen(request, response); asked != outstanding || answered {
			t.Fatalf("outstanding %v, one later: request %v, response %v", outstanding, asked, answered)
		}
		for i := range 3 {
			request = l.ask()
			response, _, _ = l.answer(request)
			if asked, answered := x.listen(request, response); asked || answered {
				t.Fatalf("outstanding %v, %d later: request %v, response %v", outstanding, i+2, asked, answered)
			}
		}
	}
}

// TestLockBase: both sides have the same one, each exchange another, neither
// side keeps it, and no state from later gives it again.
func TestLockBase(t *testing.T) {
	l := newLine(t)
	seen := map[kdf.Secret]bool{}
	var kept *kdf.Secret
	for range 5 {
		request := l.ask()
		before := steal(t, l.c)
		response, hub, origin := l.answer(request)
		if hub != origin || hub.IsZero() || seen[hub] {
			t.Fatal("the lock bases differ, or one came twice")
		}
		seen[hub] = true
		dk := before.dk
		if got := baseFrom(t, &before.chain, request, response, dk); got != hub {
			t.Fatal("the control does not find the lock base, so this test shows nothing")
		}
		for side, state := range map[string]*chain{"hub": &l.c.chain, "origin": &l.s.chain} {
			if baseFrom(t, state, request, response, dk) == hub || state.root == hub {
				t.Fatalf("what the %s keeps gives the lock base again", side)
			}
		}
	}
	_, err := l.s.HandleBase(time.Time{}, l.ask(), func(_ []byte, base *kdf.Secret) ([]byte, error) {
		kept = base
		return nil, nil
	})
	if err != nil || !kept.IsZero() {
		t.Fatalf("the origin keeps the lock base after its answer: %v", err)
	}
}

// TestFailedResponseGivesNoBase: a response that does not open leaves nothing.
func TestFailedResponseGivesNoBase(t *testing.T) {
	l := newLine(t)
	response, err := l.s.Handle(time.Time{}, l.ask(), func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	response[len(response)-1] ^= 1
	var base kdf.Secret
	if _, err := l.c.ResponseBase(response, &base); err == nil || !base.IsZero() {
		t.Fatalf("a base of a response that does not open: %v", err)
	}
}

// baseFrom computes lb with a state and even the ephemeral key of the exchange.
func baseFrom(t *testing.T, state *chain, request, response []byte, dk *kem.SecretKey) kdf.Secret {
	t.Helper()
	ct := (*kem.Ciphertext)(response[headSize:])
	var ss kdf.Secret
	dk.Decapsulate(&ss, ct)
	var s step
	if err := state.advance(&s, request, ct, &ss); err != nil {
		t.Fatal(err)
	}
	return s.base
}
