package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits bound what a folder may cost. Zero values take the defaults.
type Limits struct {
	Files int // music files taken in; 0 = 20,000
	Depth int // folders below each other; 0 = 16
	Hours int // length of one track; 0 = 12
}

func (l Limits) orDefault() Limits {
	if l.Files <= 0 {
		l.Files = 20000
	}
	if l.Depth <= 0 {
		l.Depth = 16
	}
	if l.Hours <= 0 {
		l.Hours = 12
	}
	return l
}

// file is a music file, by its name, with what the file system says of it.
type file struct {
	path    string // absolute, without symbolic links
	size    int64
	modTime int64 // ns since 1970
}

// isMusic tells by the name whether a file claims to be music. What it really
// is, its content says later. Names of other kinds of sound are in the list,
// so that they are named as skipped.
func isMusic(name string) bool {
	kinds := []string{".flac", ".wav", ".wave", ".mp3", ".ogg", ".oga",
		".m4a", ".mp4", ".aac", ".aif", ".aiff", ".wma", ".opus", ".ape", ".wv", ".dsf", ".dff"}
	return slices.Contains(kinds, strings.ToLower(filepath.Ext(name)))
}

// resolve returns the one true path of the folder.
func resolve(folder string) (string, error) {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", fmt.Errorf("music folder: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", fmt.Errorf("music folder: %w", err)
	}
	return root, nil
}

// scan walks the folder, whose path is resolved, in the order of its names and hands every music file
// to found and everything that is left out to skip. A symbolic link to a
// file is followed if it stays within the folder; one to a folder is not.
func scan(ctx context.Context, root string, l Limits, found func(file) error, skip func(path, reason string)) error {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == root:
			return err
		case err != nil:
			skip(path, explain(err))
			return nil
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if depth(root, path) > l.Depth {
				skip(path, fmt.Sprintf("more than %d folders deep", l.Depth))
				return fs.SkipDir
			}
			return nil
		case !isMusic(d.Name()):
			return nil
		}
		f, reason := look(root, path)
		if reason != "" {
			skip(path, reason)
			return nil
		}
		if files++; files > l.Files {
			skip(path, fmt.Sprintf("more than %d files", l.Files))
			return fs.SkipAll
		}
		return found(f)
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("music folder: %w", err)
	}
	return err
}

// look resolves a name inside of root.
func look(root, path string) (f file, reason string) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return file{}, explain(err)
	}
	if real != path && !strings.HasPrefix(real, root+string(filepath.Separator)) {
		return file{}, "a link that leads out of the folder"
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return file{}, explain(err)
	case info.IsDir():
		return file{}, "a link to a folder is not followed"
	case !info.Mode().IsRegular():
		return file{}, "not a regular file"
	}
	return file{path: real, size: info.Size(), modTime: info.ModTime().UnixNano()}, ""
}

func depth(root, path string) int {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == "." {
		return 0
	}
	return strings.Count(rel, string(filepath.Separator)) + 1
}

// explain puts an error of the file system into plain words.
func explain(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "no permission to read it"
	case errors.Is(err, fs.ErrNotExist):
		return "the link leads nowhere, or the file is gone"
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
