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

// opensRequest tries a recorded request with the state that a side holds.
func opensRequest(state *chain, request []byte) bool {
	var k kdf.Secret
	if state.requestKey(&k) != nil {
		return false
	}
	_, err := kdf.Open(nil, &k, state.aad(request[:headSize], nil), request[headSize:])
	return err == nil
}

// opensResponse tries a recorded response, even with the ephemeral key that was
// erased.
func opensResponse(state *chain, request, response []byte, dk *kem.SecretKey) bool {
	ct := (*kem.Ciphertext)(response[headSize:])
	var ss kdf.Secret
	dk.Decapsulate(&ss, ct)
	var s step
	if state.advance(&s, request, ct, &ss) != nil {
		return false
	}
	_, err := kdf.Open(nil, &s.response, state.aad(response[:headSize], ct[:]), response[headSize+len(ct):])
	return err == nil
}

// After exchange i, nothing that either side keeps opens exchange i; the same
// test with the state from before it does open, so the test can fail.
func TestRecordedExchangeDoesNotOpenLater(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	res := func() *handshake.Result {
		return &handshake.Result{Session: wire.SessionID{1}, Root: kdf.Secret{7}, Hash: [32]byte{8}, Limits: handshake.Limits{MaxExchanges: 9, TTL: 3600}}
	}
	c, s := NewClient(res(), now), NewServer(res(), now)
	for i := range 5 {
		before := c.chain // what a thief who came earlier would hold
		request, err := c.Request(nil, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		request = bytes.Clone(request)
		dk, err := kem.NewSecretKey(c.dk.Seed())
		if err != nil {
			t.Fatal(err)
		}
		held := c.dk
		response, err := s.Handle(now, request, func([]byte) ([]byte, error) { return []byte("key"), nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Response(response); err != nil {
			t.Fatal(err)
		}
		if !opensRequest(&before, request) || !opensResponse(&before, request, response, dk) {
			t.Fatalf("exchange %d: the control does not open, so this test shows nothing", i)
		}
		for side, state := range map[string]*chain{"hub": &c.chain, "origin": &s.chain} {
			if opensRequest(state, request) || opensResponse(state, request, response, dk) {
				t.Fatalf("exchange %d opens with what the %s keeps", i, side)
			}
		}
		if c.dk != nil || c.pending != nil || !bytes.Equal(held.Seed(), make([]byte, kem.SeedSize)) {
			t.Fatalf("exchange %d: the ephemeral key was kept", i)
		}
		if c.root != s.chain.root || c.hash != s.chain.hash || c.root == before.root {
			t.Fatalf("exchange %d: the roots differ or stay", i)
		}
	}
}

// A passive thief of root_i is out again after the next exchange, because the
// shared secret of that exchange is new to him.
func TestSessionHeals(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	res := func() *handshake.Result {
		return &handshake.Result{Root: kdf.Secret{7}, Limits: handshake.Limits{MaxExchanges: 9, TTL: 3600}}
	}
	c, s := NewClient(res(), now), NewServer(res(), now)
	stolen := c.chain
	request, err := c.Request(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Handle(now, request, func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	guess, err := kem.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	var ss kdf.Secret
	ct := (*kem.Ciphertext)(response[headSize:])
	guess.Decapsulate(&ss, ct)
	var st step
	if err := stolen.advance(&st, request, ct, &ss); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Response(response); err != nil {
		t.Fatal(err)
	}
	if st.hash != c.hash || st.root == c.root {
		t.Fatal("the thief follows without the shared secret")
	}
}

func TestEraseOverwrites(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	res := &handshake.Result{Root: kdf.Secret{7}, Hash: [32]byte{8}, Limits: handshake.Limits{MaxExchanges: 9, TTL: 3600}}
	c := NewClient(res, now)
	if !res.Root.IsZero() || res.Hash != [32]byte{} {
		t.Fatal("the handshake's result was kept")
	}
	c.Erase()
	if !c.root.IsZero() || c.hash != [32]byte{} {
		t.Fatal("the client keeps secrets")
	}
	s := NewServer(&handshake.Result{Root: kdf.Secret{7}}, now)
	s.Erase()
	if !s.chain.root.IsZero() || !s.Expired(now) {
		t.Fatal("the server keeps secrets")
	}
}
