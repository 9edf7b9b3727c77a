package convert

import (
	"math"
	"slices"
	"testing"

	"sonahub/hub/audio"
)

func format(rate audio.Rate, channels, bits int) audio.Format {
	return audio.Format{Rate: rate, Channels: channels, Bits: bits}
}

// sine is a tone of 441 Hz at half of full scale in all channels.
func sine(f audio.Format, frames int) []int32 {
	out := make([]int32, 0, frames*f.Channels)
	for i := range frames {
		v := int32(math.Sin(2*math.Pi*441*float64(i)/float64(f.Rate)) * 0.5 * math.Ldexp(1, f.Bits-1))
		for range f.Channels {
			out = append(out, v)
		}
	}
	return out
}

// TestUntouched wants what needs no arithmetic to stay as it is.
func TestUntouched(t *testing.T) {
	in := sine(format(44100, 2, 16), 1000)
	for _, bits := range []int{16, 24} {
		c, err := New(format(44100, 2, 16), format(44100, 2, bits))
		if err != nil {
			t.Fatal(err)
		}
		out := append(c.Next(in[:600]), c.Next(in[600:])...)
		out = append(out, c.Flush()...)
		for i := range out {
			out[i] >>= bits - 16
		}
		if !slices.Equal(out, in) {
			t.Errorf("%d bits: altered", bits)
		}
	}
}

// TestTone carries a tone from every format to every other and compares it with
// the tone made there, behind the filter's edges.
func TestTone(t *testing.T) {
	all := []audio.Format{format(44100, 1, 16), format(44100, 2, 24), format(48000, 2, 16), format(48000, 1, 24)}
	for _, from := range all {
		for _, to := range all {
			c, err := New(from, to)
			if err != nil {
				t.Fatal(err)
			}
			frames := int(from.Rate) / 2
			in := sine(from, frames)
			var got []int32
			for piece := range slices.Chunk(in, 1234*from.Channels) {
				got = append(got, c.Next(piece)...)
			}
			got = append(got, c.Flush()...)
			want := sine(to, (frames*int(to.Rate)+int(from.Rate)-1)/int(from.Rate))
			if len(got) != len(want) {
				t.Errorf("%v -> %v: %d samples, want %d", from, to, len(got), len(want))
				continue
			}
			worst := 0.0
			for i := 4000; i < len(got)-4000; i++ {
				worst = max(worst, math.Abs(float64(got[i]-want[i]))/math.Ldexp(1, to.Bits-1))
			}
			if worst > 3.0/(1<<15) {
				t.Errorf("%v -> %v: off by %.2g of full scale", from, to, worst)
			}
		}
	}
	if _, err := New(format(44100, 3, 16), format(44100, 2, 16)); err == nil {
		t.Error("three channels became two")
	}
}
