package origin_test

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"sonahub/hub/origin"
	"sonahub/hub/origin/books"
	"sonahub/sne/message"
	"sonahub/sne/resource"
	"sonahub/sne/sale"
	"sonahub/sne/wire"
)

func wantCode(t *testing.T, what string, err error, want message.ErrorCode) {
	t.Helper()
	var e *message.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s: got %v, want ERROR %d (%v)", what, err, want, want)
	}
}

func audit(t *testing.T, o *origin.Origin) books.Audit {
	t.Helper()
	a, err := o.Books().Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Unbalanced != 0 || a.Outstanding < 0 {
		t.Errorf("the books do not balance: %+v", a)
	}
	return a
}

func sameKeys(a, b *sale.Grant) bool {
	for i := range a.Keys {
		if *a.Keys[i] != *b.Keys[i] {
			return false
		}
	}
	return len(a.Keys) == len(b.Keys)
}

// TestRedemptionIsIdempotent shows one body three times, in one session and
// in another, and then its tokens in other bodies.
func TestRedemptionIsIdempotent(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	h.topUp()
	_, records := h.records(h.item("One").ID, 2)
	body, change := h.body(20) // two epochs of 1000 msat
	first, err := h.Redeem(t.Context(), records[1:3], body)
	if err != nil {
		t.Fatal(err)
	}
	h.finish(change, first.Evals)
	other := newHub(t, o)
	for i, c := range []*hub{h, other} {
		again, err := c.Redeem(t.Context(), records[1:3], body)
		if err != nil {
			t.Fatal(err)
		}
		if !sameKeys(first, again) || again.AmountMsat != first.AmountMsat {
			t.Errorf("repeat %d was answered differently", i)
		}
		other.finish(change, again.Evals) // the same points with a fresh, valid proof
	}
	before := audit(t, o)
	if before.Grants != 1 || before.AmountMsat != 2000 || before.PaidUnits != 20 {
		t.Errorf("three answers were booked as %+v", before)
	}
	_, err = h.Redeem(t.Context(), records[0:2], body)
	wantCode(t, "the same tokens for other goods", err, message.CodeToken)
	r, err := message.ParseRedeem(body)
	if err != nil {
		t.Fatal(err)
	}
	r.Change = h.blind(r.Change.Units()).wire
	bent, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Redeem(t.Context(), records[1:3], bent)
	wantCode(t, "the same tokens with other change", err, message.CodeToken)
	if after := audit(t, o); after.Grants != before.Grants || after.UnitsSpent != before.UnitsSpent || after.UnitsIssued != before.UnitsIssued {
		t.Errorf("a refusal changed the books: %+v", after)
	}
	// The price may change between the first answer and a repeat.
	o.SetPrices(900, 300)
	if again, err := other.Redeem(t.Context(), records[1:3], body); err != nil || !sameKeys(first, again) || again.AmountMsat != 2000 {
		t.Errorf("a repeat after the price rose: %v", err)
	}
}

// TestRefusalsSpendNothing tries every wrong purchase and then a right one
// with the same tokens.
func TestRefusalsSpendNothing(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	h.topUp()
	_, records := h.records(h.item("One").ID, 2)
	body, _ := h.body(10)
	redeem, err := message.ParseRedeem(body)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(r *message.Redeem)) []byte {
		r := *redeem
		r.Spend.Groups = append([]message.TokenGroup(nil), r.Spend.Groups...)
		change(&r)
		raw, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	forged := with(func(r *message.Redeem) {
		g := r.Spend.Groups[0]
		g.Tokens = append([]message.Token(nil), g.Tokens...)
		g.Tokens[0].Y[0] ^= 1
		r.Spend.Groups[0] = g
	})
	short := with(func(r *message.Redeem) { r.Change = h.blind(redeem.Change.Units() + 1).wire })
	strange := with(func(r *message.Redeem) { r.Spend.KeySet = wire.ID{1} })
	strangeChange := with(func(r *message.Redeem) { r.KeySet = wire.ID{1} })
	s := h.session()
	for i, c := range []struct {
		what string
		buy  message.Buy
		want message.ErrorCode
	}{
		{"forged token", message.Buy{Rail: 2, Body: forged}, message.CodeToken},
		{"too cheap", message.Buy{Rail: 2, Body: short}, message.CodePrice},
		{"unknown key set", message.Buy{Rail: 2, Body: strange}, message.CodeKeySet},
		{"unknown key set of the change", message.Buy{Rail: 2, Body: strangeChange}, message.CodeKeySet},
		{"no such broadcast", message.Buy{Rail: 2, Range: message.Range{Broadcast: wire.ID{9}, Tier: 2, N: 1}, Body: body}, message.CodeNotFound},
		{"no such tier", message.Buy{Rail: 2, Range: message.Range{Broadcast: records[0].Broadcast, Tier: 9, N: 1}, Body: body}, message.CodeNotFound},
		{"past the end", message.Buy{Rail: 2, Range: message.Range{Broadcast: records[0].Broadcast, Tier: 2, First: 3, N: 2}, Body: body}, message.CodeNotFound},
		{"tokens that do not parse", message.Buy{Rail: 2, Body: body[:len(body)-1]}, message.CodeBadRequest},
		{"Lightning", message.Buy{Rail: 1}, message.CodeUnsupported},
		{"entitlement", message.Buy{Rail: 3, Body: []byte{0, 1, 2}}, message.CodeUnsupported},
		{"opening with a body", message.Buy{Rail: 4, Body: []byte{1}}, message.CodeBadRequest},
		{"opening of what costs", message.Buy{Rail: 4, Range: message.Range{Broadcast: records[0].Broadcast, Tier: 2, First: 1, N: 1}}, message.CodePrice},
		{"opening of too much", message.Buy{Rail: 4, Range: message.Range{Broadcast: records[0].Broadcast, Tier: 2, N: 2}}, message.CodePrice},
	} {
		if c.buy.Range.N == 0 {
			c.buy.Range = message.Range{Broadcast: records[1].Broadcast, Tier: 2, First: 1, N: 1}
		}
		raw, err := c.buy.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		a := s.ask(message.Frame{Kind: message.KindBuy, ID: uint16(i), Body: raw})
		if len(a) != 1 || a[0].ID != uint16(i) || refused(t, a[0]) != c.want {
			t.Errorf("%s: answer %+v, want ERROR %d", c.what, a, c.want)
		}
	}
	if a := audit(t, o); a.UnitsSpent != 0 || a.Grants != 0 || a.FreeGrants != 0 {
		t.Errorf("refusals were booked: %+v", a)
	}
	if _, err := h.Redeem(t.Context(), records[1:2], body); err != nil {
		t.Errorf("the same tokens afterwards: %v", err)
	}
}

func TestOtherKindsOfMessages(t *testing.T) {
	_, h := shop(t, func(c *origin.Config) { c.NoOpus, c.Edges = true, []string{"https://edge.example"} })
	s := h.session()
	a := s.ask(
		message.Frame{Kind: message.KindHello, ID: 1, Body: []byte{0}},
		message.Frame{Kind: message.KindLive, ID: 2, Body: make([]byte, 34)},
		message.Frame{Kind: 6, ID: 3},
		message.Frame{Kind: message.KindHello, ID: 4, Body: []byte{9}},
		message.Frame{Kind: message.KindClose, ID: 5},
	)
	if len(a) != 5 {
		t.Fatalf("%d answers", len(a))
	}
	w, err := message.ParseWelcome(a[0].Body)
	if err != nil || len(w.Edges) != 1 || w.Edges[0] != "https://edge.example" || w.Time == 0 {
		t.Errorf("welcome %+v, %v", w, err)
	}
	for i, want := range []message.ErrorCode{0, message.CodeNotFound, message.CodeUnsupported, message.CodeBadRequest, 0} {
		if got := refused(t, a[i]); got != want || a[i].ID != uint16(i+1) {
			t.Errorf("answer %d: id %d, code %d, want %d", i, a[i].ID, got, want)
		}
	}
	if a[4].Kind != message.KindClosed {
		t.Errorf("close: kind %d", a[4].Kind)
	}
	if res, _ := h.post(resource.Resource{Kind: resource.Exchange, Session: s.s.Session()}, []byte("x")); res.StatusCode != http.StatusGone {
		t.Errorf("after the close: %d", res.StatusCode)
	}
	var many []message.Frame
	for i := range 9 {
		many = append(many, message.Frame{Kind: message.KindHello, ID: uint16(i), Body: []byte{0}})
	}
	plain, err := message.Marshal(many...)
	if err != nil {
		t.Fatal(err)
	}
	s = h.session()
	request, err := s.s.Request(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	if res, _ := h.post(resource.Resource{Kind: resource.Exchange, Session: s.s.Session()}, request); res.StatusCode != http.StatusBadRequest {
		t.Errorf("nine messages at once: %d", res.StatusCode)
	}
}

func TestOpeningGrantIsGivenOncePerSession(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	_, one := h.records(h.item("One").ID, 2)
	_, two := h.records(h.item("2").ID, 2)
	for _, records := range [][]int{{0, 0}, {1, 0}} {
		tier := one
		if records[0] == 1 {
			tier = two
		}
		if _, err := h.Grant(t.Context(), tier[:1]); err != nil {
			t.Errorf("opening %v: %v", records, err)
		}
	}
	_, err := h.Grant(t.Context(), one[:1])
	wantCode(t, "a second opening", err, message.CodePrice)
	if _, err := newHub(t, o).Grant(t.Context(), one[:1]); err != nil {
		t.Errorf("in another session: %v", err)
	}
	if a := audit(t, o); a.FreeGrants != 3 || a.FreeEpochs != 3 || a.AmountMsat != 0 {
		t.Errorf("%+v", a)
	}
}

// TestDoubleSpendRace shows one token in many sessions at once for different
// goods: one of them gets keys.
func TestDoubleSpendRace(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	h.topUp()
	_, records := h.records(h.item("One").ID, 2)
	body, _ := h.body(10)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		c := newHub(t, o)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			_, err := c.Redeem(t.Context(), records[i%3:i%3+1], body)
			var refused *message.Error
			switch {
			case err == nil:
				won.Add(1)
			case !errors.As(err, &refused) || refused.Code != message.CodeToken:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Two sessions ask for the same epoch with the same body: both may win.
	if a := audit(t, o); a.Grants != 1 || a.UnitsIssued-a.UnitsSpent != 20000-10 || won.Load() < 1 || won.Load() > 2 {
		t.Errorf("%d won; books %+v", won.Load(), a)
	}
}

func TestVoucherAndSwap(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	code, err := o.Voucher(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	b, wrong := h.blind(100), h.blind(99)
	_, err = h.TopUp(t.Context(), h.set, wrong.bytes(t), code)
	wantCode(t, "99 units for a voucher of 100", err, message.CodePrice)
	_, err = h.TopUp(t.Context(), h.set, b.bytes(t), "100-aaaaaaaaaaaaaaaaaaaaaaaaaa")
	wantCode(t, "no such voucher", err, message.CodeCredential)
	_, err = h.TopUp(t.Context(), wire.ID{3}, b.bytes(t), code)
	wantCode(t, "no such key set", err, message.CodeKeySet)
	for range 2 { // the second is a repeat
		evals, err := h.TopUp(t.Context(), h.set, b.bytes(t), code)
		if err != nil {
			t.Fatal(err)
		}
		h.ring = map[uint8][]message.Token{}
		h.finish(b, evals)
	}
	_, err = h.TopUp(t.Context(), h.set, h.blind(100).bytes(t), code)
	wantCode(t, "other blinds for a used voucher", err, message.CodeToken)

	body, change := h.body(0) // takes nothing: the purse gives tokens only for a price
	r, err := message.ParseRedeem(body)
	if err != nil {
		t.Fatal(err)
	}
	for d, tokens := range h.ring {
		r.Spend.Groups = append(r.Spend.Groups, message.TokenGroup{Denom: d, Tokens: tokens})
		break
	}
	change = h.blind(r.Spend.Units())
	r.Change = change.wire
	if body, err = r.Marshal(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		evals, err := h.Swap(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		h.finish(change, evals)
	}
	r.Change = h.blind(r.Spend.Units()).wire
	if body, err = r.Marshal(); err != nil {
		t.Fatal(err)
	}
	_, err = h.Swap(t.Context(), body)
	wantCode(t, "a swap of spent tokens", err, message.CodeToken)
	if a := audit(t, o); a.VoucherUnitsRedeemed != 100 || a.Outstanding != 100 || a.Grants != 0 {
		t.Errorf("%+v", a)
	}
}

func TestNewPricesAreTheCeilingNoMore(t *testing.T) {
	o, h := shop(t, func(c *origin.Config) { c.NoOpus = true })
	h.topUp()
	old := h.item("One")
	_, records := h.records(old.ID, 2)
	o.SetPrices(600, 300)
	body, _ := h.body(10) // by the old catalogue
	_, err := h.Redeem(t.Context(), records[1:2], body)
	wantCode(t, "the old price", err, message.CodePrice)
	ready(t, o.Done)
	c, err := newHub(t, o).Catalog(t.Context())
	if err != nil || c.Items[0].Tiers[0].PriceMsatS != 600 {
		t.Errorf("new catalogue %+v, %v", c, err)
	}
}
