// Package importer reads the sound files that people have: FLAC (RFC 9639),
// WAV (RIFF, PCM and float), MP3 (MPEG-1/2 layer III) and Ogg Vorbis, with
// title, artist, album, number and cover.
//
// A Track is an audio.Source from the first real frame to the last: the
// delays that MP3 and Vorbis encoders add are cut off, so that tracks join
// without a gap. Depths up to 16 bits become 16, all others 24, by a shift;
// nothing else is done to lossless samples.
//
// The files are hostile input. Whatever is in them, a call returns with a
// bounded use of memory, and what cannot be read is *Unreadable with the
// reason in plain words. Panics of the libraries below end at Open and Read.
package importer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sonahub/hub/audio"
)

// Unreadable says why a file cannot be imported, in words for a person.
type Unreadable struct {
	Path   string // as given to Open
	Reason string // "AAC is not supported", "the file is truncated", ...
	Err    error  // what lies behind it; nil if the reason says all
}

// Error gives path and reason.
func (u *Unreadable) Error() string { return u.Path + ": " + u.Reason }

// Unwrap returns what lies behind the reason.
func (u *Unreadable) Unwrap() error { return u.Err }

// Tags are what a file says about itself. All of it is a stranger's text:
// valid UTF-8 of at most 500 characters without control characters.
type Tags struct {
	Title, Artist, Album string
	Index                int // number on the album, 0 if unknown
}

// Track is one file, opened. Read and Close are for one goroutine.
type Track struct {
	Format    audio.Format // of the blocks: 16 or 24 bit, 1 or 2 channels, the file's own rate
	Frames    audio.Pos    // length, -1 if only reading to the end tells
	Tags      Tags
	Cover     []byte // a JPEG or PNG by its first bytes, at most 2 MiB; nil if there is none
	CoverMIME string // "image/jpeg" or "image/png"
	Kind      string // "flac", "wav", "mp3" or "vorbis"
	Lossless  bool   // the file holds samples as they were made

	path string
	file *os.File
	dec  decoder
	at   audio.Pos
	err  error // sticky end of Read
}

var _ audio.Source = (*Track)(nil)

// decoder gives a file's samples, interleaved in the track's format. It
// returns io.EOF after the last of them; len(pcm) > 0 if err is nil. A slice
// is the caller's.
type decoder interface {
	next() (pcm []int32, err error)
}

// reason is an error whose text may stand before a person as it is.
type reason string

func (r reason) Error() string { return string(r) }

const (
	errTruncated = reason("the file is truncated")
	errDamaged   = reason("the file is damaged")
	errUnknown   = reason("not a sound file of a known kind")
)

// Open reads headers, tags and cover of a file and makes it ready to be
// read. Its error is *Unreadable, or one of package os if the file cannot be
// opened at all.
func Open(path string) (*Track, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Unreadable{Path: path, Reason: "not a regular file"}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &Track{path: path, file: file, Frames: -1}
	if err := contain(func() error { return t.open(info.Size()) }); err != nil {
		return nil, errors.Join(t.unreadable(err), file.Close())
	}
	t.Tags = t.Tags.clean()
	if t.CoverMIME = sniffImage(t.Cover); t.CoverMIME == "" {
		t.Cover, t.CoverMIME = coverBeside(path)
	}
	return t, nil
}

// open finds out what the file is and starts its decoder.
func (t *Track) open(size int64) error {
	var head [64]byte
	n, err := io.ReadFull(t.file, head[:])
	if err != nil && !ended(err) {
		return err
	}
	start, err := t.skipID3(head[:n], size)
	if err != nil {
		return err
	}
	n, err = t.file.ReadAt(head[:], start)
	if err != nil && !ended(err) {
		return err
	}
	if _, err := t.file.Seek(start, io.SeekStart); err != nil {
		return err
	}
	kind := sniff(head[:n])
	if kind == string(errUnknown) && t.looksLikeMP3(start) {
		kind = "mp3"
	}
	switch kind {
	case "flac":
		err = t.openFLAC(start)
	case "wav":
		err = t.openWAV(size)
	case "vorbis":
		err = t.openVorbis()
	case "mp3":
		err = t.openMP3(start, size)
	default:
		return reason(kind)
	}
	if err != nil {
		return err
	}
	return t.check()
}

// check refuses formats that no broadcast can be made of.
func (t *Track) check() error {
	switch f := t.Format; {
	case t.Frames == 0:
		return reason("the file holds no sound")
	case f.Channels > 2:
		return reason(fmt.Sprintf("%d channels; only mono and stereo are supported", f.Channels))
	case f.Rate < 8000 || f.Rate > audio.MaxRate:
		return reason(fmt.Sprintf("a rate of %d Hz is not supported", f.Rate))
	default:
		return f.Validate()
	}
}

// Read returns the next block, io.EOF at the end of the track, and
// *Unreadable where a file breaks off or is damaged. After an error it keeps
// returning that error.
func (t *Track) Read(ctx context.Context) (*audio.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if t.err != nil {
		return nil, t.err
	}
	var pcm []int32
	err := contain(func() (err error) {
		pcm, err = t.dec.next()
		return err
	})
	if errors.Is(err, io.EOF) && t.Frames >= 0 && t.at != t.Frames {
		err = errTruncated
	}
	if err != nil {
		if t.err = err; !errors.Is(err, io.EOF) {
			t.err = t.unreadable(err)
		}
		return nil, t.err
	}
	b := &audio.Block{Format: t.Format, At: t.at, PCM: pcm}
	t.at = b.End()
	return b, nil
}

// Close closes the file.
func (t *Track) Close() error { return t.file.Close() }

// unreadable puts an error into words.
func (t *Track) unreadable(err error) error {
	var r reason
	switch {
	case errors.As(err, &r):
	case ended(err):
		// Nobody may take this for the clean end of a source.
		r, err = errTruncated, errTruncated
	default:
		r = errDamaged
	}
	return &Unreadable{Path: t.path, Reason: string(r), Err: err}
}

// ended says whether an error is the end of the file, in place or not.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// contain runs f and turns a panic into an error. The decoding libraries
// index by what they read; this is the one place where that may end.
func contain(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("importer: decoder gave up: %v", r)
		}
	}()
	return f()
}

// buffered reads the file on in large pieces.
func (t *Track) buffered() *bufio.Reader { return bufferedFrom(t.file) }

func bufferedFrom(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }
