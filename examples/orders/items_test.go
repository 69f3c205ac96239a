package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendJSON sends v as JSON.
func (p *program) sendJSON(method, path string, v any, headers ...string) reply {
	p.t.Helper()
	body, err := json.Marshal(v)
	require.NoError(p.t, err)
	header := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return p.request(method, path, header, strings.NewReader(string(body)))
}

func (r reply) assertJSON(t *testing.T, status int, body string) {
	t.Helper()
	assert.Equal(t, status, r.status)
	assert.JSONEq(t, body, string(r.body))
}

func TestCreatedAndDeletedItemsAreLoggedAndMailed(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	release := mail.holdBack(t)
	p := start(t, "-smtp", mail.addr, "-keeper", "ann@shop.example")
	p.sendJSON("POST", "/items", Item{"fig", "Fig", 7}, "X-Request-Id", "req-1").
		assertJSON(t, 201, `{"item_id": "fig", "status": "created"}`)
	receive(t, "the mail, which the answer did not wait for", mail.begun)
	assert.Contains(t, p.items(), Item{"fig", "Fig", 7})
	line := p.eventuallyLogs("New item", "item", "fig", "name", "Fig")
	assert.Equal(t, "req-1", line["request_id"])
	release()

	p.request("DELETE", "/items/fig", nil, nil).assertJSON(t, 200, `{"message": "Item deleted"}`)
	p.eventuallyLogs("Deleted item", "item", "fig", "name", "Fig")
	assert.NotContains(t, p.items(), Item{"fig", "Fig", 7})
	counts := p.stop()
	assert.EqualValues(t, 4, counts["Succeeded"])

	all := mail.mail()
	require.Len(t, all, 2)
	for i, subject := range []string{"New item: Fig", "Deleted item: Fig"} {
		assert.Equal(t, []string{"ann@shop.example"}, all[i].to)
		assert.Equal(t, subject, parseLetter(t, all[i].data).subject)
	}
}

func TestItemThatCannotBeCreatedOrDeletedTellsNobody(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, bad := range []struct {
		item   Item
		status int
		detail string
	}{
		{Item{"apple", "Another", 1}, 409, "there is an item"},
		{Item{"", "Fig", 1}, 422, "id"},
		{Item{"../fig", "Fig", 1}, 422, "id"},
		{Item{"fig", "", 1}, 422, "name"},
		{Item{"fig", "Fig\r\nBcc: all@example.com", 1}, 422, "control characters"},
		{Item{"fig", strings.Repeat("x", 255), 1}, 422, "too long"},
		{Item{"fig", "Fig", -1}, 422, "stock"},
	} {
		assertProblem(t, p.sendJSON("POST", "/items", bad.item), bad.status, bad.detail)
	}
	assertProblem(t, p.request("DELETE", "/items/melon", nil, nil), 404, "no such item")
	p.processed(p.order(goodOrder))
	assertProblem(t, p.request("DELETE", "/items/apple", nil, nil), 409, "this item was ordered")
	assert.Len(t, p.items(), 3)
	assert.EqualValues(t, len(stepNames), p.stop()["Accepted"])
}

func TestChangeWhoseTasksAreRefusedIsNotMade(t *testing.T) {
	t.Parallel()
	p := start(t, "-max-pending", "1")
	assertProblem(t, p.sendJSON("POST", "/items", Item{"fig", "Fig", 7}), 503, "try again")
	assertProblem(t, p.request("DELETE", "/items/quince", nil, nil), 503, "try again")
	assertProblem(t, p.sendJSON("POST", "/reports", map[string]any{"type": "sales"}), 503, "try again")
	assert.Len(t, p.items(), 3)
	assert.Equal(t, "[]\n", string(p.request("GET", "/reports", nil, nil).body))
	counts := p.stop()
	assert.EqualValues(t, 0, counts["Succeeded"])
	assert.EqualValues(t, 3, counts["Forgotten"], "the first task of each")
}

func TestRequestFromAnotherSitesPageIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	assertProblem(t, p.post(goodOrder, "Sec-Fetch-Site", "cross-site", "Origin", "https://elsewhere.example"), 403, "another site")
	assertProblem(t, p.post(goodOrder, "Origin", "https://elsewhere.example"), 403, "another site")
	p.assertNothingHappened()
}
