package keychain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sonahub/sne/kdf"
)

// disk does what the keychain does with files. The zero value is the real one.
type disk struct {
	step func(name string) // a test looks at the folder at each step, as a crash would leave it
	lazy bool              // waits for no device: a test that copies files sees them without
}

func (d disk) sync(f *os.File) error {
	if d.lazy {
		return nil
	}
	return f.Sync()
}

func (d disk) mark(name string) {
	if d.step != nil {
		d.step(name)
	}
}

func (disk) folder(dir string) error {
	if dir == "" {
		return errors.New("keychain: a folder for device keys is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	return nil
}

func (disk) exists(path string) (bool, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("keychain: %w", err)
	}
	return true, nil
}

func (disk) stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("keychain: %w", err)
	}
	return info, nil
}

// read returns a regular file of at most limit bytes.
func (disk) read(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keychain: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	return readAll(f, limit)
}

func readAll(f *os.File, limit int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keychain: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > int64(limit) {
		return nil, fmt.Errorf("keychain: %s is not a file of at most %d bytes", f.Name(), limit)
	}
	data := make([]byte, info.Size()) // of its full size, so that no growth leaves a copy
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("keychain: %w", err)
	}
	return data, nil
}

// replace puts data at path, whole or not at all, with mode 0600, and then
// overwrites what stood there. allowed judges what stands there before.
func (d disk) replace(path string, data []byte, allowed func(old []byte) error) error {
	temp := path + ".new"
	if err := d.write(temp, data); err != nil {
		return errors.Join(err, d.erase(temp))
	}
	d.mark("written beside")
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return errors.Join(fmt.Errorf("keychain: %w", err), d.erase(temp))
	default:
		defer func() { _ = old.Close() }()
		was, err := readAll(old, maxFile)
		if err == nil {
			err = allowed(was)
		}
		if err != nil {
			return errors.Join(err, d.erase(temp))
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("keychain: %w", err), d.erase(temp))
	}
	d.mark("renamed")
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	d.mark("folder synced")
	if old != nil {
		// The new file is in force; that the old one's blocks could not be
		// overwritten must not look like a failed change.
		_ = d.overwrite(old)
		d.mark("old overwritten")
	}
	return nil
}

func (d disk) write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	half := len(data) / 2
	_, err = f.Write(data[:half])
	d.mark("half written")
	if err == nil {
		_, err = f.Write(data[half:])
	}
	if err == nil {
		err = d.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	return nil
}

// erase overwrites and unlinks a file, best effort as to the first; a file that
// is not there is erased.
func (d disk) erase(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	defer func() { _ = f.Close() }()
	unlink := func() error {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("keychain: %w", err)
		}
		return d.syncDir(filepath.Dir(path))
	}
	// Where the name is the only one, the bytes go first: a crash between the
	// two then leaves a file that says nothing.
	if links(f) == 1 {
		if err := errors.Join(scribble(f), d.sync(f)); err != nil {
			return errors.Join(fmt.Errorf("keychain: %w", err), unlink())
		}
		d.mark("overwritten")
	}
	return unlink()
}

// overwrite destroys the content of a file that has no name any more. A file
// that somebody linked elsewhere is theirs and stays.
func (d disk) overwrite(f *os.File) error {
	if links(f) != 0 {
		return nil
	}
	return errors.Join(scribble(f), d.sync(f))
}

func links(f *os.File) uint64 {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return ^uint64(0) // not known: leave it alone
	}
	return uint64(st.Nlink) //nolint:unconvert // its type differs between architectures
}

// scribble overwrites a file in place with random bytes.
func scribble(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	noise := make([]byte, 4096)
	for at := int64(0); at < info.Size(); at += int64(len(noise)) {
		if err := kdf.Random(nil, noise); err != nil {
			return err
		}
		if _, err := f.WriteAt(noise[:min(int64(len(noise)), info.Size()-at)], at); err != nil {
			return err
		}
	}
	return nil
}

func (d disk) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	if err := errors.Join(d.sync(f), f.Close()); err != nil {
		return fmt.Errorf("keychain: %w", err)
	}
	return nil
}

// EraseFile overwrites a file in place and unlinks it, for secrets that lay in
// files before there was a keychain. A file that is not there is no error. What
// overwriting is worth, see the package's limits.
func EraseFile(path string) error { return disk{}.erase(path) }

// ReplaceFile puts data at path, whole or not at all, with mode 0600, and
// overwrites the blocks of the file that stood there.
func ReplaceFile(path string, data []byte) error {
	return disk{}.replace(path, data, func([]byte) error { return nil })
}
