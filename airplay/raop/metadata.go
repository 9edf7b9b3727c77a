package raop

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"

	"sonahub/airplay/rtsp"
)

// Limits on what is sent along with the music, in bytes.
const (
	maxText    = 255
	maxArtwork = 1 << 20
)

// Track is what a receiver may show.
type Track struct {
	Title, Artist, Album string
	Artwork              []byte // JPEG or PNG; other kinds and pictures over 1 MB are left out
	Start, Now, End      uint32 // RTP times of the track; Start == End: unknown
}

// Describe tells the receiver what is playing: the text, then the progress,
// then the picture.
func (s *Session) Describe(ctx context.Context, t Track) error {
	when := rtsp.Field{Name: "RTP-Info", Value: fmt.Sprintf("rtptime=%d", t.Start)}
	if err := s.parameter(ctx, "application/x-dmap-tagged", t.dmap(), when); err != nil {
		return err
	}
	if t.Start != t.End {
		if err := s.parameter(ctx, "text/parameters",
			fmt.Appendf(nil, "progress: %d/%d/%d\r\n", t.Start, t.Now, t.End)); err != nil {
			return err
		}
	}
	kind := http.DetectContentType(t.Artwork)
	if len(t.Artwork) > maxArtwork || kind != "image/jpeg" && kind != "image/png" {
		return nil
	}
	return s.parameter(ctx, kind, t.Artwork, when)
}

// dmap lays the text out as a listing item of Apple's tagged format.
func (t Track) dmap() []byte {
	item := tagged(nil, "mikd", []byte{2})
	item = tagged(item, "minm", []byte(t.Title))
	item = tagged(item, "asar", []byte(t.Artist))
	item = tagged(item, "asal", []byte(t.Album))
	return tagged(nil, "mlit", item)
}

func tagged(dst []byte, tag string, value []byte) []byte {
	if tag != "mlit" && len(value) > maxText {
		value = bytes.ToValidUTF8(value[:maxText], nil)
	}
	dst = append(dst, tag...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
