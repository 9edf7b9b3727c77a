package keyring

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/sne/kdf"
	"sonahub/sne/keychain"
)

// What testdata/unsealed was when it was made, by the code from before the
// keychain: at start(), renewed once six days later.
const (
	unsealedRoot    = "ickr2pa2rebc4z42njmpfeznz422abm3jge7emdbw5ibxyahm3hq"
	unsealedCreator = "atbc3mwchstfxkajy6kmfy4hhnrjevzdwddyxksakia5dilgym3a"
	unsealedBundle1 = "qle3hoh6yxyeylsevincmc6xwwg42hj3ljx5p65v32wndhb5tasq"
	unsealedBundle2 = "q6fzhzjxnheaz3a3fbtgniooncfbsxuxclqdj7o6ue7dm4aclqrq"
	unsealedKeySet  = "37193def3ce4ebcdd2244dc98afe0d21ecf54f9eb67be3994e011e64e8fde7d0"
)

func when() time.Time { return start().Add(6*24*time.Hour + time.Minute) }

// unsealed is a copy of that folder.
func unsealed(t *testing.T) string {
	t.Helper()
	return copyDir(t, "testdata/unsealed")
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := folder(t)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sameAsUnsealed(t *testing.T, r *Ring) {
	t.Helper()
	if r.Root().String() != unsealedRoot || r.Creator().Public().KeyID().String() != unsealedCreator {
		t.Error("identities changed")
	}
	if len(r.gens) != 2 || r.gens[0].ID.String() != unsealedBundle2 || r.gens[1].ID.String() != unsealedBundle1 {
		t.Errorf("%d bundles", len(r.gens))
	}
	if id := r.Issuing().ID(); len(r.mints) != 1 || hex.EncodeToString(id[:]) != unsealedKeySet {
		t.Errorf("%d key sets, %x", len(r.mints), id)
	}
}

// noneLeft looks for each secret in each file of the folder, as bytes, hex and
// base64.
func noneLeft(t *testing.T, r *Ring) {
	t.Helper()
	secrets := [][]byte{r.root.Seeds(), r.creator.Seeds()}
	for _, g := range r.gens {
		secrets = append(secrets, g.Online.Seeds(), g.KEM.Seed())
	}
	for _, m := range r.mints {
		var s kdf.Secret
		key := seedKey(m.Terms().IssueUntil.UnixMilli())
		if err := r.chain.Secret(key.Name, key.Version, &s); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, s[:])
	}
	files, err := os.ReadDir(r.dir)
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(r.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range secrets {
			if bytes.Contains(data, s[:16]) || bytes.Contains(data, []byte(hex.EncodeToString(s)[:32])) || bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(s)[:20])) {
				t.Errorf("secret %d lies open in %s", i, f.Name())
			}
		}
	}
}

func TestUnsealedFilesAreTakenOver(t *testing.T) {
	for name, seal := range map[string]Seal{
		"device key": {},
		"passphrase": {Passphrase: passphrase("correct horse")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := unsealed(t)
			for range 2 {
				r, err := Open(t.Context(), dir, "example.org", seal, when(), nil)
				if err != nil {
					t.Fatal(err)
				}
				sameAsUnsealed(t, r)
				noneLeft(t, r)
				r.Erase()
			}
			for _, name := range []string{nameRoot, nameCreator} {
				if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file %s is still there", name)
				}
			}
		})
	}
}

// A crash may leave any of the old files as it was beside the new keychain.
func TestCrashWhileTakingOver(t *testing.T) {
	done := unsealed(t)
	open(t, done, when()).Erase()
	old, err := os.ReadDir("testdata/unsealed")
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(old) + 1 { // the first cut files are stripped already
		dir := copyDir(t, done)
		if err := os.CopyFS(dir+"-device", os.DirFS(done+"-device")); err != nil {
			t.Fatal(err)
		}
		chmod(t, dir+"-device")
		for _, f := range old[cut:] {
			data, err := os.ReadFile(filepath.Join("testdata/unsealed", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := open(t, dir, when())
		sameAsUnsealed(t, r)
		noneLeft(t, r)
	}
}

func chmod(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(filepath.Join(dir, f.Name()), 0o600); err != nil { // CopyFS adds bits
			t.Fatal(err)
		}
	}
}

// Two different root keys are nobody's to choose from.
func TestAnotherOldKeyIsNotErased(t *testing.T) {
	dir := unsealed(t)
	open(t, dir, when()).Erase()
	data, err := os.ReadFile("testdata/unsealed/" + nameCreator)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, nameRoot)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, "example.org", Seal{}, when(), nil); err == nil || !strings.Contains(err.Error(), "root holds another key") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, data) {
		t.Errorf("it was touched: %v", err)
	}
}

func TestFromDeviceKeyToPassphrase(t *testing.T) {
	dir, now := folder(t), start()
	r := open(t, dir, now)
	root := r.Root()
	r.Erase()
	seal := Seal{Passphrase: passphrase("correct horse")}
	for range 2 {
		r, err := Open(t.Context(), dir, "example.org", seal, now, nil)
		if err != nil || r.Root() != root {
			t.Fatal(err)
		}
		r.Erase()
	}
	if left, err := os.ReadDir(dir + "-device"); err != nil || len(left) != 0 {
		t.Errorf("the device key is still there: %v, %v", left, err)
	}
	if _, err := Open(t.Context(), dir, "example.org", Seal{Passphrase: passphrase("incorrect horse")}, now, nil); !errors.Is(err, keychain.ErrUnlock) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, err := Open(t.Context(), dir, "example.org", Seal{}, now, nil); err == nil || !strings.Contains(err.Error(), "give the passphrase") {
		t.Errorf("no passphrase: %v", err)
	}
}

// A platform may go from each lock to a stronger one, if it is given the means
// to open the one before.
func TestFromLockToLock(t *testing.T) {
	dir, now := folder(t), start()
	root := open(t, dir, now).Root()
	vault := &memory{}
	phrase := passphrase("correct horse")
	for i, step := range []struct {
		seal Seal
		fail string
	}{
		{Seal{Passphrase: phrase}, ""},
		{Seal{Vault: vault}, "give the passphrase"},
		{Seal{Vault: vault, Passphrase: phrase}, ""},
		{Seal{Passphrase: phrase}, "give the remote key"},
		{Seal{}, "give the remote key"},
		{Seal{Vault: vault}, ""},
	} {
		r, err := Open(t.Context(), dir, "example.org", step.seal, now, nil)
		switch {
		case step.fail != "" && (err == nil || !strings.Contains(err.Error(), step.fail)):
			t.Fatalf("step %d: got %v, want %q", i, err, step.fail)
		case step.fail == "" && err != nil:
			t.Fatalf("step %d: %v", i, err)
		case err == nil && r.Root() != root:
			t.Fatalf("step %d: another root", i)
		}
	}
	vault.kept = nil
	if _, err := Open(t.Context(), dir, "example.org", Seal{Vault: vault}, now, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a vault that lost the key: %v", err)
	}
}

// memory is a vault for one key.
type memory struct{ kept *kdf.Secret }

func (m *memory) Wrap(_ context.Context, s *kdf.Secret) ([]byte, error) {
	m.kept = new(kdf.Secret)
	*m.kept = *s
	return []byte{1}, nil
}

func (m *memory) Unwrap(_ context.Context, _ []byte, s *kdf.Secret) error {
	if m.kept == nil {
		return fs.ErrNotExist
	}
	*s = *m.kept
	return nil
}

func (m *memory) Destroy(context.Context, []byte) error { return nil }

func passphrase(text string) keychain.Passphrase {
	return keychain.Passphrase{Text: []byte(text), Memory: 8 << 10, Time: 1, Threads: 1}
}

// A lost key is never answered with a new platform.
func TestLostKeysAreTold(t *testing.T) {
	dir, now := folder(t), start()
	open(t, dir, now).Erase()
	hidden := dir + "-hidden"
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(dir+"-device", hidden)
	if _, err := Open(t.Context(), dir, "example.org", Seal{}, now, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the device key: %v", err)
	}
	move(hidden, dir+"-device")
	move(filepath.Join(dir, chainFile), hidden)
	if _, err := Open(t.Context(), dir, "example.org", Seal{}, now, nil); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without the keychain: %v", err)
	}
	move(hidden, filepath.Join(dir, chainFile))
	open(t, dir, now)
}

// A secret whose public file was never written serves the next time, and one
// that nothing needs goes.
func TestCrashBetweenSecretAndFile(t *testing.T) {
	dir, now := folder(t), start()
	r := open(t, dir, now)
	keys := len(r.chain.Keys())
	if err := r.generate(bundleKeys(2)...); err != nil {
		t.Fatal(err)
	}
	if err := r.generate(seedKey(now.UnixMilli())); err != nil {
		t.Fatal(err)
	}
	half, err := r.chain.Signing(nameOnline, 2, keychain.PurposeOnline)
	if err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, now)
	if n := len(r.chain.Keys()); n != keys {
		t.Errorf("%d keys, %d before", n, keys)
	}
	if err := r.generate(bundleKeys(2)...); err != nil {
		t.Fatal(err)
	}
	kept, err := r.chain.Signing(nameOnline, 2, keychain.PurposeOnline)
	if err != nil || kept.Public().KeyID() == half.Public().KeyID() {
		t.Fatalf("a key that was erased came back (%v)", err)
	}
	if _, err := r.Renew(now.Add(6 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if g := r.Current(); g.Bundle.Seq != 2 || g.Online.Public().KeyID() != kept.Public().KeyID() {
		t.Errorf("bundle %d has a third key", g.Bundle.Seq)
	}
}
