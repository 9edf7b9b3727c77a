package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

type handshakeFile struct {
	About string            `json:"about"`
	Good  []handshakeVector `json:"good"`
	Bad   []badHandshake    `json:"bad"`
}

type handshakeVector struct {
	Bundle       *bundleVector `json:"bundle"`
	ESeed        hx            `json:"e_seed"`
	SkemESeed    hx            `json:"skem_eseed"`
	Session      hx            `json:"session_id"`
	EkemESeed    hx            `json:"ekem_eseed"`
	MaxExchanges uint32        `json:"max_exchanges"`
	TTL          uint32        `json:"ttl_s"`
	Message1     hx            `json:"msg1"`
	Message2     hx            `json:"msg2"`
	Hash         hx            `json:"h_0"`
	Root         hx            `json:"root_0"`
}

// badHandshake is a message of the first vector with a change; whoever reads it
// must fail.
type badHandshake struct {
	Message int    `json:"message"` // 1: the origin reads it, 2: the hub
	At      int    `json:"at"`      // byte whose lowest bit is changed; -1 = none
	Length  int    `json:"length"`  // cut, or extended by zeros, to this length
	Why     string `json:"why"`
}

func makeHandshake(t *testing.T) any {
	f := &handshakeFile{About: "Section 4: seeds of e, of the two encapsulations and of the Bundle's keys give msg1, msg2, h_0 and root_0. The signature inside msg2 is hedged: decrypt it, verify it, put it back."}
	for i, limits := range []handshake.Limits{{MaxExchanges: 4096, TTL: 3600}, {MaxExchanges: 1, TTL: 1}} {
		name := fmt.Sprint("handshake ", i)
		b, bv := makeOneBundle(t, name, "handshake root", func(b *bundle.Bundle) { b.Seq = uint64(i) + 5 })
		v := handshakeVector{
			Bundle: bv, ESeed: draw(32, name+" e"), SkemESeed: draw(64, name+" skem"), Session: draw(16, name+" session"), EkemESeed: draw(64, name+" ekem"),
			MaxExchanges: limits.MaxExchanges, TTL: limits.TTL,
		}
		hub, msg1, err := handshake.Start(source(v.ESeed, v.SkemESeed), b)
		check(t, err)
		r := &handshake.Responder{Bundle: wire.ID(bv.ID), KEM: kemKey(t, "kem "+name), Online: signer(t, "online "+name), Limits: limits, Random: source(v.Session, v.EkemESeed)}
		msg2, res, err := r.Respond(msg1)
		check(t, err)
		again := must(hub.Finish(msg2))(t)
		if *again != *res {
			t.Fatal("the sides hold different sessions")
		}
		v.Message1, v.Message2, v.Hash, v.Root = msg1, msg2, res.Hash[:], res.Root[:]
		f.Good = append(f.Good, v)
	}
	n1, n2 := handshake.Message1Size, handshake.Message2Size
	f.Bad = []badHandshake{
		{1, 0, n1, "type"}, {1, 2, n1, "version"}, {1, 4, n1, "suite"}, {1, 20, n1, "bundle_id"}, {1, 37, n1, "skem ciphertext"}, {1, 1156, n1, "end of skem"},
		{1, 1157, n1, "e"}, {1, 2372, n1, "end of e"}, {1, 2373, n1, "tag"}, {1, -1, n1 - 1, "cut"}, {1, -1, n1 + 1, "extended"}, {1, -1, 0, "empty"},
		{2, 0, n2, "type"}, {2, 1, n2, "ekem ciphertext"}, {2, 1120, n2, "end of ekem"}, {2, 1121, n2, "session_id"}, {2, 1137, n2, "max_exchanges"},
		{2, 1145, n2, "signature"}, {2, n2 - 1, n2, "tag"}, {2, -1, n2 - 1, "cut"}, {2, -1, n2 + 1, "extended"}, {2, -1, 0, "empty"},
	}
	return f
}

// damage applies a badHandshake.
func damage(msg []byte, at, length int) []byte {
	out := make([]byte, length)
	copy(out, msg)
	if at >= 0 {
		out[at] ^= 1
	}
	return out
}

type exchangeFile struct {
	About     string           `json:"about"`
	Session   hx               `json:"session_id"`
	Root      hx               `json:"root_0"`
	Hash      hx               `json:"h_0"`
	Limit     uint32           `json:"max_exchanges"`
	Exchanges []exchangeVector `json:"exchanges"`
	Steps     []exchangeStep   `json:"steps"`
}

// filledFrame is a message of Len bytes in all, whose body is Fill throughout.
type filledFrame struct {
	Kind uint8 `json:"kind"`
	ID   uint8 `json:"id"`
	Len  int   `json:"len"`
	Fill uint8 `json:"fill"`
}

func (f filledFrame) bytes() []byte {
	n := f.Len - 7
	return append([]byte{f.Kind, 0, f.ID, 0, byte(n >> 16), byte(n >> 8), byte(n)}, bytes.Repeat([]byte{f.Fill}, n)...)
}

// exchangeVector is one exchange, with one message each way.
type exchangeVector struct {
	DKSeed      hx          `json:"dk_seed"`
	ESeed       hx          `json:"eseed"`
	Up          filledFrame `json:"up"`
	Down        filledFrame `json:"down"`
	UpSize      int         `json:"up_size"` // of the padded plaintext, the key in front included
	DownSize    int         `json:"down_size"`
	Request     hx          `json:"request,omitempty"` // in the first two and the last
	Response    hx          `json:"response,omitempty"`
	RequestSum  hx          `json:"request_sha256"`
	ResponseSum hx          `json:"response_sha256"`
	LockBase    hx          `json:"lock_base"`
	NextRoot    hx          `json:"next_root"`
	NextHash    hx          `json:"next_h"`
}

// exchangeStep is one POST to an origin that has just made the session, in
// order. Expect: "answer" (a new exchange), "repeat" (the bytes of the response
// again, without acting), "bad" (400) or "gone" (410).
type exchangeStep struct {
	Request int    `json:"request"` // number of the exchange whose request is sent
	At      int    `json:"at"`      // byte whose lowest bit is changed; -1 = none
	Length  int    `json:"length"`  // of what is sent; 0 = whole
	Expect  string `json:"expect"`
}

const exchanges = 100

// lengths visits every padding size at its edges.
func lengths(i int) (up, down int) {
	ups := []int{40, 2048 - 1216, 2049 - 1216, 4096 - 1216, 4097 - 1216}
	downs := []int{100, 2048, 2049, 200, 4097}
	switch i {
	case 50:
		return 65536 - 1216, 65536
	case 51:
		return 32769 - 1216, 16385
	case 52:
		return 8193 - 1216, 8193
	}
	if i < len(ups) {
		return ups[i], downs[i]
	}
	return 30 + i, 20 + 3*i
}

// result is the state that the exchanges begin with.
func (f *exchangeFile) result() *handshake.Result {
	return &handshake.Result{
		Session: wire.SessionID(f.Session), Limits: handshake.Limits{MaxExchanges: f.Limit, TTL: 3600},
		Root: kdf.Secret(f.Root), Hash: [32]byte(f.Hash),
	}
}

func makeExchange(t *testing.T) any {
	f := &exchangeFile{
		About:   "Section 5: 100 exchanges of one session from the seeds of dk_i and of the encapsulation, then POSTs to a fresh origin of that session. The messages have no meaning.",
		Session: draw(16, "exchange session"), Root: draw(32, "exchange root"), Hash: draw(32, "exchange hash"), Limit: exchanges,
	}
	hub, origin := session.NewClient(f.result(), time.Unix(0, 0)), session.NewServer(f.result(), time.Unix(0, 0))
	for i := range exchanges {
		name := fmt.Sprint("exchange ", i)
		up, down := lengths(i)
		v := exchangeVector{DKSeed: draw(32, name+" dk"), ESeed: draw(64, name+" eseed"), Up: filledFrame{3, uint8(i), up, uint8(i + 1)}, Down: filledFrame{67, uint8(i), down, uint8(i + 2)}}
		request := must(hub.Request(source(v.DKSeed), v.Up.bytes()))(t)
		origin.Random = source(v.ESeed)
		response := must(origin.Handle(time.Unix(int64(i), 0), request, func([]byte) ([]byte, error) { return v.Down.bytes(), nil }))(t)
		must(hub.Response(response))(t)
		v.UpSize, v.DownSize = len(request)-26, len(response)-1146
		a, b := sha256.Sum256(request), sha256.Sum256(response)
		v.RequestSum, v.ResponseSum = a[:], b[:]
		if i < 2 || i == exchanges-1 {
			v.Request, v.Response = request, response
		}
		v.LockBase, v.NextRoot, v.NextHash = chainOf(t, f, i, &v, request, response)
		f.Exchanges = append(f.Exchanges, v)
	}
	f.Steps = exchangeSteps()
	return f
}

// exchangeSteps tries everything that a network or a liar can do with requests
// 0 to 4. Fewer than 16 of them do not open, or the session would end.
func exchangeSteps() []exchangeStep {
	s := func(request, at, length int, expect string) exchangeStep {
		return exchangeStep{request, at, length, expect}
	}
	return []exchangeStep{
		s(1, -1, 0, "gone"), s(0, 0, 0, "bad"), s(0, 1, 0, "bad"), s(0, 9, 0, "bad"), s(0, 10, 0, "bad"), s(0, 2073, 0, "bad"), s(0, -1, 2073, "bad"),
		s(0, -1, 0, "answer"), s(0, -1, 0, "repeat"), s(0, 500, 0, "gone"), s(0, -1, 0, "repeat"), s(2, -1, 0, "gone"),
		s(1, -1, 0, "answer"), s(0, -1, 0, "gone"), s(1, -1, 0, "repeat"), s(1, -1, 0, "repeat"), s(3, -1, 0, "gone"),
		s(2, 700, 0, "bad"), s(2, -1, 0, "answer"), s(1, -1, 0, "gone"), s(3, -1, 0, "answer"), s(2, -1, 0, "gone"), s(3, -1, 0, "repeat"),
		s(4, 5, 0, "gone"), s(4, -1, 0, "answer"),
	}
}
