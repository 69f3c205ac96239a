package bgtasks_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestTimeoutEndsTheContextOfATaskAndItsErrorSaysSo(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"the context's error": context.Context.Err,
		"the context's cause": context.Cause,
		"an error of its own": func(context.Context) error { return errBroken },
		"an error that wraps": func(ctx context.Context) error { return fmt.Errorf("mail: %w", ctx.Err()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				err := outcomeOf(t, func(ctx context.Context) error {
					<-ctx.Done()
					assert.Equal(t, 5*time.Second, time.Since(begin))
					return fail(ctx)
				}, bgtasks.Timeout(5*time.Second))
				require.ErrorIs(t, err, bgtasks.ErrTimeout)
			})
		})
	}
}

func TestErrorOfATimedOutTaskIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := outcomeOf(t, func(ctx context.Context) error {
			<-ctx.Done()
			return errBroken
		}, bgtasks.Timeout(time.Second))
		require.ErrorIs(t, err, bgtasks.ErrTimeout)
		require.ErrorIs(t, err, errBroken)
	})
}

func TestErrorBeforeTheTimeoutDoesNotMentionIt(t *testing.T) {
	err := outcomeOf(t, failing, bgtasks.Timeout(time.Hour))
	require.ErrorIs(t, err, errBroken)
	require.NotErrorIs(t, err, bgtasks.ErrTimeout)
}

func TestTaskThatReturnsNilAfterItsTimeoutHasSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger})
		ctx, list := open(run)
		add(t, ctx, "late", stubborn(1900*time.Millisecond), bgtasks.Timeout(time.Second))
		list.Start(sent)
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
		assert.Empty(t, book.lines(t, slog.LevelInfo), "it was back within a second")
	})
}

func TestTaskThatIgnoresItsTimeoutIsReportedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run, j := newRunner(bgtasks.Config{Logger: logger}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "deaf", func(context.Context) error {
			<-time.After(1999 * time.Millisecond)
			j.note(fmt.Sprint("lines before: ", len(book.about(t, "deaf"))))
			<-time.After(2 * time.Millisecond)
			j.note(fmt.Sprint("lines a second after the timeout: ", len(book.about(t, "deaf"))))
			<-time.After(time.Hour)
			j.note(fmt.Sprint("lines while it runs: ", len(book.about(t, "deaf"))))
			return nil
		}, bgtasks.Timeout(time.Second))
		add(t, ctx, "next", j.noting("next", nothing))
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []string{
			"lines before: 0", "lines a second after the timeout: 1", "lines while it runs: 1", "next",
		}, j.all())

		line := book.about(t, "deaf")[0]
		assert.Equal(t, "/orders/{id}", line["route"])
		assert.EqualValues(t, 1, line["position"])
		assert.Contains(t, strings.ToLower(fmt.Sprint(line)), "timeout")
	})
}

func TestTaskThatIgnoresItsTimeoutKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{MaxRunning: 1})
		begin := time.Now()
		ctx, list := open(run)
		add(t, ctx, "deaf", stubborn(time.Hour), bgtasks.Timeout(time.Second))
		list.Start(sent)
		ctx, list = open(run)
		var started time.Duration
		add(t, ctx, "other", func(context.Context) error { started = time.Since(begin); return nil })
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, time.Hour, started)
	})
}

func TestConfigTaskTimeoutIsForTasksWithoutTheirOwn(t *testing.T) {
	for _, c := range []struct {
		config time.Duration
		opts   []bgtasks.Option
		want   time.Duration // 0: none
	}{
		{5 * time.Second, nil, 5 * time.Second},
		{5 * time.Second, []bgtasks.Option{bgtasks.Timeout(time.Second)}, time.Second},
		{5 * time.Second, []bgtasks.Option{bgtasks.Timeout(9 * time.Second)}, 9 * time.Second},
		{5 * time.Second, []bgtasks.Option{bgtasks.Timeout(0)}, 0},
		{5 * time.Second, []bgtasks.Option{bgtasks.When(bgtasks.Outcome.OK)}, 5 * time.Second},
		{0, nil, 0},
		{-time.Second, nil, 0},
		{0, []bgtasks.Option{bgtasks.Timeout(time.Second)}, time.Second},
		{0, []bgtasks.Option{bgtasks.Timeout(0)}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			run := newRunner(bgtasks.Config{TaskTimeout: c.config})
			ctx, list := open(run)
			begin, ended := time.Now(), time.Duration(0)
			add(t, ctx, "task", func(ctx context.Context) error {
				if obedient(time.Hour)(ctx) != nil {
					ended = time.Since(begin)
				}
				return nil
			}, c.opts...)
			list.Start(sent)
			settle(t, run)
			assert.Equal(t, c.want, ended, "%+v", c)
		})
	}
}

func TestConfigTaskTimeoutHoldsForNestedTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{TaskTimeout: time.Second})
		events := observe(run)
		ctx, list := open(run)
		add(t, ctx, "outer", func(ctx context.Context) error {
			return bgtasks.Add(ctx, "inner", obedient(time.Hour))
		})
		list.Start(sent)
		settle(t, run)
		require.ErrorIs(t, events.ending(t, "inner").Err, bgtasks.ErrTimeout)
	})
}

func TestEachTaskHasItsTimeoutForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{TaskTimeout: time.Second})
		ctx, list := open(run)
		for range 20 {
			add(t, ctx, "task", obedient(900*time.Millisecond))
		}
		list.Start(sent)
		settle(t, run)
		assert.EqualValues(t, 20, run.Stats().Succeeded)
	})
}

func TestTimeoutDoesNotCountTheTimeBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "task", obedient(900*time.Millisecond), bgtasks.Timeout(time.Second))
		<-time.After(time.Minute)
		list.Start(sent)
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestLongestPossibleTimeoutIsNotOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger})
		ctx, list := open(run)
		add(t, ctx, "task", obedient(time.Minute), bgtasks.Timeout(math.MaxInt64))
		list.Start(sent)
		settle(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
		assert.Empty(t, book.lines(t, slog.LevelInfo))
	})
}

func TestTaskThatIgnoresItsTimeoutAndThenPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The line about the timeout is written beside the task, which may end meanwhile.
		book, logger := newLogBook()
		run := newRunner(bgtasks.Config{Logger: logger})
		for range 50 {
			ctx, list := open(run)
			add(t, ctx, "deaf", func(context.Context) error {
				<-time.After(2 * time.Second)
				panic("kaboom")
			}, bgtasks.Timeout(time.Second))
			list.Start(sent)
		}
		settle(t, run)
		assert.GreaterOrEqual(t, len(book.about(t, "deaf")), 50)
		assert.EqualValues(t, 50, run.Stats().Panicked)
	})
}
