package session_test

import (
	"errors"
	"testing"
	"time"

	"sonahub/sne/session"
	"sonahub/sne/wire"
)

func server(n byte, now time.Time) *session.Server {
	r := result(100)
	r.Session = wire.SessionID{n}
	return session.NewServer(r, now)
}

func TestTable(t *testing.T) {
	table := session.Table{Max: 2}
	defer table.Close()
	one, two := server(1, start()), server(2, start())
	for _, s := range []*session.Server{one, two} {
		if err := table.Add(s, start()); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Add(server(3, start()), start()); !errors.Is(err, session.ErrFull) {
		t.Fatalf("a third of two: %v", err)
	}
	if s, err := table.Get(wire.SessionID{2}, start()); err != nil || s != two {
		t.Fatalf("%v, %v", s, err)
	}
	table.Remove(wire.SessionID{1})
	if _, err := table.Get(wire.SessionID{1}, start()); !errors.Is(err, session.ErrGone) || !one.Expired(start()) {
		t.Fatalf("removed: %v", err)
	}
	// Unused sessions make room after 30 s.
	late := start().Add(31 * time.Second)
	for n := byte(4); n < 6; n++ {
		if err := table.Add(server(n, late), late); err != nil {
			t.Fatal(err)
		}
	}
	if table.Len() != 2 || !two.Expired(start()) {
		t.Fatalf("%d sessions", table.Len())
	}
	table.Close()
	if table.Len() != 0 {
		t.Fatal("Close left sessions")
	}
}

func TestTableDoesNotWaitForABusySession(t *testing.T) {
	var table session.Table
	defer table.Close()
	c, s := pair(100)
	if err := table.Add(s, start()); err != nil {
		t.Fatal(err)
	}
	req := request(t, c, "x")
	_, err := s.Handle(start(), req, func([]byte) ([]byte, error) {
		late := start().Add(time.Hour)
		if err := table.Add(server(2, late), late); err != nil {
			return nil, err
		}
		return nil, nil
	})
	if err != nil || table.Len() != 2 {
		t.Fatalf("%v, %d sessions", err, table.Len())
	}
}
