package live

import (
	"context"
	"fmt"
	"slices"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin/convert"
	"sonahub/hub/origin/publish"
	"sonahub/sne/wire"
)

// piece is sound that comes next, all of one epoch of a track.
type piece struct {
	at  place // of its first frame that is left
	pcm []int32
}

// feed is the endless sound of a playlist in one format: track after track
// without a gap, round and round.
type feed struct {
	press  *publish.Press
	format audio.Format
	list   func(ctx context.Context) ([]wire.ID, error) // the playlist as it is now

	at     place // what is read next
	reader *publish.Reader
	conv   *convert.Converter
	from   audio.Format
	ready  []piece
}

// trackError says that a track cannot be played.
type trackError struct {
	Track wire.ID
	Err   error
}

func (e *trackError) Error() string { return fmt.Sprintf("live: track %s: %v", e.Track, e.Err) }

func (e *trackError) Unwrap() error { return e.Err }

// next returns exactly frames frames and the place where they begin; place of
// what follows is feed.place.
func (f *feed) next(ctx context.Context, frames int) ([]int32, error) {
	want := frames * f.format.Channels
	out := make([]int32, 0, want)
	empty := 0 // tracks in a row that gave no sound
	for len(out) < want {
		if len(f.ready) == 0 {
			more, err := f.read(ctx)
			if err != nil {
				return nil, err
			}
			if empty++; more {
				empty = 0
			}
			if empty > maxEntries {
				return nil, errEmpty
			}
			continue
		}
		p := &f.ready[0]
		n := min(want-len(out), len(p.pcm))
		out = append(out, p.pcm[:n]...)
		p.pcm, p.at.Used = p.pcm[n:], p.at.Used+n/f.format.Channels
		if len(p.pcm) == 0 {
			f.ready = f.ready[1:]
		}
	}
	return out, nil
}

// place is where the next frame comes from.
func (f *feed) place() place {
	if len(f.ready) > 0 {
		return f.ready[0].at
	}
	return f.at
}

// read decodes the next epoch of the playlist, and reports whether a track
// gave sound.
func (f *feed) read(ctx context.Context) (bool, error) {
	if f.reader == nil {
		if err := f.openTrack(ctx); err != nil {
			return false, err
		}
	}
	at := f.at
	if at.Epoch >= f.reader.Epochs() {
		f.take(at, f.conv.Flush())
		return false, f.nextTrack(ctx)
	}
	p, err := f.reader.Epoch(at.Epoch)
	if err != nil {
		return false, &trackError{at.Track, err}
	}
	pcm, err := flac.DecodeSegment(f.from, p.Packets, f.reader.Frames(at.Epoch))
	if err != nil {
		return false, &trackError{at.Track, err}
	}
	f.at = place{Track: at.Track, Epoch: at.Epoch + 1}
	f.take(at, f.conv.Next(pcm))
	return true, nil
}

// take queues sound; what was used of it before a restart is dropped.
func (f *feed) take(at place, pcm []int32) {
	skip := min(at.Used*f.format.Channels, len(pcm))
	if pcm = pcm[skip:]; len(pcm) > 0 {
		f.ready = append(f.ready, piece{at: at, pcm: pcm})
	}
}

// openTrack opens the track of the present place, or the first one of the
// playlist.
func (f *feed) openTrack(ctx context.Context) error {
	if f.at.Track.IsZero() {
		list, err := f.list(ctx)
		if err != nil {
			return err
		}
		f.at = place{Track: list[0]}
	}
	t, err := f.press.Shelf.Track(ctx, f.at.Track)
	if err != nil {
		return &trackError{f.at.Track, err}
	}
	if f.conv, err = convert.New(t.Format, f.format); err != nil {
		return &trackError{f.at.Track, err}
	}
	f.from = t.Format
	if f.reader, err = f.press.Read(ctx, f.at.Track, publish.TierLossless); err != nil {
		f.close()
		return &trackError{f.at.Track, err}
	}
	return nil
}

// nextTrack goes on to what follows in the playlist as it is now. A track that
// was taken out of it is followed by the first one.
func (f *feed) nextTrack(ctx context.Context) error {
	f.close()
	list, err := f.list(ctx)
	if err != nil {
		return err
	}
	i := slices.Index(list, f.at.Track) + 1
	f.at = place{Track: list[i%len(list)]}
	return nil
}

// close erases the secret of the track that is read.
func (f *feed) close() {
	if f.reader != nil {
		f.reader.Close()
		f.reader = nil
	}
}

// rewind goes back to a place, after sound from there on was not broadcast.
func (f *feed) rewind(to place) {
	f.close()
	f.at, f.ready = to, nil
}

// skip gives the present track up, if another one is there.
func (f *feed) skip(ctx context.Context) {
	f.ready = nil
	if err := f.nextTrack(ctx); err != nil {
		f.close()
	}
}
