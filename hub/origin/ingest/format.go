package ingest

import "sonahub/hub/audio"

// sold returns the format of the broadcast made of a source: its own rate if
// that is 44.1 or 48 kHz, else the nearer relative of the two; its own depth.
func sold(f audio.Format) audio.Format {
	switch {
	case f.Rate == 44100 || f.Rate == 48000:
	case f.Rate%11025 == 0: // 11.025, 22.05, 88.2, 176.4 kHz
		f.Rate = 44100
	default:
		f.Rate = 48000
	}
	if f.Bits <= 16 {
		f.Bits = 16
	} else {
		f.Bits = 24
	}
	return f
}
