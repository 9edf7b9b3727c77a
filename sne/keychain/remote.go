package keychain

import (
	"context"
	"fmt"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// maxToken bounds what a Vault wants to be remembered.
const maxToken = 2048

// Vault is another machine that keeps keys and never gives them out.
// sne/keychain/kmip is one.
type Vault interface {
	// Wrap has the vault make a fresh key and encrypt secret under it. The
	// token, at most 2048 bytes and nothing secret, names both.
	Wrap(ctx context.Context, secret *kdf.Secret) (token []byte, err error)
	// Unwrap has the vault decrypt what the token names into secret. A key
	// that is gone, revoked or out of reach is an error.
	Unwrap(ctx context.Context, token []byte, secret *kdf.Secret) error
	// Destroy revokes and destroys the token's key; a key that is gone
	// already is no error.
	Destroy(ctx context.Context, token []byte) error
}

// Remote locks by two halves: KEK = HKDF(device key, secret that the vault must
// decrypt). A stolen card holds one of them and the wrapped form of the other;
// until its owner revokes the key (or the card's certificate) at the vault, it
// could still ask. From then on the card alone is nothing. Nor can the vault
// alone open anything.
type Remote struct {
	Device DeviceKey
	Vault  Vault
}

// Kind is LockRemote.
func (Remote) Kind() LockKind { return LockRemote }

// Make makes a device key and a key in the vault.
func (l Remote) Make(ctx context.Context, kek *kdf.Secret) ([]byte, error) {
	var local, remote kdf.Secret
	defer local.Erase()
	defer remote.Erase()
	if err := kdf.Random(nil, remote[:]); err != nil {
		return nil, err
	}
	id, err := l.Device.fresh(&local)
	if err != nil {
		return nil, err
	}
	token, err := l.Vault.Wrap(ctx, &remote)
	if err != nil {
		return nil, fmt.Errorf("keychain: %w", err)
	}
	if err := join(kek, &local, &remote); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.Raw(id[:])
	w.X16(token, maxToken)
	return w.Bytes()
}

// Unlock joins the device key and what the vault decrypts.
func (l Remote) Unlock(ctx context.Context, params []byte, kek *kdf.Secret) error {
	id, token, err := parseRemote(params)
	if err != nil {
		return err
	}
	var local, remote kdf.Secret
	defer local.Erase()
	defer remote.Erase()
	if err := l.Device.load(id, &local); err != nil {
		return err
	}
	if err := l.Vault.Unwrap(ctx, token, &remote); err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	return join(kek, &local, &remote)
}

// Erase destroys the vault's key and then the device key.
func (l Remote) Erase(ctx context.Context, params []byte) error {
	id, token, err := parseRemote(params)
	if err != nil {
		return err
	}
	if err := l.Vault.Destroy(ctx, token); err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	return l.Device.Erase(ctx, id[:])
}

// join is HKDF with the device's half as the salt and the vault's as the key
// material.
func join(kek, local, remote *kdf.Secret) error {
	if err := kdf.Extract(kek, local, remote); err != nil {
		return err
	}
	return kdf.Expand(kek, kek, "keychain remote", nil)
}

func parseRemote(params []byte) (id deviceID, token []byte, err error) {
	r := wire.NewReader(params)
	r.Fixed(id[:])
	token = r.X16(maxToken)
	if err := r.Close(); err != nil {
		return id, nil, fmt.Errorf("keychain: remote key: %w", err)
	}
	return id, token, nil
}
