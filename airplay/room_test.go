package airplay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/airplay/raop"
	"sonahub/airplay/raoptest"
	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
)

// run starts the output and hands in a source whole; it must fit the ring.
func (h *house) run(f audio.Format, pcm []int32) audio.Timeline {
	h.t.Helper()
	t := audio.Timeline{Zero: audio.System{}.Now().Add(h.out.Lead() + 200*time.Millisecond), Rate: f.Rate}
	if err := h.out.Start(context.Background(), f, t); err != nil {
		h.t.Fatal(err)
	}
	h.write(f, pcm, 0)
	return t
}

func (h *house) write(f audio.Format, pcm []int32, at audio.Pos) {
	h.t.Helper()
	step := int(f.Rate) / 50 * f.Channels
	for i := 0; i < len(pcm); i += step {
		b := &audio.Block{Format: f, At: at + audio.Pos(i/f.Channels), PCM: pcm[i:min(i+step, len(pcm))]}
		if err := h.out.Write(b); err != nil {
			h.t.Fatal(err)
		}
	}
}

// played joins all that a receiver heard, silence left out at both ends.
func played(r *raoptest.Receiver) []int32 {
	var out []int32
	for _, h := range r.Heard() {
		out = append(out, h.PCM...)
	}
	for len(out) > 1 && out[0] == 0 && out[1] == 0 {
		out = out[2:]
	}
	for len(out) > 1 && out[len(out)-1] == 0 && out[len(out)-2] == 0 {
		out = out[:len(out)-2]
	}
	return out
}

func (h *house) status(id string) audio.Status {
	for _, s := range h.out.Status() {
		if s.ID == id {
			return s
		}
	}
	return audio.Status{}
}

// open makes a house that is closed at the test's end.
func open(t *testing.T) *house {
	h := newHouse(t)
	t.Cleanup(func() {
		if err := h.out.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// TestRooms runs its scenarios side by side: they mostly wait.
func TestRooms(t *testing.T) {
	var wg sync.WaitGroup
	for name, run := range map[string]func(*testing.T){
		"lost packets come again":               lostPackets,
		"a rebooted speaker comes back":         reboot,
		"refusals are sentences":                refusals,
		"a silent speaker holds nobody up":      silentSpeaker,
		"flush of what is on its way":           flushOnItsWay,
		"silence ends the wire, sound opens it": idleWire,
		"who is outbid waits to be asked":       outbid,
		"conversions":                           conversions,
		"metadata reaches the speaker":          describe,
	} {
		wg.Go(func() { t.Run(name, run) })
	}
	wg.Wait()
}

func lostPackets(t *testing.T) {
	h := open(t)
	var n atomic.Int64
	id := h.add(raoptest.Options{Drop: func(uint16) bool { return n.Add(1)%10 == 3 }})
	h.join(id)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
	pcm := audiotest.Noise(cd(), -12, 44100, 3)
	h.run(cd(), pcm)
	eventually(t, "all frames", func() bool { return len(played(h.get(id))) >= len(pcm) })
	if !slices.Equal(played(h.get(id)), pcm) {
		t.Error("what sounded is not what was sent")
	}
	if h.get(id).Recovered() < 10 {
		t.Errorf("only %d packets were sent again", h.get(id).Recovered())
	}
}

func reboot(t *testing.T) {
	h := open(t)
	id, other := h.add(raoptest.Options{}), h.add(raoptest.Options{})
	h.join(id)
	h.join(other)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready && h.state(other) == audio.Ready })
	pcm := audiotest.Noise(cd(), -12, 4*44100, 4)
	h.run(cd(), pcm)
	eventually(t, "playing", func() bool { return h.state(id) == audio.Playing })
	h.get(id).Off()
	eventually(t, "absent", func() bool { return h.state(id) == audio.Absent })
	if s := h.status(id); s.Err == nil || s.Why == "" || s.BitExact {
		t.Errorf("an absent speaker's status says %+v", s)
	}
	if err := h.get(id).On(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "playing again", func() bool { return h.state(id) == audio.Playing })
	eventually(t, "the end", func() bool { return len(played(h.get(other))) >= len(pcm) })
	if !slices.Equal(played(h.get(other)), pcm) {
		t.Error("the other room suffered")
	}
	eventually(t, "the same end", func() bool {
		got := played(h.get(id))
		return len(got) > 2000 && slices.Equal(got[len(got)-2000:], pcm[len(pcm)-2000:])
	})
}

func refusals(t *testing.T) {
	for status, want := range map[int]string{453: "somebody else", 403: "does not let", 401: "password", 405: "does not speak AirPlay 1"} {
		h := newHouse(t)
		id := h.add(raoptest.Options{Refuse: map[string]int{"ANNOUNCE": status}})
		h.join(id)
		eventually(t, "absent", func() bool { return h.state(id) == audio.Absent })
		s := h.status(id)
		refusal := (*raop.Refusal)(nil)
		if !errors.As(s.Err, &refusal) || refusal.Status != status || !strings.Contains(s.Why, want) {
			t.Errorf("%d: %q (%v)", status, s.Why, s.Err)
		}
		if err := h.out.Close(); err != nil {
			t.Error(err)
		}
	}
}

func silentSpeaker(t *testing.T) {
	h := open(t)
	h.out.Connect = time.Second
	silent, id := h.add(raoptest.Options{Mute: true}), h.add(raoptest.Options{})
	h.join(silent)
	h.join(id)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
	eventually(t, "absent", func() bool { return h.state(silent) == audio.Absent })
	if h.status(silent).Why == "" {
		t.Error("no word why")
	}
	begin := time.Now()
	if err := h.out.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
}

// flushOnItsWay pauses at once and goes on with something else.
func flushOnItsWay(t *testing.T) {
	h := open(t)
	id := h.add(raoptest.Options{})
	h.join(id)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
	before, after := audiotest.Noise(cd(), -12, 3*44100, 5), audiotest.Noise(cd(), -12, 44100, 6)
	line := h.run(cd(), before)
	eventually(t, "playing", func() bool { return h.state(id) == audio.Playing })
	from := line.Pos(audio.System{}.Now().Add(40 * time.Millisecond))
	again := audio.Timeline{Zero: audio.System{}.Now().Add(h.out.Lead() + 100*time.Millisecond), At: from, Rate: cd().Rate}
	if err := h.out.Flush(from, again); err != nil {
		t.Fatal(err)
	}
	h.write(cd(), after, from)
	eventually(t, "the end", func() bool {
		got := played(h.get(id))
		return len(got) > 2000 && slices.Equal(got[len(got)-2000:], after[len(after)-2000:])
	})
	got := played(h.get(id))
	old := got[:len(got)-len(after)-2*352] // an epoch begins with a packet of silence
	if !slices.Equal(got[len(old)+2*352:], after) {
		t.Fatal("what came after the flush is not whole")
	}
	if !slices.Equal(old, before[:len(old)]) {
		t.Error("what came before the flush is not the beginning")
	}
	if d := (audio.Pos(len(old)/2) - from).Duration(cd().Rate); len(old)/2 < int(from) || d > 100*time.Millisecond {
		t.Errorf("%d frames sounded of %d that were to, %v too many", len(old)/2, from, d)
	}
	heard := h.get(id).Heard()
	if off := heard[len(heard)-1].At.Add(352 * time.Second / 44100).Sub(again.Zero); off.Abs() > 5*time.Millisecond {
		t.Errorf("the new timeline begins %v off", off)
	}
	if !slices.Contains(h.get(id).Methods(), "FLUSH") {
		t.Error("no FLUSH was sent")
	}
}

// idleWire leaves the wire idle and then goes on.
func idleWire(t *testing.T) {
	h := open(t)
	id := h.add(raoptest.Options{})
	h.join(id)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
	one, two := audiotest.Noise(cd(), -12, 4410, 7), audiotest.Noise(cd(), -12, 4410, 8)
	h.run(cd(), one)
	eventually(t, "the wire to fall silent", func() bool { return slices.Contains(h.get(id).Methods(), "FLUSH") })
	h.run(cd(), two)
	eventually(t, "both", func() bool {
		got := played(h.get(id))
		return len(got) > len(two) && slices.Equal(got[len(got)-len(two):], two)
	})
	if got := played(h.get(id)); !slices.Equal(got[:len(one)], one) {
		t.Error("the first run was not whole")
	}
}

// outbid has two hubs want one speaker that lets newcomers in.
func outbid(t *testing.T) {
	one, two := open(t), open(t)
	id := one.add(raoptest.Options{Yield: true})
	sp, _ := one.reg.Speaker(id)
	two.reg.Put(sp)
	one.join(id)
	eventually(t, "the first to be ready", func() bool { return one.state(id) == audio.Ready })
	two.join(id)
	eventually(t, "the second to be ready", func() bool { return two.state(id) == audio.Ready })
	eventually(t, "the first to give way", func() bool { return one.state(id) == audio.Absent })
	if s := one.status(id); !errors.Is(s.Err, errTaken) {
		t.Errorf("the first says %v", s.Err)
	}
	<-time.After(2 * time.Second) // many times RetryMin
	if one.state(id) != audio.Absent || two.state(id) != audio.Ready {
		t.Errorf("they snatch it from each other: %v, %v", one.state(id), two.state(id))
	}
	one.join(id)
	eventually(t, "the first to have it back", func() bool { return one.state(id) == audio.Ready })
}

func conversions(t *testing.T) {
	const hz = 997
	var wg sync.WaitGroup
	for name, c := range map[string]struct {
		f     audio.Format
		why   string
		exact bool
		sinad float64 // dB at least, of a sine at -1 dBFS
	}{
		"48 kHz/24":      {audio.Format{Rate: 48000, Channels: 2, Bits: 24}, "48000", false, 90},
		"44.1 kHz/24":    {audio.Format{Rate: 44100, Channels: 2, Bits: 24}, "24", false, 90},
		"48 kHz mono/16": {audio.Format{Rate: 48000, Channels: 1, Bits: 16}, "48000", false, 88},
		"44.1 mono/16":   {audio.Format{Rate: 44100, Channels: 1, Bits: 16}, "", true, 90},
		"44.1 kHz/12":    {audio.Format{Rate: 44100, Channels: 2, Bits: 12}, "", true, 66},
	} {
		wg.Go(func() {
			t.Run(name, func(t *testing.T) {
				h := newHouse(t)
				defer h.out.Close()
				id := h.add(raoptest.Options{})
				h.join(id)
				eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
				h.run(c.f, audiotest.Sine(c.f, hz, -1, int(c.f.Rate)/2))
				eventually(t, "playing", func() bool { return h.state(id) == audio.Playing })
				if s := h.status(id); s.BitExact != c.exact || !strings.Contains(s.Why, c.why) || s.BitExact != (s.Why == "") {
					t.Errorf("bit-exact %v, %q", s.BitExact, s.Why)
				}
				eventually(t, "the end", func() bool { return len(played(h.get(id))) >= 2*22000 })
				var left []float64
				for i, s := range played(h.get(id)) {
					if i%2 == 0 {
						left = append(left, float64(s)/32768)
					}
				}
				left = left[1000 : 1000+audiotest.WholePeriods(44100, hz, 20000)]
				if got := audiotest.SINAD(left, 44100, hz); got < c.sinad {
					t.Errorf("SINAD %.1f dB, want %.0f", got, c.sinad)
				}
			})
		})
	}
	wg.Wait()
}

func TestMoreThanStereoIsRefused(t *testing.T) {
	o := &Output{}
	f := audio.Format{Rate: 44100, Channels: 6, Bits: 16}
	if err := o.Start(t.Context(), f, audio.Timeline{Rate: 44100}); !errors.Is(err, audio.ErrFormat) {
		t.Errorf("six channels: %v", err)
	}
}

func describe(t *testing.T) {
	h := open(t)
	id := h.add(raoptest.Options{})
	h.join(id)
	eventually(t, "ready", func() bool { return h.state(id) == audio.Ready })
	count := func() int {
		n := 0
		for _, m := range h.get(id).Methods() {
			if m == "SET_PARAMETER" {
				n++
			}
		}
		return n
	}
	before := count()
	h.out.Describe(Metadata{Title: "T", Artist: "A", Album: "B", Artwork: []byte("\x89PNG\r\n\x1a\n")})
	eventually(t, "text and picture", func() bool { return count() == before+2 })
}
