package uitest

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sonahub/hub/room"
)

// Site is a hub that is reached by a browser.
type Site struct {
	URL   string            // of the page, e.g. "http://127.0.0.1:8080"
	Code  func() string     // the one-time code that is valid now
	State func() room.House // what the house and its speakers say
}

func (s Site) main() room.Group {
	g, _ := s.State().Group("")
	return g
}

// Drive opens the page with scripts, lets itself in, and presses what people
// press; every time it waits until the house's own state follows and the page
// shows it. It ends with the page's accessibility in both schemes, at 320 and
// at 1280 pixels.
func Drive(t *testing.T, browser context.Context, s Site) {
	tab := Tab(t, browser)
	Enter(t, tab, s)
	drive(t, tab, s)
	if !Eval[bool](t, tab, `document.documentElement.classList.contains("js")`) {
		t.Error("the page's script does not run")
	}
	id := s.State().Rooms[0].ID
	before := volume(s, id)
	key := kb.ArrowRight
	if before == 100 {
		key = kb.ArrowLeft
	}
	run(t, tab, chromedp.Focus(slider(id), chromedp.ByQuery), chromedp.KeyEvent(key))
	Until(t, "the room follows its slider", func() bool { return volume(s, id) != before })
	for scheme, width := range map[string]int64{"light": 320, "dark": 1280} {
		Scheme(t, tab, scheme)
		Size(t, tab, width, 800)
		Axe(t, tab)
		Fits(t, tab)
	}
}

// DriveForms does the same without scripts, by the page's plain forms.
func DriveForms(t *testing.T, browser context.Context, s Site) {
	tab := Tab(t, browser)
	run(t, tab, emulation.SetScriptExecutionDisabled(true))
	Enter(t, tab, s)
	if Eval[bool](t, tab, `document.documentElement.classList.contains("js")`) {
		t.Error("the page's script runs, though scripts are off")
	}
	drive(t, tab, s)
	id := s.State().Rooms[0].ID
	before := volume(s, id)
	press(t, tab, slider(id)+` ~ button`, "nothing changes", func() bool { return volume(s, id) == before })
	Fits(t, tab)
}

// Enter opens the page by the link with the code and confirms it.
func Enter(t testing.TB, tab context.Context, s Site) {
	t.Helper()
	run(t, tab, chromedp.Navigate(s.URL+"/?code="+s.Code()), chromedp.Click(`#enter button`, chromedp.ByQuery))
	Until(t, "the device is let in", func() bool {
		return Shows(tab, `!document.querySelector("#enter") && document.querySelector("#bar") && document.readyState === "complete"`)
	})
}

// drive is what both drivers have in common.
func drive(t *testing.T, tab context.Context, s Site) {
	Until(t, "there is a room and something to play", func() bool { h := s.State(); return len(h.Rooms) > 0 && len(h.Library) > 1 })
	id := s.State().Rooms[0].ID
	if r, _ := s.State().Room(id); r.Group == "" {
		press(t, tab, fmt.Sprintf(`#room-%s .head button`, id), "the room joins", func() bool { r, _ := s.State().Room(id); return r.Group != "" })
	}
	if len(s.main().Queue.Items) < 2 {
		press(t, tab, `#library .tool`, "a piece is in the queue", func() bool { return len(s.main().Queue.Items) > 0 })
		press(t, tab, `#library .row:last-child .tool`, "another one too", func() bool { return len(s.main().Queue.Items) > 1 })
	}
	if now := s.main().Transport; now == room.Playing || now == room.Waiting {
		press(t, tab, `#toggle[formaction="/do/pause"]`, "it pauses", func() bool { return s.main().Transport == room.Paused })
	}
	press(t, tab, `#toggle[formaction="/do/play"]`, "it plays", func() bool { return s.main().Transport == room.Playing })
	Until(t, "the room's speaker says that it plays", func() bool { r, _ := s.State().Room(id); return r.Speaker.State == "playing" })

	before := volume(s, id)
	louder, way := "form:nth-of-type(4) button", 1
	if before > 90 {
		louder, way = "form:nth-of-type(2) button", -1
	}
	press(t, tab, fmt.Sprintf(`#room-%s .volume %s`, id, louder), "the volume moves", func() bool { return (volume(s, id)-before)*way > 0 })
	Until(t, "the page shows the volume", func() bool {
		return Shows(tab, fmt.Sprintf(`document.querySelector(%q)?.getAttribute("value") === "%d"`, slider(id), volume(s, id)))
	})

	at := s.main().Queue.Current
	if at == len(s.main().Queue.Items)-1 {
		press(t, tab, `#queue .row .main`, "the first piece plays", func() bool { return s.main().Queue.Current == 0 })
		at = 0
	}
	press(t, tab, `#bar [formaction="/do/next"]`, "the next piece is on", func() bool { return s.main().Queue.Current == at+1 })
	Until(t, "the page shows the next piece", func() bool {
		track, _ := s.main().Track()
		return Shows(tab, fmt.Sprintf(`document.querySelector("#now")?.dataset.track === %q`, track.ID))
	})
	press(t, tab, `#toggle[formaction="/do/pause"]`, "it pauses", func() bool { return s.main().Transport == room.Paused })
	Until(t, "the page shows the pause", func() bool { return Shows(tab, `document.querySelector('#toggle[formaction="/do/play"]')`) })
}

// press clicks on something, waits until the house followed, and, on a page
// without scripts, until the page is back.
func press(t *testing.T, tab context.Context, selector, what string, followed func() bool) {
	t.Helper()
	run(t, tab, chromedp.WaitVisible(selector, chromedp.ByQuery),
		chromedp.Evaluate(`document.documentElement.dataset.pressed = "yes"`, nil),
		chromedp.Click(selector, chromedp.ByQuery))
	Until(t, what+" (after a press on "+selector+")", followed)
	Until(t, "the page is back", func() bool {
		return Shows(tab, `document.documentElement.classList.contains("js") || (!document.documentElement.dataset.pressed && document.readyState === "complete")`)
	})
}

// DriveStranger opens the page without a code: it may look, and whatever it
// tries changes nothing.
func DriveStranger(t *testing.T, browser context.Context, s Site) {
	tab := Tab(t, browser)
	run(t, tab, chromedp.Navigate(s.URL), chromedp.WaitVisible("#enter", chromedp.ByQuery))
	if n := Eval[int](t, tab, `[...document.querySelectorAll('form[action^="/do/"] button, form[action^="/do/"] input[type=range]')].filter(e => !e.disabled).length`); n != 0 {
		t.Errorf("%d controls are not disabled", n)
	}
	before := s.State()
	for _, action := range []string{"/do/play", "/do/pause", "/do/next", "/do/clear", "/api/command/play", "/api/command/next"} {
		if status := Eval[int](t, tab, fmt.Sprintf(`fetch(%q, {method: "POST"}).then(r => r.status)`, action)); status != 403 {
			t.Errorf("%s answers a stranger with %d", action, status)
		}
	}
	after := s.State()
	if a, b := before.Groups[0], after.Groups[0]; a.Transport != b.Transport || a.Queue.Current != b.Queue.Current || len(a.Queue.Items) != len(b.Queue.Items) {
		t.Error("a stranger changed what plays")
	}
	run(t, tab, chromedp.SendKeys("#code", "0000-0000", chromedp.ByQuery), chromedp.Click("#enter button", chromedp.ByQuery),
		chromedp.WaitVisible("#enter-wrong", chromedp.ByQuery))
	Axe(t, tab)
}

func slider(id string) string { return "#volume-" + id }

func volume(s Site, id string) int {
	r, _ := s.State().Room(id)
	return r.Volume
}
