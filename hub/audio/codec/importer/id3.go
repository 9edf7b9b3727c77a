package importer

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"

	"github.com/dhowden/tag"
)

const (
	maxID3       = 8 << 20 // bytes of a tag that is looked into; larger ones are skipped
	maxID3Tags   = 4       // tags in a row
	maxID3Covers = 8
	id3Header    = 10
)

// skipID3 reads the ID3v2 tags at the beginning of a file and returns where
// the sound behind them begins. head is the file's beginning.
func (t *Track) skipID3(head []byte, size int64) (start int64, err error) {
	for range maxID3Tags {
		if len(head) < id3Header || string(head[:3]) != "ID3" {
			return start, nil
		}
		n := id3Header + int64(synchsafe(head[6:10]))
		if head[5]&0x10 != 0 { // a footer repeats the header
			n += id3Header
		}
		if start+n > size {
			return 0, errTruncated
		}
		if start == 0 && n <= maxID3 {
			raw := make([]byte, n)
			if _, err := t.file.ReadAt(raw, start); err != nil {
				return 0, err
			}
			t.readID3(raw)
		}
		start += n
		var next [id3Header]byte
		if _, err := t.file.ReadAt(next[:], start); err != nil && !ended(err) {
			return 0, err
		}
		head = next[:]
	}
	return start, nil
}

// readID3 takes over what a tag says. A tag that the library cannot read is
// no reason to refuse the sound behind it.
func (t *Track) readID3(raw []byte) {
	var m tag.Metadata
	err := contain(func() (err error) {
		m, err = tag.ReadID3v2Tags(bytes.NewReader(filterID3(raw)))
		return err
	})
	if err == nil {
		t.takeTags(m)
	}
}

// readID3v1 is the fallback for files that have only the old tag at the end.
func (t *Track) readID3v1() {
	if t.Tags.Title != "" {
		return
	}
	var m tag.Metadata
	err := contain(func() (err error) {
		m, err = tag.ReadID3v1Tags(t.file)
		return err
	})
	if err == nil {
		t.takeTags(m)
	}
}

// takeTags copies from the library's form.
func (t *Track) takeTags(m tag.Metadata) {
	t.Tags = Tags{Title: m.Title(), Artist: m.Artist(), Album: m.Album()}
	if n, _ := m.Track(); n > 0 && n <= 9999 {
		t.Tags.Index = n
	}
	if p := m.Picture(); p != nil && sniffImage(p.Data) != "" {
		t.Cover = p.Data
	}
}

// filterID3 returns a tag with nothing in it but the frames that we show.
// The library's time grows with the square of the number of frames and it
// follows lengths that point outside; what it gets from here is short and
// sound. Compressed and encrypted frames are left out.
func filterID3(raw []byte) []byte {
	version, flags := raw[3], raw[5]
	body := raw[id3Header:]
	if flags&0x80 != 0 { // unsynchronised: a zero was put behind every 0xFF
		body = bytes.ReplaceAll(body, []byte{0xFF, 0}, []byte{0xFF})
	}
	if flags&0x40 != 0 && version > 2 {
		body = skipExtended(body, version)
	}
	nameLen, head := 4, 10
	if version == 2 {
		nameLen, head = 3, 6
	}
	var out []byte
	seen := map[string]int{}
	for len(body) > head && body[0] != 0 {
		name := string(body[:nameLen])
		var n int
		switch version {
		case 2:
			n = int(body[3])<<16 | int(body[4])<<8 | int(body[5])
		case 3:
			n = int(binary.BigEndian.Uint32(body[4:]))
		default:
			n = int(synchsafe(body[4:8]))
		}
		if n > len(body)-head {
			break
		}
		plain := version == 2 || version == 3 && body[9]&0xC0 == 0 || version == 4 && body[9]&0x0C == 0
		if most, wanted := wantedFrame(name, n); wanted && plain && n > 1 && seen[name] < most {
			seen[name]++
			out = append(out, body[:head+n]...)
		}
		body = body[head+n:]
	}
	h := []byte{'I', 'D', '3', version, 0, 0, 0, 0, 0, 0}
	for i := range 4 {
		h[6+i] = byte(len(out)>>(7*(3-i))) & 0x7F
	}
	return append(h, out...)
}

// wantedFrame says whether a frame is shown, and how many of its name.
func wantedFrame(name string, size int) (most int, wanted bool) {
	switch name {
	case "TIT2", "TPE1", "TALB", "TRCK", "TT2", "TP1", "TAL", "TRK":
		return 1, size <= 64<<10
	case "APIC", "PIC":
		return maxID3Covers, size <= maxCover+maxPictureText
	}
	return 0, false
}

// skipExtended drops the extended header.
func skipExtended(body []byte, version byte) []byte {
	if len(body) < 4 {
		return nil
	}
	n := int(synchsafe(body[:4]))
	if version == 3 {
		n = int(binary.BigEndian.Uint32(body)) + 4
	}
	return body[min(n, len(body)):]
}

// synchsafe reads four bytes of seven bits.
func synchsafe(b []byte) uint32 {
	return uint32(b[0]&0x7F)<<21 | uint32(b[1]&0x7F)<<14 | uint32(b[2]&0x7F)<<7 | uint32(b[3]&0x7F)
}

// looksLikeMP3 says whether an unknown beginning deserves a search for MPEG
// frames: behind an ID3 tag or under the usual name there may be padding.
func (t *Track) looksLikeMP3(start int64) bool {
	return start > 0 || strings.EqualFold(filepath.Ext(t.path), ".mp3")
}
