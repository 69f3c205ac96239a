package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var ann = map[string]string{"name": "Ann", "email": "ann@example.com"}

// synced waits until a customer's sync has ended.
func (p *program) synced(path string) (c Customer) {
	p.t.Helper()
	eventually(p.t, "the sync has ended", func() bool {
		p.get(path, &c)
		return c.Sync != "pending"
	})
	return c
}

func TestCustomerIsSyncedAfterTheAnswer(t *testing.T) {
	t.Parallel()
	answer, hold := held()
	var path string
	crm := startReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		path = r.Method + " " + r.RequestURI
		answer(n, w, r)
	})
	p := start(t, "-crm", crm.url+"/api/users", "-crm-timeout", "5m")
	p.sendJSON("PUT", "/customers/c%2F1", ann).
		assertJSON(t, 200, `{"customer": {"customer_id": "c/1", "name": "Ann", "email": "ann@example.com", "sync": "pending"}, "status": "updated"}`)
	eventually(t, "the CRM is told", func() bool { return len(crm.deliveries()) == 1 })
	close(hold)
	c := p.synced("/customers/c%2F1")
	assert.Equal(t, "synced", c.Sync)
	assert.Empty(t, c.SyncError)
	assert.NotNil(t, c.SyncedAt)
	assert.Equal(t, "PUT /api/users/c%2F1", path)
	assert.JSONEq(t, `{"name": "Ann", "email": "ann@example.com"}`, string(crm.deliveries()[0].body))
}

func TestSyncThatFailsIsRecordedWithItsReason(t *testing.T) {
	t.Parallel()
	never, _ := held()
	hanging := startReceiver(t, never)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for what, crm := range map[string]struct{ url, reason string }{
		"an error":          {startReceiver(t, statuses(http.StatusInternalServerError)).url, "CRM answered 500 Internal Server Error"},
		"a redirect":        {startReceiver(t, statuses(http.StatusFound)).url, "CRM answered 302 Found"},
		"no answer in time": {hanging.url, "timeout has passed"},
		"no server":         {gone.URL, "connection refused"},
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t, "-crm", crm.url, "-crm-timeout", "1s")
			assert.Equal(t, 200, p.sendJSON("PUT", "/customers/c-1", ann).status)
			c := p.synced("/customers/c-1")
			assert.Equal(t, "failed", c.Sync)
			assert.Contains(t, c.SyncError, crm.reason)
			assert.Equal(t, "ann@example.com", c.Email, "stored all the same")
			p.eventuallyLogs("bgtasks: task failed", "task", "sync customer")
		})
	}
}

func TestBadCustomerIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, bad := range []map[string]string{
		{"email": "ann@example.com"},
		{"name": "Ann"},
		{"name": "Ann\n", "email": "ann@example.com"},
		{"name": "Ann", "email": "Ann <ann@example.com>"},
	} {
		assertProblem(t, p.sendJSON("PUT", "/customers/c-1", bad), 422, "")
	}
	for _, id := range []string{"c%0A1", "%ff", "..", "%2E", "%2E%2E"} { // the last ones would end the CRM's URL
		assertProblem(t, p.sendJSON("PUT", "/customers/"+id, ann), 422, "id")
	}
	assertProblem(t, p.request("GET", "/customers/c-1", nil, nil), 404, "no such customer")
	require.EqualValues(t, 0, p.stop()["Accepted"])
}

// Two changes of a customer are told side by side; what is stored is what the CRM has in the end.
func TestCustomerWhoIsChangedAgainIsSyncedAsStored(t *testing.T) {
	t.Parallel()
	answer, hold := held()
	crm := startReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			answer(n, w, r)
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	p := start(t, "-crm", crm.url, "-crm-timeout", "5m")
	assert.Equal(t, 200, p.sendJSON("PUT", "/customers/c-1", ann).status)
	eventually(t, "the CRM is told", func() bool { return len(crm.deliveries()) == 1 })
	assert.Equal(t, 200, p.sendJSON("PUT", "/customers/c-1", map[string]string{"name": "Anne", "email": "anne@example.com"}).status)
	assert.Equal(t, "failed", p.synced("/customers/c-1").Sync)
	close(hold)
	eventually(t, "the CRM is told again", func() bool { return len(crm.deliveries()) == 3 })
	assert.JSONEq(t, `{"name": "Anne", "email": "anne@example.com"}`, string(crm.deliveries()[2].body))
	eventually(t, "it is recorded", func() bool { return p.synced("/customers/c-1").Sync == "synced" })
}

func TestSlashAtTheEndOfACustomersIDIsPartOfIt(t *testing.T) {
	t.Parallel()
	p := start(t)
	assert.Equal(t, 200, p.sendJSON("PUT", "/customers/a", ann).status)
	assert.Equal(t, 200, p.sendJSON("PUT", "/customers/a%2F", map[string]string{"name": "Bob", "email": "bob@example.com"}).status)
	assert.Equal(t, "Ann", p.synced("/customers/a").Name)
	assert.Equal(t, "a/", p.synced("/customers/a%2F").ID)
	assert.Equal(t, "Ann", p.synced("/customers/a/").Name, "one that is not escaped is stripped")
}
