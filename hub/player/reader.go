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
	index int   // place in the queue, as the reader counts
	err   error // io.EOF: the queue is at its end
}

// reader reads the queue from one place on, track after track.
type reader struct {
	list Playlist
	from time.Duration // place in the first track
	out  chan result

	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	held  bool
	index int   // place in the queue of the track that is read, as it was when the reader began
	moved int   // by how much changes of the queue moved all places since
	edits int   // counts changes of the queue
	cur   Track // being read, nil between tracks
	next  Track // opened ahead, or nil
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
	defer func() { shut(r.forgetNext()) }()
	for from := r.from; ; from = 0 {
		t := r.takeNext()
		if t == nil {
			var err error
			if t, err = r.list.Open(ctx, r.place(), from); err != nil {
				r.send(ctx, result{err: err})
				return
			}
		}
		r.setCurrent(t)
		delivered, err := r.read(ctx, t)
		r.setCurrent(nil)
		if !delivered {
			shut(t)
		}
		if !errors.Is(err, io.EOF) {
			r.send(ctx, result{err: err})
			return
		}
		r.advance()
	}
}

// shut closes a track, which may wait for a purchase under way.
func shut(t Track) {
	if t != nil {
		_ = t.Close()
	}
}

// read delivers one track to its end and reports whether the conductor got
// any of it.
func (r *reader) read(ctx context.Context, t Track) (delivered bool, err error) {
	ahead := t.Format().Rate.Frames(preload)
	r.mu.Lock()
	index := r.index
	r.mu.Unlock()
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
			r.openNext(ctx)
		}
	}
}

// place is the queue's place of the track that is read.
func (r *reader) place() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.index + r.moved
}

// advance goes on to the next track.
func (r *reader) advance() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
}

// shift moves all places, because the queue has changed before them.
func (r *reader) shift(by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved += by
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
	if r.cur = t; t != nil {
		t.Hold(r.held)
	}
}

func (r *reader) openNext(ctx context.Context) {
	r.mu.Lock()
	have, edits, index := r.next != nil, r.edits, r.index+r.moved+1
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
	if edits == r.edits {
		r.next = t
		t.Hold(r.held)
		t = nil
	}
	r.mu.Unlock()
	shut(t) // the queue has changed meanwhile: another one may follow
}

func (r *reader) takeNext() Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.next
	r.next = nil
	return t
}

// forgetNext gives up the track that was opened ahead, or is being opened:
// another one may follow now. The caller closes it; nil = there was none.
func (r *reader) forgetNext() Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.next
	r.next = nil
	r.edits++
	return t
}

// current is the track that is being read, nil between tracks.
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
