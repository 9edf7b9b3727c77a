package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sonahub/hub/store"
	"sonahub/wallet"
)

// Files in the state folder.
const (
	lockName   = "lock"
	houseName  = "house.db"
	ledgerName = "ledger.db"
	keyName    = "device.key"
)

// openFolder makes the state folder and takes it for this process alone: two
// hubs on one purse would spend the same tokens. The lock goes with the
// process, however it ends.
func openFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w (another one: --state)", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w (another one: --state)", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("another hub runs on the state folder %s; end it, or give this one a folder of its own with --state", dir)
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openStore opens the house file. A damaged one is moved aside and a fresh
// one begun, because rooms and volumes are quickly set again and music comes
// first; why is the sentence that says so. Any other fault is the caller's.
func openStore(ctx context.Context, dir string, now time.Time) (s *store.Store, why string, err error) {
	path := filepath.Join(dir, houseName)
	s, err = store.Open(ctx, path)
	if !errors.Is(err, store.ErrDamaged) {
		return s, "", err
	}
	aside := path + now.UTC().Format(".damaged-20060102-150405")
	for _, tail := range []string{"-wal", "-shm", ""} { // the file itself last: what is left of a cut-off move is still damaged
		if err := os.Rename(path+tail, aside+tail); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, "", fmt.Errorf("damaged house file: %w", err)
		}
	}
	s, err = store.Open(ctx, path)
	return s, fmt.Sprintf("The house file was damaged; it is kept as %s, and the hub began a fresh one. "+
		"Volumes and queue start anew and phones need a code again; the money is untouched.", filepath.Base(aside)), err
}

// errNoKey says that the purse is there and what opens it is not.
var errNoKey = errors.New(keyName + " is missing")

// loadKey reads the device key. A new one is made only for a new purse.
func loadKey(dir string) (*wallet.Key, error) {
	_, purse := os.Stat(filepath.Join(dir, ledgerName))
	if _, err := os.Stat(filepath.Join(dir, keyName)); errors.Is(err, os.ErrNotExist) && purse == nil {
		return nil, errNoKey
	}
	return wallet.LoadKey(filepath.Join(dir, keyName))
}

// moneyFault says what to do when the purse does not open. It is never
// replaced: it holds the household's money.
func moneyFault(dir string, err error) error {
	if !errors.Is(err, errNoKey) && !errors.Is(err, wallet.ErrSealed) && !store.Damaged(err) {
		return fmt.Errorf("money: %w", err)
	}
	return fmt.Errorf("money: %w. The prepaid balance lies in %s, sealed with %s beside it: put both back from a backup. "+
		"If there is none, move both away; the hub then starts with an empty purse, and what was left in the old one is lost",
		err, filepath.Join(dir, ledgerName), keyName)
}
