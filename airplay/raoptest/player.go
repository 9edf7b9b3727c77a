package raoptest

import (
	"encoding/binary"
	"sync"
	"time"

	"sonahub/hub/audio"
)

// extraLatency is what a receiver adds to every synchronisation packet.
const extraLatency = 11025

// player is the receiver's ear and memory. Its clock is the hub's plus offset;
// what it knows of the hub's clock it has from asking.
type player struct {
	offset time.Duration

	mu        sync.Mutex
	delta     time.Duration // measured: own clock minus the sender's
	bestTrip  time.Duration
	hasTime   bool
	hasSync   bool
	frame     uint32        // RTP time ...
	at        audio.Instant // ... that sounds at this instant of the sender's clock
	packets   map[uint32][]int32
	begun     bool
	newest    uint16
	grid      uint32 // RTP time of some packet
	cursor    uint32 // RTP time of the next frame to sound
	started   bool
	heard     []Heard
	recovered int
}

func (p *player) now() audio.Instant { return audio.System{}.Now().Add(p.offset) }

func (p *player) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packets = map[uint32][]int32{}
	p.hasTime, p.hasSync, p.begun, p.started = false, false, false, false
}

func (p *player) stop() {
	p.advance()
	p.begin()
}

// goodTrip is the longest round trip on loopback that tells the time well.
const goodTrip = time.Millisecond

func (p *player) knowsTime() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hasTime
}

// time takes one answer to a question for the time; the quickest one counts.
func (p *player) time(sent, received, returned, arrived audio.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	trip := arrived.Sub(sent) - returned.Sub(received)
	if trip < 0 || trip > goodTrip || p.hasTime && trip > p.bestTrip+p.bestTrip/4 {
		p.bestTrip += p.bestTrip / 8 // old knowledge ages
		return
	}
	p.delta = (sent.Sub(received) + arrived.Sub(returned)) / 2
	p.bestTrip, p.hasTime = trip, true
}

// sync takes a synchronisation packet. Without the time it means nothing.
func (p *player) sync(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hasTime {
		return
	}
	p.frame, p.at, p.hasSync = binary.BigEndian.Uint32(b[4:])-extraLatency, ntp(b[8:]), true
}

// take stores an audio packet and returns which ones before it are missing.
func (p *player) take(b []byte, again bool) (missing []uint16) {
	seq, at := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])
	samples, err := Decode(b[12:])
	if err != nil {
		return nil
	}
	pcm := make([]int32, len(samples))
	for i, s := range samples {
		pcm[i] = int32(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if again {
		p.recovered++
	} else if p.begun {
		for n := p.newest + 1; n != seq && seq-n < 64; n++ {
			missing = append(missing, n)
		}
	}
	if !p.begun || int16(seq-p.newest) > 0 {
		p.newest, p.begun = seq, true
	}
	p.packets[at], p.grid = pcm, at
	return missing
}

// flush forgets everything before RTP time at. Frames whose time has come
// have sounded.
func (p *player) flush(_ uint16, at uint32) {
	p.advance()
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.packets {
		if int32(t-at) < 0 {
			delete(p.packets, t)
		}
	}
	p.hasSync, p.begun, p.started = false, false, false
}

// advance lets everything sound whose time has come.
func (p *player) advance() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hasSync || !p.hasTime {
		return
	}
	now := p.now()
	due := p.frame + uint32(int32(int64(now.Sub(p.at.Add(p.delta)))*44100/1e9)) // first frame that is not due
	if !p.started {
		first, any := uint32(0), false
		for t := range p.packets {
			if !any || int32(t-first) < 0 {
				first, any = t, true
			}
		}
		if !any {
			return
		}
		if int32(first-due) < -frameLength { // too late for the first ones
			first = due
		}
		p.cursor, p.started = first, true
	}
	for int32(due-p.cursor) > 0 {
		p.soundNext(due)
	}
}

// soundNext plays from the cursor to the end of a packet or to due. All
// packets lie on one grid of 352 frames.
func (p *player) soundNext(due uint32) {
	off := uint32(((int64(int32(p.cursor-p.grid)) % frameLength) + frameLength) % frameLength)
	n := min(frameLength-off, due-p.cursor)
	t := p.cursor - off
	if pcm, ok := p.packets[t]; ok {
		p.note(pcm[2*off : 2*(off+n)])
	}
	p.cursor += n
	delete(p.packets, t-4*frameLength)
}

// note records frames that sound at the cursor.
func (p *player) note(pcm []int32) {
	rel := time.Duration(int64(int32(p.cursor-p.frame)) * 1e9 / 44100)
	at := p.at.Add(p.delta + rel - p.offset) // on the hub's own clock
	if n := len(p.heard); n > 0 {
		last := &p.heard[n-1]
		end := last.At.Add(audio.Pos(len(last.PCM) / 2).Duration(44100))
		if d := at.Sub(end); d.Abs() < 10*time.Microsecond {
			last.PCM = append(last.PCM, pcm...)
			return
		}
	}
	p.heard = append(p.heard, Heard{At: at, PCM: append([]int32(nil), pcm...)})
}

func (p *player) record() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Heard, len(p.heard))
	for i, h := range p.heard {
		out[i] = Heard{At: h.At, PCM: append([]int32(nil), h.PCM...)}
	}
	return out
}
