package naive_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cloudflare/circl/group"
)

// sold is an offer as its tbs says it.
type sold struct {
	bundle, payment, commit, keySet, blindsHash []byte
	goods, amount, ttl, units                   uint64
	rng                                         []byte // b, tier, first, n
	leaves                                      [][]byte
	head, locked                                []byte
}

// parseOffer reads tbs = OfferHead || locked<<4096>> and holds its own rules.
func parseOffer(tbs []byte) (*sold, error) {
	s := &sold{}
	err := parse(tbs, func(r *rd) {
		ver, lock := r.u8(), r.u8()
		r.want(ver == 1 && lock == 1)
		s.goods = r.u8()
		r.want(r.u8() == 0 && (s.goods == 1 || s.goods == 2))
		s.bundle, s.payment = r.take(32), r.take(32)
		s.amount, s.ttl, s.commit = r.u64(), r.u32(), r.take(32)
		r.want(s.amount >= 1000 && s.ttl >= 15 && s.ttl <= 3600)
		shares, last, sum := r.u8(), -1, uint64(0)
		r.want(shares <= 8 && (shares > 0) == (s.goods == 1))
		for range shares {
			role, msat := int(r.u8()), r.u64()
			r.want(role > last && msat <= s.amount-sum)
			last, sum = role, sum+msat
		}
		r.want(shares == 0 || sum == s.amount)
		if s.goods == 1 {
			s.rng = r.take(32 + 2 + 8 + 1)
			n := int(s.rng[42])
			r.want(n >= 1 && n <= 30)
			for range n {
				s.leaves = append(s.leaves, r.take(32))
			}
		} else {
			s.keySet, s.units, s.blindsHash = r.take(32), r.u32(), r.take(32)
			r.want(s.units > 0)
		}
		s.head = tbs[:len(tbs)-len(r.b)]
		n := r.u32()
		r.want(n <= 4096)
		s.locked = r.take(n)
	})
	return s, err
}

func (s *sold) lctx() []byte { return sum([]byte("sne1 lock"), s.head) }

func (s *sold) lockKey(salt, p []byte) []byte { return expand(mac(salt, p), "lock key", s.lctx()) }

func saltOf(base, payment []byte) []byte { return expand(base, "lock salt", payment) }

func saltCommit(salt []byte) []byte { return sum([]byte("sne1 salt"), salt) }

// names reports whether the goods are those whose hashes the offer has.
func (s *sold) names(records []hx, keySet, blinds []byte) bool {
	if s.goods == 2 {
		return bytes.Equal(s.keySet, sum([]byte("sne1 ffxs"), keySet)) && bytes.Equal(s.blindsHash, sum(blinds))
	}
	if len(records) != len(s.leaves) {
		return false
	}
	for i, r := range records {
		if !bytes.Equal(leaf(r), s.leaves[i]) {
			return false
		}
	}
	return true
}

// rangeOf is the Range of consecutive records: their first ectx and how many.
func rangeOf(records []hx) []byte { return cat(records[0][1:43], []byte{byte(len(records))}) }

func evalsSize(blinds []pointGroup) (n int) {
	n = 1
	for _, g := range blinds {
		n += 2 + 32*len(g.points) + 64
	}
	return n
}

// commitOf is the commitment in an EpochRecord.
func commitOf(record []byte) []byte { return record[1+42+4:][:32] }

// bundleOf is what an offer needs of a Bundle.
type bundleOf struct {
	id, online []byte
	seq        uint64
	nodes      [][]byte
}

// openBundle verifies a Bundle under a root and reads it.
func openBundle(signed, rootID []byte) (*bundleOf, error) {
	b := &bundleOf{}
	if len(signed) < 3373+36 {
		return nil, errParse
	}
	tbs := signed[:len(signed)-3373]
	if err := parseBundle(tbs, rootID); err != nil {
		return nil, err
	}
	err := parse(tbs, func(r *rd) {
		r.take(4)
		b.seq = r.u64()
		r.take(24)
		r.upTo(255)
		pk := r.take(1984)
		r.take(1216)
		b.online = r.take(1984)
		for range r.u8() {
			b.nodes = append(b.nodes, r.take(33))
		}
		r.rest()
		_, err := opened(pk, "sne/1 bundle", signed)
		r.want(err == nil)
	})
	b.id = sum([]byte("sne1 bundle"), tbs)
	return b, err
}

// keysOf reads the keys of a KeySet by denomination.
func keysOf(keySet []byte) (unit uint64, keys map[uint64][]byte, err error) {
	keys = map[uint64][]byte{}
	if err := parseKeySet(keySet); err != nil {
		return 0, nil, err
	}
	err = parse(keySet, func(r *rd) {
		r.u16()
		unit = r.u16()
		r.take(16)
		for range r.u8() {
			d := r.u8()
			keys[d] = r.take(32)
		}
	})
	return unit, keys, err
}

// readEvals and decoded say whether what an issuer sent is of the right shape.
func readEvals(b []byte) (out []pointGroup, ok bool) {
	err := parse(b, func(r *rd) { out = r.groups(64, 32, 64) })
	return out, err == nil
}

func decoded(raw [][]byte) ([]group.Element, bool) {
	out, err := points(raw)
	return out, err == nil
}

// honestEvals reports whether an honest issuer may have made the evaluations.
func honestEvals(t testing.TB, keySet, blinds, evals []byte) (bool, error) {
	t.Helper()
	_, keys, err := keysOf(keySet)
	if err != nil {
		return false, err
	}
	var in []pointGroup
	if err := parse(blinds, func(r *rd) { in = r.groups(64, 32, 0) }); err != nil {
		return false, err
	}
	out, ok := readEvals(evals)
	if !ok || len(in) != len(out) {
		return false, nil
	}
	for i, g := range in {
		if g.denom != out[i].denom || len(g.points) != len(out[i].points) {
			return false, nil
		}
		pk, err := point(keys[g.denom])
		if err != nil {
			return false, err
		}
		c, err := points(g.points)
		if err != nil {
			return false, err
		}
		if d, ok := decoded(out[i].points); !ok || !proofHolds(t, pk, c, d, out[i].proof) {
			return false, nil
		}
	}
	return true, nil
}

var errFault = errors.New("naive: the origin is at fault")

// unlock is step 5: keys, nil where one does not fit.
func (s *sold) unlock(t testing.TB, salt, p []byte, records []hx, keySet, blinds []byte) ([]hx, error) {
	t.Helper()
	if !bytes.Equal(sum(p), s.payment) || !bytes.Equal(saltCommit(salt), s.commit) || !s.names(records, keySet, blinds) {
		return nil, errParse
	}
	plain, err := open(s.lockKey(salt, p), s.lctx(), s.locked)
	if s.goods == 2 {
		if err != nil {
			return nil, errFault
		}
		ok, bad := honestEvals(t, keySet, blinds, plain)
		if bad == nil && !ok {
			bad = errFault
		}
		return nil, bad
	}
	keys := make([]hx, len(records))
	if err != nil || len(plain) != 32*len(records) {
		return keys, errFault
	}
	for i, r := range records {
		es := plain[32*i:][:32]
		if bytes.Equal(expand(es, "epoch commit", r[1:43]), commitOf(r)) {
			keys[i] = es
		} else {
			err = errFault
		}
	}
	return keys, err
}

type listenerVector struct {
	Why, Expect string
	TBS, Sig    hx
	Base        hx     `json:"lock_base"`
	Price       uint64 `json:"price_msat"`
	Age         uint64 `json:"age_s"`
	Records     []hx
	Blinds      hx
}

// listen is step 2 of the listener's order without the invoice.
func (v *listenerVector) listen(b *bundleOf, keySet []byte) error {
	if err := verify(b.online, "sne/1 offer", v.TBS, v.Sig); err != nil {
		return err
	}
	s, err := parseOffer(v.TBS)
	if err != nil {
		return err
	}
	want := 32 * len(v.Records)
	if len(v.Records) == 0 {
		unit, keys, err := keysOf(keySet)
		if err != nil {
			return err
		}
		var in []pointGroup
		if err := parse(v.Blinds, func(r *rd) { in = r.groups(64, 32, 0) }); err != nil {
			return err
		}
		for _, g := range in {
			if keys[g.denom] == nil {
				return errParse
			}
			if _, err := points(g.points); err != nil {
				return err
			}
		}
		if s.goods != 2 || s.units != units(in) || s.amount != s.units*unit {
			return errParse
		}
		want = evalsSize(in)
	} else if s.goods != 1 || !bytes.Equal(s.rng, rangeOf(v.Records)) {
		return errParse
	}
	switch {
	case !bytes.Equal(s.bundle, b.id), s.amount > v.Price, !s.names(v.Records, keySet, v.Blinds),
		!bytes.Equal(saltCommit(saltOf(v.Base, s.payment)), s.commit), len(s.locked) != want+16, v.Age+10 > s.ttl:
		return errParse
	}
	return nil
}

func said(err error) string {
	switch {
	case errors.Is(err, errFault):
		return "fault"
	case err != nil:
		return "refuse"
	}
	return "ok"
}

func TestOffer(t *testing.T) {
	f := load[struct {
		head
		Root   hx `json:"root_key_id"`
		Bundle hx
		KeySet hx
		Locks  []struct {
			Why         string
			Base        hx `json:"lock_base"`
			P           hx
			Plain       hx `json:"plaintext"`
			Payment     hx `json:"payment_hash"`
			Salt        hx
			Commit      hx `json:"salt_commit"`
			Head        hx `json:"offer_head"`
			LockContext hx `json:"lctx"`
			LockKey     hx `json:"lk"`
			TBS, Sig    hx
			Description hx `json:"description_hash"`
		}
		Listener []*listenerVector
		Invoices []struct {
			Why, Expect string
			Payment     hx     `json:"payment_hash"`
			Amount      uint64 `json:"amount_msat"`
			Description hx     `json:"description_hash"`
			Payee       hx
			Network     string
			Expiry      uint64 `json:"expiry_s"`
			Final       uint64 `json:"min_final_cltv"`
			AMP         bool
		}
		Unlocks []struct {
			Why, Expect  string
			TBS, Salt, P hx
			Records      []hx
			Keys         []hx
			Blinds       hx
		}
	}](t, "offer.json")
	b, err := openBundle(f.Bundle, f.Root)
	check(t, err)
	for _, v := range f.Locks {
		s, err := parseOffer(v.TBS)
		check(t, err)
		check(t, verify(b.online, "sne/1 offer", v.TBS, v.Sig))
		same(t, "offer_head", s.head, v.Head)
		same(t, "payment_hash", sum(v.P), v.Payment)
		same(t, "payment_hash in the head", s.payment, v.Payment)
		same(t, "salt", saltOf(v.Base, v.Payment), v.Salt)
		same(t, "salt_commit", saltCommit(v.Salt), v.Commit)
		same(t, "salt_commit in the head", s.commit, v.Commit)
		same(t, "lctx", s.lctx(), v.LockContext)
		same(t, "lk", s.lockKey(v.Salt, v.P), v.LockKey)
		locked := seal(v.LockKey, v.LockContext, v.Plain)
		same(t, "tbs", cat(v.Head, be32(uint64(len(locked))), locked), v.TBS)
		same(t, "description_hash", sum(v.TBS), v.Description)
	}
	for _, v := range f.Listener {
		if got := said(v.listen(b, f.KeySet)); got != v.Expect {
			t.Errorf("%s: %s, want %s", v.Why, got, v.Expect)
		}
	}
	lock, err := parseOffer(f.Locks[0].TBS)
	check(t, err)
	for _, v := range f.Invoices {
		ok := bytes.Equal(v.Payment, lock.payment) && v.Amount == lock.amount && bytes.Equal(v.Description, sum(f.Locks[0].TBS)) &&
			bytes.Equal(v.Payee, b.nodes[0]) && v.Network == "regtest" && v.Expiry >= lock.ttl && v.Final <= 80 && !v.AMP
		if ok != (v.Expect == "ok") {
			t.Errorf("invoice, %s: %v", v.Why, ok)
		}
	}
	for _, v := range f.Unlocks {
		s, err := parseOffer(v.TBS)
		check(t, err)
		keys, err := s.unlock(t, v.Salt, v.P, v.Records, f.KeySet, v.Blinds)
		if got := said(err); got != v.Expect {
			t.Errorf("%s: %s, want %s", v.Why, got, v.Expect)
		}
		for i, k := range v.Keys {
			same(t, v.Why, keys[i], k)
		}
	}
}
