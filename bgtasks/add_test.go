package bgtasks_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestAddedTaskWaitsForStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "mail", j.noting("mail", nothing))

		synctest.Wait() // whatever could run has run
		assert.Empty(t, j.all())

		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []string{"mail"}, j.all())
	})
}

func TestStartDoesNotWaitForTasks(t *testing.T) {
	run, release := newRunner(bgtasks.Config{}), make(chan struct{})
	ctx, list := open(run)
	add(t, ctx, "slow", func(context.Context) error { <-release; return nil })
	list.Start(sent) // would hang
	close(release)
	drain(t, run)
}

func TestOnlyTheFirstStartCounts(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "mail", func(ctx context.Context) error {
		o, _ := bgtasks.OutcomeFrom(ctx)
		j.note(fmt.Sprint("status ", o.Status))
		return nil
	})
	list.Start(bgtasks.Outcome{Status: 201})
	list.Start(bgtasks.Outcome{Status: 500})
	drain(t, run)
	list.Start(bgtasks.Outcome{Status: 500})
	drain(t, run)
	assert.Equal(t, []string{"status 201"}, j.all())
}

func TestStartFromManyGoroutinesRunsEachTaskOnce(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "a", j.noting("a", nothing))
	add(t, ctx, "b", j.noting("b", nothing))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { list.Start(sent) })
	}
	wg.Wait()
	drain(t, run)
	assert.Equal(t, []string{"a", "b"}, j.all())
}

func TestAddWithoutListSaysWhatToInstall(t *testing.T) {
	err := bgtasks.Add(context.Background(), "mail", nothing)
	require.ErrorIs(t, err, bgtasks.ErrNoList)
	assert.Contains(t, err.Error(), "chimw.BackgroundTasks(")
}

func TestAddWithCancelledContextIsAccepted(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	add(t, ctx, "mail", j.noting("mail", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"mail"}, j.all())
}

func TestAddFromSeveralGoroutinesOfTheHandler(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	var wg sync.WaitGroup
	var want []string
	for i := range 50 {
		name := fmt.Sprint("task ", i)
		want = append(want, name)
		wg.Go(func() { assert.NoError(t, bgtasks.Add(ctx, name, j.noting(name, nothing))) })
	}
	wg.Wait()
	assert.Equal(t, 50, list.Len())
	list.Start(sent)
	drain(t, run)
	assert.ElementsMatch(t, want, j.all())
}

func TestAddOfHandlerIsRefusedOnceItHasReturned(t *testing.T) {
	returned := map[string]func(*bgtasks.List){
		"by Await":             func(l *bgtasks.List) { l.Await(sent) },
		"by Start":             func(l *bgtasks.List) { l.Start(sent) },
		"by Await, then Start": func(l *bgtasks.List) { l.Await(sent); l.Start(sent) },
	}
	for name, leave := range returned {
		t.Run(name, func(t *testing.T) {
			run, release := newRunner(bgtasks.Config{}), make(chan struct{})
			ctx, list := open(run)
			add(t, ctx, "first", func(context.Context) error { <-release; return nil })
			leave(list)
			err := bgtasks.Add(ctx, "late", nothing)
			require.ErrorIs(t, err, bgtasks.ErrClosed)
			close(release)
			list.Start(sent)
			drain(t, run)
			require.ErrorIs(t, bgtasks.Add(ctx, "later", nothing), bgtasks.ErrClosed)
			assert.EqualValues(t, 1, run.Stats().Accepted)
		})
	}
}

func TestListWithoutTasksEndsWhenTheHandlerReturns(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	assert.False(t, list.Await(sent), "nothing to wait for")
	require.ErrorIs(t, bgtasks.Add(ctx, "late", nothing), bgtasks.ErrClosed)

	ctx, list = open(run)
	add(t, ctx, "mail", nothing)
	assert.True(t, list.Await(sent), "a task to wait for")
	list.Start(sent)
	drain(t, run)
}

func TestTaskMayAddWhileItsListRunsAndNotAfter(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	var kept context.Context
	add(t, ctx, "first", func(ctx context.Context) error { kept = ctx; return nil })
	add(t, ctx, "second", func(context.Context) error {
		// The first task has ended, its list has not.
		return bgtasks.Add(kept, "third", j.noting("third", nothing))
	})
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"third"}, j.all())
	require.Eventually(t, func() bool { return run.Stats().Running == 0 }, patience, time.Millisecond)
	require.ErrorIs(t, bgtasks.Add(kept, "fourth", nothing), bgtasks.ErrClosed)
}

func TestAddFindsTheInnermostList(t *testing.T) {
	outer, inner := newRunner(bgtasks.Config{}), newRunner(bgtasks.Config{})
	ctx, outerList := open(outer)
	assert.True(t, outer.Opened(ctx))
	assert.False(t, inner.Opened(ctx))
	assert.False(t, outer.Opened(context.Background()))

	ctx, innerList := inner.Open(ctx, bgtasks.Info{})
	assert.True(t, inner.Opened(ctx))
	add(t, ctx, "mail", nothing)
	assert.Equal(t, 0, outerList.Len())
	assert.Equal(t, 1, innerList.Len())
	innerList.Start(sent)
	outerList.Start(sent)
	drain(t, inner)
}

func TestLenCountsTasksThatHaveNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, release := newRunner(bgtasks.Config{}), make(chan struct{})
		ctx, list := open(run)
		assert.Equal(t, 0, list.Len())
		add(t, ctx, "held", func(context.Context) error { <-release; return nil })
		add(t, ctx, "taken back", nothing)
		add(t, ctx, "last", nothing)
		assert.Equal(t, 3, list.Len())
		bgtasks.Forget(ctx, "taken back")
		assert.Equal(t, 2, list.Len())
		list.Start(sent)
		synctest.Wait()
		assert.Equal(t, 1, list.Len(), "held runs")
		close(release)
		settle(t, run)
		assert.Equal(t, 0, list.Len())
	})
}

func TestBindFixesTheArgumentNow(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	to := "ann@example.com"
	add(t, ctx, "mail", bgtasks.Bind(func(_ context.Context, to string) error {
		j.note(to)
		return nil
	}, to))
	to = "bob@example.com"
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"ann@example.com"}, j.all())
	assert.Equal(t, "bob@example.com", to)
	assert.Nil(t, bgtasks.Bind[int](nil, 1), "so that Add refuses it")
}
