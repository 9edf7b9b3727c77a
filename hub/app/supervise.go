package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Back-off between restarts of a failed part.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
	healthy      = time.Minute // a part that ran this long starts over with the first back-off
)

// supervisor runs the parts of the hub and starts a failed one again. The
// others do not notice.
type supervisor struct {
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newSupervisor(ctx context.Context, log *slog.Logger) *supervisor {
	s := &supervisor{log: log}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// run keeps f running until the supervisor stops. f returns when its context
// ends; any other return is a failure, a nil error included.
func (s *supervisor) run(name string, f func(context.Context) error) {
	s.wg.Go(func() {
		pause := firstRestart
		for {
			from := time.Now()
			err := guarded(s.ctx, f)
			if s.ctx.Err() != nil {
				return
			}
			if time.Since(from) > healthy {
				pause = firstRestart
			}
			if err == nil {
				err = errors.New("ended by itself")
			}
			s.log.Error("part failed, starting it again", "part", name, "err", err, "in", pause)
			if !wait(s.ctx.Done(), pause) {
				return
			}
			pause = min(2*pause, lastRestart)
		}
	})
}

// every calls f now and then every d, whatever it returns; a failure is
// logged.
func (s *supervisor) every(name string, d time.Duration, f func(context.Context) error) {
	s.run(name, func(ctx context.Context) error {
		for {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("part had a problem", "part", name, "err", err)
			}
			if !wait(ctx.Done(), d) {
				return ctx.Err()
			}
		}
	})
}

// stop ends all parts and waits for them.
func (s *supervisor) stop() {
	s.cancel()
	s.wg.Wait()
}

// wait is a timer that ends early with done; it reports whether time passed.
func wait(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// guarded turns a bug in one part into that part's failure: the music of the
// others plays on.
func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bug: %v\n%s", r, debug.Stack())
		}
	}()
	return f(ctx)
}
