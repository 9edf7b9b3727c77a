package compose

import (
	"math"
)

// mix is the desk: notes are placed in time and between the speakers, dry and
// into the reverb.
type mix struct {
	*synth
	dry, wet []float64 // interleaved stereo
}

func newMix(s *synth, frames int) *mix {
	return &mix{synth: s, dry: make([]float64, 2*frames), wet: make([]float64, 2*frames)}
}

// place adds a mono sound at a time in seconds. pan is -1..1 (constant
// power), send 0..1 is how much of it the room hears. What lies past the end
// of the piece is cut off.
func (m *mix) place(at, level, pan, send float64, mono []float64) {
	angle := (pan + 1) * math.Pi / 4
	l, r := level*math.Cos(angle), level*math.Sin(angle)
	start := 2 * int(at*m.rate)
	for i, v := range mono {
		j := start + 2*i
		if j+1 >= len(m.dry) {
			return
		}
		m.dry[j] += l * v
		m.dry[j+1] += r * v
		m.wet[j] += send * l * v
		m.wet[j+1] += send * r * v
	}
}

// master adds the room, takes out what is below hearing, brings the peak to
// -1.5 dBFS and lets the last seconds die away to exact silence.
func (m *mix) master(room, fade float64) []float64 {
	reverb(m.rate, room, m.wet)
	// one-pole high pass at 24 Hz, both channels
	a := math.Exp(-2 * math.Pi * 24 / m.rate)
	var in, out [2]float64
	peak := 1e-9
	for i := range m.dry {
		x := m.dry[i] + m.wet[i]
		c := i & 1
		out[c] = a * (out[c] + x - in[c])
		in[c] = x
		m.dry[i] = out[c]
	}
	m.fadeOut(fade)
	for _, v := range m.dry {
		peak = max(peak, math.Abs(v))
	}
	g := math.Pow(10, -1.5/20) / peak
	for i := range m.dry {
		m.dry[i] *= g
	}
	return m.dry
}

// fadeOut ends in 10 ms of silence.
func (m *mix) fadeOut(seconds float64) {
	n, rest := int(seconds*m.rate), int(0.01*m.rate)
	frames := len(m.dry) / 2
	for i := range min(n+rest, frames) {
		g := 0.0
		if i >= rest {
			g = 0.5 - 0.5*math.Cos(math.Pi*float64(i-rest)/float64(n))
		}
		f := frames - 1 - i
		m.dry[2*f] *= g
		m.dry[2*f+1] *= g
	}
}

// reverb replaces the stereo signal by the sound of a room whose echoes take
// t60 seconds to fall by 60 dB: a feedback delay network of eight lines mixed
// by a Hadamard matrix (Jot and Chaigne 1991), darker with every pass.
func reverb(rate, t60 float64, x []float64) {
	times := [8]float64{0.0297, 0.0343, 0.0391, 0.0437, 0.0483, 0.0531, 0.0589, 0.0647}
	var lines [8][]float64
	var gain, dark [8]float64
	for i, t := range times {
		lines[i] = make([]float64, int(t*rate))
		gain[i] = math.Pow(10, -3*t/t60)
	}
	tone := 1 - math.Exp(-2*math.Pi*4200/rate) // one-pole low pass at 4.2 kHz in each loop
	for f := 0; f+1 < len(x); f += 2 {
		var v [8]float64
		frame := f / 2
		for i := range v {
			y := lines[i][frame%len(lines[i])]
			dark[i] += tone * (y - dark[i])
			v[i] = dark[i]
		}
		l := v[0] + v[2] - v[4] + v[6]
		r := v[1] + v[3] - v[5] + v[7]
		hadamard(&v)
		for i := range v {
			lines[i][frame%len(lines[i])] = x[f+i&1] + gain[i]*v[i]
		}
		x[f], x[f+1] = 0.5*l, 0.5*r
	}
}

// hadamard multiplies by the orthonormal 8 x 8 Hadamard matrix.
func hadamard(v *[8]float64) {
	for h := 1; h < 8; h *= 2 {
		for i := 0; i < 8; i += 2 * h {
			for j := i; j < i+h; j++ {
				v[j], v[j+h] = v[j]+v[j+h], v[j]-v[j+h]
			}
		}
	}
	for i := range v {
		v[i] /= math.Sqrt(8)
	}
}
