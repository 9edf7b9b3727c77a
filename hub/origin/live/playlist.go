package live

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sonahub/hub/origin/publish"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/wire"
)

// Bounds of a playlist file.
const (
	maxList    = 1 << 20 // bytes
	maxEntries = 10000
)

// errEmpty says that there is nothing to play yet.
var errEmpty = errors.New("live: no track of the playlist is ready")

// tracks lists the broadcasts of a playlist that are ready, in its order. music
// is the music folder without symbolic links.
func tracks(ctx context.Context, s *shelf.Shelf, music, playlist string) ([]wire.ID, error) {
	sources, err := s.Sources(ctx)
	if err != nil {
		return nil, err
	}
	ready, err := s.Published(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := paths(sources, music, playlist)
	if err != nil {
		return nil, err
	}
	var out []wire.ID
	for _, p := range paths {
		src, ok := sources[p]
		if ok && src.Reason == "" && slices.Contains(ready[src.Broadcast], publish.TierLossless) {
			out = append(out, src.Broadcast)
		}
	}
	if len(out) == 0 {
		return nil, errEmpty
	}
	return out, nil
}

// paths lists the files of a playlist: those of a folder by their names, or
// those that a file of type M3U names, in its order.
func paths(sources map[string]shelf.Source, music, playlist string) ([]string, error) {
	if playlist != "" && !filepath.IsLocal(playlist) {
		return nil, fmt.Errorf("live: playlist %q is not below the music folder", playlist)
	}
	at := filepath.Join(music, playlist)
	if ext := strings.ToLower(filepath.Ext(playlist)); ext == ".m3u" || ext == ".m3u8" {
		return readM3U(music, at)
	}
	var out []string
	for p := range sources {
		if strings.HasPrefix(p, at+string(filepath.Separator)) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out, nil
}

func readM3U(music, path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("live: playlist: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err != nil {
		return nil, fmt.Errorf("live: playlist: %w", err)
	}
	return parseM3U(music, filepath.Dir(path), data)
}

// parseM3U reads the entries of a playlist that lies in the folder dir: a path
// on each line, seen from there; lines that begin with # are remarks. Paths out
// of the music folder and addresses are passed over.
func parseM3U(music, dir string, data []byte) ([]string, error) {
	if len(data) > maxList {
		return nil, fmt.Errorf("live: playlist is longer than %d bytes", maxList)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxList)
	var out []string
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") || strings.ContainsRune(line, 0) {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(dir, line)
		}
		below, err := filepath.Rel(music, line)
		if err != nil || !filepath.IsLocal(below) {
			continue
		}
		if len(out) == maxEntries {
			return nil, fmt.Errorf("live: playlist has more than %d entries", maxEntries)
		}
		out = append(out, filepath.Clean(line))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("live: playlist: %w", err)
	}
	return out, nil
}
