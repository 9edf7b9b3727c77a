// Package opus makes and reads the Opus rungs of a broadcast (RFC 6716), at
// 48 kHz in packets of 20 ms.
//
// A segment decodes alone: fresh encoder, fresh decoder. Around its body it
// carries context, so that a receiver can resample and cross-fade at the
// seams with real sound from this segment only:
//
//	encoder delay   left context      body        right context
//	|----- 312 -----|----- 960 -----|-- frames --|--- at least 648 ---|
//	|---------- pre-skip -----------|
//
// The delay is what every Opus encoder of this kind adds; what the decoder
// gives there is no sound. Left context is silence at the beginning of a
// track, right context at its end. The codec is github.com/thesyncim/gopus;
// its panics end here.
package opus

import (
	"errors"
	"fmt"

	"github.com/thesyncim/gopus"

	"sonahub/hub/audio"
)

// Shape of a segment, in frames at 48 kHz.
const (
	Rate         = audio.Rate(48000)
	FrameSize    = 960 // a packet
	Delay        = 312 // of the encoder
	LeftContext  = 960
	RightContext = 960 // given to Encode; all but Delay of it comes back
	PreSkip      = Delay + LeftContext
)

const (
	maxPacket  = 1275 // bytes of one Opus frame, RFC 6716 section 3.4
	maxPreSkip = 5760
	maxFrames  = 60 * int(Rate) // of one segment
	minBitrate = 6000
	maxBitrate = 510000
)

// ErrCorrupt is wrapped by every refusal of a segment.
var ErrCorrupt = errors.New("opus: corrupt segment")

// Segment is sound with its context: interleaved, full scale +-1, 48 kHz.
type Segment struct {
	Channels          int // 1 or 2
	Left, Body, Right []float64
}

// Encode returns the packets of a segment at about that many bits a second,
// and the frames in front of its body (PreSkip). Of Left the end counts and
// of Right the beginning; what is missing is silence.
func Encode(bps int, s Segment) (packets [][]byte, preSkip int, err error) {
	if s.Channels < 1 || s.Channels > 2 || len(s.Body)%s.Channels != 0 || len(s.Body) == 0 || len(s.Body) > maxFrames*s.Channels {
		return nil, 0, fmt.Errorf("opus: a body of %d samples in %d channels", len(s.Body), s.Channels)
	}
	if bps < minBitrate || bps > maxBitrate {
		return nil, 0, fmt.Errorf("opus: %d bit/s", bps)
	}
	defer func() {
		if r := recover(); r != nil {
			packets, err = nil, fmt.Errorf("opus: encoder gave up: %v", r)
		}
	}()
	enc, err := newEncoder(bps, s.Channels)
	if err != nil {
		return nil, 0, fmt.Errorf("opus: encoder: %w", err)
	}
	pcm := s.line()
	buf := make([]byte, maxPacket)
	for ; len(pcm) > 0; pcm = pcm[FrameSize*s.Channels:] {
		n, err := enc.Encode(pcm[:FrameSize*s.Channels], buf)
		if err != nil {
			return nil, 0, fmt.Errorf("opus: encode: %w", err)
		}
		packets = append(packets, append([]byte(nil), buf[:n]...))
	}
	return packets, PreSkip, nil
}

// newEncoder sets up constant bit rate, so that a segment's size says nothing
// about the sound in it and an edge can plan with it.
func newEncoder(bps, channels int) (*gopus.Encoder, error) {
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: int(Rate), Channels: channels, Application: gopus.ApplicationAudio})
	if err != nil {
		return nil, err
	}
	return enc, errors.Join(
		enc.SetBitrate(bps),
		enc.SetBitrateMode(gopus.BitrateModeCBR),
		enc.SetComplexity(10),
		enc.SetSignal(gopus.SignalMusic),
		enc.SetFrameSize(FrameSize),
	)
}

// line puts context and body in a row of whole packets.
func (s Segment) line() []float32 {
	ch := s.Channels
	left := s.Left[max(0, len(s.Left)-LeftContext*ch):]
	right := s.Right[:min(len(s.Right), RightContext*ch)]
	total := LeftContext + len(s.Body)/ch + RightContext
	total = (total + FrameSize - 1) / FrameSize * FrameSize
	out := make([]float32, total*ch)
	put := func(at int, x []float64) {
		for i, v := range x {
			out[at+i] = float32(v)
		}
	}
	put(LeftContext*ch-len(left), left)
	put(LeftContext*ch, s.Body)
	put(LeftContext*ch+len(s.Body), right)
	return out
}

// Decode returns a segment's body of exactly that many frames, with what
// context came along: of the left all but the encoder's delay, of the right
// all that is left. Errors wrap ErrCorrupt. Memory is bounded by frames,
// which must come from what the caller trusts.
func Decode(channels int, packets [][]byte, preSkip, frames int) (s Segment, err error) {
	if err := check(channels, packets, preSkip, frames); err != nil {
		return Segment{}, err
	}
	pcm, err := decode(channels, packets)
	if err != nil {
		return Segment{}, err
	}
	begin, end := preSkip*channels, (preSkip+frames)*channels
	return Segment{
		Channels: channels,
		Left:     pcm[min(Delay*channels, begin):begin:begin],
		Body:     pcm[begin:end:end],
		Right:    pcm[end:],
	}, nil
}

// check refuses what the numbers and the packets' own headers rule out.
func check(channels int, packets [][]byte, preSkip, frames int) error {
	if channels < 1 || channels > 2 || preSkip < 0 || preSkip > maxPreSkip || frames < 1 || frames > maxFrames {
		return fmt.Errorf("%w: %d channels, pre-skip %d, %d frames", ErrCorrupt, channels, preSkip, frames)
	}
	need := preSkip + frames
	if n := len(packets) * FrameSize; n < need || n > need+2*RightContext+FrameSize {
		return fmt.Errorf("%w: %d packets for %d frames", ErrCorrupt, len(packets), need)
	}
	for i, p := range packets {
		if len(p) > maxPacket {
			return fmt.Errorf("%w: packet %d has %d bytes", ErrCorrupt, i, len(p))
		}
		info, err := gopus.ParsePacket(p)
		if err != nil {
			return fmt.Errorf("%w: packet %d: %w", ErrCorrupt, i, err)
		}
		if n := info.FrameCount * info.TOC.FrameSize; n != FrameSize {
			return fmt.Errorf("%w: packet %d lasts %d frames", ErrCorrupt, i, n)
		}
	}
	return nil
}

// decode runs a fresh decoder over the packets. Only here do a stranger's
// bytes reach the library, so a panic of it becomes an error.
func decode(channels int, packets [][]byte) (pcm []float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			pcm, err = nil, fmt.Errorf("%w: decoder gave up: %v", ErrCorrupt, r)
		}
	}()
	dec, err := gopus.NewDecoder(gopus.DecoderConfig{SampleRate: int(Rate), Channels: channels,
		MaxPacketSamples: FrameSize, MaxPacketBytes: maxPacket})
	if err != nil {
		return nil, fmt.Errorf("opus: decoder: %w", err)
	}
	pcm = make([]float64, 0, len(packets)*FrameSize*channels)
	buf := make([]float32, FrameSize*channels)
	for i, p := range packets {
		n, err := dec.Decode(p, buf)
		if err != nil {
			return nil, fmt.Errorf("%w: packet %d: %w", ErrCorrupt, i, err)
		}
		if n != FrameSize {
			return nil, fmt.Errorf("%w: packet %d gave %d frames", ErrCorrupt, i, n)
		}
		for _, v := range buf {
			// Written so that NaN fails too: hostile packets must not pass it on.
			if !(v > -limit && v < limit) {
				return nil, fmt.Errorf("%w: packet %d decodes to %v", ErrCorrupt, i, v)
			}
			pcm = append(pcm, float64(v))
		}
	}
	return pcm, nil
}

// limit is beyond what an encoder's overshoot can reach.
const limit = 64
