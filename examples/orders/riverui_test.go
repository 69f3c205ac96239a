package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job is what River's user interface shows of a unit.
type job struct {
	ID   int64
	Kind string
	Args string
	Tags []string
}

// jobs asks River UI for those that are in a state.
func (p *program) jobs(state string) []job {
	p.t.Helper()
	got := p.request("GET", riverUIPath+"/api/jobs?limit=100&state="+state, nil, nil)
	require.Equal(p.t, 200, got.status, string(got.body))
	return readJobs(p.t, got.body)
}

func readJobs(t *testing.T, body []byte) []job {
	t.Helper()
	var list struct{ Data []job }
	require.NoError(t, json.Unmarshal(body, &list), string(body))
	return list.Data
}

// jobOf is the unit of an order that was given up.
func (p *program) jobOf(order int64) job {
	p.t.Helper()
	for _, j := range p.jobs("cancelled") {
		if slices.Contains(j.Tags, fmt.Sprintf("order-%d", order)) {
			return j
		}
	}
	p.t.Fatalf("no job of order %d", order)
	return job{}
}

func TestRiverUIShowsTheUnitOfAnOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		p := start(t, append(flags, "-riverui")...)
		assert.Contains(t, string(p.request("GET", "/", nil, nil).body), `href="/riverui/"`)
		p.processed(p.order(goodOrder))
		eventually(t, "the unit has been completed", func() bool { return len(p.jobs("completed")) == 1 })
		unit := p.jobs("completed")[0]
		assert.Equal(t, "bgtasks", unit.Kind)
		assert.Equal(t, []string{"order-1"}, unit.Tags)
		for _, step := range stepNames {
			assert.Contains(t, unit.Args, step)
		}

		for _, path := range []string{"/riverui", "/riverui/", "/riverui/jobs"} {
			page := p.request("GET", path, nil, nil)
			assert.Equal(t, 200, page.status, path)
			assert.Contains(t, string(page.body), "<title>River", path)
		}
		b := openTab(t, p.url+"/riverui/jobs?state=completed")
		b.waitsFor("the unit", `document.body.innerText.includes("bgtasks")`)
	})
}

func TestRiverUIIsNotThereUnlessAskedFor(t *testing.T) {
	t.Parallel()
	p := start(t, "-durable", "-debug", "ann:secret")
	assert.Equal(t, 404, p.request("GET", "/riverui/", basicAuth("ann", "secret"), nil).status)
	assert.NotContains(t, string(p.request("GET", "/", nil, nil).body), "/riverui")
}

func TestRiverUIAsksForThePasswordOfTheDebugPage(t *testing.T) {
	t.Parallel()
	p := start(t, "-durable", "-riverui", "-debug", "ann:secret", "-addr", "0.0.0.0:0")
	p.url = strings.Replace(p.url, "[::]", "127.0.0.1", 1)
	for _, path := range []string{"/riverui/", "/riverui/api/jobs?state=completed"} {
		assert.Equal(t, 401, p.request("GET", path, nil, nil).status, path)
		assert.Equal(t, 401, p.request("GET", path, basicAuth("ann", "wrong"), nil).status, path)
		assert.Equal(t, 200, p.request("GET", path, basicAuth("ann", "secret"), nil).status, path)
	}
	retry := basicAuth("ann", "secret")
	retry.Set("Content-Type", "application/json")
	retry.Set("Sec-Fetch-Site", "cross-site")
	assert.Equal(t, 403, p.request("POST", "/riverui/api/jobs/retry", retry, strings.NewReader(`{"ids":["1"]}`)).status)
}

func TestRiverUIWithoutAPasswordIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		assertRefusal(t, "needs -debug for a password", nil, "-dir", t.TempDir(), "-durable", "-riverui", "-addr", addr)
	}
	p := start(t, "-durable", "-riverui")
	for host, status := range map[string]int{"localhost": 200, "127.0.0.1:1": 200, "[::1]:80": 200, "shop.example": 403, "shop.example:80": 403} {
		req, err := http.NewRequest("GET", p.url+"/riverui/api/jobs?state=completed", nil)
		require.NoError(t, err)
		req.Host = host
		res, err := p.client.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, status, res.StatusCode, host)
	}
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For"} {
		assert.Equal(t, 403, p.request("GET", riverUIPath+"/", http.Header{header: {"1.1 proxy"}}, nil).status, header)
	}
}
