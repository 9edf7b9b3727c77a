package compose

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin/durable"
)

// WriteAlbum writes all pieces that are not in dir yet, as many at a time as
// there are processors.
func WriteAlbum(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range Album() {
		group.Go(func() error {
			_, err := p.WriteFile(ctx, dir)
			return err
		})
	}
	return group.Wait()
}

// WriteFile renders the piece into dir as a FLAC file with tags and cover and
// returns its path. A file of that name is taken for an earlier rendering and
// kept. The file appears complete or not at all.
func (p Piece) WriteFile(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, p.File)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("compose: %w", err)
	}
	data, err := p.encode(ctx)
	if err != nil {
		return "", err
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("compose: %w", err)
	}
	return path, nil
}

// encode returns the whole file.
func (p Piece) encode(ctx context.Context) ([]byte, error) {
	pcm, err := p.Render(ctx)
	if err != nil {
		return nil, fmt.Errorf("compose: %q: %w", p.Title, err)
	}
	cover, err := p.Cover()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := flac.WriteStream(&out, p.Format, pcm); err != nil {
		return nil, fmt.Errorf("compose: %q: %w", p.Title, err)
	}
	return p.tag(out.Bytes(), cover), nil
}

// Sizes and types of FLAC metadata (RFC 9639 section 8).
const (
	streamInfoEnd = 42 // "fLaC", block header, STREAMINFO
	lastBlock     = 0x80
	vorbisComment = 4
	picture       = 6
	frontCover    = 3
)

// tag puts a VORBIS_COMMENT and a PICTURE block behind the STREAMINFO of a
// stream that has no other metadata.
func (p Piece) tag(stream, cover []byte) []byte {
	le := binary.LittleEndian
	var tags []byte
	text := func(s string) { tags = append(le.AppendUint32(tags, uint32(len(s))), s...) }
	text("Sona")
	fields := []string{"TITLE=" + p.Title, "ARTIST=" + p.Artist, "ALBUM=" + p.Album, "TRACKNUMBER=" + strconv.Itoa(p.Index)}
	tags = le.AppendUint32(tags, uint32(len(fields)))
	for _, f := range fields {
		text(f)
	}

	be := binary.BigEndian
	var art []byte
	art = be.AppendUint32(art, frontCover)
	const mime = "image/png"
	art = append(be.AppendUint32(art, uint32(len(mime))), mime...)
	art = be.AppendUint32(art, 0) // no description
	for _, v := range []uint32{coverSize, coverSize, 24, 0, uint32(len(cover))} {
		art = be.AppendUint32(art, v)
	}
	art = append(art, cover...)

	out := make([]byte, 0, len(stream)+len(tags)+len(art)+8)
	out = append(out, stream[:streamInfoEnd]...)
	out[4] &^= lastBlock
	out = block(out, vorbisComment, tags)
	out = block(out, picture|lastBlock, art)
	return append(out, stream[streamInfoEnd:]...)
}

func block(out []byte, kind byte, body []byte) []byte {
	n := len(body)
	return append(append(out, kind, byte(n>>16), byte(n>>8), byte(n)), body...)
}
