package exhibit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sonahub/sne/wire"
)

// ErrFull means that a Folder holds as much as it may.
var ErrFull = errors.New("sne: no room for another exhibit")

// Folder keeps exhibits as files, at most so many and so much. The first ones
// stay: an origin that is blocked after its first fraud cannot push the proof
// of it out. It is safe for concurrent use.
type Folder struct {
	Path     string // made with mode 0700 when needed
	Max      int    // files; default 64
	MaxBytes int64  // of all files; default 64 MiB

	mu sync.Mutex
}

const suffix = ".sne-exhibit"

// Save writes an exhibit and returns its file. The same exhibit again is the
// same file. Errors: ErrFull, those of the file system.
func (f *Folder) Save(raw []byte) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	limit, most := cmp.Or(f.Max, 64), cmp.Or(f.MaxBytes, 64<<20)
	t, _, err := split(raw)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return "", fmt.Errorf("sne: exhibits: %w", err)
	}
	path := filepath.Join(f.Path, t.String()+"-"+wire.ID(sha256.Sum256(raw)).String()[:26]+suffix)
	n, size, err := f.used()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if n >= limit || size+int64(len(raw)) > most {
		return "", ErrFull
	}
	return path, write(path, raw)
}

// used counts what lies in the folder; leftovers of a crash are taken away.
func (f *Folder) used() (n int, size int64, err error) {
	entries, err := os.ReadDir(f.Path)
	if err != nil {
		return 0, 0, fmt.Errorf("sne: exhibits: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.Remove(filepath.Join(f.Path, e.Name())); err != nil {
				return 0, 0, fmt.Errorf("sne: exhibits: %w", err)
			}
			continue
		}
		info, err := e.Info()
		if err != nil || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		n++
		size += info.Size()
	}
	return n, size, nil
}

// write makes the file whole or not at all, and durable.
func write(path string, raw []byte) (err error) {
	tmp, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("sne: exhibits: %w", err)
	}
	_, werr := tmp.Write(raw)
	if err := errors.Join(werr, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(fmt.Errorf("sne: exhibits: %w", err), os.Remove(path+".tmp"))
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("sne: exhibits: %w", err)
	}
	return nil
}
