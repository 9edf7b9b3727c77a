package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"sonahub/hub/store"
	"sonahub/sne/fetch"
	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/sne/wire"
	"sonahub/wallet"
	"sonahub/wallet/ffxs"
	"sonahub/wallet/ledger"
)

// money is the hub's purse and ledger for one platform.
type money struct {
	*ledger.Ledger
	purse  *ffxs.Purse
	store  *store.Store
	root   string
	client *sale.Client
	place  func(context.Context) error // writes down where the group is
	touch  func()                      // people see a changed balance at once
	wake   chan struct{}               // the platform is back: what waits for it is tried at once
	given  chan struct{}               // closed once it is known whether there is a gift
	know   sync.Once                   // closes given

	resting  sync.Mutex // guards what follows
	failed   error      // of the last try to write the place
	failedAt time.Time
}

// openMoney opens the ledger in dir. step is the crash tests' hook.
func openMoney(ctx context.Context, c checked, h *Hub, step func(string)) (*money, error) {
	key, err := loadKey(c.State)
	if err != nil {
		return nil, moneyFault(c.State, err)
	}
	m := &money{store: h.store, root: c.origin.Root.String(), client: h.client, touch: h.house.touch, place: h.savePlace,
		wake: make(chan struct{}, 1), given: make(chan struct{})}
	m.purse, err = ffxs.New(ffxs.Config{Key: key, Origin: m.origin, Step: step, Log: h.log})
	if err != nil {
		return nil, err
	}
	m.Ledger, err = ledger.Open(ctx, ledger.Config{
		Path: filepath.Join(c.State, ledgerName), Key: key, Rails: []wallet.Rail{m.purse}, Caps: c.caps, Step: step, Log: h.log,
	})
	if err != nil {
		return nil, moneyFault(c.State, err)
	}
	if c.HourCapSat > 0 || c.DayCapSat > 0 || c.RoomCapSat > 0 {
		if err := m.SetCaps(ctx, c.caps); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Buy buys; see wallet.Payer.
func (m *money) Buy(ctx context.Context, i wallet.Intent) (wallet.Proof, error) {
	defer m.touch()
	return m.Ledger.Buy(ctx, i)
}

// Settle settles; see wallet.Payer.
func (m *money) Settle(ctx context.Context, id string, r wallet.Receipt) error {
	defer m.touch()
	return m.Ledger.Settle(ctx, id, r)
}

// Heard records what was heard; see wallet.Payer. The place goes to disk
// first: a hub that is cut off goes on behind what the ledger has closed.
func (m *money) Heard(ctx context.Context, id string, n int) error {
	defer m.touch()
	if err := m.keepPlace(ctx); err != nil {
		return err
	}
	return m.Ledger.Heard(ctx, id, n)
}

// giveRest is for how long a disk that failed is not asked again: whoever
// buys must not stand and wait for it.
const giveRest = 3 * time.Second

func (m *money) keepPlace(ctx context.Context) error {
	m.resting.Lock()
	defer m.resting.Unlock()
	if m.failed != nil && time.Since(m.failedAt) < giveRest {
		return m.failed
	}
	m.failed = m.place(ctx)
	m.failedAt = time.Now()
	return m.failed
}

// Pauses of the part that ties up money's loose ends.
const (
	finishEvery = time.Minute
	firstTry    = 250 * time.Millisecond // after a failure, doubled up to finishEvery
)

// keepMoney takes the welcome gift and brings to an end what was interrupted,
// again and again: soon after a failure or when the platform is back, else
// every minute.
func (h *Hub) keepMoney(ctx context.Context) error {
	last, pause := "", firstTry // a fault is logged once, not at every try
	for {
		var err error
		if h.cfg.Welcome {
			err = h.money.welcome(ctx, h.base())
		}
		if err == nil {
			h.money.know.Do(func() { close(h.money.given) })
		}
		err = errors.Join(err, h.money.finish(ctx))
		next := finishEvery
		if err != nil && ctx.Err() == nil {
			if text := err.Error(); text != last {
				h.log.Warn("money: trying again", "err", err)
				last = text
			}
			next, pause = pause, min(2*pause, finishEvery)
		} else {
			last, pause = "", firstTry
		}
		if !h.money.rest(ctx, next) {
			return ctx.Err()
		}
	}
}

// patience is how long music that starts by itself waits for the first money.
const patience = 5 * time.Second

// awaitGift waits until it is known whether there is a gift, so that the
// first music of a new house does not find an empty purse.
func (m *money) awaitGift(ctx context.Context) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-m.given:
	case <-t.C:
	case <-ctx.Done():
	}
}

// poke lets what waits for the platform be tried at once.
func (m *money) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// rest waits until the time has passed or somebody pokes; false at the end.
func (m *money) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// finish brings to an end what a crash or an outage interrupted: top-ups that
// were sent, purchases whose answer was never seen.
func (m *money) finish(ctx context.Context) error {
	var all []error // one loose end must not keep the others open
	if err := m.purse.Finish(ctx, m.root); err != nil {
		all = append(all, fmt.Errorf("top-up: %w", err))
	}
	if _, err := m.Recover(ctx, m.show); err != nil {
		all = append(all, fmt.Errorf("purchases: %w", err))
	}
	return errors.Join(append(all, m.Expire(ctx))...)
}

// show presents a proof again only to learn how it ended; the keys are asked
// for anew when the epochs are played.
func (m *money) show(ctx context.Context, p wallet.Proof) (wallet.Receipt, error) {
	b, err := wire.ParseID(p.Broadcast)
	if err != nil {
		return wallet.Receipt{}, err
	}
	grant, err := m.redeem(ctx, b, p)
	if grant != nil {
		defer grant.Erase()
	}
	var refusal *message.Error
	switch {
	case err == nil:
		return wallet.Receipt{Outcome: wallet.Granted, Amount: wallet.Msat(grant.AmountMsat), Change: grant.Evals}, nil
	case errors.Is(err, sale.ErrCommit) || errors.Is(err, sale.ErrChange):
		r := wallet.Receipt{Outcome: wallet.Faulty, Amount: p.Amount, Reason: err.Error()}
		if grant != nil {
			r.Change = grant.Evals
		}
		return r, nil
	case errors.As(err, &refusal):
		return refused(refusal, err)
	}
	return wallet.Receipt{}, err
}

// redeem shows a proof. Where its goods cannot be verified any more, because
// their creator was revoked or they have left a live broadcast's manifest, the
// purchase is followed without them: its change is money.
func (m *money) redeem(ctx context.Context, b wire.ID, p wallet.Proof) (*sale.Grant, error) {
	var records []*manifest.Record
	head, err := m.client.Head(ctx, b, p.Tier)
	if err == nil {
		records, err = m.client.Records(ctx, head, p.First, p.N)
	}
	switch {
	case errors.Is(err, manifest.ErrRevoked), errors.Is(err, fetch.ErrNotFound):
		return m.client.Follow(ctx, message.Range{Broadcast: b, Tier: p.Tier, First: p.First, N: uint8(p.N)}, p.Body)
	case err != nil:
		return nil, err
	}
	return m.client.Redeem(ctx, records, p.Body)
}

// refused turns a refusal into a receipt; a refusal that may pass stays an
// error and is asked again.
func refused(e *message.Error, err error) (wallet.Receipt, error) {
	switch e.Code {
	case message.CodeBadRequest, message.CodeUnsupported, message.CodePrice, message.CodeNotFound, message.CodeNotYet,
		message.CodeKeySet, message.CodeCredential:
		return wallet.Receipt{Outcome: wallet.Refused, Reason: e.Error()}, nil
	case message.CodeToken, message.CodeGone:
		return wallet.Receipt{Outcome: wallet.Lost, Reason: e.Error()}, nil
	}
	return wallet.Receipt{}, err
}

// Settings that the store keeps.
const (
	settingVoucher = "welcome-voucher" // asked for and not known to be redeemed
	settingWelcome = "welcomed"        // the gift was taken, or the platform gives none
)

// errNoGift says that the platform gives no welcome.
var errNoGift = errors.New("the platform gives no welcome gift")

// maxGift bounds the platform's answer.
const maxGift = 4096

// welcome takes the platform's gift once in the life of the hub. The voucher
// is written down before it is used. A purse that has seen money needs none:
// so it is, too, when the house file was lost.
func (m *money) welcome(ctx context.Context, base string) error {
	if _, done, err := m.store.Setting(ctx, settingWelcome); done || err != nil {
		return err
	}
	code, have, err := m.store.Setting(ctx, settingVoucher)
	if err != nil {
		return err
	}
	if !have {
		spending, err := m.Spending(ctx)
		if err != nil {
			return err
		}
		if spending.Balance > 0 || spending.TotalPaid > 0 {
			return m.store.Set(ctx, settingWelcome, "taken")
		}
		switch code, err = askGift(ctx, base); {
		case errors.Is(err, errNoGift):
			return m.store.Set(ctx, settingWelcome, "none")
		case err != nil:
			return err
		}
		if err := m.store.Set(ctx, settingVoucher, code); err != nil {
			return err
		}
	}
	if _, err := m.purse.TopUp(ctx, m.root, code); err != nil && !errors.Is(err, ffxs.ErrVoucherUsed) {
		return fmt.Errorf("welcome gift: %w", err)
	}
	m.touch()
	return m.store.Set(ctx, settingWelcome, "taken")
}

func askGift(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/welcome", nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("welcome gift: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", errNoGift
	default:
		return "", fmt.Errorf("welcome gift: the platform answers %s", resp.Status)
	}
	var gift struct{ Voucher string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxGift)).Decode(&gift); err != nil {
		return "", fmt.Errorf("welcome gift: the platform's answer is not understood: %w", err)
	}
	if gift.Voucher == "" {
		return "", errors.New("welcome gift: the platform's answer holds no voucher")
	}
	return gift.Voucher, nil
}

// till is the platform as the purse sees it, on sessions of its own.
type till struct{ client *sale.Client }

func (m *money) origin(root string) (ffxs.Origin, error) {
	if root != m.root {
		return nil, fmt.Errorf("platform %s is not the one of this hub", root)
	}
	return &till{client: m.client}, nil
}

// KeySets lists the keysets of the platform's Bundle; the first one issues.
func (t *till) KeySets(ctx context.Context) ([][32]byte, error) {
	b, err := t.client.Bundle(ctx)
	if err != nil {
		return nil, err
	}
	var ids [][32]byte
	for _, id := range b.KeySets {
		ids = append(ids, id)
	}
	return ids, nil
}

// KeySet fetches a keyset, checked by its id.
func (t *till) KeySet(ctx context.Context, id [32]byte) ([]byte, error) {
	return t.client.KeySet(ctx, wire.ID(id))
}

// TopUp turns a voucher into signed blinds.
func (t *till) TopUp(ctx context.Context, keyset [32]byte, blinds []byte, voucher string) ([]byte, error) {
	evals, err := t.client.TopUp(ctx, wire.ID(keyset), blinds, voucher)
	return evals, told(err)
}

// Swap exchanges tokens.
func (t *till) Swap(ctx context.Context, tokens []byte, keyset [32]byte, blinds []byte) ([]byte, error) {
	body := append(append(append([]byte{}, tokens...), keyset[:]...), blinds...)
	evals, err := t.client.Swap(ctx, body)
	return evals, told(err)
}

// told puts the platform's refusals into the purse's words.
func told(err error) error {
	var refusal *message.Error
	if !errors.As(err, &refusal) {
		return err
	}
	r, err := refused(refusal, err)
	switch r.Outcome {
	case wallet.Refused:
		return fmt.Errorf("%w: %w", ffxs.ErrRefused, refusal)
	case wallet.Lost:
		return fmt.Errorf("%w: %w", ffxs.ErrSpent, refusal)
	}
	return err
}
