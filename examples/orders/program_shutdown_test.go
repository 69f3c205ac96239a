package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// storeOf opens the database of a program that has ended.
func storeOf(t *testing.T, p *program) *Store {
	t.Helper()
	assert.NoFileExists(t, filepath.Join(p.dir, "orders.db-wal"), "the program has not closed the database")
	return openStoreFile(t, filepath.Join(p.dir, "orders.db"))
}

func TestSignalEndsAnIdleProgram(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t)
		p.order(goodOrder)
		p.signal(sig)
		assert.Zero(t, p.exitCode())
		assert.Len(t, p.stderr.find("shutting down: requests, then tasks; once more to end at once", "signal", sig.String()), 1)
		assert.Len(t, p.stderr.find("stopped"), 1)
		got, err := storeOf(t, p).Order(t.Context(), 1)
		require.NoError(t, err)
		assertAllSucceeded(t, got)
	}
}

func TestSIGTERMAmongManyOrdersLosesNoStep(t *testing.T) {
	t.Parallel()
	const orders, clients = 200, 8
	answer, hold := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "5m")

	var taken sync.Map // the orders that were answered
	var sent, answered atomic.Int64
	half := make(chan struct{})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for sent.Add(1) <= orders {
				got, err := p.tryPost(goodOrder)
				if err != nil {
					continue // the program has ceased to listen
				}
				if !assert.Equal(t, http.StatusCreated, got.status, string(got.body)) {
					continue
				}
				taken.Store(orderID(t, got.body), true)
				if answered.Add(1) == orders/2 {
					close(half)
				}
			}
		})
	}
	receive(t, "half of the orders", half)
	p.terminate()
	close(hold)
	wg.Wait()
	require.Zero(t, p.exitCode())

	store := storeOf(t, p)
	stored := storedOrders(t, store)
	for _, o := range stored {
		got, err := store.Order(t.Context(), o.ID)
		require.NoError(t, err)
		assertAllSucceeded(t, got)
		assert.Equal(t, 1, hook.orders()[o.ID])
		taken.Delete(o.ID)
	}
	taken.Range(func(id, _ any) bool {
		t.Errorf("order %v was answered and is lost", id)
		return true
	})
	assert.GreaterOrEqual(t, len(stored), orders/2)
	assert.Equal(t, 1_000_000-2*len(stored), stock(t, store, "apple"))
}

// A slowPost is an order whose body is not sent before the test wants it.
type slowPost struct {
	asked chan struct{} // closed when the handler reads the body
	body  *io.PipeWriter
	reply chan reply // closed where there was none
}

func startSlowPost(p *program) slowPost {
	body, writer := io.Pipe()
	slow := slowPost{make(chan struct{}), writer, make(chan reply, 1)}
	p.t.Cleanup(func() { _ = writer.Close() })
	trace := &httptrace.ClientTrace{Got100Continue: func() { close(slow.asked) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodPost, p.url+"/orders", body)
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Timeout: hang, Transport: &http.Transport{ExpectContinueTimeout: hang}}
	p.t.Cleanup(client.CloseIdleConnections)
	go func() {
		defer close(slow.reply)
		res, err := client.Do(req)
		if err != nil {
			return
		}
		defer res.Body.Close()
		if data, err := io.ReadAll(res.Body); err == nil {
			slow.reply <- reply{res.StatusCode, res.Header, data, res.Close}
		}
	}()
	return slow
}

func (s slowPost) send(t *testing.T, body string) {
	t.Helper()
	_, err := io.WriteString(s.body, body)
	require.NoError(t, err)
	require.NoError(t, s.body.Close())
}

func TestRequestUnderWayAtSIGTERMIsAnsweredAndProcessed(t *testing.T) {
	t.Parallel()
	p := start(t, "-grace", "5m")
	slow := startSlowPost(p)
	receive(t, "the handler", slow.asked)
	p.terminate()
	slow.send(t, goodOrder)
	got := receive(t, "the answer", slow.reply)
	require.Equal(t, http.StatusCreated, got.status)
	require.Zero(t, p.exitCode())
	o, err := storeOf(t, p).Order(t.Context(), orderID(t, got.body))
	require.NoError(t, err)
	assertAllSucceeded(t, o)
}

func TestSecondSignalSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	answer, _ := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "5m")
	id := p.order(goodOrder)
	p.reaches(id, 3)
	p.terminate()
	p.signal(syscall.SIGINT)
	assert.Equal(t, 1, p.exitCode())
	assert.Regexp(t, `(?m)^orders: .*lost: .* 2 unfinished: "notify fulfilment" of request ".+", "write audit" of request ".+" \(not started\)`, p.stderr.String())
}

func TestSecondSignalSaysThatNothingIsLost(t *testing.T) {
	t.Parallel()
	p := start(t, "-grace", "5m")
	receive(t, "the handler", startSlowPost(p).asked)
	p.terminate()
	p.signal(syscall.SIGTERM)
	assert.Equal(t, 1, p.exitCode())
	assert.Contains(t, p.stderr.String(), "\norders: ended at once; no task is lost\n")
}

func TestTasksThatOutlastTheGraceAreNamed(t *testing.T) {
	t.Parallel()
	answer, _ := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "500ms")
	p.reaches(p.order(goodOrder), 3)
	p.terminate()
	assert.Equal(t, 1, p.exitCode())
	assert.Regexp(t, `(?m)^orders: .* 2 unfinished: "notify fulfilment" of request ".+", "write audit" of request ".+" \(not started\)`, p.stderr.String())
	got, err := storeOf(t, p).Order(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "pending"}, states(got))
	assert.Contains(t, got.Steps[3].Error, "shutting down")
}
