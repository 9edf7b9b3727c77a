package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

func call(t *testing.T, method, url, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(data)
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		owner   func(*http.Request) bool
		address string
	}{{owner, "192.0.2.4"}, {nil, ""}} {
		code, _, body := call(t, "GET", serve(t, newFake(), Config{Owner: c.owner}).URL+"/api/state", "")
		var s State
		if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 {
			t.Fatalf("%d %v", code, err)
		}
		if s.Owner != (c.owner != nil) || s.Rooms[0].Speaker.Address != c.address {
			t.Errorf("owner %v sees address %q, want %q", s.Owner, s.Rooms[0].Speaker.Address, c.address)
		}
		if s.Spending == nil || s.Spending.PerHourMsat != 360_000 || s.Spending.DayBoughtMsat != 1234 || s.Spending.DayHeardMsat != 1000 {
			t.Errorf("spending %+v", s.Spending)
		}
		if len(s.Library) != 2 || s.Library[1].Title != "</script><b>" {
			t.Errorf("library %+v", s.Library)
		}
		if strings.Contains(body, "<") {
			t.Error("markup in JSON is not escaped")
		}
	}
}

// commands maps every command of the interface to a body and what it must
// become.
func commands() map[string]struct {
	body string
	want room.Command
} {
	type c = struct {
		body string
		want room.Command
	}
	return map[string]c{
		"play":     {``, room.Play{}},
		"pause":    {`{"group":"main"}`, room.Pause{Group: "main"}},
		"next":     {`{}`, room.Next{}},
		"previous": {`{}`, room.Previous{}},
		"seek":     {`{"to_ms":61500}`, room.Seek{To: 61500 * time.Millisecond}},
		"select":   {`{"index":0}`, room.Select{}},
		"enqueue":  {`{"tracks":["t1","t2"],"next":true}`, room.Enqueue{Tracks: []string{"t1", "t2"}, Next: true}},
		"remove":   {`{"index":1}`, room.Remove{Index: 1}},
		"clear":    {``, room.Clear{}},
		"undo":     {``, room.Undo{}},
		"volume":   {`{"room":"kitchen","percent":0}`, room.SetVolume{Room: "kitchen"}},
		"mute":     {`{"room":"kitchen","on":true}`, room.SetMute{Room: "kitchen", On: true}},
		"join":     {`{"room":"all"}`, room.Join{Room: "all"}},
		"leave":    {`{"room":"kitchen"}`, room.Leave{Room: "kitchen"}},
	}
}

func TestEveryCommand(t *testing.T) {
	all := commands()
	if len(all) != len(Commands()) {
		t.Fatalf("%d commands are tested, there are %d", len(all), len(Commands()))
	}
	for name, c := range all {
		f := newFake()
		f.house.Groups[0].Left = &room.Queue{Items: f.house.Library}
		s := serve(t, f, Config{Owner: owner})
		code, _, body := call(t, "POST", s.URL+"/api/command/"+name, c.body)
		if code != 200 || len(f.did) != 1 || !reflect.DeepEqual(f.did[0], c.want) {
			t.Errorf("%s: %d %s did %+v, want %+v", name, code, body, f.did, c.want)
		}
		if want := fmt.Sprintf(`{"version":%d}`, f.State().Version); strings.TrimSpace(body) != want {
			t.Errorf("%s: answer %s, want %s", name, body, want)
		}
	}
}

func TestStrangersMayLookNotAct(t *testing.T) {
	f := newFake()
	s := serve(t, f, Config{})
	for name, c := range commands() {
		code, _, body := call(t, "POST", s.URL+"/api/command/"+name, c.body)
		if code != 403 || !strings.Contains(body, `"not_owner"`) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if len(f.did) != 0 {
		t.Errorf("a stranger did %v", f.did)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		err                error
		status             int
		code               string
	}{
		{"POST", "/api/command/volume", `{"room":"kitchen"}`, nil, 400, "bad_request"},
		{"POST", "/api/command/volume", `{"percent":3}`, nil, 400, "bad_request"},
		{"POST", "/api/command/volume", `{"room":"kitchen","percent":101}`, nil, 400, "bad_request"},
		{"POST", "/api/command/volume", `{"room":"cellar","percent":1}`, nil, 404, "not_found"},
		{"POST", "/api/command/volume", `{"room":"kitchen","percent":"loud"}`, nil, 400, "bad_request"},
		{"POST", "/api/command/remove", `{}`, nil, 400, "bad_request"}, // not: remove the first
		{"POST", "/api/command/remove", `{"index":9}`, nil, 400, "bad_request"},
		{"POST", "/api/command/play", `{"gruop":"x"}`, nil, 400, "bad_request"},
		{"POST", "/api/command/play", `{} {}`, nil, 400, "bad_request"},
		{"POST", "/api/command/play", `[`, nil, 400, "bad_request"},
		{"POST", "/api/command/play", `{"group":"` + strings.Repeat("x", 129) + `"}`, nil, 400, "bad_request"},
		{"POST", "/api/command/enqueue", `{"tracks":[]}`, nil, 400, "bad_request"},
		{"POST", "/api/command/play", strings.Repeat(" ", maxBody+1), nil, 413, "too_large"},
		{"POST", "/api/command/dance", ``, nil, 404, "not_found"},
		{"GET", "/api/command/play", ``, nil, 405, "method"},
		{"POST", "/api/state", ``, nil, 405, "method"},
		{"GET", "/api/nothing", ``, nil, 404, "not_found"},
		{"GET", "/api/art/zz", ``, nil, 404, "not_found"},
		{"GET", "/api/art/..%2f..%2fetc", ``, nil, 400, "bad_request"},
		{"POST", "/api/command/play", ``, errBroken, 409, "refused"},
		{"POST", "/api/command/play", ``, context.DeadlineExceeded, 504, "timeout"},
		{"POST", "/api/command/play", ``, fmt.Errorf("play: %w", &wallet.CapError{Cap: wallet.CapDay}), 409, "cap"},
		{"POST", "/api/command/play", ``, &wallet.EmptyError{}, 409, "balance"},
		{"POST", "/api/command/play", ``, &wallet.ExposureError{}, 409, "exposure"},
		{"POST", "/api/command/play", ``, &wallet.BlockedError{}, 409, "blocked"},
	} {
		f := newFake()
		f.err = c.err
		status, _, body := call(t, c.method, serve(t, f, Config{Owner: owner}).URL+c.path, c.body)
		var p Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != c.status || p.Code != c.code || p.Message == "" || p.Next == "" {
			t.Errorf("%s %s %.40q: %d %+v %v, want %d %s", c.method, c.path, c.body, status, p, err, c.status, c.code)
		}
		if len(f.did) != 0 {
			t.Errorf("%s %s %.40q did %v", c.method, c.path, c.body, f.did)
		}
	}
}

func TestFormsOfOtherSitesAreNoCommands(t *testing.T) {
	f := newFake()
	s := serve(t, f, Config{Owner: owner})
	res, err := http.Post(s.URL+"/api/command/play", "text/plain", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 415 || len(f.did) != 0 {
		t.Errorf("%d, did %v", res.StatusCode, f.did)
	}
}

func TestArt(t *testing.T) {
	png := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{0}, 32)...)
	for name, c := range map[string]struct {
		data []byte
		code int
		kind string
	}{
		"png":  {png, 200, "image/png"},
		"svg":  {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), 404, "application/json"},
		"html": {[]byte(`<html><script>alert(1)</script>`), 404, "application/json"},
		"none": {nil, 404, "application/json"},
		"big":  {append(png, make([]byte, maxArt)...), 404, "application/json"},
	} {
		f := newFake()
		f.art = c.data
		code, head, _ := call(t, "GET", serve(t, f, Config{}).URL+"/api/art/a1", "")
		if code != c.code || head.Get("Content-Type") != c.kind || head.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, code, head)
		}
	}
}

// TestUnixSocket is how the command line reaches the hub.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.sock")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	srv := &http.Server{Handler: New(Config{Hub: f, Owner: owner}), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	transport := &http.Transport{DialContext: dial}
	res, err := (&http.Client{Transport: transport}).Post("http://hub/api/command/pause", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	transport.CloseIdleConnections()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
	if res.StatusCode != 200 || f.State().Groups[0].Transport != room.Paused {
		t.Errorf("%d, %s", res.StatusCode, f.State().Groups[0].Transport)
	}
}

// TestStarvedBody sends a head and no body: the hub does not wait for ever.
func TestStarvedBody(t *testing.T) {
	f := newFake()
	s := serve(t, f, Config{Owner: owner, Timeout: 20 * time.Millisecond})
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST /api/command/play HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	var answer [12]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil || string(answer[:]) != "HTTP/1.1 400" {
		t.Errorf("%q %v", answer, err)
	}
	if len(f.did) != 0 {
		t.Errorf("did %v", f.did)
	}
}

func FuzzDecode(f *testing.F) {
	for name, c := range commands() {
		f.Add(name, []byte(c.body))
	}
	f.Add("seek", []byte(`{"to_ms":-9223372036854775808}`))
	f.Add("seek", []byte(`{"to_ms":9223372036854775807}`))
	f.Add("play", []byte("\xff{"))
	house := newFake().house
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		c, err := Decode(name, body)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if err != nil {
			return
		}
		if s, ok := c.(room.Seek); ok && s.To < 0 {
			t.Fatalf("seek to %s", s.To)
		}
		_, _, _ = house.Apply(c, time.Time{}) // must not panic
	})
}
