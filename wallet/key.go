package wallet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"
)

// Key is the device key: it seals what lies on disk, so that a copied file is
// worth nothing without it. It never prints itself.
type Key struct {
	secret [chacha20poly1305.KeySize]byte
}

// ErrSealed says that sealed bytes do not open: another key or another place.
var ErrSealed = errors.New("sealed bytes do not open with this device key")

// NewKey takes exactly 32 bytes.
func NewKey(b []byte) (*Key, error) {
	k := &Key{}
	if len(b) != len(k.secret) {
		return nil, fmt.Errorf("device key: %d bytes, must be %d", len(b), len(k.secret))
	}
	copy(k.secret[:], b)
	return k, nil
}

// LoadKey reads the key from a file of 32 bytes, and makes one that only its
// user can read (0600) if there is none. A file that others can read is
// refused.
func LoadKey(path string) (*Key, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil {
			return nil, err
		}
		info, err = os.Lstat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("device key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("device key: %s must be a file with mode 0600", path)
	}
	if info.Size() != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("device key: %s has %d bytes, must have %d", path, info.Size(), chacha20poly1305.KeySize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("device key: %w", err)
	}
	return NewKey(b)
}

// createKey writes a fresh key beside path, makes it durable and links it to
// its name, so that a crash leaves a whole key or none, and of two processes
// one wins.
func createKey(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("device key: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	var secret [chacha20poly1305.KeySize]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return errors.Join(fmt.Errorf("device key: %w", err), f.Close())
	}
	if _, err := f.Write(secret[:]); err != nil {
		return errors.Join(fmt.Errorf("device key: %w", err), f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("device key: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("device key: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("device key: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Seal encrypts plain for the place that aad names: nonce || ciphertext.
func (k *Key) Seal(aad, plain []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(k.secret[:])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(out); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead.Seal(out, out, plain, aad), nil
}

// Open decrypts what Seal made for the same place; ErrSealed if it is not that.
func (k *Key) Open(aad, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(k.secret[:])
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], aad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// String hides the key.
func (Key) String() string { return "redacted" }

// Format hides the key from every verb of fmt.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("redacted")) }

// LogValue hides the key from slog.
func (Key) LogValue() slog.Value { return slog.StringValue("redacted") }
