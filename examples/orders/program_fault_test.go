package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStepThatGoesWrongIsReportedAndHarmsNoOther(t *testing.T) {
	t.Parallel()
	mail, hook := startMailServer(t), startReceiver(t, nil)
	p := start(t, "-smtp", mail.addr, "-webhook", hook.url, "-faults")
	for i, fault := range []struct{ kind, msg string }{
		{"fail", "bgtasks: task failed"},
		{"panic", "bgtasks: task panicked"},
	} {
		requestID := "req-" + fault.kind
		bad := p.order(goodOrder, "X-Fault", "send confirmation="+fault.kind, "X-Request-Id", requestID)
		good := p.order(goodOrder)

		got := p.processed(bad)
		assertInOrder(t, got)
		assert.Equal(t, []string{"succeeded", "succeeded", "failed", "succeeded", "succeeded"}, states(got))
		assert.Contains(t, got.Steps[2].Error, errFault.Error())
		assertAllSucceeded(t, p.processed(good))

		line := p.eventuallyLogs(fault.msg, "task", "send confirmation", "request_id", requestID)
		assert.Equal(t, "ERROR", line["level"])
		assert.Contains(t, line["error"], errFault.Error())
		if fault.kind == "panic" {
			assert.Contains(t, line["stack"], "fault.go")
		}
		assert.Len(t, p.stderr.find(fault.msg, "request_id", requestID), 1, "once")
		assert.Len(t, mail.mail(), i+1, "of the good orders")
		assert.Equal(t, 1, hook.orders()[bad])
	}
	counts := p.stop()
	assert.EqualValues(t, 1, counts["Failed"])
	assert.EqualValues(t, 1, counts["Panicked"])
}

func TestStepThatHangsHoldsUpNoOtherOrder(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults", "-grace", "500ms")
	hanging := p.order(goodOrder, "X-Fault", "update inventory=hang", "X-Request-Id", "req-hang")
	p.reaches(hanging, 1)
	for range 3 {
		assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	}
	assert.Equal(t, []string{"succeeded", "running", "pending", "pending", "pending"}, states(p.details(hanging)))

	p.terminate()
	assert.Equal(t, 1, p.exitCode(), "it hangs until the shutdown's deadline")
	for _, name := range stepNames[1:] {
		assert.Contains(t, p.stderr.tail(2000), `"`+name+`"`)
	}
	assert.NotContains(t, p.stderr.tail(500), `"validate order"`)
	assert.Contains(t, p.stderr.String(), `"task":"update inventory","route":"/orders","method":"POST","request_id":"req-hang"`)
}

func TestFaultsAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	p := start(t)
	assertAllSucceeded(t, p.processed(p.order(goodOrder, "X-Fault", "validate order=panic")))
}

func TestWrongFaultIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults")
	for _, fault := range []string{"validate order", "validate order=", "validate order=burn", "no such step=fail", "validate order=fail,"} {
		assertProblem(t, p.post(goodOrder, "X-Fault", fault), http.StatusBadRequest, "X-Fault")
	}
	got := p.processed(p.order(goodOrder, "X-Fault", "update inventory=fail, write audit=panic"))
	assert.Equal(t, []string{"succeeded", "failed", "pending", "pending", "failed"}, states(got), "nobody writes down that the others are skipped")
}

func TestWebhookIsTriedAgainAfterAServersError(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, statuses(http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusNoContent))
	p := start(t, "-webhook", hook.url)
	got := p.processed(p.order(goodOrder, "X-Request-Id", "req-1"))
	assertInOrder(t, got)
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, states(got))
	assert.Equal(t, 3, got.Steps[3].Attempt)
	assert.Empty(t, got.Steps[3].Error)
	all := hook.deliveries()
	require.Len(t, all, 3)
	assert.Equal(t, all[0], all[2], "each attempt says the same")

	attempts := p.stderr.find("bgtasks: attempt failed, the task is tried again", "task", "notify fulfilment", "request_id", "req-1")
	require.Len(t, attempts, 2)
	assert.EqualValues(t, 1, attempts[0]["attempt"])
	assert.EqualValues(t, 2, attempts[1]["attempt"])
}

func TestWebhookThatStaysDownIsGivenUp(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, statuses(http.StatusBadGateway))
	p := start(t, "-webhook", hook.url)
	got := p.processed(p.order(goodOrder))
	assertInOrder(t, got)
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "succeeded"}, states(got))
	assert.Equal(t, 4, got.Steps[3].Attempt)
	assert.Equal(t, "webhook answered 502 Bad Gateway", got.Steps[3].Error)
	assert.Len(t, hook.deliveries(), 4)
}

func TestWebhookThatFindsTheRequestWrongIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, statuses(http.StatusUnprocessableEntity))
	p := start(t, "-webhook", hook.url)
	got := p.processed(p.order(goodOrder))
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "succeeded"}, states(got))
	assert.Equal(t, 1, got.Steps[3].Attempt)
	assert.Equal(t, "webhook answered 422 Unprocessable Entity", got.Steps[3].Error)
	assert.Len(t, hook.deliveries(), 1)
}

func TestHangingWebhookIsEndedAndTriedAgain(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			<-r.Context().Done()
		}
	})
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "2s")
	got := p.processed(p.order(goodOrder, "X-Request-Id", "req-1"))
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, states(got))
	assert.GreaterOrEqual(t, got.Steps[3].Attempt, 2)
	assert.Len(t, hook.deliveries(), got.Steps[3].Attempt)
	line := p.eventuallyLogs("bgtasks: attempt failed, the task is tried again", "task", "notify fulfilment", "request_id", "req-1")
	assert.Contains(t, line["error"], "timeout has passed")
}

func TestHangingMailServerIsEnded(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	mail.holdBack(t)
	p := start(t, "-smtp", mail.addr, "-mail-timeout", "2s")
	got := p.processed(p.order(goodOrder))
	assert.Equal(t, []string{"succeeded", "succeeded", "failed", "succeeded", "succeeded"}, states(got))
	assert.Contains(t, got.Steps[2].Error, "timeout has passed")
}

func TestMailServerThatRefusesFailsThatStepOnly(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	mail.refuse("you@example.com")
	p := start(t, "-smtp", mail.addr)
	got := p.processed(p.order(goodOrder))
	assert.Equal(t, []string{"succeeded", "succeeded", "failed", "succeeded", "succeeded"}, states(got))
	assert.Contains(t, got.Steps[2].Error, "nobody of that name")
	assertAllSucceeded(t, p.processed(p.order(orderFrom("c-2", "me@example.com"))))
}
