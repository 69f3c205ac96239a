package bgtasks_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func waitWithin(run *bgtasks.Runner, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return run.Wait(ctx)
}

func TestWaitOfAnIdleRunnerReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, begin := newRunner(bgtasks.Config{}), time.Now()
		open(run)
		require.NoError(t, waitWithin(run, time.Hour))
		assert.Zero(t, time.Since(begin))
	})
}

func TestWaitReturnsAnErrorWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "task", obedient(time.Minute))
		require.ErrorIs(t, waitWithin(run, time.Second), context.DeadlineExceeded, "not started")
		list.Start(sent)
		require.ErrorIs(t, waitWithin(run, time.Second), context.DeadlineExceeded, "running")
		require.NoError(t, waitWithin(run, time.Hour))
		assert.EqualValues(t, 1, run.Stats().Succeeded, "Wait has cancelled nothing")
	})
}

func TestRunnerGoesOnAcceptingAfterWait(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	for range 3 {
		ctx, list := open(run)
		add(t, ctx, "task", nothing)
		list.Start(sent)
		drain(t, run)
	}
	assert.EqualValues(t, 3, run.Stats().Succeeded)
}

func TestWaitDoesNotWaitForListsThatCameAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, begin := newRunner(bgtasks.Config{}), time.Now()
		ctx, list := open(run)
		add(t, ctx, "before", stubborn(time.Second))
		list.Start(sent)
		time.AfterFunc(time.Millisecond, func() {
			ctx, list := open(run)
			assert.NoError(t, bgtasks.Add(ctx, "after", stubborn(time.Minute)))
			list.Start(sent)
		})
		require.NoError(t, waitWithin(run, time.Hour))
		assert.Equal(t, time.Second, time.Since(begin))
		require.NoError(t, waitWithin(run, time.Hour))
		assert.Equal(t, time.Minute+time.Millisecond, time.Since(begin))
	})
}

func TestSeveralWaitsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "task", stubborn(time.Minute))
		list.Start(sent)
		results := make(chan error)
		for i := range 20 {
			go func() { results <- waitWithin(run, time.Duration(i+1)*10*time.Second) }()
		}
		failed := 0
		for range 20 {
			if err := <-results; err != nil {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				failed++
			}
		}
		assert.InDelta(t, 5.5, failed, 0.5, "those of less than a minute; that of a minute may see either")
	})
}
