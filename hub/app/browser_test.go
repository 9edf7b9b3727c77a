package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sonahub/hub/app"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/room"
	"sonahub/hub/virtual"
	"sonahub/ui/uitest"
)

// TestPageOfARealHub presses play, volume and next in a real browser, with
// scripts and without, on a hub that buys and plays; a stranger may only look.
func TestPageOfARealHub(t *testing.T) {
	browser := uitest.Browser(t)
	h := newHome(t, 2, nil, origin.Config{NoOpus: true}, piece{cd, 40}, piece{cd, 40}, piece{dvd, 40})
	site := uitest.Site{URL: h.URL(), Code: h.Code, State: h.State}
	uitest.DriveStranger(t, browser, site)
	uitest.Drive(t, browser, site)
	uitest.DriveForms(t, browser, site)
	h.agree()
}

// TestHostileMusic puts names, tags and covers into the music folder that try
// to break out of the page, the platform or the file system. To see it fail:
// write a title with templ.Raw.
func TestHostileMusic(t *testing.T) {
	browser := uitest.Browser(t)
	dir := t.TempDir()
	evil := `"><script>document.title="owned"</script><img src=x onerror="document.title='owned'">`
	origintest.Music(t, dir,
		origintest.Track{Name: "1.flac", Frames: 44100 * 20, Title: evil, Seed: 1},
		origintest.Track{Name: "2.flac", Frames: 44100 * 20, Title: strings.Repeat("\u202e\u0000long ", 5000), Seed: 2},
		origintest.Track{Name: "'; drop table; --.flac", Frames: 44100 * 20, Seed: 3},
	)
	for name, data := range map[string]string{
		"broken.flac": "fLaC but not really", "empty.mp3": "", "cover.jpg": "<svg onload=alert(1)>", "text.ogg": "OggS" + strings.Repeat("x", 100),
		"zero.wav": "RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	o := origintest.Start(t, origin.Config{Music: dir, NoOpus: true})
	if err := o.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.Progress(); len(got.Skipped) < 4 || got.Ready != 3 {
		t.Errorf("skipped %v, %d tracks can be bought", got.Skipped, got.Ready)
	}
	for _, s := range o.Progress().Skipped {
		if s.Reason == "" || s.Path == "" {
			t.Errorf("skipped without a reason: %+v", s)
		}
	}
	h := &home{t: t, platform: o, rec: &virtual.Recorder{}, config: app.Config{
		State: filepath.Join(t.TempDir(), "hub"), Origin: o.URL(), Listen: "127.0.0.1:0", Virtual: 1, Rooms: []string{"all"}, Welcome: true, Name: evil,
	}}
	h.open()
	h.do(room.Play{})
	h.at(0, time.Second)
	tab := uitest.Tab(t, browser)
	uitest.Enter(t, tab, uitest.Site{URL: h.URL(), Code: h.Code, State: h.State})
	var title, shown string
	if err := chromedp.Run(tab, chromedp.Title(&title), chromedp.Text("body", &shown)); err != nil {
		t.Fatal(err)
	}
	if title == "owned" || !strings.Contains(shown, "<script>") {
		t.Errorf("the title is %q; the evil name is shown as text: %v", title, strings.Contains(shown, "<script>"))
	}
	uitest.Axe(t, tab)
	h.agree()
}
