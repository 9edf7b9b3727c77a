package keychain

import (
	"context"
	"fmt"

	"sonahub/sne/kdf"
)

// LockKind says how a file is locked.
type LockKind uint8

// The kinds of locks.
const (
	LockPassphrase LockKind = 1
	LockDevice     LockKind = 2
	LockRemote     LockKind = 3
)

// String names the kind.
func (k LockKind) String() string {
	switch k {
	case LockPassphrase:
		return "passphrase"
	case LockDevice:
		return "device key"
	case LockRemote:
		return "remote key"
	}
	return fmt.Sprintf("lock of kind %d", uint8(k))
}

// Lock gives the key-encryption key of a file. Passphrase, DeviceKey and Remote
// are the locks.
type Lock interface {
	Kind() LockKind
	// Make sets kek to a fresh key and returns the parameters, at most 4096
	// bytes and nothing secret, from which Unlock finds the key again.
	Make(ctx context.Context, kek *kdf.Secret) (params []byte, err error)
	// Unlock sets kek to the key of those parameters. They come from a file
	// that anybody may have written.
	Unlock(ctx context.Context, params []byte, kek *kdf.Secret) error
	// Erase destroys what Make left behind for those parameters. What is
	// gone already is no error.
	Erase(ctx context.Context, params []byte) error
}

var (
	_ Lock = Passphrase{}
	_ Lock = DeviceKey{}
	_ Lock = Remote{}
)
