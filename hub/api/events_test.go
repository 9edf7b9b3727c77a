package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sonahub/hub/api/sse"
	"sonahub/hub/room"
)

// listen opens the event stream and gives its lines.
func listen(t *testing.T, url string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return res, lines
}

// next reads on to the next event; heartbeats are counted.
func next(t *testing.T, lines *bufio.Scanner) (s State, beats int) {
	t.Helper()
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, ":"):
			beats++
		case strings.HasPrefix(line, "data: "):
			if err := json.Unmarshal([]byte(line[6:]), &s); err != nil {
				t.Fatal(err)
			}
			return s, beats
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return s, beats
}

func TestEvents(t *testing.T) {
	f := newFake()
	s := serve(t, f, Config{})
	_, lines := listen(t, s.URL)
	first, _ := next(t, lines)
	if first.Version != 1 || len(first.Library) != 2 {
		t.Fatalf("first event: version %d, %d tracks; want the whole state", first.Version, len(first.Library))
	}
	if err := f.Do(t.Context(), room.SetVolume{Room: "kitchen", Percent: 33}); err != nil {
		t.Fatal(err)
	}
	second, _ := next(t, lines)
	if second.Rooms[0].Volume != 33 || second.Library != nil {
		t.Errorf("volume %d, library %v", second.Rooms[0].Volume, second.Library)
	}
	for i := range 100 {
		if err := f.Do(t.Context(), room.SetVolume{Room: "kitchen", Percent: i}); err != nil {
			t.Fatal(err)
		}
	}
	for events := 1; ; events++ {
		if e, _ := next(t, lines); e.Version == f.State().Version {
			t.Logf("100 changes in a row came as %d events", events)
			return
		}
	}
}

func TestHeartbeat(t *testing.T) {
	f := newFake()
	_, lines := listen(t, serve(t, f, Config{Streams: sse.Config{Heartbeat: time.Millisecond}}).URL)
	next(t, lines)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), ": ") {
			return
		}
	}
	t.Fatal("no heartbeat")
}

func TestTooManyStreams(t *testing.T) {
	f := newFake()
	s := serve(t, f, Config{Streams: sse.Config{Max: 1}})
	_, lines := listen(t, s.URL)
	next(t, lines)
	if res, _ := listen(t, s.URL); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("second stream: %d", res.StatusCode)
	}
}
