package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertProblem finds the one form of error in a response.
func assertProblem(t *testing.T, got reply, status int, detail string) {
	t.Helper()
	assert.Equal(t, status, got.status)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	var p Problem
	dec := json.NewDecoder(bytes.NewReader(got.body))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&p), string(got.body))
	assert.Equal(t, status, p.Status)
	assert.Equal(t, http.StatusText(status), p.Title)
	assert.Contains(t, p.Detail, detail)
	assert.NotEmpty(t, p.RequestID)
}

// assertNothingHappened finds no order, and no task once the program has ended.
func (p *program) assertNothingHappened() {
	p.t.Helper()
	assert.Equal(p.t, "[]\n", string(p.request(http.MethodGet, "/orders", nil, nil).body))
	counts := p.stop()
	assert.EqualValues(p.t, 0, counts["Accepted"])
}

func TestBadOrderLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := start(t)
	cases := append(badOrders,
		badOrder{"an unknown item", orderJSON(`[{"id": "apple", "quantity": 1}, {"id": "melon", "quantity": 1}]`), "", 422, `unknown item "melon"`},
		badOrder{"an item that is SQL", orderJSON(`[{"id": "apple' OR 1=1 --", "quantity": 1}]`), "", 422, "unknown item"},
	)
	for _, bad := range cases {
		t.Run(bad.what, func(t *testing.T) {
			var got reply
			// net/http resets a connection on which the client still sends half a second
			// after the answer, which on a busy machine can be before it has read that.
			eventually(t, "an answer", func() (answered bool) {
				var err error
				got, err = p.try(http.MethodPost, "/orders", bad.header(), strings.NewReader(bad.body))
				return err == nil
			})
			assertProblem(t, got, bad.status, bad.detail)
		})
	}
	p.assertNothingHappened()
	assert.NotContains(t, p.stderr.String(), `"level":"ERROR"`)
}

func TestBadAddressIsAProblem(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, bad := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/", 405},
		{"GET", "/nothing", 404},
		{"GET", "/orders/1", 404},
		{"GET", "/orders/0", 404},
		{"GET", "/orders/-1", 404},
		{"GET", "/orders/one", 404},
		{"GET", "/orders/1%20OR%201=1", 404},
		{"GET", "/orders/99999999999999999999", 404},
		{"GET", "/orders/1/steps", 404},
		{"PUT", "/items", 405},
		{"DELETE", "/items/melon", 404},
		{"GET", "/images/1", 404},
		{"GET", "/images/one/thumbnail", 404},
		{"GET", "/reports/1/file", 404},
		{"GET", "/customers/nobody", 404},
		{"GET", "/static/", 404},
		{"GET", "/static/index.html", 404},
		{"POST", "/orders/1", 405},
		{"DELETE", "/orders", 405},
		{"PUT", "/orders/1", 405},
	} {
		t.Run(bad.method+" "+bad.path, func(t *testing.T) {
			assertProblem(t, p.request(bad.method, bad.path, nil, strings.NewReader(goodOrder)), bad.status, "")
		})
	}
	p.assertNothingHappened()
}

func TestErrorsAreJSONWhateverTheClientAccepts(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, accept := range []string{"application/xml", "text/xml", "text/html", "text/plain", "text/event-stream", "*/*"} {
		assertProblem(t, p.request(http.MethodGet, "/orders/1", http.Header{"Accept": {accept}}, nil), 404, "no such order")
	}
}

func TestConnectionOfAClientThatSendsTooMuchIsClosed(t *testing.T) {
	t.Parallel()
	p := start(t)
	// By so little that net/http would otherwise read the rest.
	body := `{"customer_id": "` + strings.Repeat("x", maxBody+1000) + `"}`
	got := p.post(body)
	assertProblem(t, got, http.StatusRequestEntityTooLarge, "")
	assert.True(t, got.last)
}

func TestFullProgramAnswers503AndStoresNothing(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	release := mail.holdBack(t)
	p := start(t, "-smtp", mail.addr, "-max-pending", "5")
	p.order(goodOrder)
	receive(t, "the first order's mail", mail.begun)

	// Three steps of the first order are left: two of the next find room, and are taken back.
	for range 3 {
		got := p.post(goodOrder)
		assertProblem(t, got, http.StatusServiceUnavailable, "try again")
		assert.Equal(t, "1", got.header.Get("Retry-After"))
	}
	var orders []Order
	p.get("/orders", &orders)
	assert.Len(t, orders, 1)

	release()
	assertAllSucceeded(t, p.processed(1))
	var next int64
	eventually(t, "room for an order", func() bool {
		got := p.post(goodOrder)
		if got.status == http.StatusCreated {
			next = orderID(t, got.body)
		}
		return next != 0
	})
	assert.EqualValues(t, 2, next, "those refused have left no gap")
	assertAllSucceeded(t, p.processed(2))
	assert.Len(t, mail.mail(), 2)
	counts := p.stop()
	assert.EqualValues(t, 10, counts["Succeeded"])
	assert.NotEmpty(t, p.stderr.find("bgtasks: task refused"))
}
