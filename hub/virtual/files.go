package virtual

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"sonahub/hub/audio"
)

// files keeps one member's sound: 0001.wav with the samples and 0001.jsonl
// with a line for every block; a new pair for every run, and within a run for
// every quarter of keep or every hour (a WAV ends at 4 GB). Gaps are lines without samples. A nil *files keeps nothing.
//
// The header's sizes are rewritten with every second of sound, so that a crash
// costs at most the last second's length, not the file.
type files struct {
	dir  string
	keep time.Duration

	run     int // of the open pair
	number  int // of the open pair; the numbers of earlier processes go on
	broken  bool
	wav     *os.File
	side    *os.File
	format  audio.Format
	written audio.Pos // frames in the open WAV
	headed  audio.Pos // frames that its header tells
}

// line is one line of the sidecar.
type line struct {
	At     audio.Instant `json:"at"`     // ns on the hub's clock, of the first frame
	Pos    audio.Pos     `json:"pos"`    // of the first frame, on this run
	Frames audio.Pos     `json:"frames"` // how many
	Offset audio.Pos     `json:"offset"` // where they lie in the WAV, in frames
	Gap    bool          `json:"gap,omitempty"`
}

// head is the first line of the sidecar.
type head struct {
	WAV    string `json:"wav"`
	Run    int    `json:"run"`
	Rate   int    `json:"rate"`
	Bits   int    `json:"bits"`
	Chans  int    `json:"channels"`
	Format string `json:"format"`
}

// memberDir gives a folder name that no id can leave.
func memberDir(dir, id string) string {
	name := url.PathEscape(id)
	if name == "" || strings.HasPrefix(name, ".") {
		name = "%" + name
	}
	return filepath.Join(dir, name)
}

const wavHeader = 44

// write appends one piece.
func (f *files) write(p Played) error {
	if f == nil {
		return nil
	}
	full := f.wav != nil && f.written.Duration(f.format.Rate) >= min(f.keep/4, time.Hour)
	if p.Run != f.run || full {
		if err := errors.Join(f.close(), f.open(p)); err != nil {
			f.broken = true
			return err
		}
		f.broken = false
	}
	if f.broken {
		return nil
	}
	err := f.append(p)
	if err != nil {
		f.broken = true
	}
	return err
}

func (f *files) append(p Played) error {
	l := line{At: p.At, Pos: p.Pos, Frames: p.Frames, Offset: f.written, Gap: p.PCM == nil}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("virtual: sidecar line: %w", err)
	}
	if p.PCM != nil {
		if _, err := f.wav.Write(wavSamples(p.Format, p.PCM)); err != nil {
			return fmt.Errorf("virtual: %w", err)
		}
		f.written += p.Frames
	}
	if _, err := f.side.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if f.written-f.headed >= audio.Pos(f.format.Rate) {
		return f.rewrite()
	}
	return nil
}

// open begins the next pair and makes room for it.
func (f *files) open(p Played) error {
	f.run, f.format, f.written, f.headed = p.Run, p.Format, 0, 0
	if err := os.MkdirAll(f.dir, 0o750); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if err := f.prune(); err != nil {
		return err
	}
	f.number++
	name := filepath.Join(f.dir, fmt.Sprintf("%04d", f.number))
	var err error
	if f.wav, err = os.Create(name + ".wav"); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if f.side, err = os.Create(name + ".jsonl"); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	text, err := json.Marshal(head{WAV: filepath.Base(name) + ".wav", Run: p.Run, Rate: int(p.Format.Rate),
		Bits: p.Format.Bits, Chans: p.Format.Channels, Format: p.Format.String()})
	if err != nil {
		return fmt.Errorf("virtual: sidecar line: %w", err)
	}
	if _, err := f.side.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if _, err := f.wav.Write(header(p.Format, 0)); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	return nil
}

// prune removes the oldest pairs until three quarters of keep remain, and
// finds the highest number that was used.
func (f *files) prune() error {
	names, err := filepath.Glob(filepath.Join(f.dir, "*.wav"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	sort.Strings(names)
	var held time.Duration
	for i := len(names) - 1; i >= 0; i-- {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(names[i]), "%d.wav", &n); err != nil {
			continue // not one of ours
		}
		f.number = max(f.number, n)
		held += wavLength(names[i])
		if held <= f.keep*3/4 {
			continue
		}
		side := strings.TrimSuffix(names[i], ".wav") + ".jsonl"
		if err := errors.Join(os.Remove(names[i]), os.Remove(side)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("virtual: %w", err)
		}
	}
	return nil
}

// rewrite brings the header's sizes up to date.
func (f *files) rewrite() error {
	f.headed = f.written
	if _, err := f.wav.WriteAt(header(f.format, f.written), 0); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	return nil
}

// close completes the open pair.
func (f *files) close() error {
	if f == nil {
		return nil
	}
	var err error
	if f.wav != nil {
		err = errors.Join(f.rewrite(), f.wav.Close())
	}
	if f.side != nil {
		err = errors.Join(err, f.side.Close())
	}
	f.wav, f.side, f.run = nil, nil, 0
	return err
}

// depth returns the bytes of a sample in the file.
func depth(f audio.Format) int {
	if f.Bits <= 16 {
		return 2
	}
	return 3
}

// header makes a WAV header of plain PCM for that many frames.
func header(f audio.Format, frames audio.Pos) []byte {
	size := depth(f)
	frame := size * f.Channels
	data := uint32(frames) * uint32(frame)
	le := binary.LittleEndian
	b := append(make([]byte, 0, wavHeader), "RIFF"...)
	b = le.AppendUint32(b, wavHeader-8+data)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, uint16(f.Channels))
	b = le.AppendUint32(b, uint32(f.Rate))
	b = le.AppendUint32(b, uint32(int(f.Rate)*frame))
	b = le.AppendUint16(b, uint16(frame))
	b = le.AppendUint16(b, uint16(8*size))
	b = append(b, "data"...)
	return le.AppendUint32(b, data)
}

// wavSamples writes samples left-justified into 16 or 24 bits.
func wavSamples(f audio.Format, pcm []int32) []byte {
	size := depth(f)
	shift := 8*size - f.Bits
	b := make([]byte, 0, len(pcm)*size)
	for _, s := range pcm {
		s <<= shift
		b = append(b, byte(s), byte(s>>8))
		if size == 3 {
			b = append(b, byte(s>>16))
		}
	}
	return b
}

// wavLength returns how long one of our files sounds, 0 if it is none.
func wavLength(name string) time.Duration {
	file, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer file.Close()
	info, err := file.Stat()
	b := make([]byte, wavHeader)
	if _, err2 := file.ReadAt(b, 0); err != nil || err2 != nil {
		return 0
	}
	perSecond := int64(binary.LittleEndian.Uint32(b[28:]))
	if perSecond == 0 {
		return 0
	}
	return time.Duration(info.Size()) * time.Second / time.Duration(perSecond)
}
