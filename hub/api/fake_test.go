package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// fake is a hub whose world obeys at once.
type fake struct {
	mu      sync.Mutex
	house   room.House
	changed chan struct{}
	did     []room.Command
	err     error // what Do answers
	art     []byte
}

func newFake() *fake {
	tracks := []room.Track{
		{ID: "t1", Title: "One", Length: 3 * time.Minute, MsatPerS: 100, Art: "a1", Quality: "FLAC"},
		{ID: "t2", Title: "</script><b>", Length: time.Minute, MsatPerS: 200},
	}
	return &fake{changed: make(chan struct{}), house: room.House{
		Name: "Home", Version: 1, Library: tracks,
		Rooms:  []room.Room{{ID: "kitchen", Name: "Kitchen", Volume: 20, Group: "main", Speaker: room.Speaker{Kind: "virtual", State: "playing", Evidence: "measured", Address: "192.0.2.4"}}},
		Groups: []room.Group{{ID: "main", Transport: room.Playing, Queue: room.Queue{Items: tracks}}},
	}}
}

func (f *fake) State() room.House {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.house
}

func (f *fake) Changed(version uint64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.house.Version != version {
		done := make(chan struct{})
		close(done)
		return done
	}
	return f.changed
}

func (f *fake) Do(_ context.Context, c room.Command) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	next, _, err := f.house.Apply(c, time.Now())
	if err != nil {
		return err
	}
	f.did = append(f.did, c)
	f.house = next
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

func (f *fake) Spending(context.Context) (wallet.Spending, error) {
	return wallet.Spending{Balance: 5_000_000, DayBought: 1234, DayHeard: 1000, RoomSpent: map[string]wallet.Msat{"kitchen": 7}}, nil
}

func (f *fake) Art(_ context.Context, hash string) ([]byte, string, error) {
	if hash != "a1" {
		return nil, "", fmt.Errorf("cover %s: %w", hash, fs.ErrNotExist)
	}
	return f.art, "image/svg+xml", nil
}

func owner(*http.Request) bool { return true }

// serve starts the interface over a fake on a loopback port.
func serve(t *testing.T, f *fake, c Config) *httptest.Server {
	t.Helper()
	c.Hub = f
	s := httptest.NewServer(New(c))
	t.Cleanup(s.Close)
	return s
}

var errBroken = errors.New("the needle is broken")
