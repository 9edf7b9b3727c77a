package codec

import (
	"sonahub/hub/audio"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/audio/codec/opus"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/resample"
)

// Encoder makes a broadcast's segments. One goroutine at a time.
type Encoder struct {
	f      audio.Format
	flac   flac.Encoder
	filter *resample.Filter // to 48 kHz, nil if the broadcast has it
}

// NewEncoder prepares the encoder of a broadcast: 44.1 or 48 kHz, 1 or 2
// channels, 16 or 24 bit.
func NewEncoder(f audio.Format) (*Encoder, error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	filter, err := opusFilter(f.Rate, opus.Rate)
	if err != nil {
		return nil, err
	}
	return &Encoder{f: f, flac: flac.Encoder{Format: f}, filter: filter}, nil
}

// FLAC returns a lossless segment, one FLAC frame a packet.
func (e *Encoder) FLAC(pcm []int32) (packets [][]byte, err error) { return e.flac.Segment(pcm) }

// Opus returns a segment of about that many bits a second, and the frames at
// 48 kHz that come before its body. left and right are up to Context frames
// of the track before and after the body, interleaved like it; at the track's
// ends there are fewer or none.
func (e *Encoder) Opus(bps int, left, body, right []int32) (packets [][]byte, preSkip int, err error) {
	ch := e.f.Channels
	l, b, r := e.float(left[max(0, len(left)-Context*ch):]), e.float(body), e.float(right[:min(len(right), Context*ch)])
	if e.filter == nil {
		return opus.Encode(bps, opus.Segment{Channels: ch, Left: l, Body: b, Right: r})
	}
	// The grid of 20 ms before the body holds whole frames at both rates, so
	// one piece can be resampled and cut there.
	const grid = 882 // of 44.1 kHz; opus.LeftContext of 48 kHz
	if len(l) < Context*ch {
		l = append(make([]float64, Context*ch-len(l)), l...)
	}
	cut := len(l) - grid*ch
	frames := opusFrames(e.f.Rate, len(body)/ch)
	all := append(append(append([]float64{}, l[cut:]...), b...), r...)
	x := e.filter.Segment(ch, l[:cut], all, nil, opus.LeftContext+frames+opus.RightContext)
	begin, end := opus.LeftContext*ch, (opus.LeftContext+frames)*ch
	return opus.Encode(bps, opus.Segment{Channels: ch, Left: x[:begin], Body: x[begin:end], Right: x[end:]})
}

// float widens samples.
func (e *Encoder) float(pcm []int32) []float64 {
	x := make([]float64, len(pcm))
	dither.Float(x, pcm, e.f.Bits)
	return x
}
