package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names that want to be more than text, wherever they come out.
const (
	hostileHTML = `</option></select><script>alert(1)</script><img src=x onerror="alert(2)">'&quot;{{.}}`
	hostileFile = "\"><svg onload=alert(3)>\n2026-01-01 image 9 uploaded by user 9\r\n\x1b[31m..\\..\\x.png"
)

func TestHostileNamesAreTextOnThePage(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults")
	assert.Equal(t, 201, p.sendJSON("POST", "/items", Item{"hostile", hostileHTML, 5}).status)
	body, err := json.Marshal(map[string]any{
		"customer_id": hostileHTML, "email": "a'&b@example.com", "items": []Line{{"hostile", 9}},
	})
	require.NoError(t, err)
	p.processed(p.order(string(body))) // fails, for want of stock
	p.upload(hostileFile, photo(t))
	p.imageOnce("ready")

	b := p.live()
	b.waitsFor("the order", `document.querySelector("#orders li")`)
	assert.Equal(t, hostileHTML, eval[string](b, `document.querySelector("#orders .who").textContent`))
	assert.Equal(t, hostileHTML+" (5 left)", eval[string](b, `document.querySelector("option[value=hostile]").textContent`))
	assert.Equal(t, strings.ReplaceAll(hostileFile, "\r\n", "\n"), eval[string](b, `document.querySelector("#images .who").textContent`))
	assertNoMarkup(t, b)

	// And what is shown live: the reason of a failure, an answer, the ID of a request.
	assert.Equal(t, 202, p.delivers("<img src=x onerror=alert(4)>,5\n").status)
	b.waitsFor("the failure", `document.querySelector("#watch .reason")`)
	assert.Equal(t, `unknown item "<img src=x onerror=alert(4)>"`, eval[string](b, `document.querySelector("#watch .reason").textContent`))
	b.do(
		chromedp.SetValue(chromedp.CSS(`[name=customer_id]`), hostileHTML),
		chromedp.SetValue(chromedp.CSS(`[name=ordered]`), "hostile"),
		chromedp.SetValue(chromedp.CSS(`[name=quantity]`), "9"),
		chromedp.Click(chromedp.CSS(orderButton)),
	)
	b.ended(len(stepNames))
	p.processed(p.order(goodOrder, "X-Request-Id", hostileHTML))
	b.waitsFor("the other order", `document.querySelectorAll("#watch .card").length === 3`)
	assertNoMarkup(t, b)
	assert.Contains(t, eval[string](b, `document.querySelector("#watch").textContent`), `out of stock: 9 of "hostile"`)
}

// assertNoMarkup finds no element that the page itself does not have.
func assertNoMarkup(t *testing.T, b *tab) {
	t.Helper()
	assert.Zero(t, eval[int](b, `document.querySelectorAll("script:not([src='/static/page.js']), svg, b, [onerror], [onload], img:not([src^='/images/'])").length`))
}

func TestHostileUploadIsOneLineOfTheLogAndNoPath(t *testing.T) {
	t.Parallel()
	p := start(t)
	names := []string{hostileFile, "../../../../tmp/evil.png", "/etc/passwd", "..", "con\x00.png"}
	for i, name := range names {
		got := p.upload(name, photo(t))
		assert.Contains(t, []int{202, 422, 400}, got.status, name)
		if i == 0 {
			assert.Equal(t, 202, got.status)
		}
	}
	p.stop()
	log, err := os.ReadFile(filepath.Join(p.dir, "uploads.log"))
	require.NoError(t, err)
	for line := range strings.Lines(string(log)) {
		assert.Regexp(t, `^\d{4}-\d\d-\d\dT\S+ image \d uploaded by user 7: "[^\x00-\x1f]*"\n$`, line)
	}
	made, err := filepath.Glob(filepath.Join(p.dir, "thumbnails", "*"))
	require.NoError(t, err)
	for _, file := range made {
		assert.Regexp(t, `/\d\.png$`, file)
	}
	assert.NotEmpty(t, made)
	assert.NoFileExists(t, "/tmp/evil.png")
}

func TestHostileNameStaysInItsMailHeader(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := start(t, "-smtp", mail.addr)
	name := "Fig =?utf-8?q?=0D=0ABcc=3A_all=40example.com?= " + hostileHTML
	assert.Equal(t, 201, p.sendJSON("POST", "/items", Item{"fig", name, 1}).status)
	p.stop()
	all := mail.mail()
	require.Len(t, all, 1)
	got := parseLetter(t, all[0].data)
	assert.NotContains(t, got.header, "Bcc")
	assert.Len(t, got.header["Subject"], 1)
	assert.Equal(t, []string{"keeper@shop.example"}, all[0].to)
	assert.Equal(t, "New item fig: "+name+"\r\n", got.text)
}

func TestHostileNameIsOneLineOfEitherLog(t *testing.T) {
	const name = "Fig\n{\"level\":\"ERROR\"}\x1b[31m\u2028end"
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		newLogger(&out, format).Info("New item", "name", name)
		assert.Equal(t, 1, strings.Count(out.String(), "\n"), format)
		assert.NotContains(t, out.String(), "\x1b", format)
	}
}

func TestReportOfHostileNamesHasNoFormula(t *testing.T) {
	t.Parallel()
	p := start(t)
	assert.Equal(t, 201, p.sendJSON("POST", "/items", Item{"fig", `=HYPERLINK("http://x.example","a")`, 5}).status)
	p.processed(p.order(orderJSON(`[{"id": "fig", "quantity": 1}]`)))
	p.sendJSON("POST", "/reports", map[string]any{"type": "sales"})
	file := p.request("GET", p.reportOnce("completed").File, nil, nil)
	assert.Equal(t, "item_id,name,orders,quantity\nfig,\"'=HYPERLINK(\"\"http://x.example\"\",\"\"a\"\")\",1,1\n", string(file.body))
}

func TestPageAllowsNothingButItsOwnFiles(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/", "/recent", "/static/page.js", "/static/page.css", "/static/icon.svg"} {
		got := p.request("GET", path, nil, nil)
		assert.Equal(t, 200, got.status, path)
		assert.Equal(t, pagePolicy, got.header.Get("Content-Security-Policy"))
		assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	}
	html := string(p.request("GET", "/", nil, nil).body)
	assert.NotContains(t, pagePolicy, "unsafe")
	assert.NotRegexp(t, `(?i)<style|style=|\son\w+=|javascript:|<script[^>]*>[^<]`, html)
}
