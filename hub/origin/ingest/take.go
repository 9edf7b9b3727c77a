package ingest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"sonahub/hub/audio/codec/importer"
	"sonahub/hub/origin/shelf"
	"sonahub/sne/kdf"
	"sonahub/sne/manifest"
	"sonahub/sne/wire"
)

// listAfter is how long a folder may be looked through before what was found
// so far is offered, and how often afterwards.
const listAfter = 3 * time.Second

// look goes through the folder and lists every readable file.
func (g *Ingester) look(ctx context.Context, root string) error {
	known, err := g.Shelf.Sources(ctx)
	if err != nil {
		return err
	}
	published, err := g.Shelf.Published(ctx)
	if err != nil {
		return err
	}
	last := time.Now()
	return scan(ctx, root, g.Limits, func(f file) error {
		e, err := g.take(ctx, f, known)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			reason, ok := unreadable(err)
			if !ok {
				return err
			}
			g.skip(f.path, reason)
			return nil
		}
		e.tiers = published[e.track.Broadcast]
		known[e.src.Path] = e.src
		if !g.list(e) {
			g.skip(f.path, "the same music as a file before it")
			return nil
		}
		if time.Since(last) > listAfter {
			last = time.Now()
			g.mu.Lock()
			g.listed = true
			g.mu.Unlock()
			g.changed()
		}
		return nil
	}, g.skip)
}

// list adds an entry unless its broadcast is there already.
func (g *Ingester) list(e *entry) bool {
	g.mu.Lock()
	if g.byID[e.track.Broadcast] != nil {
		g.mu.Unlock()
		return false
	}
	g.byID[e.track.Broadcast] = e
	g.entries = append(g.entries, e)
	g.mu.Unlock()
	g.tell()
	g.poke()
	return true
}

// take finds the broadcast of a file, or makes one.
func (g *Ingester) take(ctx context.Context, f file, known map[string]shelf.Source) (*entry, error) {
	src := shelf.Source{Path: f.path, Size: f.size, ModTime: f.modTime}
	old, seen := known[f.path]
	if seen && old.Size == src.Size && old.ModTime == src.ModTime {
		if old.Broadcast.IsZero() {
			return nil, &importer.Unreadable{Path: f.path, Reason: old.Reason}
		}
		return g.entry(ctx, old)
	}
	if same, err := g.sameContent(&src, known); err != nil {
		return nil, err
	} else if !same.IsZero() {
		src.Broadcast = same
		if err := g.Shelf.PutSource(ctx, src); err != nil {
			return nil, err
		}
		return g.entry(ctx, src)
	}
	return g.create(ctx, src)
}

func (g *Ingester) entry(ctx context.Context, src shelf.Source) (*entry, error) {
	t, err := g.Shelf.Track(ctx, src.Broadcast)
	if err != nil {
		return nil, err
	}
	return &entry{track: t, src: src}, nil
}

// sameContent looks for a file of the same content that is known already: one
// that was moved or touched. The content is read only if the size fits.
func (g *Ingester) sameContent(src *shelf.Source, known map[string]shelf.Source) (wire.ID, error) {
	for _, k := range known {
		if k.Size != src.Size || k.Hash == nil || k.Broadcast.IsZero() {
			continue
		}
		if src.Hash == nil {
			var err error
			if src.Hash, err = hashFile(src.Path); err != nil {
				return wire.ID{}, &importer.Unreadable{Path: src.Path, Reason: explain(err), Err: err}
			}
		}
		if bytes.Equal(k.Hash, src.Hash) {
			return k.Broadcast, nil
		}
	}
	return wire.ID{}, nil
}

// create makes a broadcast of a file that was never seen.
func (g *Ingester) create(ctx context.Context, src shelf.Source) (*entry, error) {
	in, err := importer.Open(src.Path)
	if err != nil {
		var u *importer.Unreadable
		if !errors.As(err, &u) { // of the file system: it may be readable next time
			err = &importer.Unreadable{Path: src.Path, Reason: explain(err), Err: err}
		}
		return nil, err
	}
	defer in.Close()
	t := shelf.Track{
		Title: in.Tags.Title, Artist: in.Tags.Artist, Album: in.Tags.Album, Index: in.Tags.Index,
		Kind: in.Kind, Lossless: in.Lossless, Source: in.Format, Format: sold(in.Format), Frames: in.Frames,
	}
	if strings.TrimSpace(t.Title) == "" {
		t.Title = titleOf(src.Path)
	}
	if t.Frames >= 0 && t.Format.Rate != t.Source.Rate {
		t.Frames = -1 // known once it is converted
	}
	if len(in.Cover) > 0 {
		if t.Art, err = g.Press.Folder.PutBlob(in.Cover); err != nil {
			g.Log.Warn("cover left out", "path", src.Path, "error", err)
		}
	}
	if _, err := rand.Read(t.Nonce[:]); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	t.Broadcast = manifest.BroadcastID(g.Creator.KeyID(), t.Nonce)
	master, err := kdf.NewSecret(nil)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	defer master.Erase()
	if err := g.Shelf.Add(ctx, src, t, master); err != nil {
		return nil, err
	}
	src.Broadcast = t.Broadcast
	return &entry{track: t, src: src}, nil
}

// unreadable tells whether an error is about a file, and gives the reason.
func unreadable(err error) (reason string, ok bool) {
	var u *importer.Unreadable
	if errors.As(err, &u) {
		return u.Reason, true
	}
	return "", false
}

const maxTitle = 500 // characters, as in the catalogue

// titleOf makes a title of a file's name, which may hold anything.
func titleOf(path string) string {
	name := strings.TrimSpace(printable(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))))
	if r := []rune(name); len(r) > maxTitle {
		name = string(r[:maxTitle])
	}
	if name == "" {
		return "Untitled"
	}
	return name
}

// printable leaves out what could harm a terminal or turn the direction of a
// text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func hashFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
