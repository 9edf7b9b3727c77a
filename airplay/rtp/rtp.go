// Package rtp holds the UDP packets of AirPlay 1 (RAOP): audio, clock
// synchronisation, timing and retransmission.
//
// Layouts are those that shairport-sync reads and OwnTone writes (both agree
// with RFC 3550 where they look like it). Everything here is pure: bytes in,
// values out, and nothing longer than a datagram is ever read.
package rtp

import (
	"encoding/binary"
	"time"

	"sonahub/hub/audio"
)

// Lengths of packets and headers in bytes.
const (
	HeaderLen     = 12 // before the sound in an audio packet
	SyncLen       = 20
	TimingLen     = 32
	RetransmitLen = 8
	resentLen     = 4 // before the whole original packet in an answer
)

// Rate is the one rate of AirPlay 1, frames per second.
const Rate = audio.Rate(44100)

// FixedLatency is what a receiver adds to every sync packet of kind 00 07, in
// frames.
const FixedLatency = 11025

// Packet types, without the marker bit.
const (
	typeTimingRequest = 0x52
	typeTimingReply   = 0x53
	typeSync          = 0x54
	typeRetransmit    = 0x55
	typeResent        = 0x56
	typeAudio         = 0x60
	marker            = 0x80
	version           = 0x80
	extension         = 0x10
)

// NTP is a time in seconds and binary fractions, 32.32 fixed point. Ours
// counts from the hub clock's zero; any steady clock does.
type NTP uint64

// NTPOf returns i rounded to the next fraction, so that i survives the way
// back through truncation to nanoseconds.
func NTPOf(i audio.Instant) NTP {
	s, ns := uint64(i)/uint64(time.Second), uint64(i)%uint64(time.Second)
	return NTP(s<<32 | (ns<<32+uint64(time.Second)-1)/uint64(time.Second))
}

// Audio is the header of an audio packet.
type Audio struct {
	First bool   // first packet after a start or a flush
	Seq   uint16 // counts packets
	Time  uint32 // counts frames
	SSRC  uint32
}

// Append writes the header.
func (a Audio) Append(dst []byte) []byte {
	kind := byte(typeAudio)
	if a.First {
		kind |= marker
	}
	dst = append(dst, version, kind)
	dst = binary.BigEndian.AppendUint16(dst, a.Seq)
	dst = binary.BigEndian.AppendUint32(dst, a.Time)
	return binary.BigEndian.AppendUint32(dst, a.SSRC)
}

// MarkFirst returns a copy of a packet with Audio.First set.
func MarkFirst(packet []byte) []byte {
	packet = append([]byte(nil), packet...)
	packet[1] |= marker
	return packet
}

// Sync ties frames to the sender's clock: frame Frame sounds FixedLatency
// after At.
type Sync struct {
	First bool   // nothing sounded before it since a start or a flush
	Frame uint32 // RTP time
	At    NTP
	Next  uint32 // RTP time of what is sent about now; Next-Frame tells the receiver how much is on its way
}

// Append writes the packet.
func (s Sync) Append(dst []byte) []byte {
	head := byte(version)
	if s.First {
		head |= extension
	}
	dst = append(dst, head, typeSync|marker, 0, 7)
	dst = binary.BigEndian.AppendUint32(dst, s.Frame)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.At))
	return binary.BigEndian.AppendUint32(dst, s.Next)
}

// TimingReply answers a receiver's timing request, or reports that b is none.
// received and sent are read from the clock as close to the wire as can be.
func TimingReply(dst, b []byte, received, sent NTP) ([]byte, bool) {
	if len(b) < TimingLen || b[0]&0xc0 != version || b[1]&^marker != typeTimingRequest {
		return dst, false
	}
	dst = append(dst, version, typeTimingReply|marker, b[2], b[3], 0, 0, 0, 0)
	dst = append(dst, b[24:32]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(received))
	return binary.BigEndian.AppendUint64(dst, uint64(sent)), true
}

// Retransmit is a receiver's wish to have Count packets from Seq again.
type Retransmit struct{ Seq, Count uint16 }

// ParseRetransmit reads a request, or reports that b is none.
func ParseRetransmit(b []byte) (Retransmit, bool) {
	if len(b) < RetransmitLen || b[0]&0xc0 != version || b[1]&^marker != typeRetransmit {
		return Retransmit{}, false
	}
	return Retransmit{Seq: binary.BigEndian.Uint16(b[4:]), Count: binary.BigEndian.Uint16(b[6:])}, true
}

// AppendResent writes the answer that carries the whole original packet.
func AppendResent(dst, packet []byte) []byte {
	dst = append(dst, version, typeResent|marker, 0, 1)
	return append(dst, packet...)
}
