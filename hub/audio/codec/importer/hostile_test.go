package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bitsLSB packs fields as Vorbis does.
type bitsLSB struct {
	out []byte
	n   int
}

func (b *bitsLSB) put(v uint64, width int) *bitsLSB {
	for i := range width {
		if b.n%8 == 0 {
			b.out = append(b.out, 0)
		}
		b.out[b.n/8] |= byte(v>>i&1) << (b.n % 8)
		b.n++
	}
	return b
}

// book begins the setup header of one codebook.
func book(dims, entries uint64) *bitsLSB {
	return (&bitsLSB{}).put(0, 8).put(0x564342, 24).put(dims, 16).put(entries, 24)
}

func TestCodebooksThatWouldHangTheDecoder(t *testing.T) {
	lengths := func(b *bitsLSB, list ...uint64) *bitsLSB {
		b.put(0, 2) // neither ordered nor sparse
		for _, l := range list {
			b.put(l-1, 5)
		}
		return b
	}
	good := lengths(book(1, 4), 1, 2, 3, 3).put(0, 4)
	if err := checkCodebooks(good.out); err != nil {
		t.Errorf("a complete tree is refused: %v", err)
	}
	ordered := book(2, 4).put(1, 1).put(1, 5).put(4, 3).put(0, 4)
	if err := checkCodebooks(ordered.out); err != nil {
		t.Errorf("an ordered tree is refused: %v", err)
	}
	for name, b := range map[string]*bitsLSB{
		"an incomplete tree":       lengths(book(1, 3), 2, 2, 2).put(0, 4),
		"an overfull tree":         lengths(book(1, 3), 1, 1, 1).put(0, 4),
		"no entries":               lengths(book(1, 0)).put(0, 4),
		"one entry":                lengths(book(1, 1), 1).put(0, 4),
		"no dimensions":            lengths(book(0, 2), 1, 1).put(0, 4),
		"16 million entries":       book(0xFFFF, 0xFFFFFF).put(0, 64),
		"a run of nothing":         book(1, 4).put(1, 1).put(0, 5).put(0, 64),
		"no pattern":               (&bitsLSB{}).put(0, 200),
		"values beyond the header": lengths(book(4, 4), 2, 2, 2, 2).put(2, 4).put(0, 32).put(0, 32).put(15, 4).put(0, 1),
		"a cut header":             lengths(book(1, 4), 1, 2),
	} {
		if err := checkCodebooks(b.out); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileOgg(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "stereo.ogg"))
	if err != nil {
		t.Fatal(err)
	}
	mended := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		mendOgg(b)
		return b
	}
	flip := bytes.Clone(good)
	flip[len(flip)/2] ^= 1
	setup := bytes.Index(good, []byte("\x05vorbis"))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a flipped bit": {flip, "the file is damaged"},
		"six channels":  {mended(func(b []byte) { b[28+11] = 6 }), "more than two channels are not supported"},
		"block sizes":   {mended(func(b []byte) { b[28+28] = 0xFF }), "the file is damaged"},
		"a codebook":    {mended(func(b []byte) { b[setup+13] ^= 0x01 }), "the file is damaged"},
		// The last page promises sound that is not there.
		"a position": {mended(func(b []byte) {
			last := bytes.LastIndex(b, []byte("OggS"))
			binary.LittleEndian.PutUint64(b[last+6:], 1<<40)
		}), "the file is truncated"},
	} {
		if got := whyNot(t, write(t, "a.ogg", c.data)); got != c.want {
			t.Errorf("%s: %q where %q was due", name, got, c.want)
		}
	}
}

func TestCommentsAreBounded(t *testing.T) {
	le := binary.LittleEndian
	many := le.AppendUint32(le.AppendUint32(nil, 0), 1<<32-1)
	if got := parseComments(append(many, le.AppendUint32(nil, 1<<32-1)...)); len(got) != 0 {
		t.Errorf("%d comments out of nothing", len(got))
	}
	if rank, data := parsePicture(slices.Concat(make([]byte, 3), bytes.Repeat([]byte{0xFF}, 40))); rank != -1 || data != nil {
		t.Errorf("a picture of 4 GiB: rank %d, %d bytes", rank, len(data))
	}
}

// id3 makes an ID3v2.3 tag.
func id3(frames ...[]byte) []byte {
	body := bytes.Join(frames, nil)
	h := []byte{'I', 'D', '3', 3, 0, 0, byte(len(body) >> 21 & 0x7F), byte(len(body) >> 14 & 0x7F), byte(len(body) >> 7 & 0x7F), byte(len(body) & 0x7F)}
	return append(h, body...)
}

func id3Frame(name string, body []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32([]byte(name), uint32(len(body))), 0, 0), body...)
}

func TestID3(t *testing.T) {
	mp3, err := os.ReadFile(filepath.Join("testdata", "mpeg2.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	jpeg := append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte("x"), 50000)...)
	apic := append([]byte("\x00image/png\x00\x03\x00"), jpeg...)
	// A frame of each of 400,000 names would cost the library hours.
	var crowd [][]byte
	for i := range 400_000 {
		crowd = append(crowd, id3Frame("TXXX", []byte{0, 'a', 0, byte(i)}))
	}
	for name, c := range map[string]struct {
		tag   []byte
		title string
		cover int
	}{
		"title and cover":       {id3(id3Frame("APIC", apic), id3Frame("TIT2", []byte("\x00H\xe9llo\x07"))), "Héllo", len(jpeg)},
		"a frame beyond it":     {id3(id3Frame("TIT2", []byte("\x03Ok")), []byte("TALB\x7f\xff\xff\xff\x00\x00xx")), "Ok", 0},
		"a crowd":               {id3(append(crowd, id3Frame("TIT2", []byte("\x03End")))...), "End", 0},
		"a cover of 3 MiB":      {id3(id3Frame("APIC", append([]byte("\x00image/png\x00\x03\x00\xff\xd8\xff"), make([]byte, 3<<20)...))), "", 0},
		"no text at all":        {id3(id3Frame("TIT2", nil)), "", 0},
		"a very long title":     {id3(id3Frame("TIT2", append([]byte{3}, strings.Repeat("ab ", 1000)...))), strings.TrimSpace(strings.Repeat("ab ", 1000)[:500]), 0},
		"two tags in a row":     {slices.Concat(id3(id3Frame("TIT2", []byte("\x03One"))), id3(id3Frame("TIT2", []byte("\x03Two")))), "One", 0},
		"padding behind it":     {append(id3(id3Frame("TIT2", []byte("\x03Pad")), make([]byte, 100)), make([]byte, 33)...), "Pad", 0},
		"compressed and hidden": {id3(append(binary.BigEndian.AppendUint32([]byte("TIT2"), 5), "\x00\x80abcde"...)), "", 0},
	} {
		tr, pcm := load(t, write(t, "a.mp3", append(c.tag, mp3...)))
		if tr.Tags.Title != c.title || len(tr.Cover) != c.cover || len(pcm) != 11025 {
			t.Errorf("%s: title %q, cover of %d bytes, %d frames", name, tr.Tags.Title, len(tr.Cover), len(pcm))
		}
	}
}

// TestMP3WithForeignEnd: tags at the end are no sound.
func TestMP3WithForeignEnd(t *testing.T) {
	mp3, err := os.ReadFile(filepath.Join("testdata", "cbr.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	ape := make([]byte, 32)
	copy(ape, "APETAGEX")
	binary.LittleEndian.PutUint32(ape[12:], 32+500)
	withAPE := slices.Concat(mp3, bytes.Repeat([]byte{0xFF, 0xFB, 0x90, 0}, 125), ape)
	if tr, _ := load(t, write(t, "a.mp3", withAPE)); tr.Frames != 20011 {
		t.Errorf("%d frames", tr.Frames)
	}
}
