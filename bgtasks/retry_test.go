package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// every returns a wait function that always pauses for d and never gives up.
func every(d time.Duration) func(int, error) (time.Duration, bool) {
	return func(int, error) (time.Duration, bool) { return d, true }
}

// succeedsAt returns a task that fails before its n-th attempt, and what notes how often it ran.
func succeedsAt(n int) (bgtasks.Func, *int) {
	attempts := new(int)
	return func(context.Context) error {
		if *attempts++; *attempts < n {
			return fmt.Errorf("attempt %d: %w", *attempts, errBroken)
		}
		return nil
	}, attempts
}

func TestRetryRunsTheTaskUntilItSucceeds(t *testing.T) {
	for _, c := range []struct{ succeedsAt, allowed, runs int }{
		{1, 5, 1}, {2, 5, 2}, {5, 5, 5}, {6, 5, 5}, {2, 1, 1},
	} {
		fn, attempts := succeedsAt(c.succeedsAt)
		err := outcomeOf(t, fn, bgtasks.Retry(c.allowed, every(0)))
		assert.Equal(t, c.runs, *attempts, "%+v", c)
		assert.Equal(t, c.succeedsAt > c.allowed, err != nil, "%+v", c)
		if err != nil {
			assert.Contains(t, err.Error(), fmt.Sprint("attempt ", c.allowed), "the last attempt's error")
		}
	}
}

func TestWaitIsAskedAfterEachFailureButTheLast(t *testing.T) {
	var asked []string
	fn, _ := succeedsAt(10)
	err := outcomeOf(t, fn, bgtasks.Retry(3, func(attempt int, err error) (time.Duration, bool) {
		asked = append(asked, fmt.Sprint(attempt, " ", err))
		return 0, true
	}))
	require.ErrorIs(t, err, errBroken)
	assert.Equal(t, []string{"1 attempt 1: broken", "2 attempt 2: broken"}, asked)
}

func TestWaitCanGiveUp(t *testing.T) {
	fn, attempts := succeedsAt(10)
	err := outcomeOf(t, fn, bgtasks.Retry(5, func(attempt int, _ error) (time.Duration, bool) {
		return 0, attempt < 2
	}))
	require.ErrorIs(t, err, errBroken)
	assert.Equal(t, 2, *attempts)
}

func TestPauseIsAsLongAsWaitSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		pauses := []time.Duration{3 * time.Second, 0, -time.Hour, time.Minute}
		outcomeOf(t, func(context.Context) error {
			at = append(at, time.Since(begin))
			return errBroken
		}, bgtasks.Retry(5, func(attempt int, _ error) (time.Duration, bool) {
			return pauses[attempt-1], true
		}))
		s := time.Second
		assert.Equal(t, []time.Duration{0, 3 * s, 3 * s, 3 * s, 63 * s}, at)
	})
}

func TestEachAttemptIsNumberedAndHasAContextOfItsOwn(t *testing.T) {
	var numbers []int
	var contexts []context.Context
	outcomeOf(t, func(ctx context.Context) error {
		for _, c := range append(contexts, ctx) { // earlier ones keep their number
			info, _ := bgtasks.InfoFrom(c)
			numbers = append(numbers, info.Attempt)
		}
		contexts = append(contexts, ctx)
		return errBroken
	}, bgtasks.Retry(3, every(0)))
	assert.Equal(t, []int{1, 1, 2, 1, 2, 3}, numbers)
}

func TestStartedIsWhenTheFirstAttemptBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var started []time.Duration
		outcomeOf(t, func(ctx context.Context) error {
			info, _ := bgtasks.InfoFrom(ctx)
			started = append(started, info.Started.Sub(begin))
			return errBroken
		}, bgtasks.Retry(3, every(time.Second)))
		assert.Equal(t, []time.Duration{0, 0, 0}, started)
	})
}

func TestTheNextTaskWaitsForTheRetriesOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "a", j.noting("a", failing), bgtasks.Retry(3, every(time.Hour)))
		add(t, ctx, "b", j.noting("b", nothing))
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []string{"a", "a", "a", "b"}, j.all())
	})
}

func TestPanicGoexitAndShutdownAreNotRetried(t *testing.T) {
	for name, fn := range map[string]bgtasks.Func{
		"panic":               panics,
		"panic with error":    func(context.Context) error { panic(errBroken) },
		"Goexit":              exiting,
		"ErrShutdown":         func(context.Context) error { return bgtasks.ErrShutdown },
		"ErrShutdown, within": func(context.Context) error { return fmt.Errorf("mail: %w", bgtasks.ErrShutdown) },
	} {
		t.Run(name, func(t *testing.T) {
			j := &journal{}
			err := outcomeOf(t, j.noting("ran", fn), bgtasks.Retry(3, every(0)))
			require.Error(t, err)
			assert.Equal(t, []string{"ran"}, j.all())
		})
	}
}

func TestOnlyTheLastAttemptIsAFailure(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	ctx, list := open(run)
	inTime, _ := succeedsAt(3)
	add(t, ctx, "succeeds", inTime, bgtasks.Retry(3, every(0)))
	tooLate, _ := succeedsAt(4)
	add(t, ctx, "fails", tooLate, bgtasks.Retry(3, every(0)))
	list.Start(sent)
	drain(t, run)
	s := run.Stats()
	assert.Equal(t, []int64{1, 1}, []int64{s.Succeeded, s.Failed})
	lines := book.lines(t, slog.LevelError)
	require.Len(t, lines, 1)
	assert.Equal(t, "fails", lines[0]["task"])
	assert.EqualValues(t, 3, lines[0]["attempt"])
}

func TestShutdownEndsAPauseAndAllowsOneLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		events := observe(run)
		ctx, list := open(run)
		begin := time.Now()
		add(t, ctx, "stubborn", j.noting("stubborn", failing), bgtasks.Retry(10, every(time.Hour)))
		add(t, ctx, "after", j.noting("after", nothing))
		list.Start(sent)
		synctest.Wait()
		require.NoError(t, shutdownWithin(run, time.Minute))
		assert.Equal(t, []string{"stubborn", "stubborn", "after"}, j.all())
		assert.Zero(t, time.Since(begin))
		assert.Equal(t, 2, events.ending(t, "stubborn").Info.Attempt)
	})
}

func TestTaskThatFirstFailsDuringAShutdownIsNotHeldByItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		begin := time.Now()
		add(t, ctx, "slow", func(context.Context) error {
			j.note("slow")
			<-time.After(time.Second)
			return errBroken
		}, bgtasks.Retry(10, every(time.Hour)))
		list.Start(sent)
		synctest.Wait()
		require.NoError(t, shutdownWithin(run, time.Minute))
		assert.LessOrEqual(t, len(j.all()), 2)
		assert.LessOrEqual(t, time.Since(begin), 2*time.Second)
	})
}

func TestNoAttemptBeginsAfterTheDeadlineOfAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "task", j.noting("ran", func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("not the context's error")
		}), bgtasks.Retry(10, every(0)))
		list.Start(sent)
		require.Equal(t, []string{"task"}, unfinished(t, shutdownWithin(run, time.Second)))
		settle(t, run)
		assert.Equal(t, []string{"ran"}, j.all())
	})
}

func TestShutdownWithoutTimeEndsATaskThatPauses(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 { // the end of the pause and the deadline come at the same time
		synctest.Test(t, func(t *testing.T) {
			run := newRunner(bgtasks.Config{})
			events := observe(run)
			ctx, list := open(run)
			add(t, ctx, "task", failing, bgtasks.Retry(10, every(time.Hour)))
			list.Start(sent)
			synctest.Wait()
			left := run.Shutdown(ended)
			settle(t, run)
			checkEndings(t, events.all())
			if left != nil {
				assert.Equal(t, bgtasks.Unfinished, events.ending(t, "task").Kind)
			}
			checkBalance(t, run.Stats())
		})
	}
}
