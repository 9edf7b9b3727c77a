package keychain

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"

	"sonahub/sne/kdf"
	"sonahub/sne/wire"
)

// DeviceKey locks by a file of 32 random bytes, readable by its owner alone.
//
// It keeps secrets out of backups and copies of the keychain's folder. It keeps
// nothing from a thief who has the whole card: for that there are Passphrase
// and Remote. Each keychain, and each Rekey, has a key file of its own.
type DeviceKey struct {
	Dir string // folder of key files, made with mode 0700 if missing; required

	disk disk
}

const deviceMagic = "SNEDEVK1"

// deviceID names a key file. It is derived from the key, so that a file in its
// place is not taken for it.
type deviceID [16]byte

// Kind is LockDevice.
func (DeviceKey) Kind() LockKind { return LockDevice }

// Make writes a new key file; its parameters are the key's 16-byte id.
func (d DeviceKey) Make(_ context.Context, kek *kdf.Secret) ([]byte, error) {
	var key kdf.Secret
	defer key.Erase()
	id, err := d.fresh(&key)
	if err != nil {
		return nil, err
	}
	return id[:], kdf.Expand(kek, &key, "keychain device", id[:])
}

// Unlock reads the key file.
func (d DeviceKey) Unlock(_ context.Context, params []byte, kek *kdf.Secret) error {
	id, err := parseDeviceID(params)
	if err != nil {
		return err
	}
	var key kdf.Secret
	defer key.Erase()
	if err := d.load(id, &key); err != nil {
		return err
	}
	return kdf.Expand(kek, &key, "keychain device", id[:])
}

// Erase overwrites and unlinks the key file.
func (d DeviceKey) Erase(_ context.Context, params []byte) error {
	id, err := parseDeviceID(params)
	if err != nil {
		return err
	}
	return d.disk.erase(d.path(id))
}

func parseDeviceID(params []byte) (id deviceID, err error) {
	r := wire.NewReader(params)
	r.Fixed(id[:])
	if err := r.Close(); err != nil {
		return id, fmt.Errorf("keychain: device key: %w", err)
	}
	return id, nil
}

func (d DeviceKey) path(id deviceID) string {
	return filepath.Join(d.Dir, "device-"+hex.EncodeToString(id[:])+".key")
}

// fresh makes a key file.
func (d DeviceKey) fresh(key *kdf.Secret) (id deviceID, err error) {
	if err := kdf.Random(nil, key[:]); err != nil {
		return id, err
	}
	if err := name(key, &id); err != nil {
		return id, err
	}
	if err := d.disk.folder(d.Dir); err != nil {
		return id, err
	}
	data := make([]byte, 0, len(deviceMagic)+len(key))
	data = append(append(data, deviceMagic...), key[:]...)
	defer clear(data)
	return id, d.disk.replace(d.path(id), data, func([]byte) error { return ErrExists })
}

// load reads the key file of that id and no other.
func (d DeviceKey) load(id deviceID, key *kdf.Secret) error {
	path := d.path(id)
	info, err := d.disk.stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("keychain: %s has mode %04o; others may read it: chmod 600", path, info.Mode().Perm())
	}
	data, err := d.disk.read(path, len(deviceMagic)+len(key))
	if err != nil {
		return err
	}
	defer clear(data)
	r := wire.NewReader(data)
	if string(r.Take(len(deviceMagic))) != deviceMagic {
		r.Fail("not a device key")
	}
	r.Fixed(key[:])
	if err := r.Close(); err != nil {
		return fmt.Errorf("keychain: %s: %w", path, err)
	}
	var got deviceID
	if err := name(key, &got); err != nil {
		return err
	}
	if got != id {
		return fmt.Errorf("keychain: %s: %w: it holds another key", path, fs.ErrInvalid)
	}
	return nil
}

func name(key *kdf.Secret, id *deviceID) error {
	var tag kdf.Secret
	if err := kdf.Expand(&tag, key, "keychain device id", nil); err != nil {
		return err
	}
	copy(id[:], tag[:])
	return nil
}
