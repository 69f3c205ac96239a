package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestDurableOrderIsProcessedInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		mail, hook := startMailServer(t), startReceiver(t, nil)
		p := start(t, append(flags, "-smtp", mail.addr, "-webhook", hook.url, "-metrics", "-debug", "ann:secret")...)
		got := p.post(goodOrder, "X-Request-Id", "req-1")
		assert.Equal(t, http.StatusCreated, got.status)
		assert.JSONEq(t, `{"order_id": 1, "status": "created", "message": "Order created, processing in background"}`, string(got.body))
		assertAllSucceeded(t, p.processed(1))
		assert.Equal(t, 1_000_000-2, p.items()[0].Stock)

		require.Len(t, mail.mail(), 1)
		mailKey := parseLetter(t, mail.mail()[0].data).header.Get("Message-Id")
		require.Len(t, hook.deliveries(), 1)
		unit, found := strings.CutSuffix(hook.deliveries()[0].key, "-4")
		assert.True(t, found && unit != "", hook.deliveries()[0].key)
		assert.Equal(t, "<"+unit+"-3@shop.example>", mailKey, "each step has a key of its own")

		eventually(t, "steps are counted as tasks in memory are", func() bool { return p.scrape(t).counters().Succeeded == 5 })
		assert.EqualValues(t, 5, p.stop()["Succeeded"])
	})
}

// A step that fails is tried again by River; those before it are not.
func TestDurableStepThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		mail, hook := startMailServer(t), startReceiver(t, statuses(500, 204))
		p := start(t, append(flags, "-smtp", mail.addr, "-webhook", hook.url)...)
		p.order(goodOrder, "X-Request-Id", "req-1")
		eventually(t, "the end", func() bool { return len(p.details(1).Audit) == 1 })
		got := p.processed(1)
		assertInOrder(t, got)
		assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, states(got))
		assert.Equal(t, 1, got.Steps[2].Attempt)
		assert.Equal(t, 2, got.Steps[3].Attempt)
		assert.Len(t, mail.mail(), 1)
		assert.Len(t, hook.keys()[1], 1, "the receiver can tell that it is the same")
		assert.Len(t, p.stderr.find("bgtasks: task failed", "task", stepFulfil, "request_id", "req-1"), 1)
	})
}

// Trying again would not help: the order is given up, as it is in memory, and its unit is kept.
func TestDurableOrderThatIsHopelessIsAuditedAndGivenUp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		hook := startReceiver(t, statuses(http.StatusTeapot))
		p := start(t, append(flags, "-webhook", hook.url, "-riverui")...)
		nobody := p.processed(p.order(strings.Replace(goodOrder, "c-1", "", 1)))
		assert.Equal(t, []string{"failed", "skipped", "skipped", "skipped", "succeeded"}, states(nobody))
		rejected := p.processed(p.order(goodOrder))
		assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "succeeded"}, states(rejected))
		id := p.order(orderJSON(`[{"id": "apple", "quantity": 1}, {"id": "quince", "quantity": 4}]`))
		got := p.processed(id)
		assert.Equal(t, []string{"succeeded", "failed", "skipped", "skipped", "succeeded"}, states(got))
		assert.Equal(t, `out of stock: 4 of "quince"`, got.Steps[1].Error)
		assert.Equal(t, []string{"validate order succeeded, update inventory failed, send confirmation skipped, notify fulfilment skipped"}, got.Audit)
		assert.Equal(t, 1_000_000-2, p.items()[0].Stock, "of the order before")
		p.eventuallyLogs("bgtasks: task failed", "task", stepInventory, "error", `out of stock: 4 of "quince"`)
		eventually(t, "all three are kept", func() bool { return len(p.jobs("cancelled")) == 3 })

		// The stock is filled up, and the unit tried again by hand.
		assert.Equal(t, 202, p.delivers("quince,1\n").status)
		eventually(t, "the stock", func() bool { return p.items()[2].Stock == 4 })
		assert.Equal(t, 200, p.sendJSON("POST", "/riverui/api/jobs/retry", map[string]any{"ids": []string{fmt.Sprint(p.jobOf(id).ID)}}).status)
		eventually(t, "what was left of it is done", func() bool { return p.details(id).Steps[3].State == "failed" })
		eventually(t, "its audit", func() bool { return len(p.details(id).Audit) == 2 })
		got = p.details(id)
		assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "succeeded"}, states(got))
		assert.Contains(t, got.Audit[1], "update inventory succeeded, send confirmation succeeded")
		assert.Equal(t, 0, p.items()[2].Stock, "taken once")
	})
}

// An address that the mail server refuses for good does not keep the goods back, nor does it in memory.
func TestDurableOrderIsFulfilledThoughItsMailIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		mail, hook := startMailServer(t), startReceiver(t, nil)
		mail.refuse("you@example.com")
		p := start(t, append(flags, "-smtp", mail.addr, "-webhook", hook.url)...)
		got := p.processed(p.order(goodOrder))
		assert.Equal(t, []string{"succeeded", "succeeded", "failed", "succeeded", "succeeded"}, states(got))
		assert.Contains(t, got.Steps[2].Error, "nobody of that name")
		assert.Len(t, got.Audit, 1)
		assert.Len(t, hook.deliveries(), 1)
	})
}

// durableStore opens a store with a queue, as the program does, without a server.
func durableStore(t *testing.T, flags ...string) (*Store, queue, *bgtasks.Runner) {
	t.Helper()
	cfg, err := configOf(nil, append(flags, "-lease", "10m")...)
	require.NoError(t, err)
	store, err := openStore(t.Context(), cfg, t.TempDir())
	require.NoError(t, err)
	f := testWorkflow(t, store)
	runner := quietRunner(bgtasks.Config{})
	q, err := openQueue(t.Context(), f, runner, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		assert.NoError(t, runner.Shutdown(ctx))
		assert.NoError(t, store.Close())
	})
	return store, q, runner
}

func TestOrderThatIsRolledBackHasNoUnit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		store, q, _ := durableStore(t, flags...)
		refusal := errors.New("no")
		o := testOrder()
		err := store.CreateOrder(t.Context(), &o, stepNames, func(tx Tx) error {
			return errors.Join(q.add(t.Context(), tx, o, nil), refusal)
		})
		require.ErrorIs(t, err, refusal)
		assert.Empty(t, storedOrders(t, store))
		assert.Zero(t, count(t, store, "river_job"))
		require.NoError(t, store.CreateOrder(t.Context(), &o, stepNames, func(tx Tx) error {
			return q.add(t.Context(), tx, o, nil)
		}))
		assert.Equal(t, 1, count(t, store, "river_job"))
	})
}

func TestOrderWhoseStepsCanNotBeStoredIsNotAccepted(t *testing.T) {
	t.Parallel()
	p := start(t, "-durable")
	store := openStoreFile(t, filepath.Join(p.dir, "orders.db"))
	_, err := store.write.ExecContext(t.Context(),
		`CREATE TRIGGER broken BEFORE INSERT ON river_job BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	require.NoError(t, err)
	assertProblem(t, p.post(goodOrder), 500, "")
	assert.Empty(t, storedOrders(t, store))
	_, err = store.write.ExecContext(t.Context(), `DROP TRIGGER broken`)
	require.NoError(t, err)
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
}

// What a shutdown cuts short is left to the next program, at no cost of an attempt.
func TestSIGTERMLeavesDurableStepsToTheNextProgram(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		answer, hold := held()
		mail, hook := startMailServer(t), startReceiver(t, answer)
		flags = append(flags, "-smtp", mail.addr, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "4s", "-dir", t.TempDir())
		p := start(t, flags...)
		p.reaches(p.order(goodOrder), 3)
		p.signal(syscall.SIGTERM) // the last quarter of the grace period is for the step to return in
		p.exitCode()
		close(hold)
		p = start(t, flags...)
		eventually(t, "the end", func() bool { return len(p.details(1).Audit) == 1 })
		assertAllSucceeded(t, p.processed(1))
		assert.Len(t, mail.mail(), 1)
	})
}

func TestProgramsThatStartAtOnceShareOneDatabase(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, flags ...string) {
		flags = append(flags, "-dir", t.TempDir())
		var all []*program
		for range 3 {
			all = append(all, launch(t, nil, flags...))
		}
		for i, p := range all {
			p.isReady()
			assertAllSucceeded(t, p.processed(p.order(goodOrder)))
			assert.EqualValues(t, i+1, p.details(int64(i+1)).ID)
		}
		assert.Equal(t, 1_000_000-6, all[0].items()[0].Stock)
	})
}

func TestDemoIsDurableToo(t *testing.T) {
	t.Parallel()
	p := start(t, "-demo", "-durable", "-pace", "20ms")
	p.order(goodOrder, faultHeader, stepInventory+"=fail,"+stepConfirm+"=panic")
	eventually(t, "the end", func() bool { return len(p.details(1).Audit) == 1 })
	got := p.processed(1)
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, states(got))
	assert.Equal(t, 2, got.Steps[1].Attempt, "it went wrong once")
	assert.Equal(t, 1_000_000-2, p.items()[0].Stock)
}

func TestPageShowsDurableSteps(t *testing.T) {
	t.Parallel()
	p := start(t, "-durable")
	b := p.live()
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, shownStates(b.ended(len(stepNames))))
	assertAllSucceeded(t, p.processed(1))
}
