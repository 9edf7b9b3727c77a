// Package ffxs is the purse of prepaid units: rail 2 of the wallet. It tops
// up by voucher, pays with tokens and takes change, and exchanges tokens for
// others of the same worth.
//
// Source: SNE-SPEC section 8; RFC 9497 mode VOPRF, suite ristretto255-SHA512,
// by circl.
//
// Invariants: a batch of blinds is in the file before an origin sees it, and
// a crash at any point sends the very same bytes again. A token counts as
// money only after the batched proof of its denomination was verified against
// a key set that the origin's Bundle names. For each root
//
//	topped up = free + set aside + written off + spent
//
// holds in every committed state, and Audit checks it.
//
// Token inputs and blinds derive by HKDF from one sealed seed and the name of
// their batch. The batch of a voucher derives from the voucher: typed in
// again after the file was restored from a backup, it gives the same blinds,
// hence the same money. The batch of change derives from a counter and from
// the tokens that are spent: a restored file whose counter is behind cannot
// derive the inputs of tokens that exist already.
package ffxs

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

var _ wallet.Rail = (*Purse)(nil)

// DefaultLimit is how much may lie prepaid at one origin unless the owner
// says otherwise: five and a half hours of lossless play at 500 msat/s. It is
// what is lost if the origin goes away.
const DefaultLimit wallet.Msat = 10_000_000

// Config says how the purse reaches origins and guards its seed.
type Config struct {
	Key    *wallet.Key                       // seals the seed
	Origin func(root string) (Origin, error) // by KeyID of the root, base32
	Limit  wallet.Msat                       // prepaid limit per root; 0 = DefaultLimit
	Step   func(string)                      // called at each named step, see Steps; nil outside crash tests
	Log    *slog.Logger                      // nil = discard
}

// The named steps of an exchange with an origin.
const (
	StepIssueCommitted = "issue-committed" // blinds written, nothing sent
	StepIssueAnswered  = "issue-answered"  // answer here, not yet written
	StepIssueCredited  = "issue-credited"  // tokens are money
)

// Steps lists the names that Config.Step is called with.
func Steps() []string { return []string{StepIssueCommitted, StepIssueAnswered, StepIssueCredited} }

// Purse is safe for concurrent use once a ledger has opened it.
type Purse struct {
	Config
	store wallet.Store
	seed  seed
}

// New makes a purse; the ledger that it is given to opens it.
func New(c Config) (*Purse, error) {
	if c.Key == nil || c.Origin == nil {
		return nil, errors.New("ffxs: a device key and a way to origins are needed")
	}
	if c.Limit == 0 {
		c.Limit = DefaultLimit
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Purse{Config: c}, nil
}

// Number implements wallet.Rail.
func (p *Purse) Number() byte { return 2 }

// Name implements wallet.Rail.
func (p *Purse) Name() string { return "ffxs" }

// Schema implements wallet.Rail.
func (p *Purse) Schema() []string {
	var out []string
	for _, name := range []string{"schema/1.sql", "schema/2.sql"} {
		b, err := schemaFiles.ReadFile(name)
		if err != nil {
			return []string{"embedded " + name + " is missing"} // not SQL: opening fails with this text
		}
		out = append(out, string(b))
	}
	return out
}

// Open implements wallet.Rail: it reads the seed, or draws one.
func (p *Purse) Open(ctx context.Context, s wallet.Store) error {
	p.store = s
	return s.Update(ctx, func(tx wallet.Tx) error {
		sd, err := openSeed(ctx, tx, p.Key)
		p.seed = sd
		return err
	})
}

func (p *Purse) step(name string) {
	if p.Step != nil {
		p.Step(name)
	}
}

// Balance implements wallet.Rail: free tokens of key sets that are still
// redeemed.
func (p *Purse) Balance(ctx context.Context, tx wallet.Tx, root string) (wallet.Msat, error) {
	var sum wallet.Msat
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum((1 << denom) * unit_msat), 0) FROM ffxs_token t
		JOIN ffxs_root r ON r.root = t.root JOIN ffxs_issue i ON i.id = t.issue JOIN ffxs_keyset k ON k.root = t.root AND k.id = i.keyset
		WHERE holder = '' AND rank >= 0 AND (?1 = '' OR t.root = ?1)`, root).Scan(&sum)
	return sum, err
}

// RootBalance is what can be spent at root.
func (p *Purse) RootBalance(ctx context.Context, root string) (wallet.Msat, error) {
	var sum wallet.Msat
	err := p.store.View(ctx, func(tx wallet.Tx) (err error) {
		sum, err = p.Balance(ctx, tx, root)
		return err
	})
	return sum, err
}

// SetLimit sets the owner's prepaid limit for root; it outlives a restart.
func (p *Purse) SetLimit(ctx context.Context, root string, limit wallet.Msat) error {
	if limit < 0 {
		return fmt.Errorf("ffxs: a limit cannot be negative")
	}
	return p.store.Update(ctx, func(tx wallet.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO ffxs_root (root, limit_msat) VALUES (?, ?) ON CONFLICT DO UPDATE SET limit_msat = excluded.limit_msat", root, limit)
		return err
	})
}

// keySet is a verified key set of a root with its place in the Bundle.
type keySet struct {
	token.KeySet
	id [32]byte
}

// unit is the worth of a unit of these sets.
func unit(sets []keySet) wallet.Msat { return wallet.Msat(sets[0].UnitMsat) }

// sets are the key sets that root's Bundle lists, the issuing one first. What
// is known already is used while the origin cannot be asked.
func (p *Purse) sets(ctx context.Context, root string) ([]keySet, error) {
	have, err := p.knownSets(ctx, root)
	if err != nil {
		return nil, err
	}
	o, err := p.Origin(root)
	if err != nil {
		return nil, fmt.Errorf("ffxs: %w", err)
	}
	ids, err := o.KeySets(ctx)
	if err == nil && len(ids) == 0 {
		err = errors.New("origin issues no units")
	}
	if err != nil {
		if len(have) > 0 {
			p.Log.DebugContext(ctx, "key sets not refreshed", "root", root, "error", err)
			return have, nil
		}
		return nil, fmt.Errorf("ffxs: key sets: %w", err)
	}
	if sameSets(have, ids) {
		return have, nil
	}
	return p.learnSets(ctx, root, o, ids)
}

func sameSets(have []keySet, ids [][32]byte) bool {
	if len(have) != len(ids) {
		return false
	}
	for i := range have {
		if have[i].id != ids[i] {
			return false
		}
	}
	return true
}

func (p *Purse) knownSets(ctx context.Context, root string) ([]keySet, error) {
	var out []keySet
	err := p.store.View(ctx, func(tx wallet.Tx) (err error) {
		out, err = listSets(ctx, tx, root)
		return err
	})
	return out, err
}

func listSets(ctx context.Context, tx wallet.Tx, root string) ([]keySet, error) {
	rows, err := tx.QueryContext(ctx, "SELECT bytes FROM ffxs_keyset WHERE root = ? AND rank >= 0 ORDER BY rank", root)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out []keySet
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		ks, err := token.ParseKeySet(b)
		if err != nil {
			return nil, err
		}
		out = append(out, keySet{KeySet: ks, id: token.KeySetID(b)})
	}
	return out, rows.Err()
}

// maxSets is how many key sets a Bundle may list (SNE-SPEC 2.2).
const maxSets = 4

// learnSets fetches the sets by their ids and writes down the new list.
func (p *Purse) learnSets(ctx context.Context, root string, o Origin, ids [][32]byte) ([]keySet, error) {
	if len(ids) > maxSets {
		return nil, fmt.Errorf("ffxs: %d key sets listed, at most %d may be", len(ids), maxSets)
	}
	var out []keySet
	raw := make([][]byte, len(ids))
	for i, id := range ids {
		b, err := o.KeySet(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("ffxs: key set: %w", err)
		}
		if token.KeySetID(b) != id {
			return nil, errors.New("ffxs: key set is not the one that was named")
		}
		ks, err := token.ParseKeySet(b)
		if err != nil {
			return nil, fmt.Errorf("ffxs: key set: %w", err)
		}
		raw[i] = b
		out = append(out, keySet{KeySet: ks, id: id})
	}
	err := p.store.Update(ctx, func(tx wallet.Tx) error {
		return writeSets(ctx, tx, root, out, raw)
	})
	return out, err
}

func writeSets(ctx context.Context, tx wallet.Tx, root string, sets []keySet, raw [][]byte) error {
	var known wallet.Msat
	err := tx.QueryRowContext(ctx, `INSERT INTO ffxs_root (root, unit_msat) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET unit_msat = coalesce(unit_msat, excluded.unit_msat) RETURNING unit_msat`, root, unit(sets)).Scan(&known)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if wallet.Msat(s.UnitMsat) != known {
			return fmt.Errorf("ffxs: origin changed the worth of a unit from %d to %d msat", known, s.UnitMsat)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE ffxs_keyset SET rank = -1 WHERE root = ?", root); err != nil {
		return err
	}
	for i, s := range sets {
		_, err := tx.ExecContext(ctx, "INSERT INTO ffxs_keyset (id, root, rank, bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET rank = excluded.rank",
			s.id[:], root, i, raw[i])
		if err != nil {
			return err
		}
	}
	return nil
}
