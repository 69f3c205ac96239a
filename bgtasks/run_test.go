package bgtasks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

var aboutStep = bgtasks.Info{Name: "step", Route: "/orders", Method: "POST", RequestID: "req-7", Position: 3, Attempt: 2}

func TestRunReturnsWhatTheTaskDoes(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	require.NoError(t, run.Run(t.Context(), aboutStep, nothing))
	require.ErrorIs(t, run.Run(t.Context(), aboutStep, failing), errBroken)
	var panicked *bgtasks.PanicError
	require.ErrorAs(t, run.Run(t.Context(), aboutStep, panics), &panicked)
	require.ErrorIs(t, run.Run(t.Context(), aboutStep, exiting), bgtasks.ErrGoexit)
	require.ErrorIs(t, run.Run(t.Context(), aboutStep, obedient(time.Hour), bgtasks.Timeout(time.Millisecond)), bgtasks.ErrTimeout)
	drain(t, run)
	stats := run.Stats()
	assert.Equal(t, bgtasks.Stats{Accepted: 5, Succeeded: 1, Failed: 3, Panicked: 1}, stats)
}

func TestRunReportsTheTaskAsToldAndCountsFromThere(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	book := observe(run)
	var seen []bgtasks.Info
	var names []string
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			info, ok := bgtasks.InfoFrom(ctx)
			require.True(t, ok)
			names = append(names, info.Name)
			return next(ctx)
		}
	})
	again := func(int, error) (time.Duration, bool) { return 0, true }
	err := run.Run(t.Context(), aboutStep, func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		seen = append(seen, info)
		if len(seen) == 1 {
			return errBroken
		}
		return nil
	}, bgtasks.Retry(2, again))
	require.NoError(t, err)
	drain(t, run)
	assert.Equal(t, []string{"step", "step"}, names)
	for i, info := range seen {
		assert.Equal(t, []any{"step", "/orders", "POST", "req-7", 3, 2 + i},
			[]any{info.Name, info.Route, info.Method, info.RequestID, info.Position, info.Attempt})
	}
	var kinds []bgtasks.Kind
	for _, e := range book.all() {
		kinds = append(kinds, e.Kind)
	}
	assert.Equal(t, []bgtasks.Kind{bgtasks.Accepted, bgtasks.Started, bgtasks.Retried, bgtasks.Finished}, kinds)
}

type runKey struct{}

func TestRunHasTheValuesAndTheEndOfItsContext(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), runKey{}, "value"))
	why := errors.New("why")
	err := run.Run(ctx, aboutStep, func(ctx context.Context) error {
		assert.Equal(t, "value", ctx.Value(runKey{}))
		cancel(why)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	require.ErrorIs(t, err, why)
}

func TestRunTakesTasksFromItsTask(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	var j journal
	require.NoError(t, run.Run(t.Context(), aboutStep, func(ctx context.Context) error {
		return bgtasks.Add(ctx, "more", j.noting("more", nothing))
	}))
	drain(t, run)
	assert.Equal(t, []string{"more"}, j.all())
}

func TestRunWaitsForNoLimit(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxRunning: 1, MaxPending: 1})
	ctx, list := open(run)
	release := make(chan struct{})
	add(t, ctx, "holds the only place", func(context.Context) error { <-release; return nil })
	list.Start(sent)
	require.NoError(t, run.Run(t.Context(), aboutStep, nothing))
	close(release)
	drain(t, run)
	assert.Zero(t, run.Stats().Pending)
}

func TestRunRefusesWhatMakesNoSense(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx := t.Context()
	assert.ErrorContains(t, run.Run(ctx, bgtasks.Info{}, nothing), "name")
	assert.ErrorContains(t, run.Run(ctx, aboutStep, nil), "nil function")
	assert.ErrorContains(t, run.Run(ctx, aboutStep, nothing, bgtasks.When(bgtasks.Outcome.OK)), "When")
	assert.ErrorContains(t, bgtasks.CheckRun(bgtasks.Needs("other")), "Needs")
	assert.ErrorContains(t, bgtasks.CheckRun(bgtasks.Timeout(-1)), "negative")
	assert.NoError(t, bgtasks.CheckRun())
	assert.NoError(t, bgtasks.CheckRun(bgtasks.Timeout(time.Second)))
	assert.Zero(t, run.Stats().Accepted)
}

func TestRunGoesOnUntilTheShutdownsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		first := make(chan error, 1)
		second := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		run.OnShutdown(func(ctx context.Context) error {
			first <- run.Run(context.Background(), aboutStep, obedient(time.Second))
			second <- run.Run(context.Background(), aboutStep, obedient(time.Hour))
			return nil
		})
		err := run.Shutdown(ctx)
		var unfinished *bgtasks.ShutdownError
		require.ErrorAs(t, err, &unfinished)
		require.Len(t, unfinished.Unfinished, 1)
		assert.Equal(t, "step", unfinished.Unfinished[0].Name)
		require.NoError(t, <-first)
		require.ErrorIs(t, <-second, bgtasks.ErrShutdown)
		require.ErrorIs(t, run.Run(context.Background(), aboutStep, nothing), bgtasks.ErrShutdown)
	})
}

func TestRunDoesNotRepeatItsTaskOnceItsContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began, calls := time.Now(), 0
		err := run.Run(ctx, aboutStep, func(context.Context) error { calls++; return errBroken }, bgtasks.Retry(5, every(time.Hour)))
		require.ErrorIs(t, err, errBroken)
		assert.Equal(t, time.Second, time.Since(began), "the pause ends with it")
		assert.Equal(t, 1, calls)
	})
}

func TestRunWithAContextThatHasEnded(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	require.ErrorIs(t, run.Run(ctx, aboutStep, func(ctx context.Context) error { return context.Cause(ctx) }), errBroken)
}

func TestMiddlewareOfRunHasTheEndOfItsContextToo(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	full := make(chan struct{})
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			select {
			case full <- struct{}{}:
				return next(ctx)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx, aboutStep, nothing) }()
	cancel(errBroken)
	require.ErrorIs(t, <-ended, errBroken)
}

func TestRunWhoseContextEndsInAnAttemptSaysNothingOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		var seen journal
		run.Observe(func(e bgtasks.Event) { seen.note(e.Kind.String()) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, run.Run(ctx, aboutStep, obedient(time.Hour), bgtasks.Retry(3, every(time.Hour))))
		assert.Equal(t, []string{"accepted", "started", "finished"}, seen.all())
	})
}

func TestRunThatMeetsAShutdownGivingUpIsRefused(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	late, began := make(chan error, 1), make(chan struct{})
	run.Observe(func(e bgtasks.Event) {
		if e.Kind != bgtasks.Unfinished {
			return
		}
		go func() { // the shutdown is naming tasks, and has cancelled none
			late <- run.Run(context.Background(), aboutStep, func(ctx context.Context) error {
				close(began)
				<-ctx.Done()
				return nil
			})
		}()
		select {
		case err := <-late:
			late <- err
		case <-began:
			t.Error("it has begun, and nobody names it")
		}
	})
	ctx, list := open(run)
	add(t, ctx, "hangs", obedient(time.Hour))
	list.Start(sent)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var unfinished *bgtasks.ShutdownError
	require.ErrorAs(t, run.Shutdown(over), &unfinished)
	assert.Len(t, unfinished.Unfinished, 1)
	require.ErrorIs(t, <-late, bgtasks.ErrShutdown)
	assert.Equal(t, int64(1), run.Stats().Accepted)
	drain(t, run)
}
