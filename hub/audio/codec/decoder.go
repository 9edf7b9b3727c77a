package codec

import (
	"fmt"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/audio/codec/opus"
	"sonahub/hub/audio/dither"
	"sonahub/hub/audio/resample"
)

// Decoder turns segments into a broadcast's sound. Positions may jump, as
// after a seek; a segment that begins where the last one ended is joined to
// it. A segment that is refused changes nothing: another one for the same
// place joins as the first would have. One goroutine at a time.
type Decoder struct {
	f      audio.Format
	filter *resample.Filter // from 48 kHz, nil if the broadcast has it
	out    dither.TPDF
	fade   int // frames

	next audio.Pos // end of the last segment
	tail []float64 // what an Opus segment decoded beyond its end, in the broadcast's rate
	past []float64 // the last frames of a FLAC segment
}

// NewDecoder prepares the decoder of a broadcast: 44.1 or 48 kHz, 1 or 2
// channels, 16 or 24 bit.
func NewDecoder(f audio.Format) (*Decoder, error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	filter, err := opusFilter(opus.Rate, f.Rate)
	if err != nil {
		return nil, err
	}
	return &Decoder{f: f, filter: filter, out: dither.TPDF{Bits: f.Bits}, fade: int(f.Rate.Frames(fadeTime))}, nil
}

// FLAC decodes a lossless segment of exactly that many frames at a position.
// Only after an Opus segment are its first 5 ms other than encoded.
func (d *Decoder) FLAC(at audio.Pos, packets [][]byte, frames int) (*audio.Block, error) {
	tail, _ := d.before(at)
	pcm, err := flac.DecodeSegment(d.f, packets, frames)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSegment, err)
	}
	span := min(len(pcm), d.fade*d.f.Channels)
	if tail != nil {
		x := d.float(pcm[:span])
		Crossfade(tail, x, d.f.Channels, d.fade)
		d.out.Quantize(pcm[:span], x)
	}
	d.next, d.tail, d.past = at+audio.Pos(frames), nil, d.float(pcm[len(pcm)-span:])
	return &audio.Block{Format: d.f, At: at, PCM: pcm}, nil
}

// Opus decodes an Opus segment of exactly that many frames of the broadcast
// at a position. preSkip counts frames at 48 kHz.
func (d *Decoder) Opus(at audio.Pos, packets [][]byte, preSkip, frames int) (*audio.Block, error) {
	tail, past := d.before(at)
	ch := d.f.Channels
	if frames < 1 || frames > maxSeconds*int(d.f.Rate) {
		return nil, fmt.Errorf("%w: %d frames", ErrSegment, frames)
	}
	s, err := opus.Decode(ch, packets, preSkip, opusFrames(d.f.Rate, frames))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSegment, err)
	}
	if d.filter != nil {
		s = d.resample(s, frames)
	}
	if past != nil {
		tail = mirrorTail(past, s.Left, s.Body, ch)
	}
	Crossfade(tail, s.Body, ch, d.fade)
	pcm := make([]int32, len(s.Body))
	d.out.Quantize(pcm, s.Body)
	d.next, d.tail, d.past = at+audio.Pos(frames), s.Right[:min(len(s.Right), d.fade*ch)], nil
	return &audio.Block{Format: d.f, At: at, PCM: pcm}, nil
}

// resample brings a segment to the broadcast's rate. Of the context it keeps
// what the filter makes of real sound alone.
func (d *Decoder) resample(s opus.Segment, frames int) opus.Segment {
	// The 20 ms before the body hold whole frames at both rates, so that the
	// phase at the body's beginning is zero if it is there.
	ch, lead := s.Channels, 0
	far := s.Left
	if n := len(s.Left) - opus.LeftContext*ch; n >= 0 {
		lead, far = int(d.f.Rate)/50, s.Left[:n]
	}
	tail := (len(s.Right)/ch - d.filter.Reach()) * int(d.f.Rate) / int(opus.Rate)
	tail = max(0, min(d.fade, tail))
	body := append(append([]float64{}, s.Left[len(far):]...), s.Body...)
	x := d.filter.Segment(ch, far, body, s.Right, lead+frames+tail)
	begin, end := lead*ch, (lead+frames)*ch
	return opus.Segment{Channels: ch, Left: x[:begin:begin], Body: x[begin:end:end], Right: x[end:]}
}

// mirrorTail guesses how a FLAC segment would have gone on. Before the seam
// both codings are known, and so is their difference; the guess is that it
// goes on as its own mirror image. Faded out, it lets the coding error begin
// at zero instead of with a step.
func mirrorTail(past, left, body []float64, channels int) (tail []float64) {
	frames := min(len(past), len(left), len(body)) / channels
	for i := range frames {
		for c := range channels {
			back := (i+1)*channels - c
			tail = append(tail, body[i*channels+c]-(left[len(left)-back]-past[len(past)-back]))
		}
	}
	return tail
}

// before returns what is known of the segment that ends at a position.
func (d *Decoder) before(at audio.Pos) (tail, past []float64) {
	if at != d.next {
		return nil, nil
	}
	return d.tail, d.past
}

// float widens samples.
func (d *Decoder) float(pcm []int32) []float64 {
	x := make([]float64, len(pcm))
	dither.Float(x, pcm, d.f.Bits)
	return x
}

// Clipped returns how many samples exceeded full scale so far. Lossy coding
// of loud music overshoots now and then.
func (d *Decoder) Clipped() int64 { return d.out.Clipped() }
