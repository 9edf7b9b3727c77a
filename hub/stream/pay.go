package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sonahub/sne/manifest"
	"sonahub/sne/message"
	"sonahub/sne/sale"
	"sonahub/wallet"
)

// payment is what came of paying: keys, and the purchase they belong to. The
// opening grant has no purchase.
type payment struct {
	proof wallet.Proof
	grant *sale.Grant
	fault error // the keys may be good and the change is not
}

// owned returns an open purchase that has the epoch, or nil and how many of
// the n epochs from there on are not owned yet.
func (s *Source) owned(ctx context.Context, epoch uint64, n int) (*wallet.Proof, int, error) {
	asked := map[uint16]bool{}
	for _, r := range s.cfg.Ladder {
		if asked[r.Tier] {
			continue
		}
		asked[r.Tier] = true
		open, err := s.cfg.Payer.Owned(ctx, s.cfg.Root, s.ID(), r.Tier)
		if err != nil {
			return nil, 0, fmt.Errorf("ledger: %w", err)
		}
		for _, p := range open {
			if p.Contains(epoch) {
				return &p, p.N, nil
			}
			if p.First > epoch {
				n = min(n, int(p.First-epoch))
			}
		}
	}
	return nil, n, nil
}

// pay turns records whose ciphertext is in hand into keys: with what is owned
// already, as the platform's opening gift, or with money.
func (s *Source) pay(ctx context.Context, own *wallet.Proof, rung Rung, records []*manifest.Record) (payment, error) {
	if own != nil {
		return s.redeem(ctx, *own, records)
	}
	last := records[len(records)-1].Number
	if last < uint64(s.cfg.Item.FreeEpochs) {
		grant, err := s.cfg.Shop.Grant(ctx, records)
		var refusal *message.Error
		var bad *sale.BadKeysError
		switch {
		case err == nil || errors.As(err, &bad) && grant != nil:
			return payment{grant: grant}, nil
		case !errors.As(err, &refusal) || later(refusal):
			return payment{}, fmt.Errorf("opening: %w", err)
		}
		s.cfg.Item.FreeEpochs = 0 // had before in this session: it is paid for now
	}
	return s.buyNow(ctx, rung, records)
}

// buyNow pays for as many of the records as caps and exposure allow; all or
// nothing, since the ciphertext of all is here.
func (s *Source) buyNow(ctx context.Context, rung Rung, records []*manifest.Record) (payment, error) {
	var frames uint64
	for _, r := range records {
		frames += uint64(r.Frames)
	}
	intent := wallet.Intent{
		Goods: wallet.Goods{
			Root: s.cfg.Root, Broadcast: s.ID(), Tier: rung.Tier,
			First: records[0].Number, N: len(records), Epoch: s.every,
		},
		Price: price(rung.MsatPerS, frames, uint64(s.format.Rate)),
	}
	for {
		if s.cfg.Rooms != nil {
			intent.Rooms = s.cfg.Rooms()
		}
		proof, err := s.cfg.Payer.Buy(ctx, intent)
		var cap *wallet.CapError
		if errors.As(err, &cap) && cap.Cap == wallet.CapRoom && s.cfg.OverCap != nil && s.cfg.OverCap(cap) && !s.nobody() {
			continue // that room is silent now; the others play on
		}
		if err != nil {
			return payment{}, err
		}
		if proof.First != intent.First || proof.N != intent.N {
			return payment{}, errMeanwhile
		}
		return s.redeem(ctx, proof, records)
	}
}

// errMeanwhile: another source of the same piece, such as the one before a
// seek, has bought other goods with these epochs in them. A proof is shown with
// its own goods alone: with any others the platform would refuse it, and the
// hub would take money for unspent that is about to be spent.
var errMeanwhile = errors.New("stream: bought meanwhile")

// within narrows n to what the exposure window lets be paid at once. One epoch
// is always tried: the payer itself refuses what is too much.
func (s *Source) within(ctx context.Context, rung Rung, n int) (int, error) {
	window, err := s.cfg.Payer.Window(ctx, s.cfg.Root, wallet.Msat(rung.MsatPerS))
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	one := price(rung.MsatPerS, uint64(s.epoch), uint64(s.format.Rate))
	if one == 0 {
		return n, nil
	}
	return max(1, min(n, int(window/one))), nil
}

// price is what frames cost, rounded up to a whole msat (SNE-SPEC 7.2).
func price(perSecond int64, frames, rate uint64) wallet.Msat {
	return wallet.Msat((uint64(perSecond)*frames + rate - 1) / rate)
}

// railLightning is the rail whose proof is a paid claim (sne/offer).
const railLightning = byte(message.RailLightning)

// redeem shows a proof to the platform, or opens the lock that it pays for.
// While nothing answers the purchase stays open, and the same proof is shown
// again later.
func (s *Source) redeem(ctx context.Context, proof wallet.Proof, records []*manifest.Record) (payment, error) {
	ctx, done := finish(ctx)
	defer done()
	var grant *sale.Grant
	var err error
	if proof.Rail == railLightning {
		grant, err = sale.Unlock(records, proof.Body) // the platform is not asked any more
	} else {
		grant, err = s.cfg.Shop.Redeem(ctx, records, proof.Body)
	}
	paid := payment{proof: proof, grant: grant}
	var bad *sale.BadKeysError
	switch {
	case err == nil || errors.As(err, &bad) && grant != nil:
		return paid, nil
	case errors.Is(err, sale.ErrChange) && grant != nil:
		paid.fault = err
		return paid, nil
	}
	var refusal *message.Error
	if errors.As(err, &refusal) {
		outcome := wallet.Outcome(0)
		switch refusal.Code {
		case message.CodePrice, message.CodeNotFound, message.CodeNotYet, message.CodeKeySet, message.CodeCredential, message.CodeBadRequest, message.CodeUnsupported:
			outcome = wallet.Refused
		case message.CodeToken, message.CodeGone:
			outcome = wallet.Lost
		}
		if outcome != 0 {
			if serr := s.cfg.Payer.Settle(ctx, proof.ID, wallet.Receipt{Outcome: outcome, Reason: refusal.Error()}); serr != nil {
				return payment{}, fmt.Errorf("ledger: %w", serr)
			}
		}
	}
	return payment{}, fmt.Errorf("purchase: %w", err)
}

// finishing is how long a purchase that is under way may go on after the
// listener has left: what was shown to the platform should find its end.
const finishing = 2 * time.Second

// finish returns a context that outlives ctx by that much.
func finish(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(finishing, cancel)
	})
	return longer, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// settle records that all keys came and fit. Change comes back to the purse.
func (s *Source) settle(ctx context.Context, p payment) error {
	if p.proof.ID == "" {
		return nil
	}
	ctx, done := finish(ctx)
	defer done()
	amount := wallet.Msat(p.grant.AmountMsat)
	err := s.cfg.Payer.Settle(ctx, p.proof.ID, wallet.Receipt{Outcome: wallet.Granted, Amount: amount, Change: p.grant.Evals})
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// faulty records that what was paid for is wrong, and returns the fault in
// plain words. The payer blocks the platform until the owner says otherwise.
func (s *Source) faulty(ctx context.Context, p payment, fault error) error {
	said := &wallet.BlockedError{Root: s.cfg.Root, Reason: fmt.Sprintf("it delivered faulty goods (%q, %v)", s.cfg.Item.Title, fault)}
	if p.proof.ID == "" {
		return said
	}
	ctx, done := finish(ctx)
	defer done()
	err := s.cfg.Payer.Settle(ctx, p.proof.ID, wallet.Receipt{
		Outcome: wallet.Faulty, Amount: wallet.Msat(p.grant.AmountMsat), Change: p.grant.Evals, Reason: said.Reason,
	})
	if err != nil {
		s.cfg.Log.Error("stream: a fault could not be recorded", "err", err)
	}
	return said
}
