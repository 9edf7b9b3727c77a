package player

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"sonahub/hub/audio"
)

// preloadWait bounds the opening of the next track while the present one is
// still being read; what fails is tried again when its turn comes.
const preloadWait = 2 * time.Second

// result is one block of one track, or how reading ended.
type result struct {
	block *audio.Block
	track Track
	index int
	err   error // io.EOF: the queue is at its end
}

// reader reads the queue from one place on, track after track.
type reader struct {
	list  Playlist
	index int // where it began
	from  time.Duration
	out   chan result

	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	held bool
	cur  Track // being read
	next Track // opened ahead, or nil
}

func (p *Player) newReader(index int, from time.Duration) *reader {
	ctx, cancel := context.WithCancel(p.ctx)
	r := &reader{list: p.Playlist, index: index, from: from, out: make(chan result), cancel: cancel, done: make(chan struct{}), held: p.held}
	go r.run(ctx)
	return r
}

// run reads until the queue's end, an error, or the context's end. A track
// that was delivered belongs to the conductor; others are closed here.
func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	defer r.forgetNext()
	index, from := r.index, r.from
	for {
		t := r.takeNext()
		if t == nil {
			var err error
			if t, err = r.list.Open(ctx, index, from); err != nil {
				r.send(ctx, result{index: index, err: err})
				return
			}
		}
		r.setCurrent(t)
		delivered, err := r.read(ctx, t, index)
		if !delivered {
			_ = t.Close()
		}
		if !errors.Is(err, io.EOF) {
			r.send(ctx, result{index: index, err: err})
			return
		}
		index, from = index+1, 0
	}
}

// read delivers one track to its end and reports whether the conductor got
// any of it.
func (r *reader) read(ctx context.Context, t Track, index int) (delivered bool, err error) {
	ahead := t.Format().Rate.Frames(preload)
	for {
		b, err := t.Read(ctx)
		if err != nil {
			return delivered, err
		}
		if !r.send(ctx, result{block: b, track: t, index: index}) {
			return delivered, ctx.Err()
		}
		delivered = true
		if t.Total()-b.End() < ahead {
			r.openNext(ctx, index+1)
		}
	}
}

func (r *reader) send(ctx context.Context, x result) bool {
	select {
	case r.out <- x:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *reader) setCurrent(t Track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cur = t
	t.Hold(r.held)
}

func (r *reader) openNext(ctx context.Context, index int) {
	r.mu.Lock()
	have := r.next != nil
	r.mu.Unlock()
	if have {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, preloadWait)
	defer cancel()
	t, err := r.list.Open(ctx, index, 0)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = t
	t.Hold(r.held)
}

func (r *reader) takeNext() Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.next
	r.next = nil
	return t
}

// forgetNext drops the track that was opened ahead: another one follows now.
func (r *reader) forgetNext() {
	if t := r.takeNext(); t != nil {
		_ = t.Close()
	}
}

// current is the track that is being read, nil before the first.
func (r *reader) current() Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cur
}

// hold stops the buying of every track of the reader, or lets it go on.
func (r *reader) hold(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = on
	for _, t := range []Track{r.cur, r.next} {
		if t != nil {
			t.Hold(on)
		}
	}
}
