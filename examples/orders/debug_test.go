package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDebugPageIsNotThereUnlessAskedFor(t *testing.T) {
	t.Parallel()
	p := start(t)
	assert.Equal(t, 404, p.request("GET", "/debug/tasks", nil, nil).status)
	assert.NotContains(t, string(p.request("GET", "/", nil, nil).body), "/debug/tasks")
}

func TestDebugPageAsksForAPassword(t *testing.T) {
	t.Parallel()
	p := start(t, "-debug", "ann:secret:1")
	assert.Contains(t, string(p.request("GET", "/", nil, nil).body), `href="/debug/tasks"`)
	for credentials, status := range map[[2]string]int{{"ann", "secret:1"}: 200, {"ann", "secret"}: 401, {"", ""}: 401, {"bob", "secret:1"}: 401} {
		for _, path := range []string{"/debug/tasks", "/debug/tasks/", "/debug/tasks/more?parts"} {
			req, err := http.NewRequest("GET", p.url+path, nil)
			require.NoError(t, err)
			req.SetBasicAuth(credentials[0], credentials[1])
			got := p.request("GET", path, req.Header, nil)
			assert.Equal(t, status, got.status, "%v %s", credentials, path)
			assert.Equal(t, status == 200, json.Valid(got.body))
		}
	}
	assert.Equal(t, 401, p.request("GET", "/debug/tasks", nil, nil).status)
}

const failuresShown = `document.getElementById("failures").textContent`

func TestDebugPageIsLiveReadableAndHarmlessUnderLoad(t *testing.T) {
	t.Parallel()
	p := start(t, "-demo", "-pace", "20ms")
	b := openTab(t, p.url+"/debug/tasks")
	b.waitsFor("the stream", `document.getElementById("link").textContent === "live"`)
	b.waitsFor("no failure", failuresShown+`.includes("No task has failed")`)
	p.loads(t)

	// The reason of a failure and the ID of a request are for others to choose.
	assert.Equal(t, 202, p.delivers("<img src=x onerror=alert(4)>,5\n").status)
	b.waitsFor("the failure, without loading the page again", failuresShown+`.includes('unknown item "<img src=x onerror=alert(4)>"')`)
	p.order(goodOrder, "X-Request-Id", hostileHTML, faultHeader, stepConfirm+"=panic")
	b.waitsFor("the panic and its request", failuresShown+`.includes(`+quoted(t, hostileHTML)+`) && document.querySelector("#failures details")`)
	eval[any](b, `document.querySelectorAll("details").forEach((d) => d.open = true)`)
	b.assertReadable("debug")
	assert.Equal(t, 1, eval[int](b, `document.querySelectorAll("script").length`))
	assert.Zero(t, eval[int](b, `document.querySelectorAll("img, [onerror], option, [onload]").length`))
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	require.NoError(t, err)
	return string(data)
}

// loads has clients order, one with a step that fails, until the test ends.
func (p *program) loads(t *testing.T) {
	stop := make(chan struct{})
	var clients sync.WaitGroup
	t.Cleanup(func() { close(stop); clients.Wait() })
	for _, fault := range []string{"", "", "", stepInventory + "=fail"} {
		clients.Go(func() {
			for tick := time.Tick(200 * time.Millisecond); ; {
				select {
				case <-stop:
					return
				case <-tick:
					got, err := p.tryPost(goodOrder, faultHeader, fault)
					assert.NoError(t, err)
					assert.Equal(t, http.StatusCreated, got.status)
				}
			}
		})
	}
}
