package origin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"

	"sonahub/sne/kdf"
	"sonahub/sne/message"
	"sonahub/wallet"
)

func openEmpty(f *testing.F) *Origin {
	f.Helper()
	o, err := Open(f.Context(), Config{State: f.TempDir(), Music: f.TempDir(), Till: &blindTill{}, Limits: Limits{Offers: 1e9}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := o.Close(ctx); err != nil {
			f.Error(err)
		}
	})
	return o
}

// blindTill makes invoices that nobody pays.
type blindTill struct{}

func (*blindTill) Node(context.Context) ([33]byte, error) { return [33]byte{2}, nil }

func (*blindTill) AddInvoice(context.Context, [32]byte, wallet.Msat, [32]byte, time.Duration) (string, error) {
	return "ln", nil
}

func (*blindTill) Settled(context.Context, [32]byte) (bool, error) { return false, nil }

func (*blindTill) Cancel(context.Context, [32]byte) (bool, error) { return false, nil }

// FuzzAnswer hands any message to the shop: it must answer with the same id,
// refuse with a known code, and never count it as a fault of its own.
func FuzzAnswer(f *testing.F) {
	o := openEmpty(f)
	set := o.ring.Issuing().ID()
	empty := append(append(append([]byte{}, set[:]...), 0), append(set[:], 0)...) // Tokens, key set, Blinds: nothing for nothing
	goods := append(make([]byte, 32), 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1)
	point := append(append([]byte{2}, set[:]...), append([]byte{1, 0, 1}, set[:]...)...) // TOPUP by voucher, a point that is none
	f.Add(uint8(message.KindHello), []byte{0})
	f.Add(uint8(message.KindBuy), append(append([]byte{2}, goods...), empty...))
	f.Add(uint8(message.KindBuy), append([]byte{4}, goods...))
	f.Add(uint8(message.KindTopUp), append(point, "\x00\x1c1-aaaaaaaaaaaaaaaaaaaaaaaaaa"...))
	f.Add(uint8(message.KindBuy), append([]byte{1}, goods...))
	f.Add(uint8(message.KindTopUp), topUp(f, set))
	f.Add(uint8(message.KindSwap), empty)
	f.Add(uint8(message.KindClose), []byte{})
	f.Add(uint8(200), []byte("x"))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		c := &call{bundle: o.ring.Current().ID, base: &kdf.Secret{1}}
		copy(c.session[:], body)
		a := o.answer(t.Context(), c, message.Frame{Kind: message.Kind(kind), ID: 7, Body: body})
		if a.ID != 7 {
			t.Errorf("id %d", a.ID)
		}
		if a.Kind != message.KindError {
			return
		}
		e, err := message.ParseError(a.Body)
		if err != nil || e.Code == 0 || e.Code >= message.CodeInternal {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

// topUp is a TOPUP by Lightning of 16 units.
func topUp(f *testing.F, set [32]byte) []byte {
	f.Helper()
	point, err := group.Ristretto255.HashToElement([]byte("a"), nil).MarshalBinaryCompress()
	if err != nil {
		f.Fatal(err)
	}
	blinds, err := message.Blinds{{Denom: 4, Points: []message.Point{message.Point(point)}}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	body, err := (&message.TopUp{Rail: message.TopUpLightning, KeySet: set, Blinds: blinds}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	return body
}

// FuzzPath asks for any path: no fault of ours, and no file of ours.
func FuzzPath(f *testing.F) {
	o := openEmpty(f)
	for _, p := range []string{"/sne/1/bundle", "/sne/1/blob/../../keys/root", "/welcome", "/sne/1/b/%2e%2e/2/head", "//", "*"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawPath = path, ""
		w := httptest.NewRecorder()
		o.Handler().ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}
