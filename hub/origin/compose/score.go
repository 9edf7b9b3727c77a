package compose

// The four scores. Keys are MIDI numbers (60 = middle C); a bar is counted
// from 0. The chords are voiced by hand so that the voices move by step.

// firstLight: D major, 72 to the minute. Chords swell, strings run through
// them, and from the fifth bar a bell sings above.
func firstLight(m *mix) {
	const beat = 60.0 / 72
	chords := [][]int{
		{50, 57, 61, 64, 66}, // Dmaj9
		{47, 54, 57, 62, 66}, // Bm7
		{43, 54, 59, 62, 66}, // Gmaj7
		{45, 52, 59, 62, 64}, // A9sus4
		{50, 57, 61, 64, 69}, // Dmaj9
		{42, 52, 57, 61, 64}, // F#m7
		{43, 54, 57, 59, 66}, // Gmaj9
		{45, 55, 59, 61, 64}, // A9
		{38, 57, 61, 64, 66}, // Dmaj9
		{38, 57, 62, 66, 69}, // D
	}
	order := []int{1, 3, 2, 4, 3, 2, 4, 2}
	for bar, c := range chords {
		t := float64(bar) * 4 * beat
		for i, k := range c[1:] {
			m.place(t, 0.16, -0.6+0.4*float64(i), 0.5, m.pad(k, 4.6*beat))
		}
		m.place(t, 0.34, 0, 0.1, m.bass(c[0], 3.8*beat))
		if bar == len(chords)-1 { // the last chord is spread slowly upwards
			for i, k := range []int{62, 66, 69, 74, 78, 81} {
				m.place(t+0.42*float64(i), 0.36, -0.5+0.2*float64(i), 0.45, m.pluck(k, 0.4, 4))
			}
			continue
		}
		for i, o := range order {
			late := 0.012 * float64(i%2) // a human right hand
			m.place(t+float64(i)*beat/2+late, 0.30-0.05*float64(i%2), 0.55-1.1*float64(o-1)/3, 0.35,
				m.pluck(c[o]+12, 0.35+0.03*float64(bar), 2.6))
		}
	}
	melody := []struct {
		beat float64
		key  int
	}{{16, 78}, {17.5, 76}, {18, 74}, {20, 73}, {22, 76}, {24, 78}, {25.5, 81}, {26, 83}, {28, 81}, {29.5, 79}, {30, 76}, {32, 78}, {34, 74}}
	for _, n := range melody {
		m.place(n.beat*beat, 0.24, 0.15, 0.6, m.bell(n.key, 3.4))
	}
}

// copperRain: A dorian, 96 to the minute. Three drops against four over a
// low drone; a soft kick and a shaker come in with the fifth bar.
func copperRain(m *mix) {
	const beat = 60.0 / 96
	chords := [][]int{
		{45, 60, 64, 67, 71}, // Am9
		{45, 60, 62, 66, 69}, // D/A
		{43, 59, 62, 66, 69}, // Gmaj9
		{40, 59, 62, 64, 67}, // Em7
	}
	for bar := range 14 {
		c, t := chords[bar%4], float64(bar)*4*beat
		last := bar >= 12
		m.place(t, 0.26, 0, 0.08, m.bass(c[0], 3.9*beat))
		for i := range 16 { // four to the beat
			if last && i > 8-4*(bar-12) {
				break
			}
			if i%3 == 2 { // the gaps make it three against four
				continue
			}
			k := c[1+(i*3+bar)%4] + 12*((i/5)%2)
			m.place(t+float64(i)*beat/4, 0.36+0.16*float64((i+1)%3%2), -0.7+1.4*float64((i*5)%16)/15, 0.3,
				m.pluck(k, 0.5+0.2*float64(bar%4)/3, 1.5))
		}
		if bar >= 2 && bar < 12 {
			for _, k := range c[1:] {
				m.place(t, 0.06, 0.3, 0.5, m.pad(k-12, 4.3*beat))
			}
		}
		if bar < 4 || last {
			continue
		}
		for i := range 8 {
			at := t + float64(i)*beat/2
			if i == 0 || i == 5 {
				m.place(at, 0.30, 0, 0.05, m.kick())
			}
			m.place(at, 0.05+0.04*float64(i%2), 0.35, 0.15, m.brush(6800, 0.02, 0.09))
		}
		if bar%2 == 1 {
			m.place(t+3*beat, 0.16, -0.4, 0.6, m.bell(c[4]+12, 2.6))
			m.place(t+3.5*beat, 0.13, 0.4, 0.6, m.bell(c[3]+12, 2.6))
		}
	}
	for i, k := range []int{57, 64, 69, 71, 76} { // it dries up on an open Am9
		m.place(13.5*4*beat+0.2*float64(i), 0.40, -0.4+0.2*float64(i), 0.5, m.pluck(k, 0.4, 4.5))
	}
}

// paperBoats: a waltz in F for a music box, 108 to the minute.
func paperBoats(m *mix) {
	const beat = 60.0 / 108
	bars := []struct {
		bass  int
		chord [2]int
		tune  [3]int // 0 = the tone before rings on
	}{
		{41, [2]int{60, 69}, [3]int{77, 0, 81}}, {48, [2]int{60, 67}, [3]int{79, 76, 72}},
		{50, [2]int{62, 69}, [3]int{74, 0, 77}}, {46, [2]int{62, 65}, [3]int{77, 74, 70}},
		{41, [2]int{60, 69}, [3]int{72, 77, 81}}, {45, [2]int{60, 67}, [3]int{84, 0, 79}},
		{46, [2]int{62, 65}, [3]int{82, 81, 77}}, {48, [2]int{58, 64}, [3]int{79, 0, 0}},
		{50, [2]int{65, 69}, [3]int{81, 0, 86}}, {45, [2]int{60, 64}, [3]int{84, 81, 76}},
		{46, [2]int{62, 65}, [3]int{77, 0, 82}}, {41, [2]int{60, 65}, [3]int{81, 77, 72}},
		{43, [2]int{58, 65}, [3]int{74, 79, 82}}, {48, [2]int{60, 65}, [3]int{81, 0, 79}},
		{48, [2]int{58, 64}, [3]int{76, 0, 79}}, {41, [2]int{60, 69}, [3]int{77, 0, 0}},
	}
	at := 0.25
	for i, b := range bars {
		step := beat
		if slow := i - 12; slow > 0 { // the spring runs down
			step *= 1 + 0.07*float64(slow)
		}
		m.place(at, 0.40, -0.1, 0.2, m.bass(b.bass, 2.6*step))
		for j := 1; j <= 2; j++ {
			for k, c := range b.chord {
				m.place(at+float64(j)*step+0.008*float64(k), 0.17, -0.5+0.9*float64(k), 0.35, m.pluck(c, 0.3, 1.2))
			}
		}
		for j, k := range b.tune {
			if k == 0 {
				continue
			}
			m.place(at+float64(j)*step, 0.30, 0.2, 0.4, m.bell(k, 2.2))
			if i >= 8 && j == 0 { // a second comb joins a third below
				m.place(at+0.01, 0.13, -0.45, 0.5, m.bell(k-12, 2.2))
			}
		}
		at += 3 * step
	}
	for i, k := range []int{65, 69, 72, 77, 84, 89} {
		m.place(at-1.2+0.16*float64(i), 0.20, -0.5+0.2*float64(i), 0.5, m.bell(k, 3))
	}
}

// nightTram: E flat, 84 to the minute, swung. Electric piano, a walking bass
// and brushes, on the last ride home.
func nightTram(m *mix) {
	const beat, swing = 60.0 / 84, 0.64
	bars := []struct{ chord, walk []int }{
		{[]int{55, 58, 62, 65}, []int{39, 46, 43, 41}}, // Ebmaj9
		{[]int{55, 58, 62, 63}, []int{36, 43, 39, 40}}, // Cm9
		{[]int{56, 60, 63, 67}, []int{41, 48, 44, 45}}, // Fm9
		{[]int{56, 60, 62, 67}, []int{46, 41, 38, 40}}, // Bb13
		{[]int{53, 58, 62, 65}, []int{43, 38, 41, 42}}, // Gm7
		{[]int{52, 58, 61, 67}, []int{36, 40, 43, 40}}, // C7b9
		{[]int{51, 56, 60, 67}, []int{41, 44, 48, 47}}, // Fm9
		{[]int{51, 56, 60, 65}, []int{46, 48, 41, 38}}, // Bb9sus4
		{[]int{55, 58, 62, 65}, []int{39, 43, 46, 48}}, // Ebmaj9
		{[]int{55, 59, 62, 66}, []int{44, 51, 48, 45}}, // Abm6, the tunnel
		{[]int{55, 58, 62, 65}, []int{46, 41, 43, 38}}, // Eb/Bb
		{[]int{55, 58, 62, 65, 70}, []int{39}},         // Ebmaj9
	}
	for bar, b := range bars {
		t := float64(bar) * 4 * beat
		if bar == len(bars)-1 {
			for i, k := range b.chord {
				m.place(t+0.11*float64(i), 0.24, -0.4+0.2*float64(i), 0.4, m.keys(k, 5.5, 0.45))
			}
			m.place(t, 0.40, 0, 0.05, m.bass(b.walk[0], 4))
			m.place(t+3*beat, 0.14, 0.3, 0.7, m.bell(82, 4))
			break
		}
		hits := []struct{ at, long, vel float64 }{{0, 1.4, 0.75}, {1 + swing, 1.9, 0.5}}
		if bar%2 == 1 {
			hits = []struct{ at, long, vel float64 }{{swing, 1.2, 0.6}, {2 + swing, 1.2, 0.45}}
		}
		for _, h := range hits {
			for i, k := range b.chord {
				m.place(t+h.at*beat+0.006*float64(i), 0.13+0.08*h.vel, -0.45+0.3*float64(i), 0.3, m.keys(k, h.long*beat, h.vel))
			}
		}
		for i, k := range b.walk {
			m.place(t+float64(i)*beat, 0.42, -0.05, 0.04, m.bass(k, 0.95*beat))
		}
		for i := range 4 {
			at := t + float64(i)*beat
			m.place(at, 0.07, 0.4, 0.2, m.brush(7200, 0.015, 0.12))
			if i%2 == 1 {
				m.place(at+swing*beat, 0.06, 0.4, 0.2, m.brush(7200, 0.01, 0.07))
				m.place(at, 0.14, -0.3, 0.25, m.brush(1900, 0.05, 0.22))
			}
		}
	}
	lead := []struct {
		beat float64
		key  int
	}{{9, 79}, {9 + swing, 77}, {10, 75}, {11 + swing, 72}, {13, 74}, {14 + swing, 70}, {17, 77}, {17 + swing, 79}, {18, 82}, {20 + swing, 80},
		{21 + swing, 79}, {23, 76}, {25, 75}, {25 + swing, 77}, {26 + swing, 79}, {29, 77}, {30 + swing, 72}, {32, 74}, {34 + swing, 79}, {37, 78}, {38 + swing, 74}, {41, 70}, {42 + swing, 74}}
	for _, n := range lead {
		m.place(n.beat*beat, 0.22, 0.1, 0.45, m.keys(n.key, 1.6*beat, 0.9))
	}
}
