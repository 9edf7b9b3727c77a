package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/segment"
	"sonahub/sne/wire"
)

type offerFile struct {
	About    string           `json:"about"`
	Root     hx               `json:"root_key_id"`
	Bundle   hx               `json:"bundle"`
	KeySet   hx               `json:"keyset"`
	Locks    []lockVector     `json:"locks"`
	Listener []listenerVector `json:"listener"`
	Invoices []invoiceVector  `json:"invoices"`
	Unlocks  []unlockVector   `json:"unlocks"`
}

// lockVector is an offer in the making, with all its secrets.
type lockVector struct {
	Why         string `json:"why"`
	Base        hx     `json:"lock_base"`
	P           hx     `json:"p"`
	Plain       hx     `json:"plaintext"`
	PaymentHash hx     `json:"payment_hash"`
	Salt        hx     `json:"salt"`
	SaltCommit  hx     `json:"salt_commit"`
	Head        hx     `json:"offer_head"`
	LockContext hx     `json:"lctx"`
	LockKey     hx     `json:"lk"`
	TBS         hx     `json:"tbs"`
	Sig         hx     `json:"sig"`
	Description hx     `json:"description_hash"`
}

// listenerVector is step 2 of the listener's order without the invoice.
type listenerVector struct {
	Why     string `json:"why"`
	Expect  string `json:"expect"` // ok or refuse
	TBS     hx     `json:"tbs"`
	Sig     hx     `json:"sig"`
	Base    hx     `json:"lock_base"`
	Price   uint64 `json:"price_msat"`
	Age     uint64 `json:"age_s"`             // since the BUY was sent
	Records []hx   `json:"records,omitempty"` // asked for, or
	Blinds  hx     `json:"blinds,omitempty"`
}

// invoiceVector is held against lock 0 and a hub on regtest.
type invoiceVector struct {
	Why         string `json:"why"`
	Expect      string `json:"expect"` // ok or refuse
	PaymentHash hx     `json:"payment_hash"`
	Amount      uint64 `json:"amount_msat"`
	Description hx     `json:"description_hash"`
	Payee       hx     `json:"payee"`
	Network     string `json:"network"`
	Expiry      uint32 `json:"expiry_s"`
	FinalCLTV   uint32 `json:"min_final_cltv"`
	AMP         bool   `json:"amp"`
}

// unlockVector is step 5: after the payment.
type unlockVector struct {
	Why     string `json:"why"`
	Expect  string `json:"expect"` // ok, fault (of the origin) or refuse
	TBS     hx     `json:"tbs"`
	Salt    hx     `json:"salt"`
	P       hx     `json:"p"`
	Records []hx   `json:"records,omitempty"`
	Keys    []hx   `json:"keys,omitempty"` // empty where the key does not fit
	Blinds  hx     `json:"blinds,omitempty"`
}

// vendor is an origin that sells by offers, and what it sells.
type vendor struct {
	root, online *composite.SecretKey
	b            *bundle.Bundle
	id           wire.ID
	records      []*manifest.Record
	keys         []kdf.Secret
	keySet       []byte
	blinds       []byte
	evals        []byte
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	m := newMint(t)
	v := &vendor{root: signer(t, "offer root"), online: signer(t, "offer online"), keySet: m.KeySet(), blinds: offerBlinds(t)}
	v.evals = must(m.Evaluate(v.blinds))(t)
	b := &bundle.Bundle{Seq: 1, NotBefore: noon, NotAfter: noon + day, Host: "music.example", KEM: *kemKey(t, "offer kem").Public(), Online: *v.online.Public(),
		LightningNodes: [][33]byte{[33]byte(draw(33, "offer node"))}, KeySets: []wire.ID{m.ID()}}
	v.b = must(bundle.Parse(must(b.Sign(v.root))(t), v.root.Public().KeyID()))(t)
	v.id = must(v.b.ID())(t)
	v.keys = make([]kdf.Secret, 30)
	for n := range v.keys {
		e := segment.Epoch{Broadcast: id("offer broadcast"), Tier: 2, Number: uint64(n)}
		check(t, segment.EpochSecret(&v.keys[n], secret("offer master"), e))
		v.records = append(v.records, &manifest.Record{Epoch: e, Frames: 88200, Commit: must(segment.Commit(&v.keys[n], e))(t),
			Renditions: []manifest.Rendition{{R: 1, Codec: segment.CodecFLAC, BitsPerS: 850000, ObjectLen: 200000, SHA256: id(fmt.Sprint("offer object ", n))}}})
	}
	return v
}

// offerBlinds are points worth 2 + 8 + 8 units.
func offerBlinds(t testing.TB) []byte {
	t.Helper()
	point := func(name string) message.Point {
		return message.Point(must(group.Ristretto255.HashToElement(draw(32, name), []byte("vectors")).MarshalBinaryCompress())(t))
	}
	return must(message.Blinds{{Denom: 1, Points: []message.Point{point("a")}}, {Denom: 3, Points: []message.Point{point("b"), point("c")}}}.Marshal())(t)
}

// sale makes the terms and plaintext of epochs first..first+n-1.
func (v *vendor) sale(t testing.TB, first, n int) (*offer.Head, []byte) {
	t.Helper()
	h := &offer.Head{Goods: offer.GoodsEpochs, Bundle: v.id, AmountMsat: 1000 * uint64(n), TTL: 60,
		Range: message.Range{Broadcast: id("offer broadcast"), Tier: 2, First: uint64(first), N: uint8(n)}}
	h.Split = []message.Share{{Role: 1, Msat: h.AmountMsat - 300}, {Role: 7, Msat: 300}}
	var plain []byte
	for i := first; i < first+n; i++ {
		h.Leaves = append(h.Leaves, must(v.records[i].Leaf())(t))
		plain = append(plain, v.keys[i][:]...)
	}
	return h, plain
}

func (v *vendor) issue() (*offer.Head, []byte) {
	return &offer.Head{Goods: offer.GoodsTokens, Bundle: v.id, AmountMsat: 1800, TTL: 60, KeySet: message.KeySetID(v.keySet), Units: 18,
		BlindsHash: sha256.Sum256(v.blinds)}, bytes.Clone(v.evals)
}

func (v *vendor) lock(t testing.TB, why string, h *offer.Head, plain []byte) lockVector {
	t.Helper()
	base, p := secret("base "+why), secret("preimage "+why)
	o := must(offer.Build(v.online, base, p, h, plain))(t)
	x := lockVector{Why: why, Base: base[:], P: p[:], Plain: plain, PaymentHash: h.PaymentHash[:], SaltCommit: h.SaltCommit[:], TBS: o.TBS, Sig: o.Sig}
	var salt kdf.Secret
	check(t, offer.Salt(&salt, base, h.PaymentHash))
	d := offer.DescriptionHash(o.TBS)
	x.Salt, x.Description = salt[:], d[:]
	x.Head = o.TBS[:len(o.TBS)-4-len(plain)-kdf.Overhead]
	c := sha256.Sum256(append([]byte("sne1 lock"), x.Head...))
	var lk kdf.Secret
	check(t, kdf.Extract(&lk, &salt, p))
	check(t, kdf.Expand(&lk, &lk, "lock key", c[:]))
	x.LockContext, x.LockKey = c[:], lk[:]
	return x
}

func rawRecords(t testing.TB, records []*manifest.Record) (out []hx) {
	t.Helper()
	for _, r := range records {
		out = append(out, must(r.Marshal())(t))
	}
	return out
}

func makeOffer(t *testing.T) any {
	v := newVendor(t)
	f := &offerFile{
		About: "locks: from lock_base, p and the terms to tbs; the plaintext is ES x n, or Evals. listener: SPEC 7.2 step 2 without the invoice, all under this bundle; the hub asked for records or blinds. " +
			"invoices: held against lock 0 and a hub on regtest. unlocks: step 5.",
		Root: idBytes([]wire.ID{v.root.Public().KeyID()})[0], Bundle: v.b.Signed, KeySet: v.keySet,
	}
	for _, n := range []int{1, 5, 30} {
		h, plain := v.sale(t, 0, n)
		f.Locks = append(f.Locks, v.lock(t, fmt.Sprintf("%d epochs", n), h, plain))
	}
	h, plain := v.issue()
	f.Locks = append(f.Locks, v.lock(t, "tokens", h, plain))
	f.Listener = v.listeners(t, f.Locks)
	f.Invoices = v.invoices(f.Locks[0])
	f.Unlocks = v.unlocks(t, f.Locks)
	return f
}

// listeners are what a hub answers to offers, honest and not.
func (v *vendor) listeners(t testing.TB, locks []lockVector) (out []listenerVector) {
	t.Helper()
	epochs := func(why string, change func(x *listenerVector)) {
		x := listenerVector{Why: why, Expect: "refuse", TBS: locks[1].TBS, Sig: locks[1].Sig, Base: locks[1].Base, Price: 5000, Records: rawRecords(t, v.records[:5])}
		change(&x)
		out = append(out, x)
	}
	tokens := func(why string, change func(x *listenerVector)) {
		x := listenerVector{Why: why, Expect: "refuse", TBS: locks[3].TBS, Sig: locks[3].Sig, Base: locks[3].Base, Price: 1800, Blinds: v.blinds}
		change(&x)
		out = append(out, x)
	}
	signed := func(x *listenerVector, at int, put ...byte) {
		x.TBS = bytes.Clone(x.TBS)
		copy(x.TBS[at:], put)
		x.Sig = must(v.online.Sign(composite.ContextOffer, x.TBS))(t)
	}
	ok := func(x *listenerVector) { x.Expect = "ok" }
	epochs("five epochs", ok)
	epochs("at the last moment", func(x *listenerVector) { x.Expect, x.Age = "ok", 50 })
	epochs("too late", func(x *listenerVector) { x.Age = 51 })
	epochs("dearer than the catalogue", func(x *listenerVector) { x.Price-- })
	epochs("salt of another session", func(x *listenerVector) { x.Base = draw(32, "another base") })
	epochs("signature", func(x *listenerVector) { x.Sig = flip(x.Sig, 3372) })
	epochs("one epoch less asked for", func(x *listenerVector) { x.Records = x.Records[:4] })
	epochs("other epochs asked for", func(x *listenerVector) { x.Records = rawRecords(t, v.records[1:6]) })
	epochs("another commitment", func(x *listenerVector) { x.Records[2] = flip(x.Records[2], 60) })
	epochs("tokens asked for", func(x *listenerVector) { x.Records, x.Blinds = nil, v.blinds })
	epochs("version", func(x *listenerVector) { signed(x, 0, 2) })
	epochs("lock type 2", func(x *listenerVector) { signed(x, 1, 2) })
	epochs("reserved byte", func(x *listenerVector) { signed(x, 3, 1) })
	epochs("another bundle", func(x *listenerVector) { signed(x, 4, x.TBS[4]^1) })
	epochs("999 msat", func(x *listenerVector) { signed(x, 68, 0, 0, 0, 0, 0, 0, 3, 0xe7) })
	epochs("14 s", func(x *listenerVector) { signed(x, 76, 0, 0, 0, 14) })
	epochs("3601 s", func(x *listenerVector) { signed(x, 76, 0, 0, 0x0e, 0x11) })
	epochs("split of one msat too much", func(x *listenerVector) { signed(x, 130, x.TBS[130]+1) })
	epochs("roles do not rise", func(x *listenerVector) { signed(x, 122, 1) })
	epochs("byte behind the lock", func(x *listenerVector) {
		x.TBS = append(bytes.Clone(x.TBS), 0)
		signed(x, 0)
	})
	short, plain := v.sale(t, 0, 5)
	cut := v.lock(t, "short lock", short, plain[:128])
	epochs("lock of four keys", func(x *listenerVector) { x.TBS, x.Sig, x.Base = cut.TBS, cut.Sig, cut.Base })
	tokens("units", ok)
	tokens("over the limit", func(x *listenerVector) { x.Price-- })
	tokens("other blinds", func(x *listenerVector) { x.Blinds = append(bytes.Clone(x.Blinds[:37]), flip(x.Blinds[37:], 5)...) })
	tokens("units do not fit the blinds", func(x *listenerVector) { signed(x, 148, 17) })
	tokens("another keyset", func(x *listenerVector) { signed(x, 113, x.TBS[113]^1) })
	return out
}

// invoices break one rule each.
func (v *vendor) invoices(l lockVector) (out []invoiceVector) {
	node := v.b.LightningNodes[0]
	add := func(why, expect string, change func(x *invoiceVector)) {
		x := invoiceVector{Why: why, Expect: expect, PaymentHash: l.PaymentHash, Amount: 1000, Description: l.Description, Payee: node[:], Network: "regtest", Expiry: 60, FinalCLTV: 80}
		change(&x)
		out = append(out, x)
	}
	add("as it should be", "ok", func(*invoiceVector) {})
	add("longer and quicker", "ok", func(x *invoiceVector) { x.Expiry, x.FinalCLTV = 3600, 9 })
	add("payment hash", "refuse", func(x *invoiceVector) { x.PaymentHash = flip(x.PaymentHash, 31) })
	add("amount", "refuse", func(x *invoiceVector) { x.Amount = 1001 })
	add("amount of the payer's choice", "refuse", func(x *invoiceVector) { x.Amount = 0 })
	add("description", "refuse", func(x *invoiceVector) { x.Description = flip(x.Description, 0) })
	add("payee", "refuse", func(x *invoiceVector) { x.Payee = flip(x.Payee, 32) })
	add("network", "refuse", func(x *invoiceVector) { x.Network = "bitcoin" })
	add("expiry", "refuse", func(x *invoiceVector) { x.Expiry = 59 })
	add("min_final_cltv", "refuse", func(x *invoiceVector) { x.FinalCLTV = 81 })
	add("AMP", "refuse", func(x *invoiceVector) { x.AMP = true })
	return out
}

// unlocks are what a payment gives.
func (v *vendor) unlocks(t testing.TB, locks []lockVector) (out []unlockVector) {
	t.Helper()
	add := func(why, expect string, l lockVector, n int, change func(x *unlockVector)) {
		x := unlockVector{Why: why, Expect: expect, TBS: l.TBS, Salt: l.Salt, P: l.P}
		if n > 0 {
			x.Records = rawRecords(t, v.records[:n])
		} else {
			x.Blinds = v.blinds
		}
		for i := range n {
			x.Keys = append(x.Keys, v.keys[i][:])
		}
		change(&x)
		if x.Expect == "refuse" {
			x.Keys = nil
		}
		out = append(out, x)
	}
	same := func(*unlockVector) {}
	for i, n := range []int{1, 5, 30} {
		add(locks[i].Why, "ok", locks[i], n, same)
	}
	add("tokens", "ok", locks[3], 0, same)
	add("another preimage", "refuse", locks[1], 5, func(x *unlockVector) { x.P = flip(x.P, 0) })
	add("another salt", "refuse", locks[1], 5, func(x *unlockVector) { x.Salt = flip(x.Salt, 31) })
	h, plain := v.sale(t, 0, 5)
	plain[2*32] ^= 1
	add("one bad key among good ones", "fault", v.lock(t, "bad key", h, plain), 5, func(x *unlockVector) { x.Keys[2] = hx{} })
	broken := locks[1]
	broken.TBS = flip(broken.TBS, len(broken.TBS)-1)
	add("lock that does not open", "fault", broken, 5, func(x *unlockVector) { x.Keys = []hx{{}, {}, {}, {}, {}} })
	for _, bad := range []struct {
		why string
		at  int
	}{{"bad evaluation", 3}, {"bad proof", len(v.evals) - 1}} {
		h, plain := v.issue()
		plain[bad.at] ^= 1
		add(bad.why, "fault", v.lock(t, bad.why, h, plain), 0, same)
	}
	return out
}
