package importer

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// maxCover bounds a cover in bytes.
const maxCover = 2 << 20

// sniffImage returns the MIME type of a cover by its first bytes, empty for
// all that is not JPEG or PNG or is too large.
func sniffImage(data []byte) string {
	switch {
	case len(data) > maxCover:
		return ""
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	}
	return ""
}

// coverBeside looks for a cover in the file's folder. It returns nil if
// there is none that can be shown: a missing cover is no error.
func coverBeside(path string) (data []byte, mime string) {
	for _, name := range [...]string{"cover.jpg", "cover.png", "folder.jpg", "folder.png", "Cover.jpg", "Folder.jpg"} {
		data := readCover(filepath.Join(filepath.Dir(path), name))
		if mime := sniffImage(data); mime != "" {
			return data, mime
		}
	}
	return nil, ""
}

// readCover reads a file that may be a cover; nil if it cannot be one.
func readCover(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCover {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCover+1))
	if errors.Join(err, f.Close()) != nil {
		return nil
	}
	return data
}
