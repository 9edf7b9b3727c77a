package session_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sonahub/sne/handshake"
	"sonahub/sne/kdf"
	"sonahub/sne/session"
	"sonahub/sne/wire"
)

// start is when every session of these tests begins.
func start() time.Time { return time.Unix(1_700_000_000, 0) }

func result(max uint32) *handshake.Result {
	return &handshake.Result{
		Session: wire.SessionID{9}, Root: kdf.Secret{1, 2, 3}, Hash: [32]byte{4, 5, 6},
		Limits: handshake.Limits{MaxExchanges: max, TTL: 3600},
	}
}

func pair(max uint32) (*session.Client, *session.Server) {
	return session.NewClient(result(max), start()), session.NewServer(result(max), start())
}

// echo answers with what it was asked, and counts.
type echo struct{ calls int }

func (e *echo) answer(messages []byte) ([]byte, error) {
	e.calls++
	return append([]byte("echo "), bytes.TrimRight(messages, "\x00")...), nil
}

func request(t testing.TB, c *session.Client, text string) []byte {
	t.Helper()
	r, err := c.Request(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func exchange(t testing.TB, c *session.Client, s *session.Server, e *echo, text string) (req, resp []byte) {
	t.Helper()
	req = bytes.Clone(request(t, c, text))
	resp, err := s.Handle(start(), req, e.answer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Response(resp)
	if err != nil {
		t.Fatal(err)
	}
	if want := "echo " + text; string(bytes.TrimRight(got, "\x00")) != want {
		t.Fatalf("answered %q", bytes.TrimRight(got, "\x00"))
	}
	return req, resp
}

func TestManyExchanges(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	for i := range 100 {
		exchange(t, c, s, e, string(rune('a'+i%26)))
	}
	if e.calls != 100 || !c.Spent(start()) {
		t.Fatalf("%d calls, spent %v", e.calls, c.Spent(start()))
	}
	if _, err := c.Request(nil, nil); !errors.Is(err, session.ErrExhausted) {
		t.Fatalf("got %v", err)
	}
}

func TestPaddingHidesLengths(t *testing.T) {
	c, s := pair(100)
	for _, tc := range []struct{ up, down, request, response int }{
		{0, 0, 2074, 3194}, // the figures of section 5
		{2048 - 1216, 2048, 2074, 3194},
		{2048 - 1216 + 1, 2049, 4096 + 26, 4096 + 1146},
		{10, 8000, 2074, 9338},
		{session.MaxMessages, session.MaxPlaintext, session.MaxRequest, session.MaxResponse},
	} {
		req, err := c.Request(nil, bytes.Repeat([]byte{1}, tc.up))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Handle(start(), req, func([]byte) ([]byte, error) { return make([]byte, tc.down), nil })
		if err != nil {
			t.Fatal(err)
		}
		if len(req) != tc.request || len(resp) != tc.response {
			t.Errorf("%d up, %d down: %d and %d bytes on the wire", tc.up, tc.down, len(req), len(resp))
		}
		if _, err := c.Response(resp); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Request(nil, make([]byte, session.MaxMessages+1)); !errors.Is(err, session.ErrTooLong) {
		t.Fatalf("too long a request: %v", err)
	}
	if c.Pending() != nil {
		t.Fatal("a request that was not built is outstanding")
	}
	_, err := s.Handle(start(), request(t, c, "x"), func([]byte) ([]byte, error) { return make([]byte, session.MaxPlaintext+1), nil })
	if !errors.Is(err, session.ErrTooLong) {
		t.Fatalf("too long an answer: %v", err)
	}
}

func TestRepeatIsIdenticalAndActsOnce(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	exchange(t, c, s, e, "before")
	req := request(t, c, "once")
	first, err := s.Handle(start(), req, e.answer)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := s.Handle(start(), bytes.Clone(c.Pending()), e.answer)
		if err != nil || !bytes.Equal(again, first) {
			t.Fatalf("another answer, %v", err)
		}
	}
	if e.calls != 2 {
		t.Fatalf("acted %d times", e.calls)
	}
	if _, err := c.Request(nil, []byte("other")); !errors.Is(err, session.ErrPending) {
		t.Fatalf("a second request under one root: %v", err)
	}
	if _, err := c.Response(first); err != nil {
		t.Fatal(err)
	}
	exchange(t, c, s, e, "after")
}

func TestConcurrentRepeatWaits(t *testing.T) {
	c, s := pair(100)
	req := request(t, c, "x")
	entered, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	answers := make([][]byte, 2)
	calls := 0
	slow := func([]byte) ([]byte, error) {
		calls++
		close(entered)
		<-release
		return nil, nil
	}
	for i := range answers {
		wg.Go(func() {
			if i == 1 {
				<-entered
			}
			answers[i], _ = s.Handle(start(), req, slow)
		})
	}
	<-entered
	close(release)
	wg.Wait()
	if calls != 1 || answers[0] == nil || !bytes.Equal(answers[0], answers[1]) {
		t.Fatalf("%d calls", calls)
	}
}

func TestOrder(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	old, _ := exchange(t, c, s, e, "0")
	last, _ := exchange(t, c, s, e, "1")
	changed := bytes.Clone(last)
	changed[len(changed)-1] ^= 1
	next := bytes.Clone(request(t, c, "2"))
	skipped := bytes.Clone(next)
	skipped[5]++
	for name, raw := range map[string][]byte{
		"an older request":            old,
		"the last one, but changed":   changed,
		"a number that was not built": skipped,
	} {
		if _, err := s.Handle(start(), raw, e.answer); !errors.Is(err, session.ErrGone) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	resp, err := s.Handle(start(), next, e.answer)
	if err != nil {
		t.Fatalf("the right one afterwards: %v", err)
	}
	if _, err := c.Response(resp); err != nil || e.calls != 3 {
		t.Fatalf("%v, %d calls", err, e.calls)
	}
}

func TestTamperedRequestChangesNothing(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	req := request(t, c, "x")
	// Bytes 2 to 5 are the number, which is ErrGone; all others are ErrBad.
	for k, at := range []int{0, 1, 9, 10, 500, 1226, 1300, 2050, len(req) - 1} {
		_, fresh := pair(100)
		bad := bytes.Clone(req)
		bad[at] ^= 1
		if _, err := fresh.Handle(start(), bad, e.answer); !errors.Is(err, session.ErrBad) {
			t.Errorf("byte %d: %v", at, err)
		}
		if k > 0 && k < 14 { // the same server stays usable below 16
			if _, err := s.Handle(start(), bad, e.answer); !errors.Is(err, session.ErrBad) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	}
	for _, bad := range [][]byte{nil, req[:5], req[:10], req[:len(req)-1], append(bytes.Clone(req), 0), make([]byte, 70000)} {
		_, fresh := pair(100)
		if _, err := fresh.Handle(start(), bad, e.answer); !errors.Is(err, session.ErrBad) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if e.calls != 0 {
		t.Fatal("acted on a request that does not open")
	}
	if _, err := s.Handle(start(), req, e.answer); err != nil {
		t.Fatalf("the right one afterwards: %v", err)
	}
}

func TestSixteenBadRequestsEndTheSession(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	req := bytes.Clone(request(t, c, "x"))
	bad := bytes.Clone(req)
	bad[len(bad)-1] ^= 1
	for n := range 16 {
		if _, err := s.Handle(start(), bad, e.answer); !errors.Is(err, session.ErrBad) {
			t.Fatalf("bad request %d: %v", n, err)
		}
	}
	if _, err := s.Handle(start(), req, e.answer); !errors.Is(err, session.ErrGone) {
		t.Fatalf("got %v", err)
	}
	if !s.Expired(start()) {
		t.Fatal("not expired")
	}
}

func TestTamperedResponseCanBeRepeated(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	resp, err := s.Handle(start(), request(t, c, "x"), e.answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 1, 2, 5, 9, 10, 600, 1129, 1130, 2000, len(resp) - 1} {
		bad := bytes.Clone(resp)
		bad[at] ^= 1
		if _, err := c.Response(bad); !errors.Is(err, session.ErrBad) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	for _, bad := range [][]byte{nil, resp[:9], resp[:1000], resp[:len(resp)-1], append(bytes.Clone(resp), 0)} {
		if _, err := c.Response(bad); !errors.Is(err, session.ErrBad) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := c.Response(resp); err != nil {
		t.Fatalf("the right one afterwards: %v", err)
	}
	if _, err := c.Response(resp); !errors.Is(err, session.ErrBad) {
		t.Fatalf("the same again: %v", err)
	}
}

func TestFailedAnswerLeavesTheSessionWhereItWas(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	boom := errors.New("books are locked")
	req := request(t, c, "x")
	if _, err := s.Handle(start(), req, func([]byte) ([]byte, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	resp, err := s.Handle(start(), req, e.answer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Response(resp); err != nil || e.calls != 1 {
		t.Fatalf("%v, %d calls", err, e.calls)
	}
}

// Two sessions, even with equal secrets, do not take each other's messages:
// the id is in the associated data.
func TestSessionIDIsBound(t *testing.T) {
	c, _ := pair(100)
	other := result(100)
	other.Session[0]++
	s := session.NewServer(other, start())
	if _, err := s.Handle(start(), request(t, c, "x"), (&echo{}).answer); !errors.Is(err, session.ErrBad) {
		t.Fatalf("got %v", err)
	}
}

func TestLifetimes(t *testing.T) {
	after := func(d time.Duration) time.Time { return start().Add(d) }
	for _, tc := range []struct {
		name  string
		used  bool
		after time.Duration
		gone  bool
	}{
		{"unused, 29 s", false, 29 * time.Second, false},
		{"unused, 30 s", false, 30 * time.Second, true},
		{"idle, 14 min", true, 14 * time.Minute, false},
		{"idle, 15 min", true, 15 * time.Minute, true},
	} {
		c, s := pair(100)
		e := &echo{}
		if tc.used {
			exchange(t, c, s, e, "x")
		}
		_, err := s.Handle(after(tc.after), request(t, c, "y"), e.answer)
		if errors.Is(err, session.ErrGone) != tc.gone {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	fresh, _ := pair(100)
	if fresh.Spent(after(3589*time.Second)) || !fresh.Spent(after(3591*time.Second)) {
		t.Error("the client does not give up shortly before the end")
	}
	c, s := pair(100)
	e := &echo{}
	for m := range 7 { // used every ten minutes, and yet it ends after an hour
		resp, err := s.Handle(after(time.Duration(m)*10*time.Minute), request(t, c, "x"), e.answer)
		if m == 6 && errors.Is(err, session.ErrGone) {
			break
		}
		if err != nil || m == 6 {
			t.Fatalf("after %d minutes: %v", 10*m, err)
		}
		if _, err := c.Response(resp); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResponseIsForgottenAfterAMinute(t *testing.T) {
	c, s := pair(100)
	e := &echo{}
	req, _ := exchange(t, c, s, e, "x")
	if _, err := s.Handle(start().Add(59*time.Second), req, e.answer); err != nil {
		t.Fatalf("after 59 s: %v", err)
	}
	if _, err := s.Handle(start().Add(60*time.Second), req, e.answer); !errors.Is(err, session.ErrGone) {
		t.Fatalf("after 60 s: %v", err)
	}
	if e.calls != 1 {
		t.Fatalf("acted %d times", e.calls)
	}
}

func TestErasedClientRefuses(t *testing.T) {
	c, _ := pair(100)
	request(t, c, "x")
	c.Erase()
	if _, err := c.Request(nil, nil); !errors.Is(err, session.ErrExhausted) || c.Pending() != nil || !c.Spent(start()) {
		t.Fatalf("got %v", err)
	}
}

func FuzzHandle(f *testing.F) {
	c, _ := pair(100)
	req, err := c.Request(rand.NewChaCha8([32]byte{}), []byte("x")) // every worker has the same
	if err != nil {
		f.Fatal(err)
	}
	f.Add(req)
	f.Add(make([]byte, 2074))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, s := pair(100)
		if _, err := s.Handle(start(), raw, (&echo{}).answer); err == nil && !bytes.Equal(raw, req) {
			t.Fatal("answered a request that nobody made")
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add(make([]byte, 3194))
	f.Add([]byte{4, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, _ := pair(100)
		request(t, c, "x")
		if _, err := c.Response(raw); err == nil {
			t.Fatal("took a response that nobody made")
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	c, s := pair(1 << 30)
	nothing := func([]byte) ([]byte, error) { return nil, nil }
	for b.Loop() {
		req, err := c.Request(nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := s.Handle(start(), req, nothing)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Response(resp); err != nil {
			b.Fatal(err)
		}
	}
}
