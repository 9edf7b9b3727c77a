package keychain

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sonahub/sne/kdf"
)

func TestOtherKeysDoNotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	right := device(t)
	if _, err := CreateWith(t.Context(), path, right, fill); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, device(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another device: %v", err)
	}
	var le *LockError
	if _, err := Open(t.Context(), path, cheap("correct horse")); !errors.As(err, &le) || le.File != LockDevice || le.Offered != LockPassphrase {
		t.Errorf("another lock: %v", err)
	}
	if _, err := Open(t.Context(), path+"x", right); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("Open made a file")
	}
	// Another key under the right key's name.
	other := device(t)
	if _, err := Create(t.Context(), path+"2", other); err != nil {
		t.Fatal(err)
	}
	mine, theirs := onlyFile(t, right.Dir), onlyFile(t, other.Dir)
	data, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, right); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("an exchanged device key: %v", err)
	}
	if err := os.Chmod(mine, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, right); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}

	secret := filepath.Join(t.TempDir(), "keys")
	if _, err := CreateWith(t.Context(), secret, cheap("correct horse"), fill); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), secret, cheap("incorrect horse")); !errors.Is(err, ErrUnlock) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, err := Create(t.Context(), path+"3", cheap("short")); err == nil {
		t.Error("a passphrase of 5 bytes was taken")
	}
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

// Unlock goes from each lock to the one that is wanted, if it is given the
// means to open the one before, and to nothing else.
func TestUnlock(t *testing.T) {
	path, dev := filepath.Join(t.TempDir(), "keys"), device(t)
	phrase, remote := cheap("correct horse"), Remote{Device: dev, Vault: newVault()}
	k, err := Unlock(t.Context(), path, []Lock{dev}, fill)
	if err != nil {
		t.Fatal(err)
	}
	want := content(t, k)
	for i, c := range []struct {
		locks []Lock
		then  LockKind // 0: must fail
	}{
		{[]Lock{dev}, LockDevice},
		{[]Lock{phrase}, 0},
		{[]Lock{phrase, dev}, LockPassphrase},
		{[]Lock{dev, remote}, 0},
		{[]Lock{remote, dev, phrase}, LockRemote},
		{[]Lock{phrase, dev}, 0},
		{[]Lock{cheap("incorrect horse"), remote}, LockPassphrase},
		{[]Lock{phrase}, 0},
	} {
		k, err := Unlock(t.Context(), path, c.locks, nil)
		switch {
		case (err == nil) != (c.then != 0):
			t.Fatalf("step %d: %v", i, err)
		case err == nil && (k.Lock() != c.then || content(t, k) != want || k.Pending() != 0):
			t.Fatalf("step %d: a %v, %d pending", i, k.Lock(), k.Pending())
		}
	}
	if err := second(Unlock(t.Context(), path+"2", []Lock{dev}, func(*Edit) error { return ErrKind })); !errors.Is(err, ErrKind) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made although its content could not be")
	}
}

// vault is one in memory.
type vault struct {
	keys map[byte]kdf.Secret // what was wrapped, by token
	next byte
	down bool
}

var errDown = errors.New("out of reach")

func newVault() *vault { return &vault{keys: map[byte]kdf.Secret{}} }

func (v *vault) Wrap(_ context.Context, s *kdf.Secret) ([]byte, error) {
	if v.down {
		return nil, errDown
	}
	v.next++
	v.keys[v.next] = *s
	return []byte{v.next}, nil
}

func (v *vault) Unwrap(_ context.Context, token []byte, s *kdf.Secret) error {
	if v.down {
		return errDown
	}
	got, ok := v.keys[token[0]]
	if !ok {
		return fs.ErrNotExist
	}
	*s = got
	return nil
}

func (v *vault) Destroy(_ context.Context, token []byte) error {
	if v.down {
		return errDown
	}
	delete(v.keys, token[0])
	return nil
}
