package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"sonahub/sne/composite"
	"sonahub/sne/keychain"
)

// Chain keeps the creators' keys in a keychain of their own: whoever runs the
// shop does not need them.
type Chain struct{ chain *keychain.Keychain }

// OpenChain opens the keychain at path, or makes it, and leaves it locked by the
// first of locks.
func OpenChain(ctx context.Context, path string, locks []keychain.Lock) (*Chain, error) {
	k, err := keychain.Unlock(ctx, path, locks, nil)
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	return &Chain{k}, nil
}

// Creator returns a station's key, which the caller erases.
func (c *Chain) Creator(name string, version uint64) (*composite.SecretKey, error) {
	sum := sha256.Sum256([]byte(name)) // names of keys are of few letters
	k := keychain.Key{Name: "station-" + hex.EncodeToString(sum[:16]), Version: version, Kind: keychain.KindSigning, Purpose: keychain.PurposeCreator}
	err := c.chain.Update(func(e *keychain.Edit) error {
		_, err := e.Generate(k)
		return err
	})
	if err != nil && !errors.Is(err, keychain.ErrExists) {
		return nil, fmt.Errorf("live: %w", err)
	}
	key, err := c.chain.Signing(k.Name, k.Version, k.Purpose)
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	return key, nil
}

// Close forgets the keys in memory.
func (c *Chain) Close() { c.chain.Close() }
