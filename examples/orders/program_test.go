package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const goodOrder = `{"customer_id": "c-1", "email": "you@example.com", "items": [{"id": "apple", "quantity": 2}, {"id": "pear", "quantity": 1}]}`

func TestAnswerDoesNotWaitForTheMail(t *testing.T) {
	t.Parallel()
	mail, hook := startMailServer(t), startReceiver(t, nil)
	release := mail.holdBack(t)
	p := start(t, "-smtp", mail.addr, "-webhook", hook.url)

	got := p.post(goodOrder)
	assert.Equal(t, http.StatusCreated, got.status)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	assert.JSONEq(t, `{"order_id": 1, "status": "created", "message": "Order created, processing in background"}`, string(got.body))

	receive(t, "the mail", mail.begun)
	waiting := p.details(1)
	assert.Equal(t, []string{"succeeded", "succeeded", "running", "pending", "pending"}, states(waiting))
	assert.Empty(t, waiting.Audit)
	assert.Empty(t, hook.deliveries())

	release()
	assertAllSucceeded(t, p.processed(1))
	assert.Len(t, mail.mail(), 1)
	assert.Equal(t, map[int64]int{1: 1}, hook.orders())
}

func TestAnswerDoesNotWaitForTheWebhook(t *testing.T) {
	t.Parallel()
	answer, hold := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m")
	for id := range int64(3) {
		assert.Equal(t, id+1, p.order(goodOrder), "nor does the next request wait")
	}
	for id := range int64(3) {
		waiting := p.reaches(id+1, 3)
		assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "running", "pending"}, states(waiting))
	}
	close(hold)
	for id := range int64(3) {
		assertAllSucceeded(t, p.processed(id+1))
	}
	assert.Equal(t, map[int64]int{1: 1, 2: 1, 3: 1}, hook.orders())
}

func TestMailOfAnOrderIsRight(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := start(t, "-smtp", mail.addr, "-mail-from", "shop@fruit.example")
	id := p.order(`{"customer_id": "Zoë & Söhne", "email": "zoe@example.com", "items": [{"id": "apple", "quantity": 12}, {"id": "quince", "quantity": 1}]}`)
	assertAllSucceeded(t, p.processed(id))

	all := mail.mail()
	require.Len(t, all, 1)
	assert.Equal(t, "shop@fruit.example", all[0].from)
	assert.Equal(t, []string{"zoe@example.com"}, all[0].to)
	got := parseLetter(t, all[0].data)
	assert.Equal(t, []string{"<zoe@example.com>"}, got.header["To"])
	assert.Equal(t, []string{"<shop@fruit.example>"}, got.header["From"])
	assert.Equal(t, []string{"<order-1@fruit.example>"}, got.header["Message-Id"])
	assert.Len(t, got.header["Subject"], 1)
	assert.Equal(t, "Order 1 of customer Zoë & Söhne", got.subject)
	assert.Equal(t, "Thank you for order 1.\r\n\r\n    12 x apple\r\n     1 x quince\r\n", got.text)
	for _, name := range []string{"Cc", "Bcc"} {
		assert.NotContains(t, got.header, name)
	}
}

func TestMailGoesToTheOutboxWithoutAServer(t *testing.T) {
	t.Parallel()
	p := start(t)
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	data, err := os.ReadFile(filepath.Join(p.dir, "outbox", "order-1.eml"))
	require.NoError(t, err)
	got := parseLetter(t, data)
	assert.Equal(t, "<you@example.com>", got.header.Get("To"))
	assert.Equal(t, "Thank you for order 1.\r\n\r\n     2 x apple\r\n     1 x pear\r\n", got.text)
}

func TestOrderWithoutACustomerIsOnlyAudited(t *testing.T) {
	t.Parallel()
	mail, hook := startMailServer(t), startReceiver(t, nil)
	p := start(t, "-smtp", mail.addr, "-webhook", hook.url)
	id := p.order(strings.Replace(goodOrder, "c-1", "", 1))
	got := p.processed(id)
	assertInOrder(t, got)
	assert.Equal(t, []string{"failed", "skipped", "skipped", "skipped", "succeeded"}, states(got))
	assert.Equal(t, "customer ID is required", got.Steps[0].Error)
	assert.Equal(t, []string{"validate order failed, update inventory skipped, send confirmation skipped, notify fulfilment skipped"}, got.Audit)
	for _, item := range p.items() {
		assert.NotEqual(t, 1_000_000-2, item.Stock)
	}
	assert.Empty(t, mail.mail())
	assert.Empty(t, hook.deliveries())
	p.eventuallyLogs("bgtasks: task failed", "task", "validate order", "error", "customer ID is required")
}

func TestInventoryIsUpdatedAndNeverBelowZero(t *testing.T) {
	t.Parallel()
	p := start(t)
	quinces := orderJSON(`[{"id": "apple", "quantity": 5}, {"id": "quince", "quantity": 2}]`)
	assertAllSucceeded(t, p.processed(p.order(quinces)))
	got := p.processed(p.order(quinces))
	assert.Equal(t, []string{"succeeded", "failed", "skipped", "skipped", "succeeded"}, states(got))
	assert.Equal(t, []Item{{"apple", "Apple", 1_000_000 - 5}, {"pear", "Pear", 1_000_000}, {"quince", "Quince", 1}}, p.items())
}

func TestOrdersAreListedLatestFirst(t *testing.T) {
	t.Parallel()
	p := start(t)
	assert.Equal(t, "[]\n", string(p.request(http.MethodGet, "/orders", nil, nil).body))
	for range latest + 2 {
		p.order(goodOrder)
	}
	var orders []Order
	p.get("/orders/", &orders)
	require.Len(t, orders, latest)
	for i, o := range orders {
		assert.EqualValues(t, latest+2-i, o.ID)
		assert.Equal(t, "c-1", o.CustomerID)
		assert.Empty(t, o.Steps)
	}
}

func TestEachLineOfARequestAndItsTasksHasTheRequestID(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, statuses(http.StatusInternalServerError, http.StatusTeapot))
	p := start(t, "-webhook", hook.url, "-faults")
	p.processed(p.order(goodOrder, "X-Request-Id", "req-1", "X-Fault", "send confirmation=panic"))

	lines := map[string]bool{}
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, `"msg":"taking orders"`) || strings.Contains(line, `"msg":"GET /`) {
			continue
		}
		assert.Equal(t, 1, strings.Count(line, `"request_id":"req-1"`), line)
		lines[strings.Split(line, `"msg":"`)[1][:20]] = true
	}
	assert.Len(t, lines, 4, "the request, the panic, the attempt, the failure: %v", lines)
}

func TestRequestsWithoutAnIDGetOneEach(t *testing.T) {
	t.Parallel()
	p := start(t)
	seen := map[any]bool{}
	for range 3 {
		p.processed(p.order(goodOrder))
	}
	for _, line := range p.stderr.find("no webhook is configured") {
		seen[line["request_id"]] = true
	}
	assert.Len(t, seen, 3)
	assert.NotContains(t, seen, nil)
}

func (p *program) items() (items []Item) {
	p.t.Helper()
	p.get("/items", &items)
	return items
}
