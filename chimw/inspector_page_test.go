package chimw_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// between is what is between the first and the last of two tags.
func between(text, first, last string) string {
	_, text, _ = strings.Cut(text, first)
	text, _, _ = strings.Cut(text, last)
	return text
}

func TestInspectorPageRunsOnlyWhatItsPolicyNames(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	w := ask(chimw.Inspector(run), http.MethodGet, "/", "text/html")
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	for _, tag := range []string{"style", "script"} {
		sum := sha256.Sum256([]byte(between(page, "<"+tag+">", "</"+tag+">")))
		assert.Contains(t, policy, tag+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';")
		assert.Equal(t, 1, strings.Count(page, "<"+tag), "there is no other")
	}
	assert.Contains(t, policy, "default-src 'none';")
	assert.NotContains(t, policy, "unsafe")
	assert.NotRegexp(t, `<[^>]* (style|on[a-z]+)=`, page, "the policy would stop it")
	assert.NotRegexp(t, `(src|href|url\()="?(https?:)?//`, page, "nothing from elsewhere")
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
}

// hostile is what a task's name, a route, a request ID or an error may be.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)></bdi></li></section>{{.}}` + "`${x}`\x1b[31m\u202eeman\u0085\x00"

func TestInspectorShowsHostileTextAsText(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	ctx, list := run.Open(context.Background(), bgtasks.Info{Route: "/" + hostile, Method: hostile, RequestID: hostile})
	release := make(chan struct{})
	bhAdd(t, ctx, hostile+"1", func(context.Context) error { return errors.New(hostile) })
	bhAdd(t, ctx, hostile+"2", func(context.Context) error { panic(hostile) })
	bhAdd(t, ctx, hostile+"3", bhUntil(release))
	bhAdd(t, ctx, hostile+"4", nothing)
	list.Start(bgtasks.Outcome{})
	require.Eventually(t, func() bool { return len(look(t, h).Failures) == 2 && look(t, h).Running.Count == 1 }, bhPatience, 1e6)

	page := ask(h, http.MethodGet, "/", "text/html").Body.String()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	stream := askWith(over, h, "/?parts", "text/event-stream").Body.String()
	parts := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(between(stream, "data: ", "\n")), &parts))
	for id, part := range parts {
		page += "<!-- " + id + " -->" + part
	}
	close(release)
	bhWait(t, run)

	assert.Equal(t, 1, strings.Count(page, "<script"), "the page's own")
	assert.NotContains(t, page, "<img")
	assert.NotRegexp(t, "[\\x00-\\x09\\x0b-\\x1f\\x7f\u0085\u202e]", strings.ReplaceAll(page, "\t", ""))
	shown := `<script>alert(1)</script>"'><img src=x onerror=alert(2)></bdi></li></section>{{.}}` + "`${x}`" + `\u001b[31m\u202eeman\u0085\u0000`
	found := map[string]int{}
	for _, text := range regexp.MustCompile(`<bdi>[^<]*</bdi>`).FindAllString(page, -1) {
		text = html.UnescapeString(between(text, "<bdi>", "</bdi>"))
		assert.Contains(t, text, shown)
		found[text]++
	}
	for _, number := range []string{"1", "2", "3", "4"} {
		assert.Equal(t, 2, found[shown+number], "in the page and in its part")
	}
	assert.Equal(t, 8, found["/"+shown])
	assert.Equal(t, 2+16, found[shown], "the error, and the method and request ID of each")
	assert.Equal(t, 2, found["bgtasks: task panicked: "+shown])
}

func TestInspectorJSONOfHostileTextIsWhatItWas(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	ctx, _ := openList(run, 1)
	bhAdd(t, ctx, hostile, nothing)
	assert.Equal(t, hostile, look(t, h).Waiting.Handler.Tasks[0].Name)
	assert.NotContains(t, ask(h, http.MethodGet, "/", "application/json").Body.String(), "<script>")
}

// As WCAG 2 reckons: 4.5 for text, 3 for drawings, in light and in dark.
func TestInspectorPageHasEnoughContrast(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	page := ask(chimw.Inspector(run), http.MethodGet, "/", "text/html").Body.String()
	themes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(page, -1)
	require.Len(t, themes, 2)
	for _, theme := range themes {
		color := map[string]float64{}
		for _, c := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(theme[1], -1) {
			color[c[1]] = luminance(t, c[2])
		}
		require.Len(t, color, 13)
		for _, ground := range []string{"ground", "card", "bad-ground", "warn-ground"} {
			for _, text := range []string{"text", "muted", "bad", "accent", "warn"} {
				assert.GreaterOrEqual(t, contrast(color[text], color[ground]), 4.5, "%s on %s", text, ground)
			}
		}
		for _, drawn := range []string{"column", "bad", "text", "accent", "good"} {
			assert.GreaterOrEqual(t, contrast(color[drawn], color["card"]), 3.0, drawn)
		}
		for _, fill := range []string{"accent", "warn"} {
			assert.GreaterOrEqual(t, contrast(color[fill], color["track"]), 3.0, fill)
		}
	}
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

func luminance(t *testing.T, color string) (sum float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		c := float64(n) / 255
		if c <= 0.03928 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
