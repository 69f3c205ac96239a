package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// marking writes down when a task passes it, in and out.
func (j *journal) marking(name string) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			j.note(name + " in")
			err := next(ctx)
			j.note(fmt.Sprintf("%s out: %v", name, err))
			return err
		}
	}
}

func TestMiddlewareOrderAroundATask(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	run.Use(j.marking("use 1"), j.marking("use 2"))
	run.Use(j.marking("use 3"))
	ctx, list := open(run)
	add(t, ctx, "task", j.noting("task", failing), j.marking("own 1"), bgtasks.Timeout(time.Hour), j.marking("own 2"))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{
		"use 1 in", "use 2 in", "use 3 in", "own 1 in", "own 2 in",
		"task",
		"own 2 out: broken", "own 1 out: broken", "use 3 out: broken", "use 2 out: broken", "use 1 out: broken",
	}, j.all())
}

func TestOwnMiddlewareIsAroundItsTaskOnly(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	run.Use(j.marking("use"))
	ctx, list := open(run)
	add(t, ctx, "a", j.noting("a", nothing), j.marking("own"))
	add(t, ctx, "b", func(ctx context.Context) error {
		j.note("b")
		return bgtasks.Add(ctx, "c", j.noting("c", nothing))
	})
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{
		"use in", "own in", "a", "own out: <nil>", "use out: <nil>",
		"use in", "b", "use out: <nil>",
		"use in", "c", "use out: <nil>",
	}, j.all())
}

func TestMiddlewareSeesAPanicAsAnError(t *testing.T) {
	var seen error
	look := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			seen = next(ctx)
			return nil // swallowed: the task has succeeded
		}
	})
	require.NoError(t, outcomeOf(t, panics, look))
	var p *bgtasks.PanicError
	require.ErrorAs(t, seen, &p)
	assert.Equal(t, "kaboom", p.Value)
	assert.Contains(t, string(p.Stack), "bgtasks_test.panics(")
}

func TestMiddlewareSeesAPanicOfMiddlewareFurtherIn(t *testing.T) {
	bad := bgtasks.Middleware(func(bgtasks.Func) bgtasks.Func { return panics })
	var p *bgtasks.PanicError
	require.ErrorAs(t, outcomeOf(t, nothing, bad), &p)
	assert.Equal(t, "kaboom", p.Value)
}

func TestPanicThatMiddlewareWrapsIsStillAPanic(t *testing.T) {
	book, logger := newLogBook()
	run, j := newRunner(bgtasks.Config{Logger: logger}), &journal{}
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { return fmt.Errorf("wrapped: %w", next(ctx)) }
	})
	ctx, list := open(run)
	add(t, ctx, "task", j.noting("ran", panics), bgtasks.Retry(3, every(0)))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"ran"}, j.all(), "not retried")
	assert.EqualValues(t, 1, run.Stats().Panicked)
	lines := book.about(t, "task")
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0]["stack"], "bgtasks_test.panics(")
	assert.Contains(t, lines[0]["error"], "wrapped: ")
}

func TestMiddlewareRunsAroundEachAttempt(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	run.Use(j.marking("use"))
	ctx, list := open(run)
	fn, _ := succeedsAt(2)
	add(t, ctx, "task", fn, bgtasks.Retry(5, every(0)))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{
		"use in", "use out: attempt 1: broken", "use in", "use out: <nil>",
	}, j.all())
}

func TestMiddlewareDecidesWhatBecomesOfTheError(t *testing.T) {
	rename := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			if err := next(ctx); err != nil {
				return fmt.Errorf("renamed: %w", err)
			}
			return errors.New("not good enough")
		}
	})
	assert.EqualError(t, outcomeOf(t, failing, rename), "renamed: broken")
	assert.EqualError(t, outcomeOf(t, nothing, rename), "not good enough")
}

func TestMiddlewareGivesTheTaskAContext(t *testing.T) {
	with := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			info, ok := bgtasks.InfoFrom(ctx)
			assert.True(t, ok)
			return next(context.WithValue(ctx, userKey{}, "user of "+info.Name))
		}
	})
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "mail", func(ctx context.Context) error {
		j.note(ctx.Value(userKey{}).(string))
		_, ok := bgtasks.InfoFrom(ctx)
		assert.True(t, ok)
		return bgtasks.Add(ctx, "nested", j.noting("nested", nothing))
	}, with)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"user of mail", "nested"}, j.all())
}

func TestTimeoutIsAroundMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
			return obedient(time.Hour)
		})
		require.ErrorIs(t, outcomeOf(t, nothing, slow, bgtasks.Timeout(time.Second)), bgtasks.ErrTimeout)
	})
}

func TestMiddlewareIsNotCalledForASkippedTask(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	run.Use(j.marking("use"))
	ctx, list := open(run)
	add(t, ctx, "task", nothing, bgtasks.When(bgtasks.Outcome.Failed), j.marking("own"))
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
}

func TestMiddlewareThatReturnsNothingToRunFailsItsTask(t *testing.T) {
	none := bgtasks.Middleware(func(bgtasks.Func) bgtasks.Func { return nil })
	require.Error(t, outcomeOf(t, nothing, none))
	around := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { return next(ctx) }
	})
	require.Error(t, outcomeOf(t, nothing, around, none))
}

func TestUseAndObserveBelongToTheSettingUp(t *testing.T) {
	use := func(r *bgtasks.Runner) { r.Use((&journal{}).marking("x")) }
	look := func(r *bgtasks.Runner) { r.Observe(func(bgtasks.Event) {}) }
	for name, call := range map[string]func(*bgtasks.Runner){"Use": use, "Observe": look} {
		run := newRunner(bgtasks.Config{})
		assert.NotPanics(t, func() { call(run) }, name)
		open(run)
		assertPanicsWith(t, name, func() { call(run) })

		run = newRunner(bgtasks.Config{})
		new(bgtasks.List).Init(run, context.Background(), &host{})
		assertPanicsWith(t, name, func() { call(run) })
	}
	run := newRunner(bgtasks.Config{})
	assertPanicsWith(t, "Use", func() { run.Use(nil) })
	assertPanicsWith(t, "Use", func() { run.Use((&journal{}).marking("x"), nil) })
	assertPanicsWith(t, "Observe", func() { run.Observe(nil) })
}

// assertPanicsWith checks that fn panics with a text that says whose, and which method.
func assertPanicsWith(t *testing.T, method string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		text := fmt.Sprint(recover())
		assert.Contains(t, text, "bgtasks: ")
		assert.Contains(t, text, method)
	}()
	fn()
}
