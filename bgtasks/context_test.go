package bgtasks_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

type userKey struct{}

// inTask runs fn in a task that was added with what prepare makes of a list's context.
func inTask(t *testing.T, prepare func(context.Context) context.Context, fn func(context.Context), opts ...bgtasks.Option) {
	t.Helper()
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	if prepare != nil {
		ctx = prepare(ctx)
	}
	add(t, ctx, "task", func(ctx context.Context) error { fn(ctx); return nil }, opts...)
	list.Start(sent)
	settle(t, run)
	require.EqualValues(t, 1, run.Stats().Succeeded)
}

func TestTaskSeesTheValuesOfTheContextGivenToAdd(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	saysUser := func(ctx context.Context) error {
		user, _ := ctx.Value(userKey{}).(string)
		j.note("user=" + user)
		return nil
	}
	add(t, ctx, "none", saysUser)
	add(t, context.WithValue(ctx, userKey{}, "ann"), "ann", saysUser)
	add(t, context.WithValue(ctx, userKey{}, "bob"), "bob", func(ctx context.Context) error {
		err := bgtasks.Add(ctx, "inherits", saysUser)
		require.NoError(t, err)
		return bgtasks.Add(context.WithValue(ctx, userKey{}, "eve"), "overrides", saysUser)
	})
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"user=", "user=ann", "user=bob", "user=eve"}, j.all())
}

func TestTaskContextHasNoneOfTheCancellationOfItsParent(t *testing.T) {
	cut := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithTimeout(ctx, time.Nanosecond)
		defer cancel()
		<-ctx.Done()
		return ctx
	}
	inTask(t, cut, func(ctx context.Context) {
		_, has := ctx.Deadline()
		assert.False(t, has, "no deadline")
		assert.NoError(t, ctx.Err())
		assert.NoError(t, context.Cause(ctx))
		select {
		case <-ctx.Done():
			assert.Fail(t, "done")
		default:
		}
	})
}

func TestCancelledParentDoesNotEndATaskThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		ctx, cancel := context.WithCancel(ctx)
		add(t, ctx, "task", obedient(time.Minute))
		list.Start(sent)
		synctest.Wait()
		cancel()
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestTaskContextIsNotCancelledByTheEndOfItsTask(t *testing.T) {
	var kept context.Context
	inTask(t, nil, func(ctx context.Context) { kept = ctx })
	assert.NoError(t, kept.Err(), "it ends by a timeout or a shutdown only")
}

func TestContextsUnderATaskContextWork(t *testing.T) {
	inTask(t, nil, func(ctx context.Context) {
		child, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		<-child.Done()
		assert.ErrorIs(t, child.Err(), context.DeadlineExceeded)

		child, cancel = context.WithCancel(ctx)
		cancel()
		assert.ErrorIs(t, child.Err(), context.Canceled)
		assert.NoError(t, ctx.Err())

		assert.NoError(t, context.WithoutCancel(ctx).Err())
	})
}

// naiveContext is what a context of one's own costs without an AfterFunc method.
type naiveContext struct{ context.Context }

func (naiveContext) Value(any) any { return nil }

// goroutinesOf counts how many goroutines 100 cancellable children of ctx start.
func goroutinesOf(ctx context.Context) int {
	const children = 100
	before := runtime.NumGoroutine()
	for range children {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		timed, cancelTimed := context.WithTimeout(child, time.Hour)
		defer cancelTimed()
		_ = timed
	}
	return runtime.NumGoroutine() - before
}

func TestContextsUnderATaskContextCostNoGoroutine(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	require.Greater(t, goroutinesOf(naiveContext{parent}), 90, "control")

	inTask(t, nil, func(ctx context.Context) {
		assert.Less(t, goroutinesOf(ctx), 50, "without a timeout")
	})
	inTask(t, nil, func(ctx context.Context) {
		assert.Less(t, goroutinesOf(ctx), 50, "with a timeout")
	}, bgtasks.Timeout(time.Hour))
}

func TestCauseSaysThatTheTimeoutEndedTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inTask(t, nil, func(ctx context.Context) {
			child, cancel := context.WithCancel(context.WithValue(ctx, userKey{}, "ann"))
			defer cancel()
			<-child.Done()
			for _, c := range []context.Context{ctx, child} {
				assert.ErrorIs(t, context.Cause(c), bgtasks.ErrTimeout)
				assert.NotErrorIs(t, context.Cause(c), bgtasks.ErrShutdown)
				assert.Error(t, c.Err())
			}
		}, bgtasks.Timeout(time.Second))
	})
}

func TestCauseSaysThatAShutdownEndedTheTask(t *testing.T) {
	for name, opts := range map[string][]bgtasks.Option{
		"no timeout":     nil,
		"a long timeout": {bgtasks.Timeout(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run, j := newRunner(bgtasks.Config{}), &journal{}
				ctx, list := open(run)
				add(t, ctx, "task", func(ctx context.Context) error {
					child, cancel := context.WithTimeout(ctx, 2*time.Hour)
					defer cancel()
					<-child.Done()
					j.note("ended")
					for _, c := range []context.Context{ctx, child} {
						assert.ErrorIs(t, context.Cause(c), bgtasks.ErrShutdown)
						assert.NotErrorIs(t, context.Cause(c), bgtasks.ErrTimeout)
					}
					return nil
				}, opts...)
				list.Start(sent)
				require.Error(t, shutdownWithin(run, time.Second))
				settle(t, run)
				assert.Equal(t, []string{"ended"}, j.all())
			})
		})
	}
}

func TestAfterFuncOfATaskContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		inTask(t, nil, func(ctx context.Context) {
			context.AfterFunc(ctx, func() { j.note("called") })
			stop := context.AfterFunc(ctx, func() { j.note("stopped") })
			assert.True(t, stop())
			<-ctx.Done()
			context.AfterFunc(ctx, func() { j.note("called late") })
			synctest.Wait()
		}, bgtasks.Timeout(time.Second))
		assert.ElementsMatch(t, []string{"called", "called late"}, j.all())
	})
}

func TestAfterFuncOfATaskContextAtAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "task", func(ctx context.Context) error {
			context.AfterFunc(ctx, func() { j.note("called") })
			stop := context.AfterFunc(ctx, func() { j.note("stopped") })
			assert.True(t, stop())
			<-ctx.Done()
			return nil
		})
		list.Start(sent)
		require.Error(t, shutdownWithin(run, time.Second))
		settle(t, run)
		synctest.Wait()
		assert.Equal(t, []string{"called"}, j.all())
	})
}

func TestContextOfANestedTaskHasATimeoutOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		events := observe(run)
		ctx, list := open(run)
		add(t, ctx, "first", func(ctx context.Context) error {
			<-ctx.Done()
			return bgtasks.Add(ctx, "second", obedient(time.Hour))
		}, bgtasks.Timeout(time.Second))
		list.Start(sent)
		settle(t, run)
		assert.NoError(t, events.ending(t, "second").Err)
	})
}

func TestHandlerContextEndsWithTheRequest(t *testing.T) {
	request, cancel := context.WithTimeout(context.WithValue(context.Background(), userKey{}, "ann"), time.Hour)
	ctx, _ := newRunner(bgtasks.Config{}).Open(request, bgtasks.Info{})
	want, _ := request.Deadline()
	got, has := ctx.Deadline()
	assert.True(t, has)
	assert.Equal(t, want, got)
	assert.Equal(t, "ann", ctx.Value(userKey{}))
	assert.NoError(t, ctx.Err())
	assert.Less(t, goroutinesOf(ctx), 50)
	child, cancelChild := context.WithCancel(ctx)
	defer cancelChild()
	cancel()
	await(t, ctx.Done(), "the end of the request")
	await(t, child.Done(), "the end of its child")
	assert.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestContextsCanBePrinted(t *testing.T) {
	ctx, list := open(newRunner(bgtasks.Config{}))
	assert.Contains(t, fmt.Sprint(context.WithValue(ctx, userKey{}, 1)), "bgtasks")
	list.Start(sent)
	inTask(t, nil, func(ctx context.Context) {
		assert.Contains(t, fmt.Sprint(context.WithValue(ctx, userKey{}, 1)), "bgtasks")
	})
}

func TestRequestThatATaskServesHasAListOfItsOwn(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "serves", func(ctx context.Context) error {
		assert.False(t, run.Opened(ctx), "that was the other request's")
		inner, innerList := run.Open(ctx, bgtasks.Info{})
		assert.True(t, run.Opened(inner))
		_, inTask := bgtasks.InfoFrom(inner)
		assert.False(t, inTask, "a handler")
		err := bgtasks.Add(inner, "inner", j.noting("inner", nothing))
		assert.Equal(t, 1, innerList.Len())
		innerList.Start(sent)
		return err
	})
	list.Start(sent)
	drain(t, run)
	drain(t, run) // the first may have begun before the inner task was accepted
	assert.Equal(t, []string{"inner"}, j.all())
}
