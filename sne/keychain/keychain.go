// Package keychain keeps the long-lived keys of SNE/1 in one sealed file: what
// the whitepaper calls CCK2M1C4I, a "composite cipher keychain".
//
// It holds composite signing keys (ML-DSA-65 and Ed25519), each for one
// Purpose and refusing to sign under the context of another; X-Wing keys; and
// plain 32-byte secrets. A key has a name and versions: a rotation adds the
// next version and takes the old one away when nobody needs it any more.
//
// # The lock
//
// The file is sealed by a key-encryption key that a Lock gives: Passphrase
// (argon2id), DeviceKey (a file of random bytes), or Remote (a device key AND a
// secret that another machine must decrypt; the whitepaper's UraniumCube, see
// sne/keychain/kmip). The lock can be changed: Rekey.
//
// # The file (encoding rules of section 2.1)
//
//	"SNEKEYS1" | u8 lock | params<4096> | salt[32] | sealed<<2^20>>
//
// sealed is the AEAD of the contents under HKDF-Expand(KEK, "keychain file",
// salt), its associated data is all that stands before it. The salt is new in
// every write, so that one key seals one message. The contents are
//
//	u8 ver=1 | u16 n | { u8 kind | u8 purpose | u64 version | name<64> | secret }[n]
//	         | u8 m  | { u8 lock | params<4096> }[m]
//
// sorted by name and version; the second list is of locks that are no longer in
// use and whose material (a device key, a remote key) is still to be erased.
//
// # Invariants
//
// The file is replaced whole or not at all: a crash at any step leaves the
// state before or the state after, and what could not be erased is remembered.
// Nothing is ever unlocked with another key than the one that sealed it: a
// missing, revoked or unreachable key is an error, never a fresh key.
//
// # Limits
//
// One process at a time may change a file; a second one is noticed (ErrChanged)
// unless both write in the same instant. Old files are overwritten and
// unlinked, but flash cards, journals and snapshots keep copies that no program
// can reach. What protects then is that the lock's key is gone: so change the
// lock, not only the file, if the old file may have been copied. A key that was
// in memory may have been copied by the runtime: see sne/internal/secretmem.
package keychain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sonahub/sne/composite"
	"sonahub/sne/internal/secretmem"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/wire"
)

var (
	// ErrUnlock says that the file does not open: it is another passphrase
	// or key than the one that sealed it, or the file is damaged.
	ErrUnlock = errors.New("keychain: does not unlock: wrong key, or a damaged file")
	// ErrExists says that the file or the key is there already.
	ErrExists = errors.New("keychain: exists already")
	// ErrNotFound says that there is no such key.
	ErrNotFound = errors.New("keychain: no such key")
	// ErrKind says that a key is of another kind or purpose than asked for.
	ErrKind = errors.New("keychain: key of another kind or purpose")
	// ErrChanged says that another process wrote the file meanwhile.
	ErrChanged = errors.New("keychain: the file was changed by another process")
	// ErrPending says that too many old locks wait to be erased; call Finish.
	ErrPending = errors.New("keychain: old locks wait to be erased")
	// ErrClosed says that the keychain was closed.
	ErrClosed = errors.New("keychain: closed")
)

// LockError says that a file is locked in another way than the Lock that was
// offered can open.
type LockError struct{ File, Offered LockKind }

// Error tells both kinds.
func (e *LockError) Error() string {
	return fmt.Sprintf("keychain: the file is locked by a %v, not by a %v", e.File, e.Offered)
}

// Keychain is an unlocked file. It is safe for concurrent use.
type Keychain struct {
	disk disk
	path string

	mu      sync.Mutex
	lock    Lock
	box     header // what the file says of its lock
	kek     kdf.Secret
	entries []entry
	retired []retired
	closed  bool
}

// Create makes an empty file that lock locks. It refuses with ErrExists if
// there is one.
func Create(ctx context.Context, path string, lock Lock) (*Keychain, error) {
	return create(ctx, disk{}, path, lock, nil)
}

func create(ctx context.Context, d disk, path string, lock Lock, f func(*Edit) error) (*Keychain, error) {
	if there, err := d.exists(path); err != nil {
		return nil, err
	} else if there {
		return nil, fmt.Errorf("%w: %s", ErrExists, path)
	}
	k := &Keychain{disk: d, path: path, lock: lock}
	var err error
	if f != nil {
		e := Edit{}
		if err := f(&e); err != nil {
			e.erase()
			return nil, err
		}
		k.entries = e.entries
	}
	params, err := lock.Make(ctx, &k.kek)
	if err == nil {
		k.box = header{lock: lock.Kind(), params: params}
		err = k.save(k.box, &k.kek, contents{entries: k.entries})
	}
	if err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// CreateWith makes a file whose first content is what f does; it is written
// once, so that a crash leaves all of it or nothing.
func CreateWith(ctx context.Context, path string, lock Lock, f func(*Edit) error) (*Keychain, error) {
	return create(ctx, disk{}, path, lock, f)
}

// Open unlocks the file. A file that is not there is fs.ErrNotExist; one that
// another kind of lock locks is a *LockError; a wrong key is ErrUnlock.
func Open(ctx context.Context, path string, lock Lock) (*Keychain, error) {
	return open(ctx, disk{}, path, lock)
}

func open(ctx context.Context, d disk, path string, lock Lock) (*Keychain, error) {
	data, err := d.read(path, maxFile)
	if err != nil {
		return nil, err
	}
	box, sealed, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("keychain: %s: %w", path, err)
	}
	if box.lock != lock.Kind() {
		return nil, &LockError{File: box.lock, Offered: lock.Kind()}
	}
	k := &Keychain{disk: d, path: path, lock: lock, box: box}
	if err := lock.Unlock(ctx, box.params, &k.kek); err != nil {
		k.Close()
		return nil, err
	}
	c, err := unseal(box, &k.kek, sealed)
	if err != nil {
		k.Close()
		return nil, err
	}
	k.entries, k.retired = c.entries, c.retired
	return k, nil
}

// Unlock opens the file and leaves it locked by the first of locks: what another
// of them locked before is opened by that one and locked anew. A file that is
// not there is made, with what f does (nil: empty). What an old lock left and
// could not be erased stays pending; see Finish. A file that none of locks can
// open is a *LockError.
func Unlock(ctx context.Context, path string, locks []Lock, f func(*Edit) error) (*Keychain, error) {
	if there, err := (disk{}).exists(path); err != nil {
		return nil, err
	} else if !there {
		return create(ctx, disk{}, path, locks[0], f)
	}
	k, err := Open(ctx, path, locks[0])
	var other *LockError
	if errors.As(err, &other) {
		if at := slices.IndexFunc(locks, func(l Lock) bool { return l.Kind() == other.File }); at >= 0 {
			return relock(ctx, path, locks[at], locks[0])
		}
	}
	if err != nil {
		return nil, err
	}
	if err := k.Finish(ctx, locks...); err != nil && !errors.Is(err, ErrErase) {
		k.Close()
		return nil, err
	}
	return k, nil
}

func relock(ctx context.Context, path string, from, to Lock) (*Keychain, error) {
	k, err := Open(ctx, path, from)
	if err != nil {
		return nil, err
	}
	if err := k.Rekey(ctx, to); err != nil && !errors.Is(err, ErrErase) {
		k.Close()
		return nil, err
	}
	return k, nil
}

// Keys lists what is inside, by name and version, without secrets.
func (k *Keychain) Keys() []Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([]Key, len(k.entries))
	for i := range k.entries {
		keys[i] = k.entries[i].Key
	}
	return keys
}

// Lock tells how the file is locked.
func (k *Keychain) Lock() LockKind {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.box.lock
}

// Signing returns a signing key of that purpose; version 0 is the newest. The
// key signs under the contexts of its purpose alone. The caller erases it.
func (k *Keychain) Signing(name string, version uint64, p Purpose) (*composite.SecretKey, error) {
	var key *composite.SecretKey
	err := k.use(name, version, KindSigning, func(e *entry) (err error) {
		if e.Purpose != p {
			return fmt.Errorf("%w: %s is for %v, not for %v", ErrKind, name, e.Purpose, p)
		}
		if key, err = composite.NewSecretKey(e.bytes()); err != nil {
			return err
		}
		key.Restrict(p.Contexts()...)
		return nil
	})
	return key, err
}

// KEM returns an X-Wing key; version 0 is the newest. The caller erases it.
func (k *Keychain) KEM(name string, version uint64) (*kem.SecretKey, error) {
	var key *kem.SecretKey
	err := k.use(name, version, KindKEM, func(e *entry) (err error) {
		key, err = kem.NewSecretKey(e.bytes())
		return err
	})
	return key, err
}

// Secret copies a plain secret into dst; version 0 is the newest.
func (k *Keychain) Secret(name string, version uint64, dst *kdf.Secret) error {
	return k.use(name, version, KindSecret, func(e *entry) error {
		copy(dst[:], e.bytes())
		return nil
	})
}

func (k *Keychain) use(name string, version uint64, kind Kind, f func(*entry) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	at, ok := find(k.entries, name, version)
	if !ok {
		return fmt.Errorf("%w: %s %d", ErrNotFound, name, version)
	}
	if k.entries[at].Kind != kind {
		return fmt.Errorf("%w: %s is a %v", ErrKind, name, k.entries[at].Kind)
	}
	var err error
	secretmem.Do(func() { err = f(&k.entries[at]) })
	return err
}

// Update changes what is inside by f and writes the file once: after a crash
// all of it has happened or nothing. If f fails, nothing changes.
func (k *Keychain) Update(f func(*Edit) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	e := Edit{}
	secretmem.Do(func() { e.entries = slices.Clone(k.entries) })
	if err := f(&e); err != nil {
		e.erase()
		return err
	}
	if err := k.save(k.box, &k.kek, contents{entries: e.entries, retired: k.retired}); err != nil {
		e.erase()
		return err
	}
	eraseEntries(k.entries)
	k.entries = e.entries
	return nil
}

// Close forgets all secrets. Keys that were handed out are the caller's.
func (k *Keychain) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.kek.Erase()
	eraseEntries(k.entries)
	k.entries = nil
}

// save writes the file and, on success, remembers its header.
func (k *Keychain) save(box header, kek *kdf.Secret, c contents) error {
	former := k.box.salt
	if err := kdf.Random(nil, box.salt[:]); err != nil {
		return err
	}
	data, err := sealFile(box, kek, c)
	if err != nil {
		return err
	}
	unchanged := func(old []byte) error {
		if b, _, err := parseFile(old); err != nil || b.salt != former {
			return fmt.Errorf("%w: %s", ErrChanged, k.path)
		}
		return nil
	}
	if former == (wire.ID{}) { // the first write
		unchanged = func([]byte) error { return fmt.Errorf("%w: %s", ErrExists, k.path) }
	}
	if err := k.disk.replace(k.path, data, unchanged); err != nil {
		return err
	}
	k.box = box
	return nil
}
