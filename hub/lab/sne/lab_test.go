//go:build lab && linux

package sne

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sonahub/hub/audio"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/sne/resource"
)

const (
	listeners = 1000
	workers   = 4
	lot       = 5 // epochs of each listener's purchase
	half      = 5000
	sessions  = 2000 // that the flooded platform may hold
)

func music(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	origintest.Music(t, dir, origintest.Track{Title: "Song", Format: audio.Format{Rate: 44100, Channels: 2, Bits: 16}, Frames: 60 * 2 * 44100, Seed: 1})
	return dir
}

func TestLab(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	songs := music(t)
	one := crowd(ctx, t, songs)
	two := flooded(ctx, t, songs)
	if !t.Failed() {
		fmt.Printf("sne: %s; %s\n", one, two)
	}
}

// crowd sells the same epochs to every listener, from the same files.
func crowd(ctx context.Context, t *testing.T, songs string) string {
	p := launch(t, config{State: t.TempDir(), Music: songs, Limits: origin.Limits{Handshakes: 1e6, Burst: 1e6, Offers: 1e6}})
	heard, err := buyOnce(ctx, p) // whatever is done once is done now
	if err != nil {
		t.Fatal(err)
	}
	before := p.stats()
	var next, failed atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range workers {
		all.Go(func() {
			for next.Add(1) <= listeners && ctx.Err() == nil {
				if got, err := buyOnce(ctx, p); err != nil || got != heard {
					failed.Add(1)
					t.Logf("a listener: %v", err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	after := p.stats()
	if n := failed.Load(); n > 0 || ctx.Err() != nil {
		t.Errorf("%d of %d listeners did not hear the same, %v", n, listeners, ctx.Err())
	}
	if after.Files != before.Files || after.Sealed != before.Sealed || !after.LastSealing.Equal(before.LastSealing) {
		t.Errorf("sealed files: %d of %d bytes, last %v, before: %d of %d, %v",
			after.Files, after.Sealed, after.LastSealing, before.Files, before.Sealed, before.LastSealing)
	}
	each := func(kinds ...resource.Kind) int64 {
		return (after.given(kinds...) - before.given(kinds...)) / listeners
	}
	memory := (after.Heap - before.Heap) / listeners
	if memory > 100<<10 {
		t.Errorf("one more listener takes %d bytes of memory", memory)
	}
	return fmt.Sprintf("%d listeners bought the same %d s in %.0f s, %d files of %.1f MB sealed before and after; one more listener: %.1f ms of the platform's CPU, %.1f kB of its memory, %.1f kB of handshake and offer, %.1f kB of manifest and catalogue, %.0f kB of the same ciphertext",
		listeners, 2*lot, took.Seconds(), after.Files, float64(after.Sealed)/1e6,
		(after.CPU-before.CPU).Seconds()*1e3/listeners, float64(memory)/1e3,
		float64(each(resource.Session, resource.Exchange))/1e3,
		float64(each(resource.Bundle, resource.Key, resource.Catalog, resource.Head, resource.Records))/1e3,
		float64(each(resource.Segment))/1e3)
}

// buyOnce is one listener's whole visit.
func buyOnce(ctx context.Context, p *platform) ([32]byte, error) {
	l, err := newListener(ctx, p)
	if l != nil {
		defer func() { _ = l.Close() }()
	}
	if err != nil {
		return [32]byte{}, err
	}
	return l.buy(ctx, 0, lot)
}

// flooded opens 10,000 handshakes beside a listener who goes on buying.
func flooded(ctx context.Context, t *testing.T, songs string) string {
	p := launch(t, config{State: t.TempDir(), Music: songs, Limits: origin.Limits{Sessions: sessions, Offers: 1e6}})
	l, err := newListener(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	bought := 0
	purchase := func() time.Duration { // of goods that were not offered before
		start := time.Now()
		if _, err := l.buy(ctx, bought%50, 1+bought/50%10); err != nil {
			t.Errorf("purchase %d: %v", bought, err)
		}
		bought++
		return time.Since(start)
	}
	var calm, busy []time.Duration
	for range 50 {
		calm = append(calm, purchase())
	}
	before := p.stats()

	b, err := l.Bundle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	many, err := newFlood(p, b)
	if err != nil {
		t.Fatal(err)
	}
	single := &flood{to: many.to, request: many.request}
	done := make(chan struct{})
	var lasted, alone time.Duration
	go func() { // ends with its two floods, which ctx bounds
		defer close(done)
		lasted = many.run(ctx, half, func(i int) net.IP { return net.IPv4(127, 1+byte(i>>16), byte(i>>8), byte(i)) })
		alone = single.run(ctx, half, func(int) net.IP { return net.IPv4(127, 99, 9, 9) })
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for flowing := true; flowing && bought < 500; {
		busy = append(busy, purchase())
		select {
		case <-done:
			flowing = false
		case <-tick.C:
		}
	}
	<-done
	after := p.stats()
	if got := many.answers[200].Load(); got >= sessions || got < sessions*9/10 {
		t.Errorf("from many addresses: %v, for %d sessions", many, sessions)
	}
	if got, most := single.answers[200].Load()+single.answers[503].Load(), int64(20+5*alone.Seconds()+2); got > most {
		t.Errorf("from one address: %v; at most %d may pass its ration", single, most)
	}
	if n := many.failed.Load() + single.failed.Load(); n > 0 {
		t.Errorf("%d handshakes were not even refused", n)
	}
	if slow := at(busy, 95); slow > time.Second { // half of what one epoch sounds
		t.Errorf("a purchase beside the flood takes up to %v", slow)
	}
	if grown := after.Peak - before.RSS; grown > 100<<20 {
		t.Errorf("the flood takes %d MB of memory", grown>>20)
	}
	return fmt.Sprintf("%d handshakes in %.1f s: from %d addresses %v, from one %v; the platform's memory %.0f MB before, %.0f at the peak; a purchase beside it: median %v, 95th %v (before: %v, %v), %d of %d went well",
		2*half, (lasted + alone).Seconds(), half, many, single, float64(before.RSS)/1e6, float64(after.Peak)/1e6,
		at(busy, 50), at(busy, 95), at(calm, 50), at(calm, 95), bought, bought)
}

// at is a percentile.
func at(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*percent/100)].Round(100 * time.Microsecond)
}
