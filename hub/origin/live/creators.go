package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sonahub/sne/composite"
	"sonahub/sne/keychain"
)

// Chain keeps the creators' keys in a keychain of their own: whoever runs the
// shop does not need them.
type Chain struct{ chain *keychain.Keychain }

// OpenChain opens the keychain at path, or makes it. One that device locks is
// locked anew if lock is another one; nil means device.
func OpenChain(ctx context.Context, path string, device keychain.DeviceKey, lock keychain.Lock) (*Chain, error) {
	if lock == nil {
		lock = device
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		k, err := keychain.Create(ctx, path, lock)
		if err != nil {
			return nil, fmt.Errorf("live: %w", err)
		}
		return &Chain{k}, nil
	}
	k, err := keychain.Open(ctx, path, lock)
	var other *keychain.LockError
	if errors.As(err, &other) && other.File == keychain.LockDevice {
		if k, err = keychain.Open(ctx, path, device); err == nil {
			if err = k.Rekey(ctx, lock); errors.Is(err, keychain.ErrErase) {
				err = nil // Finish tries again at the next start
			}
		}
	}
	if err != nil {
		if k != nil {
			k.Close()
		}
		return nil, fmt.Errorf("live: %w", err)
	}
	// An old device key that cannot be erased now is erased at the next start.
	_ = k.Finish(ctx, device)
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
