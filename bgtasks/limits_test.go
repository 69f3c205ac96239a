package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestMaxPendingIsExactUnderConcurrency(t *testing.T) {
	const limit, goroutines, each = 1000, 20, 200
	run := newRunner(bgtasks.Config{MaxPending: limit})
	lists := make(chan *bgtasks.List, goroutines)
	var accepted, full atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			ctx, list := open(run)
			lists <- list
			for range each {
				switch err := bgtasks.Add(ctx, "task", nothing); {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, bgtasks.ErrFull):
					full.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, limit, accepted.Load())
	assert.EqualValues(t, goroutines*each-limit, full.Load())
	s := run.Stats()
	assert.EqualValues(t, limit, s.Pending)
	assert.EqualValues(t, goroutines*each-limit, s.Refused)

	close(lists)
	for list := range lists {
		list.Start(sent)
	}
	drain(t, run)
	assert.EqualValues(t, limit, run.Stats().Succeeded)
}

func TestMaxPendingMakesRoomWhenTasksEnd(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 1})
	for _, fn := range []bgtasks.Func{nothing, failing, panics, exiting} {
		ctx, list := open(run)
		add(t, ctx, "task", fn)
		require.ErrorIs(t, bgtasks.Add(ctx, "more", nothing), bgtasks.ErrFull)
		list.Start(sent)
		drain(t, run)
	}
	assert.EqualValues(t, 4, run.Stats().Accepted)
}

func TestRunningTaskCountsAsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{MaxPending: 1})
		ctx, list := open(run)
		add(t, ctx, "task", func(ctx context.Context) error {
			require.ErrorIs(t, bgtasks.Add(ctx, "nested", nothing), bgtasks.ErrFull)
			return stubborn(time.Second)(ctx)
		})
		list.Start(sent)
		synctest.Wait()
		assert.EqualValues(t, 1, run.Stats().Pending)
		ctx, _ = open(run)
		require.ErrorIs(t, bgtasks.Add(ctx, "other", nothing), bgtasks.ErrFull)
		settle(t, run)
		assert.EqualValues(t, 0, run.Stats().Pending)
	})
}

func TestMaxPendingDefaultAndNoLimit(t *testing.T) {
	for _, c := range []struct{ config, limit int }{{0, 65536}, {-1, 0}} {
		run := newRunner(bgtasks.Config{MaxPending: c.config})
		ctx, _ := open(run)
		for range 65536 {
			if bgtasks.Add(ctx, "task", nothing) != nil {
				require.FailNow(t, "refused too early")
			}
		}
		err := bgtasks.Add(ctx, "task", nothing)
		assert.Equal(t, c.limit > 0, errors.Is(err, bgtasks.ErrFull), "%v", err)
		bgtasks.Forget(ctx, "task")
	}
}

func TestListThatKeepsAddingToItselfMeetsMaxPending(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 500})
	ctx, list := open(run)
	var refused atomic.Bool
	var twice bgtasks.Func
	twice = func(ctx context.Context) error {
		for range 2 {
			if refused.Load() {
				return nil
			}
			if err := bgtasks.Add(ctx, "twice", twice); err != nil {
				assert.ErrorIs(t, err, bgtasks.ErrFull)
				refused.Store(true)
			}
		}
		return nil
	}
	add(t, ctx, "twice", twice)
	list.Start(sent)
	drain(t, run)
	assert.True(t, refused.Load())
}

// gate holds tasks until it is opened and counts those that it holds.
type gate struct {
	here, most atomic.Int64
	open       chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) task(context.Context) error {
	n := g.here.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	<-g.open
	g.here.Add(-1)
	return nil
}

func TestMaxRunningIsReachedAndNeverExceeded(t *testing.T) {
	for _, c := range []struct{ config, lists, running int }{
		{1, 5, 1}, {3, 20, 3}, {0, 1100, 1024}, {-1, 1100, 1100}, {50, 20, 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			run, g := newRunner(bgtasks.Config{MaxRunning: c.config}), newGate()
			for range c.lists {
				ctx, list := open(run)
				add(t, ctx, "first", g.task)
				add(t, ctx, "second", g.task)
				list.Start(sent)
			}
			synctest.Wait()
			s := run.Stats()
			assert.EqualValues(t, c.running, g.here.Load(), "%+v", c)
			assert.EqualValues(t, c.running, s.Running, "%+v", c)
			assert.EqualValues(t, c.lists-c.running, s.Waiting, "%+v", c)
			close(g.open)
			settle(t, run)
			synctest.Wait()
			assert.EqualValues(t, c.running, g.most.Load(), "%+v", c)
			s = run.Stats()
			assert.EqualValues(t, 2*c.lists, s.Succeeded)
			assert.Zero(t, s.Running+s.Waiting)
		})
	}
}

func TestMaxRunningIsNeverExceededUnderLoad(t *testing.T) {
	const limit, lists = 4, 2000
	run := newRunner(bgtasks.Config{MaxRunning: limit})
	var running, exceeded atomic.Int64
	task := func(context.Context) error {
		if running.Add(1) > limit {
			exceeded.Add(1)
		}
		defer running.Add(-1)
		return nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range lists / 8 {
				ctx, list := open(run)
				assert.NoError(t, bgtasks.Add(ctx, "task", task))
				if i%10 == 0 { // places change hands in this way, too
					assert.NoError(t, bgtasks.Add(ctx, "exit", exiting))
					assert.NoError(t, bgtasks.Add(ctx, "task", task))
				}
				list.Start(sent)
			}
		})
	}
	wg.Wait()
	drain(t, run)
	assert.Zero(t, exceeded.Load())
	assert.EqualValues(t, lists+lists/10, run.Stats().Succeeded)
}

func TestWaitingListsRunInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, g, j := newRunner(bgtasks.Config{MaxRunning: 1}), newGate(), &journal{}
		ctx, list := open(run)
		add(t, ctx, "holds the place", g.task)
		list.Start(sent)
		synctest.Wait()
		var want []string
		for i := range 200 {
			name := fmt.Sprint(i)
			want = append(want, name, name+" again")
			ctx, list := open(run)
			add(t, ctx, "task", j.noting(name, nothing))
			add(t, ctx, "task", j.noting(name+" again", nothing))
			list.Start(sent)
		}
		close(g.open)
		settle(t, run)
		assert.Equal(t, want, j.all())
	})
}

func TestHungListHoldsOnePlaceOnly(t *testing.T) {
	run, g := newRunner(bgtasks.Config{MaxRunning: 2}), newGate()
	ctx, list := open(run)
	add(t, ctx, "hangs", g.task)
	for range 50 {
		add(t, ctx, "behind it", nothing)
	}
	list.Start(sent)
	done := make(chan struct{})
	for i := range 50 {
		ctx, list := open(run)
		add(t, ctx, "other", func(context.Context) error {
			if i == 49 {
				close(done)
			}
			return nil
		})
		list.Start(sent)
	}
	await(t, done, "the other lists")
	close(g.open)
	drain(t, run)
	assert.EqualValues(t, 101, run.Stats().Succeeded)
}
