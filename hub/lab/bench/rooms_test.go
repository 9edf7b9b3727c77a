package bench

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sonahub/airplay/raoptest"
	"sonahub/hub/api"
	"sonahub/hub/app"
)

// process measures how soon a process is there.
func (b *bench) process(t *testing.T) {
	const tries = 5
	path := b.product(t)
	var bare, fresh, again []time.Duration
	for i := range tries {
		begun := time.Now()
		_ = exec.CommandContext(t.Context(), path).Run() // prints its usage and ends
		bare = append(bare, time.Since(begun))
		t.Run(fmt.Sprint("start", i), func(t *testing.T) {
			c := b.config(t.TempDir()+"/hub", 1)
			t.Run("fresh", func(t *testing.T) { fresh = append(fresh, b.launch(t, c).ready) })
			t.Run("again", func(t *testing.T) { again = append(again, b.launch(t, c).ready) })
		})
	}
	if t.Failed() {
		return
	}
	b.table.Add(Figure{What: "process start to ready, new household", Measured: spread(fresh), Goal: "<= 500 ms", Verdict: AtMost(median(fresh).Seconds(), 0.5),
		On: "`sonahub serve`, exec to the page's first 200; makes keys and databases"})
	b.table.Add(Figure{What: "process start to ready, known household", Measured: spread(again), Goal: "<= 500 ms", Verdict: AtMost(median(again).Seconds(), 0.5),
		Beside: "process and imports alone " + ms(median(bare)), On: "the same with its state kept"})
}

const (
	warmUp  = 10 * time.Second
	measure = 20 * time.Second
)

// rooms plays in one and in four virtual rooms.
func (b *bench) rooms(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			u, on := b.play(t, b.config(t.TempDir()+"/hub", n), n)
			if t.Failed() {
				return
			}
			b.table.Add(Figure{What: fmt.Sprintf("CPU, %d virtual room(s)", n), Measured: percent(u.CPU), On: on})
			b.table.Add(Figure{What: fmt.Sprintf("memory, %d virtual room(s)", n), Measured: memory(u), Goal: "<= 60 MB", Verdict: AtMost(float64(u.RSS)/1e6, 60), On: on})
		})
	}
}

// airplay plays in four AirPlay 1 rooms. They are our own receivers in the
// test's process, which cost the hub what real ones would.
func (b *bench) airplay(t *testing.T) {
	const n = 4
	c := b.config(t.TempDir()+"/hub", 0)
	for i := range n {
		c.Speakers = append(c.Speakers, fmt.Sprintf("Room %d=%s", i+1, raoptest.Start(t, raoptest.Options{}).Addr))
	}
	u, on := b.play(t, c, n)
	if t.Failed() {
		return
	}
	b.table.Add(Figure{What: "CPU, 4 AirPlay rooms", Measured: percent(u.CPU), Goal: "<= 2.1 %", Verdict: AtMost(u.CPU.Seconds()/measure.Seconds()*100, 2.1), Beside: "1.9-2.1 %: " + ownTone, On: on})
	b.table.Add(Figure{What: "memory, 4 AirPlay rooms", Measured: memory(u), Goal: "<= 60 MB", Verdict: AtMost(float64(u.RSS)/1e6, 60), Beside: "65 MB: " + ownTone, On: on})
}

func percent(cpu time.Duration) string {
	return fmt.Sprintf("%.1f %% of a core", 100*cpu.Seconds()/measure.Seconds())
}

func memory(u Usage) string {
	return fmt.Sprintf("%.0f MB (%.0f anonymous), peak %.0f", float64(u.RSS)/1e6, float64(u.Anonymous)/1e6, float64(u.Peak)/1e6)
}

// play plays the first piece in all rooms and returns what the hub used in
// the measured time.
func (b *bench) play(t *testing.T, c app.Config, rooms int) (Usage, string) {
	t.Helper()
	x := b.launch(t, c)
	s := x.until("rooms, a queue and money", func(s api.State) bool {
		return len(s.Rooms) == rooms && len(s.Groups[0].Queue) == 2 && s.Spending.BalanceMsat > 0
	})
	for _, r := range s.Rooms {
		x.do("volume", map[string]any{"room": r.ID, "percent": 100}) // unity: nothing is touched
	}
	x.do("play", struct{}{})
	sounds := func(s api.State) bool {
		for _, r := range s.Rooms {
			if r.Speaker.State != "playing" {
				return false
			}
		}
		return s.Groups[0].Transport == "playing"
	}
	x.until("sound in all rooms", sounds)
	<-time.After(warmUp)
	before, paid := b.usage(t, x), x.state().Spending.DayHeardMsat
	<-time.After(measure)
	after := b.usage(t, x)
	s = x.state()
	after.CPU -= before.CPU
	if !sounds(s) || !strings.Contains(s.Groups[0].Rung, "lossless") {
		t.Errorf("at the end it was not playing lossless everywhere: %s %q %+v", s.Groups[0].Transport, s.Groups[0].Rung, s.Rooms)
	}
	exact := 0
	for _, r := range s.Rooms {
		if r.Speaker.BitExact {
			exact++
		}
	}
	if heard, least := s.Spending.DayHeardMsat-paid, int64((measure-4*time.Second).Seconds()*500); heard < least {
		t.Errorf("%d msat of paid sound were heard in %v, at least %d are due", heard, measure, least)
	}
	return after, fmt.Sprintf("`sonahub serve`, FLAC 16/44.1, paid and decrypted, %v after %v, %d of %d rooms bit-exact, no page open", measure, warmUp, exact, rooms)
}

func (b *bench) usage(t *testing.T, x *child) Usage {
	t.Helper()
	u, err := UsageOf(x.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
