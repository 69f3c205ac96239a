package chimw_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"regexp"
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
