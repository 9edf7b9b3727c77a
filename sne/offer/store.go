package offer

import (
	"fmt"
	"log/slog"

	"sonahub/sne/bundle"
	"sonahub/sne/composite"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/wire"
)

// Bounds of the parts of a Claim, in bytes.
const (
	maxTBS    = 16384
	maxBolt11 = 2048
	maxRecord = 1024
	maxKeySet = 1024
	maxBlinds = 4096

	// MaxClaim is the longest marshalled Claim; 30 epochs of a usual manifest
	// take 20 kB.
	MaxClaim = 1 + 32 + 2*(1+32) + 4 + bundle.MaxSize + 2 + maxTBS + composite.SignatureSize + 2 + maxBolt11 + 1 + message.MaxRange*(2+maxRecord)
)

// String hides a Claim: its salt and preimage are worth money.
func (c *Claim) String() string { return "redacted" }

// Format hides the claim from every verb of package fmt.
func (c *Claim) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides a Claim from package slog.
func (c *Claim) LogValue() slog.Value { return slog.StringValue("redacted") }

// Marshal encodes a Claim for a sealed place. The bytes hold secrets.
//
//	u8 ver=1; root KeyID[32]; bundle<<32768>>; tbs<16384>; sig[3373]; bolt11<2048>;
//	salt[32]; u8 paid; p[32] if paid;
//	goods 1: u8 n; record<1024>[n]      goods 2: keyset<1024>; blinds<4096>
func (c *Claim) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U8(1)
	w.Raw(c.Root[:])
	w.X32(c.Bundle, bundle.MaxSize)
	w.X16(c.TBS, maxTBS)
	if len(c.Sig) != composite.SignatureSize {
		w.Fail("signature of a wrong length")
	}
	w.Raw(c.Sig)
	w.X16([]byte(c.Bolt11), maxBolt11)
	w.Raw(c.Salt[:])
	if c.Paid() {
		w.U8(1)
		w.Raw(c.Preimage[:])
	} else {
		w.U8(0)
	}
	if c.Goods == GoodsTokens {
		w.X16(c.KeySet, maxKeySet)
		w.X16(c.Blinds, maxBlinds)
		return w.Bytes()
	}
	w.Count8(len(c.Records), message.MaxRange)
	for _, rec := range c.Records {
		raw, err := rec.Marshal()
		if err != nil {
			return nil, err
		}
		w.X16(raw, maxRecord)
	}
	return w.Bytes()
}

// ParseClaim reads a marshalled Claim and nothing after it. It is the hub's own
// writing, so its signatures are not verified again (Check does that); the
// goods are held against the offer.
func ParseClaim(raw []byte) (*Claim, error) {
	r := wire.NewReader(raw)
	r.Want8(1, "claim version")
	c := &Claim{Root: r.ID(), Bundle: r.X32(bundle.MaxSize), TBS: r.X16(maxTBS), Sig: r.Take(composite.SignatureSize), Bolt11: r.Text(maxBolt11)}
	r.Fixed(c.Salt[:])
	flag := r.U8()
	if flag > 1 {
		r.Fail("neither paid nor unpaid")
	}
	paid := flag == 1
	if paid {
		r.Fixed(c.Preimage[:])
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	t, err := parse(c.TBS)
	if err != nil {
		return nil, err
	}
	c.Head = t.Head
	if paid && !c.Paid() {
		return nil, ErrPreimage
	}
	if t.Goods == GoodsTokens {
		c.KeySet, c.Blinds = r.X16(maxKeySet), r.X16(maxBlinds)
		err = r.Close()
	} else {
		c.Records, err = readRecords(r)
	}
	if err == nil {
		err = t.names(c)
	}
	if err != nil {
		c.Erase()
		return nil, err
	}
	return c, nil
}

// readRecords reads the records of a Claim, which end it.
func readRecords(r *wire.Reader) ([]*manifest.Record, error) {
	n := int(r.U8())
	if n > message.MaxRange {
		r.Fail("too many records")
	}
	var records []*manifest.Record
	for i := 0; i < n && r.Err() == nil; i++ {
		raw := r.X16(maxRecord)
		if r.Err() != nil {
			break
		}
		rec, err := manifest.ParseRecord(raw)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, r.Close()
}
