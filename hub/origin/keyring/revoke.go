package keyring

import (
	"fmt"
	"slices"
	"time"

	"sonahub/sne/wire"
)

// maxDead is how many revoked creators a Bundle can name.
const maxDead = 255

// Revocation says what must not be believed any more.
type Revocation struct {
	Creators []wire.ID // KeyIDs: their Heads are refused everywhere, for ever
	Keys     bool      // kill the online and KEM keys of every Bundle so far
}

// Revoke publishes a new Bundle at once that revokes, as SNE-SPEC section 2.2
// says. With Keys the older Bundles are not accepted from then on, and their
// secrets are erased.
func (r *Ring) Revoke(now time.Time, v Revocation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	minSeq, dead := r.minSeq, slices.Clone(r.dead)
	for _, id := range v.Creators {
		if !slices.Contains(dead, id) {
			dead = append(dead, id)
		}
	}
	if len(dead) > maxDead {
		return fmt.Errorf("keyring: %d revoked creators, a bundle names at most %d", len(dead), maxDead)
	}
	if v.Keys {
		minSeq = r.gens[0].Bundle.Seq + 1
	}
	old, oldDead := r.minSeq, r.dead
	r.minSeq, r.dead = minSeq, dead
	if err := r.next(now); err != nil {
		r.minSeq, r.dead = old, oldDead
		return err
	}
	r.log.Warn("revoked", "creators", len(v.Creators), "keys", v.Keys)
	if err := r.drop(now); err != nil {
		return err
	}
	return r.prune()
}

// Dead tells whether a creator was revoked.
func (r *Ring) Dead(creator wire.ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Contains(r.dead, creator)
}
