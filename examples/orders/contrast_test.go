package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// visibleTexts defines texts(): each element that shows text of its own, and how opaque it is.
// What takes up no room, or is clipped away for those who listen, is not shown.
const visibleTexts = `
function* texts() {
	for (const e of document.body.querySelectorAll("*")) {
		const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
		const field = e.matches("input:not([type=radio],[type=checkbox],[type=file]), select, textarea") && e.value;
		if (!(own || field) || e.matches("script, noscript, noscript *, option")) continue;
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		if (style.visibility !== "visible" || box.width < 2 || box.height < 2 || !e.checkVisibility()) continue;
		yield e;
	}
}`

// countTexts is how many there are.
const countTexts = `(() => {` + visibleTexts + `return [...texts()].length; })()`

// lowContrast lists the texts whose contrast with what is behind them is below 4.5 to 1, as
// WCAG 2 computes it. Colours are read by painting them: there are many ways to write one.
const lowContrast = `(() => {` + visibleTexts + `
	const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const read = (color) => {
		pen.clearRect(0, 0, 1, 1);
		pen.fillStyle = color;
		pen.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const backdrop = (e) => {
		if (!e) return read(matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff");
		const own = read(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : over(own, backdrop(e.parentElement));
	};
	const opacity = (e) => e ? Number(getComputedStyle(e).opacity) * opacity(e.parentElement) : 1;
	const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	const low = [];
	for (const e of texts()) {
		const behind = backdrop(e);
		const ink = read(getComputedStyle(e).color);
		ink[3] *= opacity(e);
		const [a, b] = [light(over(ink, behind)), light(behind)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) low.push(ratio.toFixed(2) + " " + e.tagName + " " + (e.textContent || e.value).trim().slice(0, 60));
	}
	return low;
})()`

func serveHTML(t *testing.T, html string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(html))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// The checks themselves: they have to find what they are for.
func TestBrowserChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := openTab(t, serveHTML(t, `<!DOCTYPE html><title>t</title><body style="background:#fff">
		<p style="color:#777">grey</p><p style="color:#767676">enough</p>
		<p style="color:#000; opacity:.5">faded</p>
		<div style="background:rgba(0,0,0,.9)"><p style="color:#333">dark on dark</p></div>
		<p hidden style="color:#fff">hidden</p><input value="typed" style="color:#999; background:#fff">
		<div style="width:500px">wide</div>`))
	b.looksLike(375, "light")
	low := eval[[]string](b, lowContrast)
	assert.Len(t, low, 4, "%q", low)
	assert.Greater(t, eval[int](b, "document.documentElement.scrollWidth"), 375)
}
