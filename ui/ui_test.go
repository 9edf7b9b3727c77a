package ui

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"sonahub/hub/api/guard"
	"sonahub/hub/room"
	"sonahub/ui/uitest"
)

// reader is a browser of some kind before a served page.
type reader struct {
	*http.Client
	t     *testing.T
	url   string
	hub   *uitest.Hub
	guard *guard.Guard
}

// open serves the page of a house and lets the reader in if owner.
func open(t *testing.T, house room.House, owner bool) *reader {
	t.Helper()
	hub := uitest.NewHub(house, uitest.Purse())
	g, err := guard.New(guard.Config{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := New(Config{Hub: hub, Access: g})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g.Wrap(page))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, t, srv.URL, hub, g}
	if owner {
		if code, head, _ := r.post("/enter", "code="+g.Code(), ""); code != 303 || head.Get("Location") != "/" {
			t.Fatalf("the code is not taken: %d", code)
		}
	}
	return r
}

func (r *reader) ask(req *http.Request) (int, http.Header, string) {
	r.t.Helper()
	res, err := r.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var b strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&b); err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, b.String()
}

func (r *reader) get(path, language string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", language)
	return r.ask(req)
}

func (r *reader) post(path, form, remote string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.url+path, strings.NewReader(form))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if remote != "" {
		req.Header.Set(quiet, remote)
	}
	return r.ask(req)
}

func TestHome(t *testing.T) {
	r := open(t, uitest.Evening(time.Now()), false)
	code, head, body := r.get("/", "")
	if code != 200 || head.Get("Content-Type") != "text/html; charset=utf-8" || head.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", code, head)
	}
	t.Logf("the document weighs %d bytes", len(body))
	for _, want := range []string{
		"First Light over the Harbour", "Mara Lindqvist · Tides", "Heard as FLAC lossless", "Living room",
		"360 sat", "187.600 sat", "181.200 sat", "4812.400 sat", "211.300 sat of 1000 sat", // exact, with their unit
		"measured", "derived", "believed", "Bit for bit", "Its cap for today is reached",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(body, "192.0.2.") {
		t.Error("a stranger sees an address")
	}
	if _, _, body := r.get("/", "de"); !strings.Contains(body, `<html lang="de"`) || !strings.Contains(body, "Bibliothek") {
		t.Error("no German")
	}
}

func TestCodeInLinkLetsNobodyIn(t *testing.T) {
	r := open(t, uitest.Morning(), false)
	code := r.guard.Code()
	if _, head, body := r.get("/?code="+code, ""); head.Get("Set-Cookie") != "" || !strings.Contains(body, `value="`+code+`"`) {
		t.Error("GET must fill the form in, and no more")
	}
	if r.guard.Code() != code {
		t.Error("GET spent the code")
	}
	if _, _, body := r.get("/?code="+strings.Repeat("x", 65), ""); strings.Contains(body, "xxxxx") {
		t.Error("a code of any length is shown")
	}
}

func TestEnter(t *testing.T) {
	r := open(t, uitest.Morning(), false)
	for range 5 {
		if code, _, body := r.post("/enter", "code=WRNG-0000", ""); code != 403 || !strings.Contains(body, "not the code") {
			t.Fatalf("wrong code: %d", code)
		}
	}
	if code, head, body := r.post("/enter", "code="+r.guard.Code(), ""); code != 429 || !strings.Contains(body, "Please wait until") || head.Get("Set-Cookie") != "" {
		t.Errorf("in the wait: %d", code)
	}
	in := open(t, uitest.Morning(), true)
	if code, _, _ := in.post("/leave", "", ""); code != 303 {
		t.Errorf("leave: %d", code)
	}
	if code, _, _ := in.post("/do/play", "", ""); code != 403 {
		t.Errorf("who left may act: %d", code)
	}
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		path, form, anchor string
		want               room.Command
	}{
		{"play", "", "now", room.Play{}},
		{"pause", "group=main", "now", room.Pause{Group: "main"}},
		{"next", "", "now", room.Next{}},
		{"previous", "", "now", room.Previous{}},
		{"seek", "to_ms=61500", "now", room.Seek{To: 61500 * time.Millisecond}},
		{"select", "index=2", "now", room.Select{Index: 2}},
		{"enqueue?now=true", "tracks=tide&tracks=rain", "queue", room.Enqueue{Tracks: []string{"tide", "rain"}, Now: true}},
		{"enqueue", "tracks=tide", "queue", room.Enqueue{Tracks: []string{"tide"}}},
		{"remove", "index=0", "queue", room.Remove{}},
		{"clear", "", "queue", room.Clear{}},
		{"undo", "", "queue", room.Undo{}},
		{"volume", "room=study&percent=0", "rooms", room.SetVolume{Room: "study"}},
		{"mute", "room=study&on=false", "rooms", room.SetMute{Room: "study"}},
		{"join", "room=all", "rooms", room.Join{Room: "all"}},
		{"leave", "room=kitchen", "rooms", room.Leave{Room: "kitchen"}},
	} {
		house := uitest.Evening(time.Now())
		house.Groups[0].Left = &room.Queue{Items: house.Library}
		for _, remote := range []string{"", "1"} {
			r := open(t, house, true)
			code, head, _ := r.post("/do/"+c.path, c.form, remote)
			if remote == "" && (code != 303 || head.Get("Location") != "/#"+c.anchor) {
				t.Errorf("%s: %d to %q", c.path, code, head.Get("Location"))
			}
			if remote != "" && code != 204 {
				t.Errorf("%s by the script: %d", c.path, code)
			}
			if done := r.hub.Done(); len(done) != 1 || !reflect.DeepEqual(done[0], c.want) {
				t.Errorf("%s %s did %+v, want %+v", c.path, c.form, done, c.want)
			}
		}
	}
}

func TestBadForms(t *testing.T) {
	r := open(t, uitest.Evening(time.Now()), true)
	for path, form := range map[string]string{
		"volume":  "room=study",                        // no percent
		"remove":  "",                                  // not: the first
		"select":  "index=x",                           //
		"seek":    "to_ms=99999999999999",              //
		"mute":    "on=true",                           // no room
		"play":    "group=" + strings.Repeat("x", 129), //
		"enqueue": strings.Repeat("tracks=a&", room.MaxQueue+1),
		"leave":   "room=%zz",
		"join":    strings.Repeat("x", maxForm+1),
	} {
		if code, _, body := r.post("/do/"+path, form, "1"); code != 400 || !strings.Contains(body, "did not understand") {
			t.Errorf("%s %.40s: %d %s", path, form, code, body)
		}
	}
	for path, form := range map[string]string{"volume": "room=study&percent=101", "leave": "room=cellar", "remove": "index=99"} {
		if code, _, body := r.post("/do/"+path, form, ""); code != 409 || !strings.Contains(body, `role="alert"`) || !strings.Contains(body, "<h1>") {
			t.Errorf("%s %s: %d, want the page with the reason", path, form, code)
		}
	}
	if done := r.hub.Done(); len(done) != 0 {
		t.Errorf("did %v", done)
	}
	r.hub.Refuse(context.DeadlineExceeded)
	if code, _, _ := r.post("/do/play", "", "1"); code != 504 {
		t.Errorf("a hub that does not answer: %d", code)
	}
	r.hub.Refuse(errors.New("no <b>music</b>"))
	if code, _, body := r.post("/do/play", "", ""); code != 409 || !strings.Contains(body, "no &lt;b&gt;music") {
		t.Errorf("a reason with markup: %d", code)
	}
}

func TestStranger(t *testing.T) {
	r := open(t, uitest.Evening(time.Now()), false)
	for _, f := range forms() {
		if code, _, _ := r.post("/do/"+f.name, "room=study&percent=9&on=true&index=0&to_ms=0&tracks=tide", "1"); code != 403 {
			t.Errorf("%s: %d", f.name, code)
		}
	}
	if done := r.hub.Done(); len(done) != 0 {
		t.Errorf("a stranger did %v", done)
	}
}

func TestGetIsPure(t *testing.T) {
	r := open(t, uitest.Evening(time.Now()), true)
	for _, f := range forms() {
		if code, head, _ := r.get("/do/"+f.name+"?room=study&percent=9", ""); code != 303 || head.Get("Location") != "/" {
			t.Errorf("GET %s: %d", f.name, code)
		}
	}
	if done := r.hub.Done(); len(done) != 0 {
		t.Errorf("GET did %v", done)
	}
}

// TestLive reads the live stream: all parts first, then only what changed.
func TestLive(t *testing.T) {
	r := open(t, uitest.Trouble(), true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	event := func() string {
		var b strings.Builder
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "\n" {
				return b.String()
			}
			b.WriteString(line)
		}
	}
	if e := event(); !strings.HasPrefix(e, "event: build\n") {
		t.Errorf("first event %q", e)
	}
	all := event()
	for _, p := range regions() {
		if !strings.Contains(all, `id="`+p.id+`"`) {
			t.Errorf("the first update lacks %s", p.id)
		}
	}
	r.hub.Note(room.Noticed{Notice: "two\nlines"})
	if e := event(); !strings.Contains(e, `id="notices"`) || strings.Contains(e, `id="rooms"`) || strings.Contains(e, `id="library"`) {
		t.Errorf("an update of the notice sends %q", e)
	}
	if err := r.hub.Do(ctx, room.SetVolume{Room: "study", Percent: 3}); err != nil {
		t.Fatal(err)
	}
	if e := event(); !strings.Contains(e, `id="rooms"`) || strings.Contains(e, `id="queue"`) || strings.Contains(e, `id="now"`) {
		t.Errorf("an update of the volume sends %q", e)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("volume", "room=study&percent=4294967296")
	f.Add("seek", "to_ms=-5")
	f.Add("enqueue", "tracks=&tracks=%00&now=true")
	f.Add("remove", "index=-1&index=0")
	house := uitest.Evening(time.Now())
	f.Fuzz(func(t *testing.T, name, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		for _, form := range forms() {
			if form.name != name {
				continue
			}
			c, err := form.command(values)
			if (c == nil) == (err == nil) {
				t.Fatalf("%v, %v", c, err)
			}
			if err == nil {
				_, _, _ = house.Apply(c, time.Now()) // must not panic
			}
		}
	})
}
