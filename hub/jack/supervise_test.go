package jack_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/jack"
	"sonahub/hub/jack/child"
	"sonahub/hub/jack/jacktest"
)

var bg = context.Background()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machine is a computer whose sound cards come and go.
type machine struct {
	mu    sync.Mutex
	sign  string // what is seen in /dev/snd
	fault error  // why a card does not open
	tries int
	rates []audio.Rate
	cards []*jacktest.Card
	shape func(child.Info) child.Info
	ppm   float64
	jacktest.Recorder
}

func (m *machine) look() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sign
}

func (m *machine) open(_ context.Context, rate audio.Rate) (child.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if m.fault != nil {
		return nil, m.fault
	}
	m.rates = append(m.rates, rate)
	c := &jacktest.Card{Rate: rate, PPM: m.ppm, Clock: audiotest.Clock{}, Heard: m.Heard(rate), Shape: m.shape, Chunk: 1000}
	m.cards = append(m.cards, c)
	return c, nil
}

func (m *machine) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *machine) tried() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

// bubble runs f with an output on a machine in a synctest bubble.
func bubble(t *testing.T, m *machine, f func(t *testing.T, o *jack.Output)) {
	synctest.Test(t, func(t *testing.T) {
		o := jack.NewInProcess(jack.Options{Clock: audiotest.Clock{}}, m.look, m.open)
		f(t, o)
		must(t, o.Close())
	})
}

func status(t *testing.T, o *jack.Output) audio.Status {
	t.Helper()
	all := o.Status()
	if len(all) != 1 {
		t.Fatalf("status %+v", all)
	}
	return all[0]
}

// play starts a run that much from now and writes pcm.
func play(t *testing.T, o *jack.Output, f audio.Format, in time.Duration, pcm []int32) audio.Timeline {
	t.Helper()
	line := audio.Timeline{Zero: audiotest.Clock{}.Now().Add(in), Rate: f.Rate}
	must(t, o.Start(bg, f, line))
	at := audio.Pos(0)
	for b := range slices.Chunk(pcm, f.Channels*int(f.Rate.Frames(20*time.Millisecond))) {
		must(t, o.Write(&audio.Block{Format: f, At: at, PCM: b}))
		at += audio.Pos(len(b) / f.Channels)
	}
	return line
}

// between returns what sounded from one instant to another, silence included.
func between(sounds []jacktest.Sound, from, to audio.Instant) []float64 {
	var out []float64
	for _, s := range sounds {
		for i := 0; i < len(s.Stereo); i += 2 {
			if at := s.At.Add(audio.Pos(i / 2).Duration(s.Rate)); at >= from && at < to {
				out = append(out, s.Stereo[i], s.Stereo[i+1])
			}
		}
	}
	return out
}

var cd = audio.Format{Rate: 44100, Channels: 2, Bits: 16}

// No sound card is a word in the status, not an error; a card that comes later
// plays what is sounding then, and nobody asks in vain all the time.
func TestCardComesLater(t *testing.T) {
	m := &machine{fault: errors.New("no sound card found (there is no playback device in /dev/snd)")}
	bubble(t, m, func(t *testing.T, o *jack.Output) {
		must(t, o.Join(bg, audio.Member{ID: "jack"}))
		<-time.After(time.Second)
		st := status(t, o)
		if st.State != audio.Absent || st.Why != m.fault.Error() || st.BitExact {
			t.Errorf("without a card: %+v", st)
		}
		if lead := o.Lead(); lead > 150*time.Millisecond {
			t.Errorf("without a card the lead is %v", lead)
		}
		<-time.After(5 * time.Minute)
		if n := m.tried(); n < 5 || n > 15 {
			t.Errorf("%d tries in 5 minutes without a sign of a card", n)
		}
		tries := m.tried()
		pcm := audiotest.Noise(cd, -6, 10*44100, 1)
		line := play(t, o, cd, o.Lead(), pcm)
		m.set(func() { m.fault, m.sign = nil, "/dev/snd/pcmC0D0p" })
		<-time.After(5 * time.Second)
		if st := status(t, o); st.State != audio.Playing || st.Err == nil || !st.BitExact {
			t.Errorf("with a card: %+v after %d tries", st, m.tried()-tries)
		}
		from, to := line.Instant(44100*9/2), line.Instant(44100*5)
		want := pcm[2*44100*9/2 : 2*44100*5]
		<-time.After(time.Second)
		got := between(m.Sounds(), from-10000, to-10000)
		if pcm, ok := (jacktest.Sound{Stereo: got}).Integers(16); !ok || !slices.Equal(pcm, want) {
			t.Error("it does not play what sounds now")
		}
	})
}

// A card that is pulled out and put back, and a card that stops, are survived.
func TestCardFails(t *testing.T) {
	for name, fail := range map[string]func(*jacktest.Card){
		"pulled out": func(c *jacktest.Card) { c.Break(errors.New("no such device")) },
		"stops":      func(c *jacktest.Card) { c.Hold(true) },
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{sign: "card"}
			bubble(t, m, func(t *testing.T, o *jack.Output) {
				must(t, o.Join(bg, audio.Member{ID: "jack"}))
				<-time.After(time.Second)
				line := play(t, o, cd, o.Lead(), audiotest.Noise(cd, -6, 11*44100, 1))
				<-time.After(time.Second)
				must(t, o.Gain("jack", -6))
				m.set(func() { fail(m.cards[0]) })
				<-time.After(6 * time.Second)
				st := status(t, o)
				if st.State != audio.Playing || st.Err == nil || m.tried() != 2 || st.Why != "volume is -6.0 dB" {
					t.Errorf("%+v after %d tries", st, m.tried())
				}
				now := audiotest.Clock{}.Now()
				if off := line.Instant(st.Heard).Sub(now); off.Abs() > 20*time.Millisecond {
					t.Errorf("it sounds %v off", off)
				}
				if x := between(m.Sounds(), now.Add(-time.Second), now); slices.Max(x) > 0.51 || slices.Max(x) < 0.3 {
					t.Errorf("at -6 dB the new child plays peaks of %v", slices.Max(x))
				}
			})
		})
	}
}

// The rate of the card follows the music when there is a pause for it, and the
// music is resampled when there is none.
func TestRates(t *testing.T) {
	hi := audio.Format{Rate: 48000, Channels: 2, Bits: 24}
	m := &machine{sign: "card"}
	bubble(t, m, func(t *testing.T, o *jack.Output) {
		must(t, o.Join(bg, audio.Member{ID: "jack"}))
		<-time.After(time.Second)
		play(t, o, hi, o.Lead(), make([]int32, 2*48000))
		<-time.After(500 * time.Millisecond)
		if st := status(t, o); st.BitExact || !strings.Contains(st.Why, "resampled") {
			t.Errorf("48 kHz on a card at 44.1: %+v", st)
		}
		<-time.After(3 * time.Second) // of silence: the card is opened anew
		play(t, o, hi, o.Lead(), make([]int32, 2*48000))
		<-time.After(500 * time.Millisecond)
		if st := status(t, o); !st.BitExact || st.Why != "" {
			t.Errorf("48 kHz on a card at 48: %+v", st)
		}
	})
	if want := []audio.Rate{44100, 48000}; !slices.Equal(m.rates, want) {
		t.Errorf("the card was opened at %v, want %v", m.rates, want)
	}
}

// A card that has one rate only is opened at that, and the hub resamples.
func TestCardOfOneRate(t *testing.T) {
	m := &machine{sign: "card", shape: func(i child.Info) child.Info {
		i.Rate, i.Inexact = 48000, "the card is shared through ALSA's mixer"
		return i
	}}
	bubble(t, m, func(t *testing.T, o *jack.Output) {
		must(t, o.Join(bg, audio.Member{ID: "jack"}))
		<-time.After(time.Second)
		play(t, o, cd, o.Lead(), make([]int32, 2*44100))
		<-time.After(500 * time.Millisecond)
		if st := status(t, o); st.BitExact || !strings.Contains(st.Why, "resampled") {
			t.Errorf("44.1 kHz on a card of 48: %+v", st)
		}
		<-time.After(5 * time.Second)
	})
	if want := []audio.Rate{44100, 48000}; !slices.Equal(m.rates, want) {
		t.Errorf("the card was opened at %v, want %v", m.rates, want)
	}
}

// A crystal of 200 ppm is found and followed; the status says that the sound
// is bent, and only then.
func TestCrystal(t *testing.T) {
	m := &machine{sign: "card", ppm: 200}
	bubble(t, m, func(t *testing.T, o *jack.Output) {
		must(t, o.Join(bg, audio.Member{ID: "jack"}))
		<-time.After(time.Second)
		line := play(t, o, cd, o.Lead(), nil)
		at := audio.Pos(0)
		for i := range 90 {
			for ; at < line.Pos(audiotest.Clock{}.Now())+2*44100; at += 882 {
				must(t, o.Write(&audio.Block{Format: cd, At: at, PCM: make([]int32, 2*882)}))
			}
			<-time.After(time.Second)
			st := status(t, o)
			if off := line.Instant(st.Heard).Sub(audiotest.Clock{}.Now()); off.Abs() > 8*time.Millisecond {
				t.Fatalf("after %d s it sounds %v off: %+v", i, off, st)
			}
			if bent := strings.Contains(st.Why, "bent"); st.BitExact == bent || i < 20 && bent || i > 60 && !bent {
				t.Fatalf("after %d s: %+v", i, st)
			}
		}
	})
}

// Leaving gives the card back, coming again takes it again.
func TestLeaveAndJoin(t *testing.T) {
	m := &machine{sign: "card"}
	bubble(t, m, func(t *testing.T, o *jack.Output) {
		for want := 1; want <= 3; want++ {
			must(t, o.Join(bg, audio.Member{ID: "jack"}))
			<-time.After(time.Second)
			if st := status(t, o); st.State != audio.Ready || m.tried() != want {
				t.Errorf("joined for the %d. time: %+v after %d tries", want, st, m.tried())
			}
			must(t, o.Leave("jack"))
			<-time.After(time.Second)
		}
		if err := o.Join(bg, audio.Member{ID: "kitchen"}); !errors.Is(err, audio.ErrUnknownMember) {
			t.Errorf("another id joined: %v", err)
		}
	})
}
