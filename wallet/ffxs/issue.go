package ffxs

import (
	"context"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"sonahub/wallet"
	"sonahub/wallet/ffxs/token"
)

// shape is a number of tokens by denomination.
type shape [token.MaxDenoms]uint8

func (s shape) units() uint64 {
	var sum uint64
	for d, n := range s {
		sum += uint64(n) << d
	}
	return sum
}

func (s shape) count() int {
	sum := 0
	for _, n := range s {
		sum += int(n)
	}
	return sum
}

// issue is one set of blinds as it lies in the file.
type issue struct {
	id     int64
	root   string
	kind   string
	ref    string
	set    keySet
	batch  batch
	shape  shape
	sealed []byte // voucher
	state  string
}

// write puts a new issue into the file; it gets its id.
func (s *issue) write(ctx context.Context, tx wallet.Tx) error {
	return tx.QueryRowContext(ctx, `INSERT INTO ffxs_issue (root, kind, ref, keyset, batch, shape, units, voucher, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending') RETURNING id`,
		s.root, s.kind, s.ref, s.set.id[:], s.batch[:], s.shape[:], int64(s.shape.units()), s.sealed).Scan(&s.id)
}

// end closes an issue; a voucher is erased from it.
func (s *issue) end(ctx context.Context, tx wallet.Tx, state string) error {
	_, err := tx.ExecContext(ctx, "UPDATE ffxs_issue SET state = ?, voucher = NULL WHERE id = ?", state, s.id)
	return err
}

// readIssues reads the issues that a condition picks.
func readIssues(ctx context.Context, tx wallet.Tx, where string, args ...any) ([]issue, error) {
	rows, err := tx.QueryContext(ctx, `SELECT i.id, i.root, kind, ref, batch, shape, voucher, state, bytes
		FROM ffxs_issue i JOIN ffxs_keyset k ON k.root = i.root AND k.id = i.keyset WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is the one of rows.Err
	var out []issue
	for rows.Next() {
		var s issue
		var b, sh, set []byte
		if err := rows.Scan(&s.id, &s.root, &s.kind, &s.ref, &b, &sh, &s.sealed, &s.state, &set); err != nil {
			return nil, err
		}
		copy(s.batch[:], b)
		copy(s.shape[:], sh)
		ks, err := token.ParseKeySet(set)
		if err != nil {
			return nil, err
		}
		s.set = keySet{KeySet: ks, id: token.KeySetID(set)}
		out = append(out, s)
	}
	return out, rows.Err()
}

// blinding is what the purse keeps in memory between blinds and evals.
type blinding struct {
	denom uint8
	key   *oprf.PublicKey
	data  *oprf.FinalizeData
}

// blind derives the blinds of an issue. The same issue gives the same bytes.
func (p *Purse) blind(s issue) (token.Blinds, []blinding, error) {
	var out token.Blinds
	var keep []blinding
	for d, n := range s.shape {
		if n == 0 {
			continue
		}
		g, b, err := p.blindGroup(s, uint8(d), int(n))
		if err != nil {
			return nil, nil, err
		}
		out, keep = append(out, g), append(keep, b)
	}
	return out, keep, nil
}

func (p *Purse) blindGroup(s issue, denom uint8, n int) (token.PointGroup, blinding, error) {
	g, b := token.PointGroup{Denom: denom}, blinding{denom: denom, key: new(oprf.PublicKey)}
	raw, ok := s.set.Key(denom)
	if !ok {
		return g, b, fmt.Errorf("ffxs: key set has no denomination of 2^%d units", denom)
	}
	if err := b.key.UnmarshalBinary(oprf.SuiteRistretto255, raw[:]); err != nil {
		return g, b, fmt.Errorf("ffxs: public key: %w", err)
	}
	inputs, blinds := make([][]byte, n), make([]oprf.Blind, n)
	for i := range n {
		t, err := p.seed.input(s.set.id, s.batch, denom, i)
		if err != nil {
			return g, b, err
		}
		inputs[i] = t[:]
		if blinds[i], err = p.seed.blind(s.set.id, s.batch, denom, i); err != nil {
			return g, b, err
		}
	}
	data, req, err := oprf.NewVerifiableClient(oprf.SuiteRistretto255, b.key).DeterministicBlind(inputs, blinds)
	if err != nil {
		return g, b, fmt.Errorf("ffxs: blind: %w", err)
	}
	b.data = data
	for _, e := range req.Elements {
		c, err := e.MarshalBinaryCompress()
		if err != nil {
			return g, b, fmt.Errorf("ffxs: encode point: %w", err)
		}
		g.Points = append(g.Points, token.Point(c))
	}
	return g, b, nil
}

// output is y of token i of a denomination.
type output struct {
	denom uint8
	i     int
	y     []byte
}

// finalize verifies an answer to s and unblinds it. Whatever is wrong with
// the answer wraps ErrProof.
func (p *Purse) finalize(s issue, answer []byte) ([]output, error) {
	blinds, keep, err := p.blind(s)
	if err != nil {
		return nil, err
	}
	evals, err := token.ParseEvals(answer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if !evals.Fits(blinds) {
		return nil, fmt.Errorf("%w: it answers another question", ErrProof)
	}
	var out []output
	for k, g := range evals {
		ys, err := finalizeGroup(keep[k], g)
		if err != nil {
			return nil, fmt.Errorf("%w: denomination of 2^%d units: %w", ErrProof, g.Denom, err)
		}
		for i, y := range ys {
			out = append(out, output{denom: g.Denom, i: i, y: y})
		}
	}
	return out, nil
}

func finalizeGroup(b blinding, g token.EvalGroup) ([][]byte, error) {
	ev := &oprf.Evaluation{Proof: new(dleq.Proof)}
	if err := ev.Proof.UnmarshalBinary(group.Ristretto255, g.Proof[:]); err != nil {
		return nil, err
	}
	for _, p := range g.Points {
		e := group.Ristretto255.NewElement()
		if err := e.UnmarshalBinary(p[:]); err != nil {
			return nil, err
		}
		if c, err := e.MarshalBinaryCompress(); err != nil || token.Point(c) != p || e.IsIdentity() {
			return nil, fmt.Errorf("point is the identity or not canonical")
		}
		ev.Elements = append(ev.Elements, e)
	}
	return oprf.NewVerifiableClient(oprf.SuiteRistretto255, b.key).Finalize(b.data, ev)
}

// credit writes verified tokens into the purse and closes the issue.
func (p *Purse) credit(ctx context.Context, tx wallet.Tx, s issue, outs []output, holder string) error {
	for _, o := range outs {
		_, err := tx.ExecContext(ctx, "INSERT INTO ffxs_token (issue, root, denom, i, y, holder) VALUES (?, ?, ?, ?, ?, ?)",
			s.id, s.root, o.denom, o.i, o.y, holder)
		if err != nil {
			return err
		}
	}
	return s.end(ctx, tx, "done")
}
