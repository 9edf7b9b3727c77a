package vectors_test

import (
	"errors"
	"testing"
	"time"

	"sonahub/sne/bundle"
	"sonahub/sne/exhibit"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/offer"
	"sonahub/sne/wire"
)

func (f *offerFile) bundle(t testing.TB) *bundle.Bundle {
	t.Helper()
	return must(bundle.Parse(f.Bundle, wire.ID(f.Root)))(t)
}

func parsedRecords(t testing.TB, raw []hx) (out []*manifest.Record) {
	t.Helper()
	for _, r := range raw {
		out = append(out, must(manifest.ParseRecord(r))(t))
	}
	return out
}

func outcome(err error) string {
	if err != nil {
		return "refuse"
	}
	return "ok"
}

func TestOffer(t *testing.T) {
	f := load[offerFile](t, "offer.json")
	b := f.bundle(t)
	for _, v := range f.Locks {
		h := must(offer.Parse(v.TBS))(t)
		p, base := kdf.Secret(v.P), kdf.Secret(v.Base)
		ph := offer.PaymentHash(&p)
		same(t, "payment_hash", ph[:], v.PaymentHash)
		var salt kdf.Secret
		check(t, offer.Salt(&salt, &base, ph))
		same(t, "salt", salt[:], v.Salt)
		sc := offer.SaltCommit(&salt)
		same(t, "salt_commit", sc[:], v.SaltCommit)
		if h.PaymentHash != ph || h.SaltCommit != sc {
			t.Errorf("%s: the head has other hashes", v.Why)
		}
		dh := offer.DescriptionHash(v.TBS)
		same(t, "description_hash", dh[:], v.Description)
		again := must(offer.Build(signer(t, "offer online"), &base, &p, h, v.Plain))(t)
		same(t, "tbs", again.TBS, v.TBS)
	}
	for _, v := range f.Listener {
		base := kdf.Secret(v.Base)
		w := offer.Want{Bundle: b, Price: v.Price, Base: &base, Sent: time.Unix(1, 0), Now: time.Unix(1+int64(v.Age), 0), Records: parsedRecords(t, v.Records)}
		if len(v.Blinds) > 0 {
			w.KeySet, w.Blinds = f.KeySet, v.Blinds
		}
		if _, err := offer.Verify(&message.Offer{TBS: v.TBS, Sig: v.Sig}, w); outcome(err) != v.Expect {
			t.Errorf("%s: %v", v.Why, err)
		}
	}
	lock := &offer.Claim{Head: must(offer.Parse(f.Locks[0].TBS))(t), TBS: f.Locks[0].TBS}
	for _, v := range f.Invoices {
		inv := offer.Invoice{PaymentHash: [32]byte(v.PaymentHash), DescriptionHash: [32]byte(v.Description), AmountMsat: v.Amount, Payee: [33]byte(v.Payee),
			Network: v.Network, Expiry: v.Expiry, MinFinalCLTV: v.FinalCLTV, AMP: v.AMP}
		if err := lock.CheckInvoice(inv, b.LightningNodes, "regtest"); outcome(err) != v.Expect {
			t.Errorf("invoice, %s: %v", v.Why, err)
		}
	}
	for _, v := range f.Unlocks {
		c := &offer.Claim{Head: must(offer.Parse(v.TBS))(t), TBS: v.TBS, Salt: kdf.Secret(v.Salt), Preimage: kdf.Secret(v.P), Records: parsedRecords(t, v.Records)}
		if len(v.Blinds) > 0 {
			c.KeySet, c.Blinds = f.KeySet, v.Blinds
		}
		u, err := c.Unlock()
		got := outcome(err)
		if fault := new(offer.FaultError); errors.As(err, &fault) {
			got = "fault"
		}
		if got != v.Expect {
			t.Errorf("%s: %v", v.Why, err)
			continue
		}
		for i, k := range v.Keys {
			if u.Keys[i] == nil && len(k) == 0 {
				continue
			}
			same(t, v.Why, u.Keys[i][:], k)
		}
	}
}

func TestExhibit(t *testing.T) {
	f := load[exhibitFile](t, "exhibit.json")
	for _, v := range f.Exhibits {
		verdict, err := exhibit.Verify(v.Bytes, wire.ID(v.Accused))
		if (verdict != nil) != (v.Expect == "proved") {
			t.Errorf("%s: %v, %v", v.Why, verdict, err)
		}
	}
}
