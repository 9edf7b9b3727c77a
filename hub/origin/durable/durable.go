// Package durable writes files that are there whole or not at all, also after
// a power cut: written beside, synced, renamed, and the folder synced.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Suffix is what the name of an unfinished file ends in.
const Suffix = ".part"

// WriteFile puts data at path with that mode.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	temp := path + Suffix
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("durable: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("durable: %w", errors.Join(err, os.Remove(temp)))
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("durable: %w", errors.Join(err, os.Remove(temp)))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("durable: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("durable: %w", err)
	}
	return nil
}
