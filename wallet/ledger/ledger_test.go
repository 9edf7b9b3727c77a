package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sonahub/wallet"
	"sonahub/wallet/ledger"
	"sonahub/wallet/railtest"
)

const root = "aroot"

// clock is a wall clock that only tests turn.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a ledger over a Coin.
type house struct {
	*ledger.Ledger
	t     testing.TB
	clock *clock
	net   *railtest.Network
	conf  ledger.Config
}

func key(t testing.TB, b byte) *wallet.Key {
	t.Helper()
	k, err := wallet.NewKey(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newHouse(t testing.TB, change func(*ledger.Config)) *house {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		zone = time.FixedZone("CET", 3600)
	}
	h := &house{t: t, net: &railtest.Network{}, clock: &clock{at: time.Date(2026, 3, 27, 23, 30, 0, 0, zone)}}
	h.conf = ledger.Config{
		Path: filepath.Join(t.TempDir(), "money.db"), Key: key(t, 1), Now: h.clock.now, Zone: zone,
		Rails: []wallet.Rail{&railtest.Coin{Funds: 1_000_000_000, Network: h.net}},
	}
	if change != nil {
		change(&h.conf)
	}
	h.open()
	t.Cleanup(func() { _ = h.Close() }) // a second Close, where a test closed it, may fail
	return h
}

func (h *house) open() {
	h.t.Helper()
	l, err := ledger.Open(h.t.Context(), h.conf)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Ledger = l
}

func (h *house) reopen() {
	h.t.Helper()
	if err := h.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *house) intent(first uint64) wallet.Intent {
	return wallet.Intent{Goods: wallet.Goods{Root: root, Broadcast: "b", Tier: 2, First: first, N: 1, Epoch: 2 * time.Second}, Price: 1000, Rooms: []string{"hall"}}
}

// buy buys one epoch without showing it.
func (h *house) buy(first uint64) (wallet.Proof, error) {
	return h.Buy(h.t.Context(), h.intent(first))
}

// play buys, shows and settles one epoch.
func (h *house) play(first uint64) (wallet.Proof, error) {
	h.t.Helper()
	p, err := h.buy(first)
	if err != nil {
		return p, err
	}
	r, err := h.net.Show(p, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return p, h.Settle(h.t.Context(), p.ID, r)
}

func (h *house) mustPlay(first uint64) wallet.Proof {
	h.t.Helper()
	p, err := h.play(first)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) wantCap(err error, kind wallet.CapKind, until time.Time) {
	h.t.Helper()
	var c *wallet.CapError
	if !errors.As(err, &c) || c.Cap != kind || !c.Until.Equal(until) {
		h.t.Fatalf("%v until %v, want cap %s until %v", err, c, kind, until)
	}
}

// The payment left, its answer did not come: the same id is paid, once.
func TestPaidOnceWhenAnswerIsLost(t *testing.T) {
	h := newHouse(t, nil)
	lost := errors.New("connection lost")
	h.net.After = func(string) error { return lost }
	if _, err := h.buy(0); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	h.net.After = nil
	h.reopen()
	if own, err := h.Owned(t.Context(), root, "b", 2); err != nil || len(own) != 1 {
		t.Fatalf("%v, %v", own, err)
	}
	h.mustPlay(0)
	if sum, n := h.net.Paid(); sum != 1000 || n != 1 {
		t.Fatalf("%d payments of %s in all", n, sum)
	}
	if err := h.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKeep(t *testing.T) {
	h := newHouse(t, nil)
	paid := h.mustPlay(0)
	h.clock.turn(time.Second)
	open, err := h.buy(1) // paid by the rail, never shown
	if err != nil {
		t.Fatal(err)
	}
	h.clock.turn(24*time.Hour - time.Second - time.Millisecond)
	if own, err := h.Owned(t.Context(), root, "b", 2); err != nil || len(own) != 2 {
		t.Fatalf("%v, %v", own, err)
	}
	h.clock.turn(2 * time.Second)
	if own, err := h.Owned(t.Context(), root, "b", 2); err != nil || len(own) != 1 || own[0].ID != open.ID {
		t.Fatalf("%v, %v", own, err)
	}
	if err := h.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := h.Entries(t.Context())
	if err != nil || entries[0].State != ledger.Done || entries[0].Heard != 0 || entries[1].State != ledger.Lost {
		t.Fatalf("%+v, %v", entries, err)
	}
	var bodies int
	if err := rawDB(t, h.conf.Path).QueryRow("SELECT count(body) FROM purchase").Scan(&bodies); err != nil || bodies != 0 {
		t.Fatalf("expired, and %d bodies are still there, %v", bodies, err)
	}
	if s, err := h.Spending(t.Context()); err != nil || s.TotalPaid != 2000 {
		t.Fatalf("%+v, %v", s, err)
	}
	if again := h.mustPlay(0); again.ID == paid.ID {
		t.Fatal("an expired purchase was used again")
	}
}

// While Recover asks for one purchase, whoever listens settles another one: a
// proof whose money is free again is never shown.
func TestRecoverLeavesSettledAlone(t *testing.T) {
	h := newHouse(t, nil)
	var ids []string
	for first := range uint64(2) {
		p, err := h.buy(first)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	var shown []string
	left, err := h.Recover(t.Context(), func(_ context.Context, p wallet.Proof) (wallet.Receipt, error) {
		shown = append(shown, p.ID)
		for _, id := range ids {
			if id != p.ID {
				if err := h.Settle(t.Context(), id, wallet.Receipt{Outcome: wallet.Refused}); err != nil {
					t.Error(err)
				}
			}
		}
		return h.net.Show(p, 1000)
	})
	if left != 0 || err != nil || len(shown) != 1 {
		t.Errorf("%d left, %v; shown %d times", left, err, len(shown))
	}
}

func TestRecover(t *testing.T) {
	h := newHouse(t, nil)
	if _, err := h.buy(0); err != nil {
		t.Fatal(err)
	}
	away := errors.New("origin away")
	left, err := h.Recover(t.Context(), func(context.Context, wallet.Proof) (wallet.Receipt, error) { return wallet.Receipt{}, away })
	if left != 1 || !errors.Is(err, away) {
		t.Fatalf("%d left, %v", left, err)
	}
	left, err = h.Recover(t.Context(), func(_ context.Context, p wallet.Proof) (wallet.Receipt, error) { return h.net.Show(p, 1000) })
	if left != 0 || err != nil {
		t.Fatalf("%d left, %v", left, err)
	}
	if s, err := h.Spending(t.Context()); err != nil || s.InFlight != 0 || s.DayBought != 1000 {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestUntrustedClockKeepsWindowAtStart(t *testing.T) {
	trusted := false
	h := newHouse(t, func(c *ledger.Config) { c.Trusted = func() bool { return trusted } })
	for n := range uint64(3) {
		h.mustPlay(n)
	}
	window := func() wallet.Msat {
		w, err := h.Window(t.Context(), root, 500)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := window(); w != 2000 {
		t.Fatalf("window %s", w)
	}
	trusted = true
	for n := range uint64(3) {
		h.mustPlay(10 + n)
	}
	if w := window(); w != 4000 {
		t.Fatalf("window %s", w)
	}
	trusted = false
	if w := window(); w != 2000 {
		t.Fatalf("window %s", w)
	}
}

func TestFileIsGuarded(t *testing.T) {
	h := newHouse(t, nil)
	p := h.mustPlay(0)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(h.conf.Path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, %v", suffix, info.Mode(), err)
		}
		b, err := os.ReadFile(h.conf.Path + suffix)
		if err != nil || bytes.Contains(b, p.Body) {
			t.Fatalf("the proof lies open in the file, %v", err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	other := h.conf
	other.Key = key(t, 2)
	if _, err := ledger.Open(t.Context(), other); !errors.Is(err, wallet.ErrSealed) {
		t.Fatalf("other device key: %v", err)
	}
	db := rawDB(t, h.conf.Path)
	if _, err := db.Exec("UPDATE migration SET version = 99 WHERE owner = 'ledger'"); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(t.Context(), h.conf); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Fatalf("file of a newer program: %v", err)
	}
	if _, err := ledger.Open(t.Context(), ledger.Config{Path: h.conf.Path}); err == nil {
		t.Fatal("no key, no rail")
	}
}

func rawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // read-only use; nothing to lose
	return db
}

// What opens a purchase is gone from the rows once it was heard, and stays as
// evidence when it was faulty, until the owner unblocks.
func TestBodyIsErased(t *testing.T) {
	h := newHouse(t, nil)
	db := rawDB(t, h.conf.Path)
	bodies := func() (n int) {
		if err := db.QueryRow("SELECT count(body) FROM purchase").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	p := h.mustPlay(0)
	if bodies() != 1 {
		t.Fatal("a paid purchase must stay open")
	}
	if err := h.Heard(t.Context(), p.ID, 1); err != nil {
		t.Fatal(err)
	}
	if bodies() != 0 {
		t.Fatal("heard, and the body is still there")
	}
	for first, end := range map[uint64]wallet.Outcome{20: wallet.Refused, 21: wallet.Lost} {
		p, err := h.buy(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Settle(t.Context(), p.ID, wallet.Receipt{Outcome: end}); err != nil || bodies() != 0 {
			t.Fatalf("ended, and the body is still there: %v", err)
		}
	}
	p = h.mustPlay(1)
	if err := h.Settle(t.Context(), p.ID, wallet.Receipt{Outcome: wallet.Faulty, Reason: "bad"}); err != nil {
		t.Fatal(err)
	}
	if blocked, err := h.Blocked(t.Context()); err != nil || blocked[root] != "bad" || bodies() != 1 {
		t.Fatalf("%v, %v, %d bodies", blocked, err, bodies())
	}
	if err := h.Unblock(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if blocked, err := h.Blocked(t.Context()); err != nil || len(blocked) != 0 || bodies() != 0 {
		t.Fatalf("%v, %v, %d bodies", blocked, err, bodies())
	}
}

func TestVerifyNotices(t *testing.T) {
	for name, harm := range map[string]string{
		"cost changed":     "UPDATE purchase SET cost = cost + 1",
		"state changed":    "UPDATE purchase SET state = 'failed'",
		"row removed":      "DELETE FROM purchase_room; DELETE FROM purchase",
		"purse row gone":   "DELETE FROM coin",
		"purse row freed":  "UPDATE coin SET state = 'freed'",
		"purse row raised": "UPDATE coin SET cost = cost * 2",
	} {
		h := newHouse(t, nil)
		h.mustPlay(0)
		if err := h.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := rawDB(t, h.conf.Path).Exec(harm); err != nil {
			t.Fatal(err)
		}
		if err := h.Verify(t.Context()); !errors.Is(err, ledger.ErrBooks) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTotalsAndExport(t *testing.T) {
	h := newHouse(t, nil)
	for n := range uint64(2) {
		h.mustPlay(n)
	}
	h.clock.turn(time.Second)
	p, err := h.buy(7)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(t.Context(), p.ID, wallet.Receipt{Outcome: wallet.Refused, Reason: "=HYPERLINK(1)"}); err != nil {
		t.Fatal(err)
	}
	h.clock.turn(time.Second)
	if _, err := h.buy(8); err != nil {
		t.Fatal(err)
	}
	tot, err := h.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tot.Granted != 2000 || tot.Cost != 2000 || tot.InFlight != 1000 || tot.Lost != 0 || len(tot.Goods) != 1 ||
		tot.Goods[0] != (ledger.GoodsTotal{Root: root, Broadcast: "b", Tier: 2, Purchases: 2, Epochs: 2, Granted: 2000, Cost: 2000}) {
		t.Fatalf("%+v", tot)
	}
	var b bytes.Buffer
	if err := h.Export(t.Context(), &b, ledger.JSON); err != nil {
		t.Fatal(err)
	}
	var entries []ledger.Entry
	if err := json.Unmarshal(b.Bytes(), &entries); err != nil || len(entries) != 4 || entries[0].Rail != "coin" || entries[0].Rooms[0] != "hall" || entries[3].State != ledger.Sent {
		t.Fatalf("%v: %s", err, b.String())
	}
	b.Reset()
	if err := h.Export(t.Context(), &b, ledger.CSV); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 5 || lines[0][9] != "price_msat" || lines[1][9] != "1000" || lines[3][13] != "'=HYPERLINK(1)" {
		t.Fatalf("%v: %v", err, lines)
	}
	if err := h.Export(t.Context(), &b, "xml"); err == nil {
		t.Fatal("no such format")
	}
}
