package bgtasks_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestAfterResponseIsCalledWhenTheListStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "slow", obedient(time.Hour))
		var outcomes []bgtasks.Outcome
		note := func(o bgtasks.Outcome) { outcomes = append(outcomes, o) }
		about, ok := bgtasks.AfterResponse(ctx, note)
		require.True(t, ok)
		assert.Equal(t, bgtasks.Info{ID: about.ID, Route: "/orders/{id}", Method: "POST", RequestID: "req-1"}, about)
		_, ok = bgtasks.AfterResponse(ctx, note)
		require.True(t, ok)
		synctest.Wait()
		assert.Empty(t, outcomes)
		list.Start(sent)
		synctest.Wait()
		assert.Equal(t, []bgtasks.Outcome{sent, sent}, outcomes, "while the slow task runs")
		_, ok = bgtasks.AfterResponse(ctx, note)
		assert.False(t, ok, "the response has been sent")
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Accepted, "it is no task")
	})
}

func TestAfterResponseAloneHoldsTheListUntilItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		called := make(chan bgtasks.Outcome, 1)
		_, ok := bgtasks.AfterResponse(ctx, func(o bgtasks.Outcome) { called <- o })
		require.True(t, ok)
		require.True(t, list.Await(bgtasks.Outcome{Status: 200}), "there is something to wait for")
		done := make(chan error, 1)
		go func() { done <- run.Shutdown(t.Context()) }()
		synctest.Wait()
		assert.Empty(t, called)
		assert.Empty(t, done, "the shutdown waits for the response")
		list.Start(sent)
		assert.Equal(t, sent, <-called)
		require.NoError(t, <-done)
	})
}

func TestAfterResponseIsCalledWhenTheResponseIsGivenUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{SendTimeout: time.Minute})
		ctx, list := open(run)
		called := make(chan time.Time, 1)
		_, ok := bgtasks.AfterResponse(ctx, func(o bgtasks.Outcome) {
			assert.False(t, o.Sent)
			called <- time.Now()
		})
		require.True(t, ok)
		began := time.Now()
		require.True(t, list.Await(bgtasks.Outcome{Status: 200}))
		assert.Equal(t, time.Minute, (<-called).Sub(began))
		settle(t, run)
	})
}

func TestAfterResponseOfAStuckHandlerIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{SendTimeout: time.Minute})
		h := &host{}
		ctx, list := hosted(run, h)
		called := make(chan struct{})
		_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) { close(called) })
		require.True(t, ok)
		h.writing.Store(true)
		<-called
		h.writing.Store(false)
		list.Start(sent)
		settle(t, run)
	})
}

func TestAfterResponseWithoutAResponseToWaitFor(t *testing.T) {
	never := func(bgtasks.Outcome) { t.Error("called") }
	_, ok := bgtasks.AfterResponse(t.Context(), never)
	assert.False(t, ok, "no list")

	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	add(t, ctx, "task", func(ctx context.Context) error {
		about, ok := bgtasks.AfterResponse(ctx, never)
		assert.False(t, ok, "in a task")
		assert.Equal(t, "req-1", about.RequestID)
		return nil
	})
	list.Start(sent)
	drain(t, run)
	about, ok := bgtasks.AfterResponse(ctx, never)
	assert.False(t, ok, "after the handler")
	assert.Equal(t, "req-1", about.RequestID)
}

func TestAfterResponseIsNotCalledAfterAShutdownsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) { t.Error("called") })
		require.True(t, ok)
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, run.Shutdown(limited), "no task was left")
		list.Start(sent)
		synctest.Wait()
	})
}

func TestAfterResponseThatPanicsHarmsNobody(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) { panic("kaboom") })
	require.True(t, ok)
	var j journal
	add(t, ctx, "task", j.noting("task", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"task"}, j.all())
}

func TestAfterResponseIsCalledThoughTheOneBeforeFails(t *testing.T) {
	for name, fail := range map[string]func(){"panics": func() { panic("kaboom") }, "calls Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			run := newRunner(bgtasks.Config{})
			ctx, list := open(run)
			called := make(chan int, 2)
			for i := range 2 {
				_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) { called <- i; fail() })
				require.True(t, ok)
			}
			list.Start(sent)
			assert.Equal(t, []int{0, 1}, []int{<-called, <-called})
		})
	}
}

func TestAfterResponseOnceAShutdownHasGivenUpTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "task", nothing)
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.Error(t, run.Shutdown(limited))
		_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) { t.Error("called") })
		assert.False(t, ok)
		list.Start(sent)
		synctest.Wait()
	})
}
