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

func TestForgetTakesBackAllPendingTasksOfThatName(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	events := observe(run)
	ctx, list := open(run)
	for _, name := range []string{"mail", "audit", "mail", "hook", "mail"} {
		add(t, ctx, name, j.noting(name, nothing))
	}
	assert.Equal(t, 3, bgtasks.Forget(ctx, "mail"))
	assert.Equal(t, 0, bgtasks.Forget(ctx, "mail"), "there are none left")
	assert.Equal(t, 0, bgtasks.Forget(ctx, "ma"), "the whole name counts")
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"audit", "hook"}, j.all())
	assert.Len(t, events.of(bgtasks.Forgotten), 3)
	s := run.Stats()
	assert.Equal(t, []int64{5, 3, 2}, []int64{s.Accepted, s.Forgotten, s.Succeeded})
}

func TestForgetWithoutListFindsNothing(t *testing.T) {
	assert.Equal(t, 0, bgtasks.Forget(context.Background(), "mail"))
}

func TestForgetDoesNotReachOtherLists(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx1, first := open(run)
	ctx2, second := open(run)
	add(t, ctx1, "mail", j.noting("first", nothing))
	add(t, ctx2, "mail", j.noting("second", nothing))
	assert.Equal(t, 1, bgtasks.Forget(ctx2, "mail"))
	first.Start(sent)
	second.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"first"}, j.all())
}

func TestForgetInATaskTakesBackLaterTasks(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "mail", j.noting("first mail", nothing))
	add(t, ctx, "check", func(ctx context.Context) error {
		require.NoError(t, bgtasks.Add(ctx, "mail", j.noting("last mail", nothing)))
		j.note(fmt.Sprint("taken back ", bgtasks.Forget(ctx, "mail")))
		return nil
	})
	add(t, ctx, "mail", j.noting("second mail", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"first mail", "taken back 2"}, j.all())
}

func TestForgetLeavesATaskThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, release := newRunner(bgtasks.Config{}), make(chan struct{})
		ctx, list := open(run)
		add(t, ctx, "mail", func(ctx context.Context) error {
			assert.Equal(t, 0, bgtasks.Forget(ctx, "mail"), "itself")
			<-release
			return nil
		})
		list.Start(sent)
		synctest.Wait()
		assert.Equal(t, 0, bgtasks.Forget(ctx, "mail"))
		close(release)
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestForgetLeavesATaskThatWaitsForItsNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		var inTask context.Context
		fn, attempts := succeedsAt(2)
		add(t, ctx, "mail", func(ctx context.Context) error {
			inTask = ctx
			return fn(ctx)
		}, bgtasks.Retry(2, every(time.Hour)))
		list.Start(sent)
		synctest.Wait()
		assert.Equal(t, 0, bgtasks.Forget(inTask, "mail"))
		settle(t, run)
		assert.Equal(t, 2, *attempts)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestForgetOfEverythingLeavesNothingToWaitFor(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	add(t, ctx, "mail", nothing)
	bgtasks.Forget(ctx, "mail")
	drain(t, run)
	assert.Equal(t, 0, list.Len())
	assert.False(t, list.Await(sent))
	require.NoError(t, shutdownWithin(run, patience))
}

func TestForgetOfEverythingWhileAListIsHeld(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "mail", j.noting("mail", nothing))
	require.True(t, list.Await(sent))
	assert.Equal(t, 1, bgtasks.Forget(ctx, "mail"), "a goroutine of the handler may still do that")
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
	assert.Zero(t, run.Stats().Running)
}

func TestListGoesOnAfterForgettingEverything(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "mail", j.noting("mail", nothing))
	bgtasks.Forget(ctx, "mail")
	add(t, ctx, "audit", j.noting("audit", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"audit"}, j.all())
}

func TestForgetMakesRoom(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 2})
	ctx, list := open(run)
	add(t, ctx, "a", nothing)
	add(t, ctx, "b", nothing)
	require.ErrorIs(t, bgtasks.Add(ctx, "c", nothing), bgtasks.ErrFull)
	bgtasks.Forget(ctx, "a")
	add(t, ctx, "c", nothing)
	require.ErrorIs(t, bgtasks.Add(ctx, "d", nothing), bgtasks.ErrFull)
	list.Start(sent)
	drain(t, run)
	assert.EqualValues(t, 2, run.Stats().Succeeded)
}

func TestForgetLeavesPositionsAsTheyWere(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	for _, name := range []string{"a", "b", "c"} {
		add(t, ctx, name, nothing)
	}
	bgtasks.Forget(ctx, "a")
	bgtasks.Forget(ctx, "c")
	add(t, ctx, "d", nothing)
	list.Start(sent)
	drain(t, run)
	for name, position := range map[string]int{"a": 1, "b": 2, "c": 3, "d": 4} {
		assert.Equal(t, position, events.ending(t, name).Info.Position, name)
	}
}

func TestForgetWhileAnotherGoroutineOfTheHandlerAdds(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	done := make(chan int)
	go func() {
		taken := 0
		for range 200 {
			taken += bgtasks.Forget(ctx, "mail")
		}
		done <- taken
	}()
	for range 200 {
		add(t, ctx, "mail", nothing)
	}
	taken := await(t, done, "the other goroutine")
	list.Start(sent)
	drain(t, run)
	s := run.Stats()
	assert.EqualValues(t, taken, s.Forgotten)
	assert.EqualValues(t, 200-taken, s.Succeeded)
}

func TestObserverThatCallsGoexitDoesNotBringAForgottenTaskBack(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	run.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Forgotten {
			runtime.Goexit()
		}
	})
	ctx, list := open(run)
	var j journal
	add(t, ctx, "task", j.noting("task", nothing))
	over := make(chan struct{})
	go func() {
		defer close(over)
		bgtasks.Forget(ctx, "task")
	}()
	<-over
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
	assert.Zero(t, run.Stats().Pending)
}
