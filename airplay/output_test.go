package airplay

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sonahub/airplay/raoptest"
	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest/outputtest"
)

// cd is the format that AirPlay 1 carries untouched.
func cd() audio.Format { return audio.Format{Rate: 44100, Channels: 2, Bits: 16} }

// house is an output with fake receivers.
type house struct {
	t    *testing.T
	reg  Registry
	out  *Output
	mu   sync.Mutex
	room map[string]*raoptest.Receiver
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, room: map[string]*raoptest.Receiver{}}
	// A busy machine may stand still for a second and more: Ahead is what bridges it.
	h.out = &Output{Directory: &h.reg, Listen: "127.0.0.1:0", Ahead: 3 * time.Second,
		RetryMin: 50 * time.Millisecond, KeepAlive: 200 * time.Millisecond, Request: 10 * time.Second, Connect: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return h
}

func (h *house) add(o raoptest.Options) string {
	r := raoptest.Start(h.t, o)
	h.mu.Lock()
	defer h.mu.Unlock()
	id := fmt.Sprintf("%012x", len(h.room))
	h.room[id] = r
	h.reg.Put(Speaker{ID: id, Name: id, Addrs: []netip.AddrPort{r.Addr}})
	return id
}

func (h *house) get(id string) *raoptest.Receiver {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.room[id]
}

func TestConformance(t *testing.T) {
	outputtest.Run(t, func(t *testing.T) *outputtest.Rig {
		h := newHouse(t)
		return &outputtest.Rig{
			Output:  h.out,
			Formats: []audio.Format{cd()},
			Member:  func() string { return h.add(raoptest.Options{}) },
			Stall:   func(id string, on bool) { h.get(id).Stall(on) },
			Heard: func(id string) []outputtest.Heard {
				var out []outputtest.Heard
				for _, s := range h.get(id).Heard() {
					out = append(out, outputtest.Heard{At: s.At, Format: cd(), PCM: s.PCM})
				}
				return out
			},
			Volume: func(id string) (audio.Gain, bool) {
				db, told := h.get(id).Volume()
				return audio.Gain(db), told
			},
			Start: 3 * time.Millisecond,
			Wait:  10 * time.Second,
		}
	})
}

// eventually waits up to 15 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(15 * time.Second)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited 15 s in vain: %s", what)
		}
	}
}

func (h *house) state(id string) audio.State {
	for _, s := range h.out.Status() {
		if s.ID == id {
			return s.State
		}
	}
	return -1
}

func (h *house) join(id string) {
	h.t.Helper()
	if err := h.out.Join(context.Background(), audio.Member{ID: id}); err != nil {
		h.t.Fatal(err)
	}
}
