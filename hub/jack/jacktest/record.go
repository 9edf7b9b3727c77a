package jacktest

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"sonahub/hub/audio"
)

// Sound is a stretch of what a card sounded.
type Sound struct {
	At     audio.Instant // of the first frame
	Rate   audio.Rate
	Stereo []float64 // interleaved, full scale +-1
}

// Integers returns the samples at a depth; ok is false if one is none.
func (s Sound) Integers(bits int) (pcm []int32, ok bool) {
	pcm = make([]int32, len(s.Stereo))
	for i, x := range s.Stereo {
		v := x * math.Ldexp(1, bits-1)
		if v != math.Trunc(v) {
			return nil, false
		}
		pcm[i] = int32(v)
	}
	return pcm, true
}

// Recorder keeps sounds in memory. The zero value is ready; it is safe for
// concurrent use.
type Recorder struct {
	mu     sync.Mutex
	sounds []Sound
}

// Heard returns the hook of a card at a rate.
func (r *Recorder) Heard(rate audio.Rate) func(audio.Instant, []float64) {
	return func(at audio.Instant, stereo []float64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sounds = append(r.sounds, Sound{at, rate, stereo})
	}
}

// Sounds returns all that was heard so far.
func (r *Recorder) Sounds() []Sound {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Sound(nil), r.sounds...)
}

// File is the hook of a card in another process: every period goes to a file
// of its own process in dir, to be read by Files.
func File(dir string, rate audio.Rate, now audio.Instant) (heard func(audio.Instant, []float64), err error) {
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%020d-%d.sound", now, os.Getpid())))
	if err != nil {
		return nil, fmt.Errorf("jacktest: %w", err)
	}
	return func(at audio.Instant, stereo []float64) {
		b := binary.LittleEndian.AppendUint64(nil, uint64(at))
		b = binary.LittleEndian.AppendUint32(b, uint32(rate))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(stereo)))
		for _, x := range stereo {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		}
		_, _ = f.Write(b) // a test that misses it will fail
	}, nil
}

// Files reads what the cards of all processes left in dir, in order.
func Files(dir string) ([]Sound, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.sound"))
	if err != nil {
		return nil, fmt.Errorf("jacktest: %w", err)
	}
	sort.Strings(names)
	var out []Sound
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("jacktest: %w", err)
		}
		for {
			s, err := next(f)
			if err != nil { // the end, or a period that is being written
				break
			}
			out = append(out, s)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("jacktest: %w", err)
		}
	}
	return out, nil
}

func next(r io.Reader) (Sound, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return Sound{}, err
	}
	s := Sound{At: audio.Instant(binary.LittleEndian.Uint64(head)), Rate: audio.Rate(binary.LittleEndian.Uint32(head[8:]))}
	n := binary.LittleEndian.Uint32(head[12:])
	if n > 1<<20 {
		return Sound{}, fmt.Errorf("jacktest: a period of %d samples", n)
	}
	body, err := ReadFloats(r, s.Rate, int(n/Channels))
	s.Stereo = body.Stereo
	return s, err
}

// ReadFloats reads stereo frames of 32-bit floats, as ALSA writes them.
func ReadFloats(r io.Reader, rate audio.Rate, frames int) (Sound, error) {
	b := make([]byte, 4*Channels*frames)
	if _, err := io.ReadFull(r, b); err != nil {
		return Sound{}, err
	}
	s := Sound{Rate: rate, Stereo: make([]float64, Channels*frames)}
	for i := range s.Stereo {
		s.Stereo[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return s, nil
}
