package airplay

import (
	"context"
	"errors"
	"time"

	"sonahub/airplay/alac"
	"sonahub/airplay/raop"
	"sonahub/airplay/rtp"
	"sonahub/hub/audio"
)

// Rhythm of the scheduler.
const (
	rest       = time.Second           // it looks around at least so often
	catchUp    = 2 * time.Millisecond  // between bursts to a room that is behind
	burst      = 4                     // packets in one of them
	together   = 24 * time.Millisecond // packets that are due within it leave together: fewer wake-ups
	tooLate    = 60 * time.Millisecond // a packet nearer to its sound is not worth sending
	syncEarly  = 250 * time.Millisecond
	syncSteady = time.Second
	earlySyncs = 8   // a receiver ignores them until it has our time, so they come often at first
	maxMake    = 64  // packets made in one go
	maxQuiet   = 250 // packets of silence because nothing was written, until the epoch ends: 2 s
	history    = 2 * time.Second
)

// ahead of the present frame is what a receiver is told to be on its way, in
// frames: with FixedLatency the customary 2 s.
const notified = 77175

// pace is the one loop that sends: it makes packets when they are due and
// hands them to every room.
func (o *Output) pace(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-o.wake:
		}
		o.mu.Lock()
		wait := o.step(o.clock().Now())
		o.mu.Unlock()
		timer.Reset(wait)
	}
}

// step does what is due at now and returns how long nothing will be.
func (o *Output) step(now audio.Instant) time.Duration {
	next := now.Add(rest)
	if o.cut != 0 && now >= o.cut {
		o.endEpoch()
	}
	if o.cut != 0 {
		next = min(next, o.cut) // what was made stays valid until then, and nothing follows it
	} else {
		next = min(next, o.fill(now))
	}
	for _, r := range o.rooms {
		next = min(next, o.feed(r, now))
	}
	o.grid.play.Trim(now.Add(-history))
	return max(next.Sub(now), 200*time.Microsecond)
}

// endEpoch has all rooms forget.
func (o *Output) endEpoch() {
	o.grid.epoch, o.cut = nil, 0
	o.gen++
	for _, r := range o.rooms {
		r.poke()
	}
}

// fill makes the packets that are due and returns when the next one is.
func (o *Output) fill(now audio.Instant) audio.Instant {
	g, far := &o.grid, now.Add(rest)
	for range maxMake {
		if g.epoch == nil {
			if again := g.open(now, o.ahead()); g.epoch == nil {
				if again == 0 {
					return far
				}
				return again
			}
		}
		sounds := g.epoch.instant(firstFrame(g.head))
		if due := sounds.Add(-o.ahead()); due > now {
			return due.Add(together)
		}
		n := g.known()
		if n < alac.FrameLength {
			if hold := sounds.Add(-o.ahead() / 2); hold > now {
				return hold // it may yet be written
			}
			o.drain()
			n = g.known()
		}
		if n > 0 {
			g.epoch.quiet = 0
		} else if g.epoch.quiet++; g.epoch.quiet > maxQuiet {
			o.endEpoch()
			continue
		}
		g.encode()
	}
	return now
}

// feed sends a room what it should have by now and returns when to look again.
func (o *Output) feed(r *member, now audio.Instant) audio.Instant {
	g, far := &o.grid, now.Add(rest)
	if r.session == nil || g.epoch == nil || r.gen != o.gen {
		return far
	}
	if r.next == fresh {
		r.next = max(g.epoch.first, g.packetAt(now.Add(2*tooLate)))
		r.first, r.sync, r.syncs = true, now, 0
		r.begins = g.epoch.instant(firstFrame(r.next))
	}
	if now >= r.sync {
		o.sendSync(r, now)
	}
	for range burst {
		if r.next >= g.head {
			return r.sync
		}
		packet := g.packet(r.next)
		if packet == nil || g.epoch.instant(firstFrame(r.next)) < now.Add(tooLate) {
			o.log().Warn("airplay: fell behind", "speaker", r.id, "packet", r.next, "late", now.Sub(g.epoch.instant(firstFrame(r.next))))
			r.next, r.stalled = fresh, true
			return now
		}
		if !o.sendAudio(r, packet) {
			break
		}
		r.next++
		r.first, r.dirty = false, true
		r.stalled = r.stalled && r.begins > now
	}
	return now.Add(catchUp)
}

// packetAt returns the first packet whose frames all sound at or after i.
func (g *grid) packetAt(i audio.Instant) int64 {
	return (g.epoch.frameAt(i) + alac.FrameLength) / alac.FrameLength
}

// sendAudio reports whether the packet is off, or lost for good.
func (o *Output) sendAudio(r *member, packet []byte) bool {
	if r.first {
		packet = rtp.MarkFirst(packet)
	}
	err := r.session.Send(packet)
	if errors.Is(err, raop.ErrBusy) {
		return false
	}
	if err != nil && !r.check { // e.g. nobody listens there any more: ask by RTSP
		r.check = true
		r.poke()
	}
	return true
}

// sendSync ties the frame that sounds about now to the clock.
func (o *Output) sendSync(r *member, now audio.Instant) {
	e := o.grid.epoch
	frame := e.frameAt(now)
	p := rtp.Sync{First: r.syncs == 0, Frame: o.grid.timeOfFrame(frame + rtp.FixedLatency),
		At: rtp.NTPOf(e.instant(frame)), Next: o.grid.timeOfFrame(frame + rtp.FixedLatency + notified)}
	err := r.session.Sync(p.Append(nil))
	if err != nil {
		o.log().Debug("airplay: synchronisation not sent", "speaker", r.id, "err", err)
	}
	r.syncs++
	if r.syncs < earlySyncs {
		r.sync = now.Add(syncEarly)
	} else {
		r.sync = now.Add(syncSteady)
	}
}

// heard returns the position of the present run that sounds at now.
func (o *Output) heard(now audio.Instant) audio.Pos {
	current, started := o.grid.play.Current()
	if !started {
		return 0
	}
	s, ok := o.grid.play.Sounding(now)
	if !ok || s.Run != current.Run {
		return o.conv.toSource(current.Line.At)
	}
	return o.conv.toSource(max(s.Line.At, min(s.Before(now), o.grid.play.Written(s))))
}

// sounding says whether there is sound, or intended silence, at now.
func (o *Output) sounding(now audio.Instant) bool {
	s, ok := o.grid.play.Sounding(now)
	return ok && s.Line.Zero <= now && s.Line.Instant(o.grid.play.Written(s)) >= now
}
