package importer

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxText        = 500      // characters of a title, artist or album
	maxComments    = 4 << 20  // bytes of a block of comments (a cover may be in it)
	maxCommentList = 4096     // comments in a block
	maxPictureText = 64 << 10 // bytes of a picture block besides the picture
)

// parseComments returns the "NAME=value" strings of a Vorbis comment block
// as far as it is whole. Lengths count only within raw.
func parseComments(raw []byte) (list []string) {
	str := func() (string, bool) {
		if len(raw) < 4 {
			return "", false
		}
		n := binary.LittleEndian.Uint32(raw)
		if raw = raw[4:]; uint64(n) > uint64(len(raw)) {
			return "", false
		}
		s := string(raw[:n])
		raw = raw[n:]
		return s, true
	}
	if _, ok := str(); !ok || len(raw) < 4 { // the encoder's name
		return nil
	}
	n := min(binary.LittleEndian.Uint32(raw), maxCommentList)
	raw = raw[4:]
	for range n {
		s, ok := str()
		if !ok {
			break
		}
		list = append(list, s)
	}
	return list
}

// tagsOfComments picks what we show. Of repeated names the first counts.
func tagsOfComments(list []string) (t Tags) {
	for _, c := range list {
		name, value, _ := strings.Cut(c, "=")
		switch strings.ToUpper(name) {
		case "TITLE":
			t.Title = cmp.Or(t.Title, value)
		case "ARTIST":
			t.Artist = cmp.Or(t.Artist, value)
		case "ALBUM":
			t.Album = cmp.Or(t.Album, value)
		case "TRACKNUMBER":
			t.Index = cmp.Or(t.Index, number(value))
		}
	}
	return t
}

// coverOfComments returns the best picture that Vorbis comments carry.
func coverOfComments(list []string) (cover []byte) {
	best := -1
	for _, c := range list {
		name, value, _ := strings.Cut(c, "=")
		if !strings.EqualFold(name, "METADATA_BLOCK_PICTURE") || len(value) > (maxCover+maxPictureText)/3*4 {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			continue
		}
		if rank, data := parsePicture(raw); rank > best {
			best, cover = rank, data
		}
	}
	return cover
}

// parsePicture takes a FLAC picture block apart. The rank is 2 for a front
// cover, 1 for any other picture that we can show, -1 for none.
func parsePicture(raw []byte) (rank int, data []byte) {
	field := func() []byte {
		if len(raw) < 4 {
			raw = nil
			return nil
		}
		n := binary.BigEndian.Uint32(raw)
		if raw = raw[4:]; uint64(n) > uint64(len(raw)) {
			raw = nil
			return nil
		}
		f := raw[:n]
		raw = raw[n:]
		return f
	}
	const front, sizes = 3, 16 // width, height, depth and colours
	if len(raw) < 4 {
		return -1, nil
	}
	kind := binary.BigEndian.Uint32(raw)
	raw = raw[4:]
	field() // MIME type: the picture's own bytes decide
	field() // description
	if len(raw) < sizes {
		return -1, nil
	}
	raw = raw[sizes:]
	data = field()
	switch {
	case sniffImage(data) == "":
		return -1, nil
	case kind == front:
		return 2, data
	}
	return 1, data
}

// number reads "7" and "7/12"; what is no sensible number is 0.
func number(s string) int {
	s, _, _ = strings.Cut(s, "/")
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > 9999 {
		return 0
	}
	return n
}

// clean makes strangers' text fit to be shown.
func (t Tags) clean() Tags {
	return Tags{Title: cleanText(t.Title), Artist: cleanText(t.Artist), Album: cleanText(t.Album), Index: t.Index}
}

// cleanText cuts at maxText characters, replaces invalid UTF-8, and drops
// control characters and those that turn the direction of text around.
func cleanText(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s { // range gives U+FFFD for invalid bytes
		if unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			continue
		}
		if n == maxText {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
