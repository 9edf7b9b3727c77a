package airplay

import (
	"time"

	"sonahub/airplay/alac"
	"sonahub/airplay/rtp"
	"sonahub/hub/audio"
	"sonahub/hub/audio/playout"
)

// Sizes of the packet grid.
const (
	ringSize = 1024            // packets kept for retransmission: 8 s
	maxGap   = 5 * time.Second // a longer silence ends the epoch
	snap     = 2               // frames by which a run may miss the end of the one before it
)

// epoch is a stretch of packets on one unbroken clock: frame first*352 sounds
// at zero and the rest follow by the rate. A receiver is told of it by
// synchronisation packets, and must forget all packets of the epoch before.
type epoch struct {
	first int64 // packet
	zero  audio.Instant
	base  map[int]int64 // serial of a playout segment -> wire frame of its first position
	quiet int           // packets without a frame in a row
}

// frames counts wire frames; packet n holds frames n*352 and on.
func firstFrame(packet int64) int64 { return packet * alac.FrameLength }

// instant returns when a wire frame sounds.
func (e *epoch) instant(frame int64) audio.Instant {
	t := audio.Timeline{Zero: e.zero, Rate: rtp.Rate}
	return t.Instant(audio.Pos(frame - firstFrame(e.first)))
}

// frameAt returns the wire frame that sounds at instant i.
func (e *epoch) frameAt(i audio.Instant) int64 {
	t := audio.Timeline{Zero: e.zero, Rate: rtp.Rate}
	return firstFrame(e.first) + int64(t.Pos(i))
}

// place returns the wire frame of a segment's first position. It is settled
// once; at is how far the wire has been filled.
func (e *epoch) place(s playout.Segment, at int64) int64 {
	if base, ok := e.base[s.Serial]; ok {
		return base
	}
	half := (time.Second / time.Duration(2*rtp.Rate))
	base := e.frameAt(s.Line.Zero.Add(half))
	if base < at && at-base <= snap {
		base = at
	}
	e.base[s.Serial] = base
	return base
}

// grid cuts what is to be played into packets and keeps those that were made.
type grid struct {
	play    playout.Playout // wire format, on the wire's timelines
	serial  int             // segment of play that is being read
	epoch   *epoch          // nil: nothing on the wire
	head    int64           // next packet to be made
	encoder alac.Encoder
	frame   alac.Frame
	ring    [ringSize][]byte
	seq     uint16 // sequence number and RTP time of packet 0, random
	time    uint32
	ssrc    uint32
}

func (g *grid) seqOf(packet int64) uint16  { return g.seq + uint16(packet) }
func (g *grid) timeOf(packet int64) uint32 { return g.timeOfFrame(firstFrame(packet)) }

func (g *grid) timeOfFrame(frame int64) uint32 { return g.time + uint32(frame) }

// packet returns a packet that was made, nil if it is gone or not made yet.
func (g *grid) packet(n int64) []byte {
	if n < 0 || n >= g.head || n < g.head-ringSize {
		return nil
	}
	return g.ring[n%ringSize]
}

// bySeq finds a packet by its sequence number among the last ones made.
func (g *grid) bySeq(seq uint16) []byte {
	back := g.seqOf(g.head) - seq // 1 = the last one made
	return g.packet(g.head - int64(back))
}

// known fills g.frame with the next packet's sound as far as it was handed in
// and returns how many frames that is. Intended silence counts as known.
func (g *grid) known() int {
	clear(g.frame[:])
	at, end := firstFrame(g.head), firstFrame(g.head+1)
	w := at
	for w < end {
		s, ok := g.play.Segment(g.serial)
		if !ok {
			break
		}
		written, base := g.play.Written(s), g.epoch.place(s, w)
		pos := s.Line.At + audio.Pos(w-base)
		switch {
		case pos >= s.To:
			if _, more := g.play.Segment(s.Serial + 1); !more {
				return int(w - at)
			}
			g.serial = s.Serial + 1
		case w < base && (written == s.Line.At || base-w > int64(rtp.Rate.Frames(maxGap))):
			return int(w - at)
		case w < base:
			w = min(base, end)
		case pos >= written:
			return int(w - at)
		default:
			pcm, n := g.play.Read(s.Run, pos, min(written, pos+audio.Pos(end-w)))
			g.copy(int(w-at), pcm, s.Format)
			w += int64(n)
		}
	}
	return int(w - at)
}

// copy lays samples into the packet from frame at on. Fewer bits are shifted
// up, which loses nothing; mono sounds on both sides.
func (g *grid) copy(at int, pcm []int32, f audio.Format) {
	up := wireBits - f.Bits
	if f.Channels == 2 {
		for i, s := range pcm {
			g.frame[2*at+i] = int16(s << up)
		}
		return
	}
	for i, s := range pcm {
		g.frame[2*(at+i)] = int16(s << up)
		g.frame[2*(at+i)+1] = int16(s << up)
	}
}

// encode makes the next packet out of g.frame.
func (g *grid) encode() {
	packet := rtp.Audio{Seq: g.seqOf(g.head), Time: g.timeOf(g.head), SSRC: g.ssrc}.
		Append(make([]byte, 0, rtp.HeaderLen+alac.MaxSize))
	g.ring[g.head%ringSize] = g.encoder.Encode(packet, &g.frame)
	g.head++
}

// open begins an epoch with the first position that can still be heard, if
// there is one to be sent by now. It returns when to ask again, 0 = not before
// something is written. The first packet is silence: shairport-sync settles
// its output with it and alters its samples by dither.
func (g *grid) open(now audio.Instant, ahead time.Duration) (again audio.Instant) {
	s, ok := g.play.Segment(g.serial)
	for ok && s.To != playout.Open && s.Line.Instant(s.To) <= now {
		s, ok = g.play.Segment(s.Serial + 1)
	}
	if !ok || g.play.Written(s) <= s.Line.At {
		return 0
	}
	if due := s.Line.Zero.Add(-ahead); due > now {
		return due
	}
	pos := max(s.Line.At, s.Line.Pos(now))
	if pos >= g.play.Written(s) {
		return 0
	}
	g.serial = s.Serial
	length := audio.Pos(alac.FrameLength).Duration(rtp.Rate)
	g.epoch = &epoch{first: g.head, zero: s.Line.Instant(pos).Add(-length),
		base: map[int]int64{s.Serial: firstFrame(g.head+1) - int64(pos-s.Line.At)}}
	return now
}

// withdrawn returns when the first frame sounds that is already in a packet
// and that a flush of the present run from position from would take back.
func (g *grid) withdrawn(from audio.Pos) (when audio.Instant, ok bool) {
	current, started := g.play.Current()
	if g.epoch == nil || !started {
		return 0, false
	}
	for serial, base := range g.epoch.base {
		s, found := g.play.Segment(serial)
		if !found || s.Serial != serial || s.Run != current.Run || s.To <= from {
			continue
		}
		frame := base + int64(max(from, s.Line.At)-s.Line.At)
		if frame >= firstFrame(g.head) {
			continue
		}
		if i := g.epoch.instant(frame); !ok || i < when {
			when, ok = i, true
		}
	}
	return when, ok
}
