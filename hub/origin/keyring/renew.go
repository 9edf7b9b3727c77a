package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sonahub/hub/origin/durable"
	"sonahub/sne/bundle"
	"sonahub/sne/kdf"
	"sonahub/sne/wire"
	"sonahub/wallet/ffxs/mint"
)

// Renew makes the next Bundle or key set if it is due and erases what is no
// longer accepted. It reports whether there is a new Bundle: then everything
// that the online key signed must be signed anew. Call it every few minutes.
func (r *Ring) Renew(now time.Time) (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.renewMints(now); err != nil {
		return false, err
	}
	if r.due(now) {
		if err := r.next(now); err != nil {
			return false, err
		}
		changed = true
	}
	if err := r.drop(now); err != nil {
		return changed, err
	}
	return changed, r.prune()
}

// SetNodes names the Lightning nodes that may be paid, at most 4; a change needs
// a new Bundle, which it makes. Until it is called they are those of the newest
// Bundle.
func (r *Ring) SetNodes(nodes [][33]byte, now time.Time) error {
	r.mu.Lock()
	r.nodes = slices.Clone(nodes)
	r.mu.Unlock()
	_, err := r.Renew(now)
	return err
}

// due tells whether the current Bundle must be followed by a new one.
func (r *Ring) due(now time.Time) bool {
	if len(r.gens) == 0 {
		return true
	}
	b := r.gens[0].Bundle
	begin, end := time.UnixMilli(int64(b.NotBefore)), time.UnixMilli(int64(b.NotAfter))
	return b.Host != r.host || !slices.Equal(b.KeySets, r.listed()) || !slices.Equal(b.LightningNodes, r.nodes) ||
		now.Before(begin) || !now.Before(end.Add(-overlap))
}

// listed are the key sets that the Bundle names, the issuing one first.
func (r *Ring) listed() []wire.ID {
	var ids []wire.ID
	for _, m := range r.mints {
		ids = append(ids, m.ID())
	}
	return ids
}

// next signs a Bundle with fresh keys and retires the one before.
func (r *Ring) next(now time.Time) error {
	seq := uint64(1)
	if len(r.gens) > 0 {
		seq = r.gens[0].Bundle.Seq + 1
	}
	if err := r.generate(bundleKeys(seq)...); err != nil {
		return err
	}
	g := &Generation{}
	err := r.take(g, seq)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	g.Bundle = &bundle.Bundle{
		Seq: seq, MinSeq: r.minSeq, DeadCreators: r.dead, Host: r.host, KEM: *g.KEM.Public(), Online: *g.Online.Public(), KeySets: r.listed(), LightningNodes: r.nodes,
		NotBefore: uint64(now.Add(-backdate).UnixMilli()), NotAfter: uint64(now.Add(lifetime).UnixMilli()),
	}
	if g.Signed, err = g.Bundle.Sign(r.root); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if g.ID, err = g.Bundle.ID(); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if err := r.save(g); err != nil {
		return err
	}
	if len(r.gens) > 0 {
		r.gens[0].retired = now
		if err := r.save(r.gens[0]); err != nil {
			return err
		}
	}
	r.gens = append([]*Generation{g}, r.gens...)
	r.log.Info("new bundle", "seq", seq, "ends", now.Add(lifetime))
	return nil
}

// drop erases Bundles whose grace is over.
func (r *Ring) drop(now time.Time) error {
	var errs []error
	r.gens = slices.DeleteFunc(r.gens, func(g *Generation) bool {
		if g.Bundle.Seq >= r.minSeq && (g.retired.IsZero() || now.Before(g.retired.Add(grace))) {
			return false
		}
		errs = append(errs, os.Remove(r.generationPath(g.Bundle.Seq)))
		g.erase()
		return true
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// generationFile is a Generation on disk. Byte slices are base64 in JSON.
type generationFile struct {
	Bundle    []byte `json:"bundle"`           // signed
	Online    []byte `json:"online,omitempty"` // seeds, in files from before the keychain
	KEM       []byte `json:"kem,omitempty"`    // seed, likewise
	RetiredMs int64  `json:"retired_ms,omitempty"`
}

const (
	bundlePrefix = "bundle-"
	bundleName   = bundlePrefix + "%020d.json" // sorts by age
)

func (r *Ring) generationPath(seq uint64) string {
	return filepath.Join(r.dir, fmt.Sprintf(bundleName, seq))
}

func (r *Ring) save(g *Generation) error {
	f := generationFile{Bundle: g.Signed}
	if !g.retired.IsZero() {
		f.RetiredMs = g.retired.UnixMilli()
	}
	return writeJSON(r.generationPath(g.Bundle.Seq), f)
}

func (r *Ring) loadGenerations() error {
	err := r.each(bundlePrefix, func(_ string, data []byte) error {
		var f generationFile
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		g := &Generation{Signed: f.Bundle}
		var err error
		if g.Bundle, err = bundle.Parse(f.Bundle, r.Root()); err != nil {
			return err
		}
		if g.ID, err = g.Bundle.ID(); err != nil {
			return err
		}
		if err := r.take(g, g.Bundle.Seq); err != nil {
			return err
		}
		if g.Bundle.Online != *g.Online.Public() || g.Bundle.KEM != *g.KEM.Public() {
			return errors.New("the bundle names other keys than the keychain holds")
		}
		if f.RetiredMs != 0 {
			g.retired = time.UnixMilli(f.RetiredMs)
		}
		r.gens = append([]*Generation{g}, r.gens...)
		return nil
	})
	if err != nil || len(r.gens) == 0 {
		return err
	}
	r.minSeq, r.dead = r.gens[0].Bundle.MinSeq, r.gens[0].Bundle.DeadCreators // what is revoked stays so
	r.nodes = r.gens[0].Bundle.LightningNodes
	newest := time.UnixMilli(int64(r.gens[0].Bundle.NotBefore)).Add(backdate)
	for _, g := range r.gens[1:] {
		if g.retired.IsZero() { // cut off between writing the new one and retiring this one
			g.retired = newest
		}
	}
	return nil
}

// Life of a key set: it issues for a quarter, and the next one comes a week
// before that ends.
const (
	issueFor     = 92 * 24 * time.Hour
	issueOverlap = 7 * 24 * time.Hour
)

const mintPrefix = "ffxs-"

type mintFile struct {
	Seed        []byte `json:"seed,omitempty"` // in files from before the keychain
	UnitMsat    uint16 `json:"unit_msat"`
	IssueUntil  int64  `json:"issue_until_ms"`
	RedeemUntil int64  `json:"redeem_until_ms"`
	Denoms      int    `json:"denoms"`
}

func (r *Ring) loadMints() error {
	return r.each(mintPrefix, func(_ string, data []byte) error {
		var f mintFile
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		m, err := r.mint(mint.Terms{UnitMsat: f.UnitMsat, Denoms: f.Denoms,
			IssueUntil: time.UnixMilli(f.IssueUntil), RedeemUntil: time.UnixMilli(f.RedeemUntil)})
		if err != nil {
			return err
		}
		r.mints = append([]*mint.Mint{m}, r.mints...)
		return nil
	})
}

// mint derives the key set of the seed that lies in the keychain.
func (r *Ring) mint(t mint.Terms) (*mint.Mint, error) {
	var secret kdf.Secret
	defer secret.Erase()
	key := seedKey(t.IssueUntil.UnixMilli())
	if err := r.chain.Secret(key.Name, key.Version, &secret); err != nil {
		return nil, err
	}
	seed := mint.Seed(secret)
	defer clear(seed[:])
	return mint.New(seed, t)
}

func (r *Ring) renewMints(now time.Time) error {
	var errs []error
	r.mints = slices.DeleteFunc(r.mints, func(m *mint.Mint) bool {
		if now.Before(m.Terms().RedeemUntil) {
			return false
		}
		errs = append(errs, os.Remove(r.mintPath(m)))
		return true
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if len(r.mints) > 0 && now.Before(r.mints[0].Terms().IssueUntil.Add(-issueOverlap)) {
		return nil
	}
	t := mint.Terms{IssueUntil: now.Add(issueFor), RedeemUntil: now.Add(issueFor + mint.MinRedeem)}
	if err := r.generate(seedKey(t.IssueUntil.UnixMilli())); err != nil {
		return err
	}
	m, err := r.mint(t)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	t = m.Terms()
	f := mintFile{UnitMsat: t.UnitMsat, Denoms: t.Denoms, IssueUntil: t.IssueUntil.UnixMilli(), RedeemUntil: t.RedeemUntil.UnixMilli()}
	if err := writeJSON(r.mintPath(m), f); err != nil {
		return err
	}
	r.mints = append([]*mint.Mint{m}, r.mints...)
	r.log.Info("new FFXS key set", "issues_until", t.IssueUntil)
	return nil
}

func (r *Ring) mintPath(m *mint.Mint) string {
	return filepath.Join(r.dir, fmt.Sprintf(mintPrefix+"%020d.json", m.Terms().IssueUntil.UnixMilli()))
}

// each calls f with the content of every JSON file of that kind, oldest
// first.
func (r *Ring) each(prefix string, f func(path string, data []byte) error) error {
	entries, err := os.ReadDir(r.dir) // sorted by name
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(r.dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
		if err := f(path, data); err != nil {
			return fmt.Errorf("keyring: %s: %w", e.Name(), err)
		}
		clear(data)
	}
	return nil
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer clear(data)
	return durable.WriteFile(path, data, 0o600)
}
