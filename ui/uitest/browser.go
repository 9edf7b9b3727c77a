package uitest

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 (npm `axe-core`, axe.min.js unchanged, MPL-2.0),
// SHA-256 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c.
//
//go:embed testdata/axe.min.js
var axe []byte

// patience is how long a step on the page may take before the test fails.
const patience = 30 * time.Second

// Browser starts a fresh Chromium that dies with the test, and skips the test
// when there is none.
func Browser(t testing.TB) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here; `apt-get install chromium` brings it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("lang", "en"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, quit := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Logf("closing the browser: %v", err)
		}
		quit()
		stop()
	})
	if err := chromedp.Run(browser); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return browser
}

// Tab opens a tab with cookies of its own, as another phone would; it is as
// wide as a common phone.
func Tab(t testing.TB, browser context.Context) context.Context {
	t.Helper()
	tab, shut := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(shut)
	if err := chromedp.Run(tab); err != nil { // without a deadline: it would become the tab's
		t.Fatalf("opening a tab: %v", err)
	}
	run(t, tab, emulation.SetDeviceMetricsOverride(390, 844, 1, true))
	return tab
}

// run carries out steps on a tab; the test ends if one fails.
func run(t testing.TB, tab context.Context, steps ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	if err := chromedp.Run(ctx, steps...); err != nil {
		t.Fatalf("on the page: %v", err)
	}
}

// Eval runs a script on the page, from outside of its policy, and returns
// what it gives; a promise is waited for.
func Eval[T any](t testing.TB, tab context.Context, script string) T {
	t.Helper()
	var v T
	run(t, tab, chromedp.Evaluate(script, &v, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	return v
}

// Shows reports whether a condition holds on the page; while the page is being
// changed for another one, nothing does.
func Shows(tab context.Context, condition string) bool {
	var holds bool
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.Evaluate("!!("+condition+")", &holds))
	return err == nil && holds
}

// Until waits for something to become true.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// violation is one finding of axe-core.
type violation struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string `json:"failureSummary"`
	}
}

// Axe fails the test for everything that axe-core finds on the page as it is
// shown now.
func Axe(t testing.TB, tab context.Context) {
	t.Helper()
	run(t, tab, chromedp.Evaluate(string(axe), nil))
	found := Eval[struct {
		Violations []violation
		Passes     int
	}](t, tab, `axe.run(document, {resultTypes: ["violations"]}).then(r => ({Violations: r.violations, Passes: r.passes.length}))`)
	if found.Passes < 15 {
		t.Errorf("axe found only %d things to check", found.Passes)
	}
	for _, v := range found.Violations {
		var where strings.Builder
		for _, n := range v.Nodes {
			fmt.Fprintf(&where, "\n  %.200s\n  %s", n.HTML, n.FailureSummary)
		}
		t.Errorf("axe: %s: %s%s", v.ID, v.Help, where.String())
	}
}

// Scheme shows the page as a reader with that preference sees it: "light" or
// "dark".
func Scheme(t testing.TB, tab context.Context, scheme string) {
	t.Helper()
	run(t, tab, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// Size makes the tab so many CSS pixels large.
func Size(t testing.TB, tab context.Context, width, height int64) {
	t.Helper()
	run(t, tab, emulation.SetDeviceMetricsOverride(width, height, 1, width < 700))
}

// Fits fails the test when the page is wider than its window.
func Fits(t testing.TB, tab context.Context) {
	t.Helper()
	if over := Eval[int](t, tab, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("the page is %d px wider than its window: %s", over, Eval[string](t, tab,
			`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".vh")).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join("\n")`))
	}
}
