package wire

import (
	"encoding/binary"
	"math"
	"time"

	"sonahub/hub/audio"
)

func appendI32(b []byte, v int) []byte   { return binary.LittleEndian.AppendUint32(b, uint32(v)) }
func appendI64(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }

func appendFloat(b []byte, f float64) []byte { return appendI64(b, int64(math.Float64bits(f))) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendText cuts what is too long.
func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), MaxText)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendLine(b []byte, t audio.Timeline) []byte {
	return appendI32(appendI64(appendI64(b, int64(t.Zero)), int64(t.At)), int(t.Rate))
}

func (m *Hello) append(b []byte) []byte {
	return appendI32(binary.LittleEndian.AppendUint16(b, m.Version), int(m.Rate))
}

func (m *Hello) parse(p *parser) { m.Version, m.Rate = p.u16(), p.rate() }

func (m *Start) append(b []byte) []byte {
	b = appendI64(b, m.Run)
	b = appendI32(appendI32(appendI32(b, int(m.Format.Rate)), m.Format.Channels), m.Format.Bits)
	return appendLine(b, m.Line)
}

func (m *Start) parse(p *parser) {
	m.Run = p.i64()
	m.Format = audio.Format{Rate: p.rate(), Channels: p.i32(), Bits: p.i32()}
	m.Line = p.line()
	p.bad = p.bad || m.Format.Validate() != nil
}

func (m *Block) append(b []byte) []byte {
	b = appendI64(b, int64(m.At))
	for _, s := range m.PCM {
		b = appendI32(b, int(s))
	}
	return b
}

func (m *Block) parse(p *parser) {
	m.At = audio.Pos(p.i64())
	if p.bad || len(p.b)%4 != 0 || len(p.b) > 4*MaxSamples {
		p.bad = true
		return
	}
	m.PCM = make([]int32, len(p.b)/4)
	for i := range m.PCM {
		m.PCM[i] = int32(binary.LittleEndian.Uint32(p.b[4*i:]))
	}
	p.b = nil
}

func (m *Flush) append(b []byte) []byte { return appendLine(b, m.Line) }
func (m *Flush) parse(p *parser)        { m.Line = p.line() }

func (m *Gain) append(b []byte) []byte { return appendFloat(b, float64(m.Gain)) }
func (m *Gain) parse(p *parser)        { m.Gain = audio.Gain(p.float()) }

func (m *Opened) append(b []byte) []byte {
	b = appendText(b, m.Name)
	b = appendI64(appendI32(appendI32(b, int(m.Rate)), m.Bits), int64(m.Latency))
	return appendText(b, m.Inexact)
}

func (m *Opened) parse(p *parser) {
	m.Name = p.text()
	m.Rate, m.Bits, m.Latency = p.rate(), p.i32(), time.Duration(p.i64())
	m.Inexact = p.text()
}

func (m *Failed) append(b []byte) []byte { return appendText(b, m.Why) }
func (m *Failed) parse(p *parser)        { m.Why = p.text() }

func (m *Report) append(b []byte) []byte {
	b = appendI64(appendI64(appendI64(b, int64(m.At)), m.Run), int64(m.Heard))
	b = appendBool(appendBool(b, m.Settled), m.Playing)
	b = appendFloat(appendI64(b, int64(m.Late)), m.PPM)
	b = appendI64(appendI64(b, int64(m.Missing)), m.Slips)
	return appendText(b, m.Inexact)
}

func (m *Report) parse(p *parser) {
	m.At, m.Run, m.Heard = audio.Instant(p.i64()), p.i64(), audio.Pos(p.i64())
	m.Settled, m.Playing = p.bool(), p.bool()
	m.Late, m.PPM = time.Duration(p.i64()), p.float()
	m.Missing, m.Slips = audio.Pos(p.i64()), p.i64()
	m.Inexact = p.text()
}
