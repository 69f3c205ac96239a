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

func TestShutdownOfAnIdleRunnerReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		run := newRunner(bgtasks.Config{})
		open(run) // a list without tasks holds nobody up
		require.NoError(t, shutdownWithin(run, time.Hour))
		require.NoError(t, shutdownWithin(run, time.Hour), "twice")
		assert.Zero(t, time.Since(begin))
	})
}

func TestShutdownWaitsForEveryAcceptedTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{MaxRunning: 1}), &journal{}
		begin := time.Now()
		ctx, list := open(run)
		add(t, ctx, "runs", func(ctx context.Context) error {
			<-time.After(time.Second)
			return bgtasks.Add(ctx, "nested", j.noting("nested", stubborn(time.Second)))
		})
		list.Start(sent)
		ctx, list = open(run)
		add(t, ctx, "waits for a place", j.noting("waits for a place", stubborn(time.Second)))
		list.Start(sent)
		ctx, unsent := open(run)
		add(t, ctx, "not started", j.noting("not started", stubborn(time.Second)))
		time.AfterFunc(10*time.Second, func() { unsent.Start(sent) })

		require.NoError(t, shutdownWithin(run, time.Hour))
		assert.Equal(t, []string{"nested", "waits for a place", "not started"}, j.all())
		assert.Equal(t, 11*time.Second, time.Since(begin))
	})
}

func TestShutdownLeavesRunningTasksAloneUntilItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		begin := time.Now()
		ctx, list := open(run)
		add(t, ctx, "obedient", func(ctx context.Context) error {
			<-ctx.Done()
			assert.Equal(t, time.Minute, time.Since(begin))
			require.ErrorIs(t, context.Cause(ctx), bgtasks.ErrShutdown)
			return ctx.Err()
		})
		list.Start(sent)
		require.Error(t, shutdownWithin(run, time.Minute))
		settle(t, run)
	})
}

// crowd fills run with tasks in all states, and returns the names of those that do not
// end within an hour.
func crowd(t *testing.T, run *bgtasks.Runner, j *journal) []string {
	t.Helper()
	ctx, list := open(run)
	add(t, ctx, "done", nothing)
	add(t, ctx, "runs", stubborn(2*time.Hour))
	add(t, ctx, "pending", j.noting("pending", nothing))
	add(t, ctx, "gone", j.noting("gone", nothing))
	bgtasks.Forget(ctx, "gone")
	add(t, ctx, "pending too", j.noting("pending too", nothing))
	list.Start(sent)
	ctx, list = open(run)
	add(t, ctx, "retried", func(ctx context.Context) error { <-ctx.Done(); return errBroken },
		bgtasks.Retry(100, every(0)))
	list.Start(sent)
	synctest.Wait()
	ctx, list = open(run)
	add(t, ctx, "waits", j.noting("waits", nothing))
	list.Start(sent)
	ctx, list = open(run)
	add(t, ctx, "awaited", j.noting("awaited", nothing))
	list.Await(sent)
	ctx, _ = open(run)
	add(t, ctx, "in its handler", j.noting("in its handler", nothing))
	synctest.Wait()
	return []string{"runs", "pending", "pending too", "retried", "waits", "awaited", "in its handler"}
}

func TestShutdownNamesEveryUnfinishedTaskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{MaxRunning: 2}), &journal{}
		events := observe(run)
		left := crowd(t, run, j)
		begin := time.Now()
		err := shutdownWithin(run, time.Minute)
		assert.Equal(t, time.Minute, time.Since(begin), "at once")
		assert.ElementsMatch(t, left, unfinished(t, err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for _, name := range left {
			assert.Contains(t, err.Error(), name)
			assert.Equal(t, bgtasks.Unfinished, events.ending(t, name).Kind)
		}
		settle(t, run)
		assert.Equal(t, 2*time.Hour, time.Since(begin), "Wait waits for what still runs")
		assert.Empty(t, j.all(), "what had not started never will")
		checkEndings(t, events.all())
		checkBalance(t, run.Stats())
	})
}

func TestUnfinishedTasksAreDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "deaf", stubborn(time.Hour))
		add(t, ctx, "pending", nothing)
		list.Start(sent)
		err := shutdownWithin(run, time.Second)
		var e *bgtasks.ShutdownError
		require.ErrorAs(t, err, &e)
		require.Len(t, e.Unfinished, 2)
		for i, want := range []bgtasks.Info{{Name: "deaf", Attempt: 1}, {Name: "pending", Attempt: 0}} {
			got := e.Unfinished[i]
			assert.Equal(t, want.Name, got.Name)
			assert.Equal(t, want.Attempt, got.Attempt)
			assert.Equal(t, i+1, got.Position)
			assert.Equal(t, "/orders/{id}", got.Route)
			assert.Equal(t, "req-1", got.RequestID)
			assert.Equal(t, want.Attempt == 0, got.Started.IsZero())
		}
		settle(t, run)
	})
}

func TestTextOfAShutdownErrorIsOfReadableLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, _ := open(run)
		for range 1000 {
			add(t, ctx, "not started", nothing)
		}
		err := shutdownWithin(run, time.Second)
		assert.Len(t, unfinished(t, err), 1000)
		assert.Contains(t, err.Error(), "1000 unfinished")
		assert.Contains(t, err.Error(), "more")
		assert.Less(t, len(err.Error()), 1000)
	})
}

func TestLaterShutdownsReportWhatAnyLeftUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{MaxRunning: 2}), &journal{}
		left := crowd(t, run, j)
		for range 3 {
			assert.ElementsMatch(t, left, unfinished(t, shutdownWithin(run, time.Minute)))
		}
		settle(t, run)
		assert.ElementsMatch(t, left, unfinished(t, shutdownWithin(run, time.Minute)))
		assert.EqualValues(t, len(left), run.Stats().Unfinished)
	})
}

func TestConcurrentShutdownsWaitAsTheirOwnContextsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, begin := newRunner(bgtasks.Config{}), time.Now()
		ctx, list := open(run)
		add(t, ctx, "task", stubborn(30*time.Second))
		list.Start(sent)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				assert.NoError(t, shutdownWithin(run, time.Minute))
				assert.Equal(t, 30*time.Second, time.Since(begin))
			})
		}
		wg.Wait()
	})
}

func TestShutdownWithLittleTimeCutsShortOneWithMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, begin := newRunner(bgtasks.Config{}), time.Now()
		ctx, list := open(run)
		add(t, ctx, "task", obedient(time.Hour))
		list.Start(sent)
		var wg sync.WaitGroup
		for _, patient := range []bool{true, false} {
			d := 10 * time.Second
			if patient {
				d = time.Minute
			}
			wg.Go(func() { assert.Equal(t, []string{"task"}, unfinished(t, shutdownWithin(run, d))) })
		}
		wg.Wait()
		assert.Equal(t, 10*time.Second, time.Since(begin))
		assert.EqualValues(t, 1, run.Stats().Unfinished)
		settle(t, run)
	})
}

func TestShutdownFromWithinATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		var err error
		add(t, ctx, "stops all", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			err = run.Shutdown(ctx) // waits for this very task
			return nil
		})
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []string{"stops all"}, unfinished(t, err))
	})
}

func TestShutdownWithAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "task", j.noting("task", nothing))
		err := run.Shutdown(ended)
		assert.Equal(t, []string{"task"}, unfinished(t, err))
		require.ErrorIs(t, err, context.Canceled)
		list.Start(sent)
		settle(t, run)
		assert.Empty(t, j.all())
	})
}

func TestAddIsRefusedOnceAShutdownHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		before, first := open(run)
		empty, _ := open(run)
		add(t, before, "first", j.noting("first", nothing))
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, shutdownWithin(run, time.Hour)) })
		synctest.Wait()
		after, _ := open(run)
		for name, ctx := range map[string]context.Context{
			"a list with tasks": before, "an empty list": empty, "a list opened later": after,
		} {
			require.ErrorIs(t, bgtasks.Add(ctx, "late", j.noting("late", nothing)), bgtasks.ErrShutdown, name)
		}
		first.Start(sent)
		wg.Wait()
		assert.Equal(t, []string{"first"}, j.all())
		require.ErrorIs(t, bgtasks.Add(after, "later", nothing), bgtasks.ErrShutdown)
	})
}

func TestRunningTaskMayAddUntilTheDeadlineOfTheShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		var task bgtasks.Func
		task = func(ctx context.Context) error {
			<-time.After(10 * time.Second)
			err := bgtasks.Add(ctx, "task", task)
			j.note(fmt.Sprint(err == nil))
			if err != nil {
				assert.ErrorIs(t, err, bgtasks.ErrShutdown)
			}
			return nil
		}
		add(t, ctx, "task", task)
		list.Start(sent)
		require.Equal(t, []string{"task"}, unfinished(t, shutdownWithin(run, 35*time.Second)))
		settle(t, run)
		assert.Equal(t, []string{"true", "true", "true", "false"}, j.all())
	})
}

func TestStartAfterTheDeadlineRunsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "task", j.noting("task", nothing))
		require.Error(t, shutdownWithin(run, time.Second))
		list.Start(sent)
		list.Await(sent)
		settle(t, run)
		synctest.Wait()
		assert.Empty(t, j.all())
		assert.Equal(t, 0, list.Len())
	})
}

func TestTaskThatFailsAfterTheDeadlineIsNotReportedTwice(t *testing.T) {
	for name, fn := range map[string]bgtasks.Func{"error": failing, "panic": panics, "Goexit": exiting, "nil": nothing} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := newRunner(bgtasks.Config{})
				events := observe(run)
				ctx, list := open(run)
				add(t, ctx, "task", func(ctx context.Context) error {
					<-ctx.Done()
					return fn(ctx)
				}, bgtasks.Retry(5, every(0)))
				add(t, ctx, "next", nothing)
				list.Start(sent)
				require.Equal(t, []string{"task", "next"}, unfinished(t, shutdownWithin(run, time.Second)))
				settle(t, run)
				synctest.Wait()
				checkEndings(t, events.all())
				s := run.Stats()
				s.Running = 0
				assert.Equal(t, bgtasks.Stats{Accepted: 2, Unfinished: 2}, s)
			})
		})
	}
}

func TestTaskThatIsBeingDecidedUponAtTheDeadlineNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		events := observe(run)
		ctx, list := open(run)
		add(t, ctx, "task", j.noting("task", nothing), bgtasks.When(func(bgtasks.Outcome) bool {
			<-time.After(time.Minute)
			return true
		}))
		list.Start(sent)
		require.Equal(t, []string{"task"}, unfinished(t, shutdownWithin(run, time.Second)))
		settle(t, run)
		assert.Empty(t, j.all())
		assert.Empty(t, events.of(bgtasks.Started))
		checkEndings(t, events.all())
	})
}

func TestShutdownWaitsForWhatRunAcceptsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "task", stubborn(time.Second))
		list.Start(sent)
		done := make(chan error, 1)
		go func() { done <- run.Shutdown(t.Context()) }()
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- run.Run(context.Background(), aboutStep, stubborn(time.Hour)) }()
		require.NoError(t, <-done)
		assert.Zero(t, run.Stats().Pending)
		require.NoError(t, <-ended)
	})
}
