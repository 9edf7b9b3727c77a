package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRestart measures the pauses between the starts of a part that fails,
// sometimes by a bug, and wants another part not to notice. To see it fail:
// leave the recover out of guarded, or the doubling out of run.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newSupervisor(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
		var starts []time.Duration
		from := time.Now()
		s.run("shaky", func(ctx context.Context) error {
			starts = append(starts, time.Since(from))
			switch n := len(starts); {
			case n == 2:
				var none map[string]int
				none["bug"]++ //nolint:staticcheck // the bug
			case n == 11: // it runs well for a while, then fails again
				wait(ctx.Done(), 2*healthy)
			case n > 12:
				<-ctx.Done()
				return ctx.Err()
			case n%2 == 0:
				return nil // ended by itself: a failure too
			}
			return errors.New("no luck")
		})
		steady := 0
		s.run("steady", func(ctx context.Context) error {
			steady++
			<-ctx.Done()
			return ctx.Err()
		})
		<-time.After(10 * time.Minute)
		synctest.Wait()
		s.stop()
		var pauses []time.Duration
		for i := 1; i < len(starts); i++ {
			pauses = append(pauses, starts[i]-starts[i-1])
		}
		ms := time.Millisecond
		want := []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms,
			lastRestart, lastRestart, 2*healthy + firstRestart, 2 * firstRestart}
		if len(pauses) != len(want) {
			t.Fatalf("pauses %v, want %v", pauses, want)
		}
		for i := range want {
			if pauses[i] != want[i] {
				t.Fatalf("pauses %v, want %v", pauses, want)
			}
		}
		if steady != 1 {
			t.Errorf("the steady part was started %d times", steady)
		}
		for _, want := range []string{"part=shaky", "no luck", "bug: assignment to entry in nil map", "supervise_test.go", "ended by itself", "in=25.6s"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}

// TestStopWaits wants stop to return only when the slowest part has ended,
// also while another one is between two tries.
func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor(t.Context(), slog.New(slog.DiscardHandler))
		ended := false
		s.run("slow", func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(3 * time.Second)
			ended = true
			return ctx.Err()
		})
		s.run("failing", func(context.Context) error { return errors.New("again") })
		calls := 0
		s.every("second", time.Second, func(context.Context) error { calls++; return errors.New("never mind") })
		<-time.After(10*time.Second + time.Millisecond)
		s.stop()
		if !ended {
			t.Error("stop did not wait")
		}
		if calls != 11 {
			t.Errorf("every second for ten seconds came to %d calls", calls)
		}
	})
}
