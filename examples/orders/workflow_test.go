package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func quietRunner(cfg bgtasks.Config) *bgtasks.Runner {
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return bgtasks.New(cfg)
}

func testWorkflow(t *testing.T, store *Store) *workflow {
	t.Helper()
	return &workflow{
		store:          store,
		mailer:         Outbox{Dir: t.TempDir(), From: from},
		webhook:        newWebhook(startReceiver(t, nil).url),
		mailTimeout:    hang,
		webhookTimeout: hang,
	}
}

// process runs an order's steps, some of them replaced, and returns what is stored then.
func process(t *testing.T, f *workflow, o Order, instead map[string]bgtasks.Func) Order {
	t.Helper()
	runner := quietRunner(bgtasks.Config{})
	ctx, list := runner.Open(t.Context(), bgtasks.Info{})
	require.NoError(t, f.add(ctx, o, instead))
	list.Start(bgtasks.Outcome{Status: 201})
	wait, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	require.NoError(t, runner.Wait(wait))
	got, err := f.store.Order(t.Context(), o.ID)
	require.NoError(t, err)
	return got
}

func TestAllStepsOfAnOrderSucceedInOrder(t *testing.T) {
	f := testWorkflow(t, openTestStore(t))
	got := process(t, f, createTestOrder(t, f.store), nil)
	assertAllSucceeded(t, got)
	assert.Equal(t, 1_000_000-2, stock(t, f.store, "apple"))
}

func TestStepWaitsForWhatItNeeds(t *testing.T) {
	fails := func(context.Context) error { return errors.New("no") }
	for step, want := range map[string][]string{
		stepValidate:  {"failed", "skipped", "skipped", "skipped", "succeeded"},
		stepInventory: {"succeeded", "failed", "skipped", "skipped", "succeeded"},
		stepConfirm:   {"succeeded", "succeeded", "failed", "succeeded", "succeeded"},
		stepAudit:     {"succeeded", "succeeded", "succeeded", "succeeded", "failed"},
	} {
		t.Run(step, func(t *testing.T) {
			f := testWorkflow(t, openTestStore(t))
			got := process(t, f, createTestOrder(t, f.store), map[string]bgtasks.Func{step: fails})
			assert.Equal(t, want, states(got))
		})
	}
}

func TestOrderWithoutStockIsNeitherConfirmedNorFulfilled(t *testing.T) {
	f := testWorkflow(t, openTestStore(t))
	got := process(t, f, createTestOrder(t, f.store, Line{"quince", 4}), nil)
	assert.Equal(t, []string{"succeeded", "failed", "skipped", "skipped", "succeeded"}, states(got))
	assert.Equal(t, `out of stock: 4 of "quince"`, got.Steps[1].Error)
	assert.Equal(t, 3, stock(t, f.store, "quince"))
}

func TestHowAStepEndedIsRecorded(t *testing.T) {
	for what, step := range map[string]struct {
		fn   bgtasks.Func
		says string
	}{
		"an error": {func(context.Context) error { return errors.New("not today") }, "not today"},
		"a panic":  {func(context.Context) error { panic("not at all") }, "not at all"},
		"a Goexit": {func(context.Context) error { runtime.Goexit(); return nil }, errNotReturned.Error()},
	} {
		t.Run(what, func(t *testing.T) {
			f := testWorkflow(t, openTestStore(t))
			got := process(t, f, createTestOrder(t, f.store), map[string]bgtasks.Func{stepConfirm: step.fn})
			assert.Equal(t, []string{"succeeded", "succeeded", "failed", "succeeded", "succeeded"}, states(got))
			assert.Contains(t, got.Steps[2].Error, step.says)
			assert.NotNil(t, got.Steps[2].EndedAt)
			assertInOrder(t, got)
		})
	}
}

func TestStepThatPanicsIsNotTriedAgain(t *testing.T) {
	f := testWorkflow(t, openTestStore(t))
	got := process(t, f, createTestOrder(t, f.store), map[string]bgtasks.Func{
		stepFulfil: func(context.Context) error { panic("not at all") },
	})
	assert.Equal(t, "failed", got.Steps[3].State)
	assert.Equal(t, 1, got.Steps[3].Attempt)
}

func TestEndIsRecordedAfterTheStepsOwnTimeIsOver(t *testing.T) {
	t.Parallel()
	f := testWorkflow(t, openTestStore(t))
	f.mailTimeout = 2 * time.Second // enough for recording the start
	got := process(t, f, createTestOrder(t, f.store), map[string]bgtasks.Func{stepConfirm: faults["hang"]})
	assert.Equal(t, "failed", got.Steps[2].State)
	assert.Equal(t, bgtasks.ErrTimeout.Error(), got.Steps[2].Error)
	assert.NotNil(t, got.Steps[2].EndedAt)
}

// The database can be busy for longer than a step has.
func TestStartThatCouldNotBeRecordedIsRecordedWithTheEnd(t *testing.T) {
	t.Parallel()
	f := testWorkflow(t, openTestStore(t))
	f.mailTimeout = time.Nanosecond // too little for recording the start; the outbox does without
	got := process(t, f, createTestOrder(t, f.store), nil)
	assertAllSucceeded(t, got)
	assert.Equal(t, 1, got.Steps[2].Attempt)
}

func TestOrderHasAllItsStepsOrNone(t *testing.T) {
	f := testWorkflow(t, openTestStore(t))
	for room := 1; room < len(stepNames); room++ {
		ctx, list := quietRunner(bgtasks.Config{MaxPending: room}).Open(t.Context(), bgtasks.Info{})
		require.ErrorIs(t, f.add(ctx, testOrder(), nil), bgtasks.ErrFull)
		assert.Zero(t, list.Len())
		list.Start(bgtasks.Outcome{})
	}
}

// assertInOrder finds that each step which ran began after the one before it had ended.
func assertInOrder(t *testing.T, o Order) {
	t.Helper()
	require.Len(t, o.Steps, len(stepNames))
	last := o.CreatedAt
	for i, step := range o.Steps {
		assert.Equal(t, stepNames[i], step.Name)
		if step.State == "skipped" {
			assert.Nil(t, step.StartedAt)
			continue
		}
		require.NotNil(t, step.StartedAt, "order %d: %s", o.ID, step.Name)
		require.NotNil(t, step.EndedAt, "order %d: %s", o.ID, step.Name)
		assert.False(t, step.StartedAt.Before(last), "order %d: %s began too early", o.ID, step.Name)
		assert.False(t, step.EndedAt.Before(*step.StartedAt), "order %d: %s", o.ID, step.Name)
		last = *step.EndedAt
	}
}

func assertAllSucceeded(t *testing.T, o Order) {
	t.Helper()
	assertInOrder(t, o)
	for _, step := range o.Steps {
		assert.Equal(t, "succeeded", step.State, "order %d: %s: %s", o.ID, step.Name, step.Error)
		assert.Equal(t, 1, step.Attempt)
		assert.Empty(t, step.Error)
	}
	assert.Equal(t, []string{"validate order succeeded, update inventory succeeded, send confirmation succeeded, notify fulfilment succeeded"}, o.Audit)
}
