package sale_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"sonahub/sne/manifest"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/snetest"
)

// enemy stands between a hub and an honest origin and does to each answer what
// the program says: it passes, is lost, cut, changed, lengthened, or gives way
// to an older one or to a bare status.
type enemy struct {
	mu      sync.Mutex
	program []byte
	old     [][]byte
}

func (e *enemy) mood() (op, arg byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.program) < 2 {
		return 0, 0
	}
	op, arg = e.program[0], e.program[1]
	e.program = e.program[2:]
	return op, arg
}

// replay keeps an answer and gives an older one back.
func (e *enemy) replay(body []byte, arg byte) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.old = append(e.old, body)
	return e.old[int(arg)%len(e.old)]
}

func (e *enemy) answer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	op, arg := e.mood()
	rec := httptest.NewRecorder()
	if op%9 != 1 { // 1: lost on the way there, 2: on the way back
		next.ServeHTTP(rec, r)
	}
	body := bytes.Clone(rec.Body.Bytes())
	older := e.replay(body, arg)
	switch at := int(arg) * 131; op % 9 {
	case 1, 2:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	case 3:
		body = body[:at%(len(body)+1)]
	case 4, 5:
		if len(body) > 0 {
			body[at%len(body)] ^= 1 << (arg % 8)
		}
	case 6:
		body = append(body, arg)
	case 7:
		body = older
	case 8:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader([]int{400, 404, 410, 413, 429, 500, 503, 302, 206}[int(arg)%9])
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body) // the hub may have left
}

// FuzzOrigin walks through a sale with the enemy in between: whatever the
// client returns without an error is what the origin published or sold, a key
// that it returns is the right one, a purchase acts once, and nothing panics.
//
// Seen red: CheckObject without its SHA-256 ("another segment").
func FuzzOrigin(f *testing.F) {
	g := snetest.Start(f, snetest.Options{Epochs: 4})
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{4, 77}, 12))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 5, 3, 0, 0, 2, 0, 2, 0, 0, 0, 7, 1})
	f.Add([]byte{0, 0, 7, 0, 0, 0, 7, 1, 8, 2, 8, 6, 0, 0, 0, 0, 2, 1, 1, 1, 2, 1})
	for n := byte(0); n < 8; n++ { // the same change at each place in turn
		f.Add(append(make([]byte, 2*n), 5, 200))
	}
	serial := uint64(0)
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 128 {
			return
		}
		e := &enemy{program: program}
		g.Intercept(e.answer)
		defer g.Intercept(nil)
		serial++
		acts := g.Acts()
		if whole := visit(t, g, serial); len(program) == 0 && !whole {
			t.Fatal("an honest origin sells nothing")
		}
		if did := g.Acts() - acts; did > 2 { // the opening grant once for all, the purchase once
			t.Fatalf("%d effects of two messages", did)
		}
	})
}

// visit is one hub's sale, up to its first error; it reports whether all came.
func visit(t *testing.T, g *snetest.Origin, serial uint64) (whole bool) {
	c := client(t, g)
	ctx := t.Context()
	h, err := c.Head(ctx, g.URL.Broadcast, tier)
	if err != nil {
		return false
	}
	if want := g.Head[tier]; h.Root != want.Root || h.TreeSize != want.TreeSize || h.Creator != want.Creator {
		t.Fatal("another head")
	}
	recs, err := c.Records(ctx, h, 0, 4)
	if err != nil {
		return false
	}
	for i, r := range recs {
		got, err := r.Leaf()
		want, werr := g.Records[tier][i].Leaf()
		if err != nil || werr != nil || got != want {
			t.Fatal("another record")
		}
	}
	for _, r := range recs[:2] {
		object, err := c.Segment(ctx, r, snetest.Rendition)
		path := resource.Resource{Kind: resource.Segment, ID: r.Broadcast, Tier: tier, Epoch: r.Number, Rendition: snetest.Rendition}
		if err == nil && !bytes.Equal(object, g.File(path)) {
			t.Fatal("another segment")
		}
	}
	grant, _ := c.Grant(ctx, recs[:1])
	fit(t, g, recs[:1], grant)
	body := tokens(t, 7, 0, 0)
	binary.BigEndian.PutUint64(body[40:], serial) // inside of the first token: a body of its own
	for range 2 {
		if grant, _ = c.Redeem(ctx, recs[:4], body); grant != nil {
			break
		}
	}
	fit(t, g, recs[:4], grant)
	return grant != nil && grant.Keys[3] != nil
}

func fit(t *testing.T, g *snetest.Origin, recs []*manifest.Record, grant *sale.Grant) {
	if grant == nil {
		return
	}
	for i, r := range recs {
		if want := g.Key(tier, r.Number); grant.Keys[i] != nil && *grant.Keys[i] != want {
			t.Fatalf("a wrong key of epoch %d", r.Number)
		}
	}
}
