package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tab is a page in headless Chromium. Of what it does it is noted, and checked at the end,
// that no request left the machine and that nothing went wrong in its console.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site string // host:port

	mu       sync.Mutex
	strayed  []string // requests to elsewhere
	problems []string // of the console
	expected []string // parts of what is no problem
}

// chromium is the one that all tests share; each tab has a profile of its own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := findChromium()
	if path == "" {
		return nil, errNoChromium
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(scratch, "chromium")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(hang))
	ctx, _ := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, _ = chromedp.NewContext(ctx)
	closeChromium = func() { _ = chromedp.Cancel(ctx) }
	return ctx, chromedp.Do(ctx)
})

var errNoChromium = errors.New("there is no Chromium: install it, or say where it is by CHROMIUM=/path/to/it")

func findChromium() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// closeChromium is called when all tests have ended.
var closeChromium = func() {}

// openTab opens a page, or skips the test where there is no Chromium. Errors that the test
// provokes have to be told, by a part of their text, such as "status of 422": Chromium writes
// them into the console.
func openTab(t *testing.T, address string, expected ...string) *tab {
	t.Helper()
	ctx, err := chromium()
	if errors.Is(err, errNoChromium) {
		t.Skip(err)
	}
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, site: u.Host, expected: expected}
	t.Cleanup(func() {
		b.assertNothingWrong()
		cancel()
	})
	require.NoError(t, chromedp.Do(ctx)) // opens it: a context with a time limit would close it at its end
	require.NoError(t, chromedp.Listen(ctx, b.listen))
	b.do(command(network.Enable, network.EnableParams{}), command(cdplog.Enable, cdp.Empty{}), chromedp.Navigate(address))
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != b.site && u.Scheme != "data" && u.Scheme != "blob" {
			b.strayed = append(b.strayed, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.problems = append(b.problems, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError && !b.isExpected(e.Entry.Text) {
			b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.problems = append(b.problems, "dialog: "+e.Message)
	}
}

func (b *tab) isExpected(text string) bool {
	return slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(text, part) })
}

func (b *tab) assertNothingWrong() {
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(b.t, b.strayed, "requests that left the machine")
	assert.Empty(b.t, b.problems, "errors in the console")
}

// do runs actions, which have to come to their end.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// command is one of the browser's protocol, as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// eval is the value of an expression in the page.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	require.NoError(b.t, err)
	return v
}

// waitsFor waits until an expression is true.
func (b *tab) waitsFor(what, js string) {
	b.t.Helper()
	eventually(b.t, what, func() bool { return eval[bool](b, "Boolean("+js+")") })
}

// looksLike sets the width, and light or dark.
func (b *tab) looksLike(width int64, scheme string) {
	b.t.Helper()
	b.do(
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500,
		}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
	)
}

// assertReadable finds, at phone and desktop width, light and dark, that nothing has to be
// scrolled sideways and that all text has contrast enough, and leaves a picture of each.
func (b *tab) assertReadable(name string) {
	b.t.Helper()
	for _, width := range []int64{375, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.looksLike(width, scheme)
			b.screenshot(fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			b.assertFits(width)
			b.assertContrast(scheme)
		}
	}
}

// screenshot goes to a temporary folder, or to the one in ORDERS_TEST_SCREENSHOTS.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("ORDERS_TEST_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name), png, 0o644))
}

func (b *tab) assertFits(width int64) {
	b.t.Helper()
	assert.LessOrEqual(b.t, eval[int64](b, "document.documentElement.scrollWidth"), width, "the page has to be scrolled sideways")
}

func (b *tab) assertContrast(scheme string) {
	b.t.Helper()
	assert.Empty(b.t, eval[[]string](b, lowContrast), "texts that cannot be read in "+scheme)
	assert.Greater(b.t, eval[int](b, countTexts), 5, "the check has seen texts")
}
