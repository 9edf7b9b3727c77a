package naive_test

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// noise is the symmetric state of Noise, revision 34.
type noise struct {
	ck, h, k []byte
	n        uint64
}

func newNoise(name string) *noise {
	h := make([]byte, 32)
	if copy(h, name); len(name) > 32 {
		h = sum([]byte(name))
	}
	return &noise{ck: h, h: h}
}

func (n *noise) mixHash(data []byte) { n.h = sum(n.h, data) }

func (n *noise) hkdf(ikm []byte) (a, b, c []byte) {
	temp := mac(n.ck, ikm)
	a = mac(temp, []byte{1})
	b = mac(temp, a, []byte{2})
	return a, b, mac(temp, b, []byte{3})
}

func (n *noise) mixKey(ikm []byte) {
	n.ck, n.k, _ = n.hkdf(ikm)
	n.n = 0
}

func (n *noise) mixKeyAndHash(ikm []byte) {
	var mixed []byte
	n.ck, mixed, n.k = n.hkdf(ikm)
	n.mixHash(mixed)
	n.n = 0
}

func (n *noise) nonce() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 4), n.n)
	n.n++
	return b
}

func (n *noise) encrypt(plain []byte) []byte {
	ct := sealNonce(n.k, n.nonce(), n.h, plain)
	n.mixHash(ct)
	return ct
}

func (n *noise) decrypt(ct []byte) ([]byte, error) {
	plain, err := openNonce(n.k, n.nonce(), n.h, ct)
	n.mixHash(ct)
	return plain, err
}

type handshakeVector struct {
	Bundle       bundleVector
	ESeed        hx     `json:"e_seed"`
	SkemESeed    hx     `json:"skem_eseed"`
	Session      hx     `json:"session_id"`
	EkemESeed    hx     `json:"ekem_eseed"`
	MaxExchanges uint64 `json:"max_exchanges"`
	TTL          uint64 `json:"ttl_s"`
	Msg1, Msg2   hx
	Hash         hx `json:"h_0"`
	Root         hx `json:"root_0"`
}

func (v *handshakeVector) begin(t testing.TB) (n *noise, kemPK []byte) {
	t.Helper()
	_, _, kemPK, err := xwingKeys(v.Bundle.KEM)
	check(t, err)
	n = newNoise("Noise_pqNK_XWing_ChaChaPoly_SHA256")
	n.mixHash(cat([]byte("SNE/1"), be16(1), be16(1), v.Bundle.ID))
	n.mixHash(kemPK)
	return n, kemPK
}

// start is the hub's first half.
func (v *handshakeVector) start(t testing.TB) (*noise, []byte) {
	t.Helper()
	n, kemPK := v.begin(t)
	ss, ct, err := encapsulate(kemPK, v.SkemESeed)
	check(t, err)
	_, _, e, err := xwingKeys(v.ESeed)
	check(t, err)
	n.mixHash(ct)
	n.mixKeyAndHash(ss)
	n.mixHash(e)
	return n, cat([]byte{1}, be16(1), be16(1), v.Bundle.ID, ct, e, n.encrypt(nil))
}

// respond is the origin's half up to the place of the signature.
func (v *handshakeVector) respond(t testing.TB, msg1 []byte) (n *noise, ct []byte, err error) {
	t.Helper()
	if len(msg1) != 2389 || !bytes.Equal(msg1[:37], cat([]byte{1}, be16(1), be16(1), v.Bundle.ID)) {
		return nil, nil, errParse
	}
	n, _ = v.begin(t)
	n.mixHash(msg1[37:1157])
	ss, err := decapsulate(v.Bundle.KEM, msg1[37:1157])
	check(t, err)
	n.mixKeyAndHash(ss)
	n.mixHash(msg1[1157:2373])
	if _, err := n.decrypt(msg1[2373:]); err != nil {
		return nil, nil, err
	}
	ss, ct, err = encapsulate(msg1[1157:2373], v.EkemESeed)
	check(t, err)
	n.mixHash(ct)
	n.mixKey(ss)
	return n, ct, nil
}

// finish is the hub's second half.
func (v *handshakeVector) finish(t testing.TB, n *noise, msg2 []byte) (plain, root []byte, err error) {
	t.Helper()
	if len(msg2) != 4534 || msg2[0] != 2 {
		return nil, nil, errParse
	}
	ss, err := decapsulate(v.ESeed, msg2[1:1121])
	if err != nil {
		return nil, nil, err
	}
	n.mixHash(msg2[1:1121])
	n.mixKey(ss)
	signed := n.h
	plain, err = n.decrypt(msg2[1121:])
	if err != nil {
		return nil, nil, err
	}
	_, _, online, err := compositeKeys(v.Bundle.Online)
	check(t, err)
	if err := verify(online, "sne/1 session", cat(signed, plain[:24]), plain[24:]); err != nil {
		return nil, nil, err
	}
	return plain, expand(n.ck, "root", n.h), nil
}

func TestHandshake(t *testing.T) {
	f := load[struct {
		head
		Good []handshakeVector
		Bad  []struct {
			Message, At, Length int
			Why                 string
		}
	}](t, "handshake.json")
	for _, v := range f.Good {
		hub, msg1 := v.start(t)
		same(t, "msg1", msg1, v.Msg1)
		plain, root, err := v.finish(t, hub, v.Msg2)
		check(t, err)
		same(t, "session", plain[:24], cat(v.Session, be32(v.MaxExchanges), be32(v.TTL)))
		same(t, "root_0", root, v.Root)
		same(t, "h_0", hub.h, v.Hash)
		// The origin, with the hedged signature that the vector has.
		origin, ct, err := v.respond(t, v.Msg1)
		check(t, err)
		same(t, "msg2", cat([]byte{2}, ct, origin.encrypt(plain)), v.Msg2)
	}
	v := f.Good[0]
	for _, bad := range f.Bad {
		var err error
		if bad.Message == 1 {
			_, _, err = v.respond(t, damaged(v.Msg1, bad.At, bad.Length))
		} else {
			hub, _ := v.start(t)
			_, _, err = v.finish(t, hub, damaged(v.Msg2, bad.At, bad.Length))
		}
		if err == nil {
			t.Errorf("message %d, %s: accepted", bad.Message, bad.Why)
		}
	}
}

// frame is a message of Len bytes in all with a body of one byte repeated.
type frame struct {
	Kind, ID, Fill byte
	Len            int
}

func (f frame) bytes() []byte {
	return cat([]byte{f.Kind, 0, f.ID}, be32(uint64(f.Len-7)), bytes.Repeat([]byte{f.Fill}, f.Len-7))
}

type exchangeVector struct {
	DKSeed            hx `json:"dk_seed"`
	ESeed             hx
	Up, Down          frame
	UpSize            int `json:"up_size"`
	DownSize          int `json:"down_size"`
	Request, Response hx
	RequestSum        hx `json:"request_sha256"`
	ResponseSum       hx `json:"response_sha256"`
	LockBase          hx `json:"lock_base"`
	NextRoot          hx `json:"next_root"`
	NextHash          hx `json:"next_h"`
}

// chain is what a side keeps.
type chain struct {
	id, root, h []byte
	i           uint64
}

func padded(parts ...[]byte) []byte {
	b := cat(parts...)
	size := 2048
	for size < len(b) {
		size *= 2
	}
	return append(b, make([]byte, size-len(b))...)
}

func (c *chain) request(t testing.TB, v *exchangeVector) []byte {
	t.Helper()
	_, _, ek, err := xwingKeys(v.DKSeed)
	check(t, err)
	plain := padded(ek, v.Up.bytes())
	if len(plain) != v.UpSize {
		t.Errorf("exchange %d: %d bytes up, want %d", c.i, len(plain), v.UpSize)
	}
	hdr := cat([]byte{3, 0}, be32(c.i), be32(uint64(len(plain)+16)))
	return cat(hdr, seal(expand(c.root, "request", c.h), cat(c.id, hdr), plain))
}

// advance gives what the shared secret of an exchange yields.
func (c *chain) advance(request, ct, ss []byte) (h, x []byte) {
	h = sum([]byte("sne1 exchange"), c.h, request, ct)
	return h, mac(expand(c.root, "heal", h), ss)
}

// answer is the origin's part; what it gives is not committed yet.
func (c *chain) answer(t testing.TB, v *exchangeVector, request []byte) (response, h, x []byte, err error) {
	t.Helper()
	plain, err := open(expand(c.root, "request", c.h), cat(c.id, request[:10]), request[10:])
	if err != nil {
		return nil, nil, nil, err
	}
	ss, ct, err := encapsulate(plain[:1216], v.ESeed)
	check(t, err)
	h, x = c.advance(request, ct, ss)
	down := padded(v.Down.bytes())
	hdr := cat([]byte{4, 0}, be32(c.i), be32(uint64(1120+len(down)+16)))
	return cat(hdr, ct, seal(expand(x, "response", h), cat(c.id, hdr, ct), down)), h, x, nil
}

func (c *chain) commit(h, x []byte) {
	c.root, c.h = expand(x, "next", h), h
	c.i++
}

// server is an origin with the rule for repeats.
type server struct {
	chain
	last, response []byte // SHA-256 of the last request, and its response
}

func (s *server) post(t testing.TB, v *exchangeVector, request []byte) (response []byte, what string) {
	t.Helper()
	var i, n uint64
	err := parse(request, func(r *rd) {
		r.want(r.u8() == 3 && r.u8() == 0)
		i, n = r.u32(), r.u32()
		size := n - 16
		r.want(n == uint64(len(r.b)) && size >= 2048 && size <= 65536 && size&(size-1) == 0)
		r.rest()
	})
	switch {
	case err != nil:
		return nil, "bad"
	case i+1 == s.i && bytes.Equal(sum(request), s.last):
		return s.response, "repeat"
	case i != s.i:
		return nil, "gone"
	}
	response, h, x, err := s.answer(t, v, request)
	if err != nil {
		return nil, "bad"
	}
	s.commit(h, x)
	s.last, s.response = sum(request), response
	return response, "answer"
}

func TestExchange(t *testing.T) {
	f := load[struct {
		head
		Session   hx     `json:"session_id"`
		Root      hx     `json:"root_0"`
		Hash      hx     `json:"h_0"`
		Limit     uint64 `json:"max_exchanges"`
		Exchanges []exchangeVector
		Steps     []struct {
			Request, At, Length int
			Expect              string
		}
	}](t, "exchange.json")
	start := chain{id: f.Session, root: f.Root, h: f.Hash}
	c := start
	var requests, responses [][]byte
	for i := range f.Exchanges {
		v := &f.Exchanges[i]
		request := c.request(t, v)
		response, h, x, err := c.answer(t, v, request)
		check(t, err)
		requests, responses = append(requests, request), append(responses, response)
		same(t, "request", sum(request), v.RequestSum)
		same(t, "response", sum(response), v.ResponseSum)
		if v.Request != nil {
			same(t, "request", request, v.Request)
			same(t, "response", response, v.Response)
		}
		// The hub's way to the same secrets.
		ss, err := decapsulate(v.DKSeed, response[10:1130])
		check(t, err)
		h2, x2 := c.advance(request, response[10:1130], ss)
		same(t, "h", h2, h)
		same(t, "x", x2, x)
		same(t, "lock base", expand(x, "lock base", h), v.LockBase)
		if len(response) != 10+1120+v.DownSize+16 {
			t.Errorf("exchange %d: response of %d bytes", i, len(response))
		}
		c.commit(h, x)
		same(t, "next root", c.root, v.NextRoot)
		same(t, "next h", c.h, v.NextHash)
	}
	s := &server{chain: start}
	for n, step := range f.Steps {
		send := requests[step.Request]
		if step.Length > 0 {
			send = send[:step.Length]
		}
		if step.At >= 0 {
			send = flip(send, step.At)
		}
		response, what := s.post(t, &f.Exchanges[step.Request], send)
		if what != step.Expect || response != nil && !bytes.Equal(response, responses[step.Request]) {
			t.Errorf("step %d: %s, want %s", n, what, step.Expect)
		}
	}
}
