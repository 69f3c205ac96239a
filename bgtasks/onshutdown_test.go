package bgtasks_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestShutdownCallsWhatOnShutdownWasGivenBesideTheTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		one, two := errors.New("one"), errors.New("two")
		calls := 0
		run.OnShutdown(func(ctx context.Context) error {
			calls++
			time.Sleep(2 * time.Second)
			return one
		})
		run.OnShutdown(func(context.Context) error { return two })
		run.OnShutdown(func(context.Context) error { return nil })
		run.OnShutdown(func(context.Context) error { panic("kaboom") })
		ctx, list := open(run)
		add(t, ctx, "task", obedient(3*time.Second))
		list.Start(sent)
		began := time.Now()
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := run.Shutdown(limited)
		assert.Equal(t, 3*time.Second, time.Since(began), "at the same time")
		assert.ErrorIs(t, err, one)
		assert.ErrorIs(t, err, two)
		err = run.Shutdown(limited)
		assert.ErrorIs(t, err, one, "told again")
		assert.Equal(t, 1, calls)
		assert.Panics(t, func() { run.OnShutdown(func(context.Context) error { return nil }) })
	})
}

func TestShutdownDoesNotWaitForeverForOnShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		hang := make(chan struct{})
		run.OnShutdown(func(context.Context) error { <-hang; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		assert.ErrorContains(t, run.Shutdown(ctx), "OnShutdown")
		assert.Equal(t, time.Minute+time.Second, time.Since(began))
		close(hang)
	})
}

func TestOnShutdownAndUnfinishedTasksAreBothTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		run.OnShutdown(func(ctx context.Context) error {
			<-ctx.Done()
			return errBroken
		})
		ctx, list := open(run)
		add(t, ctx, "endless", obedient(time.Hour))
		list.Start(sent)
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := run.Shutdown(limited)
		var unfinished *bgtasks.ShutdownError
		require.ErrorAs(t, err, &unfinished)
		assert.ErrorIs(t, err, errBroken)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestOnShutdownNeedsAFunction(t *testing.T) {
	assert.Panics(t, func() { newRunner(bgtasks.Config{}).OnShutdown(nil) })
}

func TestHookThatFailsInItsOwnWayFailsTheShutdown(t *testing.T) {
	for name, tc := range map[string]struct {
		fail func()
		want string
	}{"panics": {func() { panic("kaboom") }, "kaboom"}, "calls Goexit": {runtime.Goexit, bgtasks.ErrGoexit.Error()}} {
		t.Run(name, func(t *testing.T) {
			run := newRunner(bgtasks.Config{})
			run.OnShutdown(func(context.Context) error { tc.fail(); return nil })
			assert.ErrorContains(t, run.Shutdown(t.Context()), tc.want)
		})
	}
}
