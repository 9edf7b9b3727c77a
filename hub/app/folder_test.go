package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sonahub/wallet"
)

// TestFolderIsOurs wants a second hub on the same folder to be told so, and
// the folder to be free once the first one has ended.
func TestFolderIsOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
	if _, err := openFolder(dir); err == nil || !strings.Contains(err.Error(), "another hub") || !strings.Contains(err.Error(), "--state") {
		t.Errorf("a second hub: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(filepath.Join(file, "state")); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("a folder that cannot be: %v", err)
	}
}

// TestDamagedHouseFileIsKept wants damage to be moved aside whole, and a file
// of a newer hub to be left where it is.
func TestDamagedHouseFileIsKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, houseName)
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, []byte("this was a house file once "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, why, err := openStore(t.Context(), dir, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	const aside = houseName + ".damaged-20010909-014640"
	if !strings.Contains(why, aside) {
		t.Errorf("people read %q", why)
	}
	if text, err := os.ReadFile(filepath.Join(dir, aside)); err != nil || !strings.HasPrefix(string(text), "this was a house file once") {
		t.Errorf("aside lies %q, %v", text, err)
	}
	if err := errors.Join(s.Set(t.Context(), "a", "b"), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, why, err = openStore(t.Context(), dir, time.Now()); err != nil || why != "" {
		t.Fatalf("the fresh file: %q, %v", why, err)
	}
	if v, ok, err := s.Setting(t.Context(), "a"); v != "b" || !ok || err != nil {
		t.Errorf("the fresh file forgot: %q, %v", v, err)
	}
	_ = s.Close()
}

// TestKeyGoesWithPurse wants no new device key beside an old purse.
func TestKeyGoesWithPurse(t *testing.T) {
	dir := t.TempDir()
	if _, err := loadKey(dir); err != nil {
		t.Fatalf("a new purse: %v", err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, ledgerName), nil, 0o600), os.Remove(filepath.Join(dir, keyName))); err != nil {
		t.Fatal(err)
	}
	_, err := loadKey(dir)
	if !errors.Is(err, errNoKey) {
		t.Fatalf("a purse without its key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, keyName)); err == nil {
		t.Error("a new key was made")
	}
	for _, c := range []struct {
		err    error
		backup bool
	}{{err, true}, {wallet.ErrSealed, true}, {os.ErrPermission, false}} {
		if got := moneyFault(dir, c.err); !errors.Is(got, c.err) || strings.Contains(got.Error(), "backup") != c.backup {
			t.Errorf("people read %q", got)
		}
	}
}

// TestSocket wants a socket for this user alone, in the place of one that a
// crash left, and a clear word if the path does not fit. To see it fail:
// leave out the chmod.
func TestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // a test's own folder may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, SocketName)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	ln, err := listenSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // the end of the test
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	deep := filepath.Join(dir, strings.Repeat("d", 100))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(t.Context(), filepath.Join(deep, SocketName)); err == nil || !strings.Contains(err.Error(), "shorter --state") {
		t.Errorf("a long path: %v", err)
	}
}
