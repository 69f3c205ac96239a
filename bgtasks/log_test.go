package bgtasks_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestSuccessIsNotLogged(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	ctx, list := open(run)
	add(t, ctx, "good", func(ctx context.Context) error { return bgtasks.Add(ctx, "nested", nothing) })
	add(t, ctx, "skipped", nothing, bgtasks.When(bgtasks.Outcome.Failed))
	add(t, ctx, "gone", nothing)
	bgtasks.Forget(ctx, "gone")
	list.Start(sent)
	drain(t, run)
	require.NoError(t, shutdownWithin(run, patience))
	assert.Empty(t, book.lines(t, slog.LevelInfo))
}

func TestFailedTaskIsLoggedInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger})
		ctx, list := open(run)
		add(t, ctx, "first", nothing)
		add(t, ctx, "mail", func(ctx context.Context) error {
			<-time.After(3 * time.Second)
			return errBroken
		})
		list.Start(sent)
		settle(t, run)
		lines := book.lines(t, slog.LevelInfo)
		require.Len(t, lines, 1)
		line := lines[0]
		assert.Equal(t, "ERROR", line["level"])
		assert.Contains(t, line["msg"], "bgtasks: ")
		for key, want := range map[string]any{
			"task": "mail", "route": "/orders/{id}", "method": "POST", "request_id": "req-1",
			"position": 2.0, "attempt": 1.0, "duration": float64(3 * time.Second), "error": "broken",
		} {
			assert.Equal(t, want, line[key], key)
		}
		assert.NotContains(t, line, "stack")
	})
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	ctx, list := open(run)
	add(t, ctx, "mail", panics)
	list.Start(sent)
	drain(t, run)
	lines := book.lines(t, slog.LevelInfo)
	require.Len(t, lines, 1)
	assert.Equal(t, "ERROR", lines[0]["level"])
	assert.Contains(t, lines[0]["error"], "kaboom")
	assert.Contains(t, lines[0]["stack"], "bgtasks_test.panics(")
}

func TestGoexitIsLogged(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	ctx, list := open(run)
	add(t, ctx, "mail", exiting)
	list.Start(sent)
	drain(t, run)
	lines := book.about(t, "mail")
	require.Len(t, lines, 1)
	assert.Equal(t, "ERROR", lines[0]["level"])
	assert.Contains(t, lines[0]["error"], "runtime.Goexit")
}

func TestTimedOutTaskIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger, TaskTimeout: time.Second})
		ctx, list := open(run)
		add(t, ctx, "mail", obedient(time.Hour))
		list.Start(sent)
		settle(t, run)
		lines := book.lines(t, slog.LevelInfo)
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0]["error"], "timeout")
		assert.EqualValues(t, time.Second, lines[0]["duration"])
	})
}

func TestRefusalsAreLoggedAtMostOnceASecondForEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger, MaxPending: 1})
		ctx, list := open(run)
		add(t, ctx, "first", nothing)
		fill := func() {
			for range 50 {
				require.ErrorIs(t, bgtasks.Add(ctx, "full", nothing), bgtasks.ErrFull)
			}
		}
		fill()
		assert.Len(t, book.about(t, "full"), 1)
		require.Error(t, bgtasks.Add(ctx, "bad", nil))
		require.Error(t, bgtasks.Add(ctx, "bad", nil))
		assert.Len(t, book.about(t, "bad"), 1, "another kind")
		<-time.After(999 * time.Millisecond)
		fill()
		assert.Len(t, book.about(t, "full"), 1)
		<-time.After(time.Millisecond)
		fill()
		assert.Len(t, book.about(t, "full"), 2)

		list.Start(sent)
		settle(t, run)
		require.ErrorIs(t, bgtasks.Add(ctx, "closed", nothing), bgtasks.ErrClosed)
		assert.Len(t, book.about(t, "closed"), 1)
		require.NoError(t, shutdownWithin(run, time.Second))
		ctx, _ = open(run)
		require.ErrorIs(t, bgtasks.Add(ctx, "down", nothing), bgtasks.ErrShutdown)
		assert.Len(t, book.about(t, "down"), 1)
	})
}

func TestRefusalIsLoggedWithTheRequestAndTheReason(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger, MaxPending: 1})
	ctx, _ := open(run)
	add(t, ctx, "first", nothing)
	refusal := bgtasks.Add(ctx, "full", nothing)
	require.Error(t, refusal)
	lines := book.about(t, "full")
	require.Len(t, lines, 1)
	assert.Equal(t, "/orders/{id}", lines[0]["route"])
	assert.Equal(t, "req-1", lines[0]["request_id"])
	assert.Contains(t, lines[0]["error"], "MaxPending")
}

func TestMissingListIsLoggedToTheDefaultLogger(t *testing.T) {
	book, logger := newLogBook()
	before := slog.Default()
	slog.SetDefault(logger)
	defer slog.SetDefault(before)
	// The rate limit is the program's here, as there is no runner: another test may have used it up.
	var none context.Context
	for name, ctx := range map[string]context.Context{"no list": context.Background(), "no context": none} {
		require.Eventually(t, func() bool {
			assert.ErrorIs(t, bgtasks.Add(ctx, name, nothing), bgtasks.ErrNoList)
			return len(book.about(t, name)) > 0
		}, patience, 20*time.Millisecond)
		assert.Contains(t, book.about(t, name)[0]["error"], "chimw.BackgroundTasks")
	}
}

func TestRunnerWithoutLoggerUsesTheDefaultOfTheMoment(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	book, logger := newLogBook()
	before := slog.Default()
	slog.SetDefault(logger) // after New
	defer slog.SetDefault(before)
	assert.Same(t, logger, run.Logger())
	ctx, list := open(run)
	add(t, ctx, "mail", failing)
	list.Start(sent)
	drain(t, run)
	assert.Len(t, book.about(t, "mail"), 1)
	assert.Same(t, quiet, newRunner(bgtasks.Config{Logger: quiet}).Logger())
}

func TestFailureIsLoggedBeforeWaitReturns(t *testing.T) {
	for range 200 {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger})
		ctx, list := open(run)
		add(t, ctx, "mail", failing)
		list.Start(sent)
		drain(t, run)
		require.Len(t, book.about(t, "mail"), 1)
	}
}
