package bgriver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

func TestFinishedStepIsNotRunAgainWhenALaterOneFails(t *testing.T) {
	both(t, finishedStepIsKept[*sql.Tx], finishedStepIsKept[pgx.Tx])
}

func finishedStepIsKept[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	first, last := j.noting("first"), j.noting("last")
	var keys []string
	var attempts []int
	flaky := bgriver.Define("flaky", func(ctx context.Context, _ string) error {
		j.note("flaky")
		info, _ := bgtasks.InfoFrom(ctx)
		keys, attempts = append(keys, bgriver.Key(ctx)), append(attempts, info.Attempt)
		switch len(keys) {
		case 1:
			return errBroken
		case 2:
			panic("kaboom")
		}
		return nil
	})
	s := b.site(t, quick(first, flaky, last))
	require.NoError(t, s.Add(t.Context(), first.With("a"), flaky.With(""), last.With("b")))
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"first a", "flaky", "flaky", "flaky", "last b"}, j.all())
	assert.Equal(t, []int{1, 2, 3}, attempts, "River's")
	assert.Equal(t, []string{keys[0], keys[0], keys[0]}, keys, "the key is the step's")
	assert.Equal(t, 3, jobs[0].Attempt)
	require.Len(t, jobs[0].Errors, 2)
	assert.Contains(t, jobs[0].Errors[0].Error, "step 2 of 3, flaky: broken")
	failed := s.log.lines(t, "task failed")
	require.Len(t, failed, 1)
	assert.Equal(t, []any{"flaky", "ERROR", 2.0}, []any{failed[0]["task"], failed[0]["level"], failed[0]["position"]})
	assert.NotEmpty(t, s.log.lines(t, "task panicked")[0]["stack"])
}

func TestStepInATransactionIsDoneWithItsRecord(t *testing.T) {
	both(t, stepInATransaction[*sql.Tx], stepInATransaction[pgx.Tx])
}

func stepInATransaction[Tx any](t *testing.T, b *base[Tx]) {
	var calls atomic.Int32
	reserve := bgriver.DefineTx("reserve", func(ctx context.Context, tx Tx, item string) error {
		if err := b.exec(ctx, tx, fmt.Sprintf("INSERT INTO done VALUES ('%s')", item)); err != nil {
			return err
		}
		if calls.Add(1) == 1 {
			return errBroken
		}
		return nil
	})
	s := b.site(t, quick(reserve))
	require.NoError(t, s.Add(t.Context(), reserve.With("pen"), reserve.With("paper")))
	s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"paper", "pen"}, b.done(t, "what"), "the first attempt was rolled back")
	assert.EqualValues(t, 3, calls.Load())
	assert.ErrorContains(t, bgriver.Add(t.Context(), reserve.With("pen")), "transaction")
}

func TestUnitThatIsGivenUpIsKeptAndLogged(t *testing.T) {
	both(t, givenUp[*sql.Tx], givenUp[pgx.Tx])
}

func givenUp[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	first := j.noting("first")
	failing := bgriver.Define("failing", func(context.Context, string) error { return errBroken })
	s := b.site(t, quick(first, failing))
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 2}).Add(t.Context(), first.With("a"), failing.With("b")))
	jobs := s.until(t, rivertype.JobStateDiscarded)
	assert.Equal(t, []string{"first a"}, j.all())
	eventually(t, "the log line", func() bool { return len(s.log.lines(t, "given up")) > 0 })
	lines := s.log.lines(t, "given up")
	require.Len(t, lines, 1)
	assert.Equal(t, "ERROR", lines[0]["level"])
	assert.Equal(t, "first, failing", lines[0]["unit"])
	assert.EqualValues(t, jobs[0].ID, lines[0]["job_id"])
	assert.Contains(t, lines[0]["error"], "broken")
}

func TestStepHasItsTimeoutMiddlewareAndEvents(t *testing.T) {
	both(t, optionsOfSteps[*sql.Tx], optionsOfSteps[pgx.Tx])
}

func optionsOfSteps[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	inner := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { j.note("inner"); return next(ctx) }
	})
	first := true
	slow := bgriver.Define("slow", func(ctx context.Context, _ int) error {
		if !first {
			return nil
		}
		first = false
		<-ctx.Done()
		return context.Cause(ctx)
	}, bgtasks.Timeout(10*time.Millisecond), inner)
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { j.note("outer"); return next(ctx) }
	})
	run.Observe(func(e bgtasks.Event) { j.note(e.Kind.String()) })
	q, err := b.open(run, quick(slow))
	require.NoError(t, err)
	require.NoError(t, q.Add(t.Context(), slow.With(1)))
	s := &site[Tx]{Queue: q, run: run}
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"accepted", "started", "outer", "inner", "finished", "accepted", "started", "outer", "inner", "finished"}, j.all())
	assert.Contains(t, jobs[0].Errors[0].Error, bgtasks.ErrTimeout.Error())
	require.NoError(t, run.Shutdown(t.Context()))
}

func TestUnitEndsByRiversTimeoutAndByCancellation(t *testing.T) {
	both(t, riversOwnEnds[*sql.Tx], riversOwnEnds[pgx.Tx])
}

func riversOwnEnds[Tx any](t *testing.T, b *base[Tx]) {
	ends := make(chan error, 10)
	running := make(chan struct{}, 10)
	endless := bgriver.Define("endless", func(ctx context.Context, _ int) error {
		running <- struct{}{}
		<-ctx.Done()
		ends <- context.Cause(ctx)
		return ctx.Err()
	})
	cfg := quick(endless)
	cfg.River.JobTimeout = 3 * time.Second
	s := b.site(t, cfg)
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 2}).Add(t.Context(), endless.With(1)))
	await(t, running, "the first attempt")
	assert.ErrorIs(t, await(t, ends, "the timeout"), context.DeadlineExceeded)
	await(t, running, "the second attempt")
	_, err := s.Client().JobCancel(t.Context(), s.jobs(t)[0].ID)
	require.NoError(t, err)
	await(t, ends, "the cancellation")
	s.until(t, rivertype.JobStateCancelled)
}

func TestStepsOfACancelledUnitDoNotStartAlsoAfterOneThatTookNoHeed(t *testing.T) {
	both(t, heedlessFirst[*sql.Tx], heedlessFirst[pgx.Tx])
}

func heedlessFirst[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	running := make(chan struct{})
	first := bgriver.Define("first", func(ctx context.Context, _ string) error {
		close(running)
		<-ctx.Done()
		return nil // it is done all the same
	})
	second := j.noting("second")
	s := b.site(t, quick(first, second))
	require.NoError(t, s.Add(t.Context(), first.With(""), second.With("b"), second.With("c")))
	await(t, running, "the first step")
	_, err := s.Client().JobCancel(t.Context(), s.jobs(t)[0].ID)
	require.NoError(t, err)
	s.until(t, rivertype.JobStateCancelled)
	assert.Empty(t, j.all())
}

func TestUnitThatOutlastsJobTimeoutIsAnErrorThatSaysSo(t *testing.T) {
	both(t, outlasts[*sql.Tx], outlasts[pgx.Tx])
}

func outlasts[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	first := j.noting("first")
	endless := bgriver.Define("endless", func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}, bgtasks.Timeout(time.Minute))
	cfg := quick(first, endless)
	cfg.River.JobTimeout = time.Second
	s := b.site(t, cfg)
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 1}).Add(t.Context(), first.With(""), endless.With("")))
	jobs := s.until(t, rivertype.JobStateDiscarded)
	const want = "longer than Config.River.JobTimeout (1s), which is for all its steps together: step 2 of 2, endless: context deadline exceeded"
	assert.Contains(t, jobs[0].Errors[0].Error, want)
	eventually(t, "the log line", func() bool { return len(s.log.lines(t, "given up")) > 0 })
	assert.Contains(t, s.log.lines(t, "given up")[0]["error"], want)
}

func TestStepThatExitsItsGoroutineFailsLikeAnyOther(t *testing.T) {
	b := newSQLite(t)
	var calls atomic.Int32
	exits := bgriver.Define("exits", func(context.Context, int) error {
		if calls.Add(1) == 1 {
			runtime.Goexit()
		}
		return nil
	})
	s := b.site(t, quick(exits))
	require.NoError(t, s.Add(t.Context(), exits.With(1)))
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Contains(t, jobs[0].Errors[0].Error, "Goexit")
}

// An attempt that takes longer than RescueStuckJobsAfter goes on while another has the unit: here the
// database says so.
func TestOvertakenAttemptRecordsTheStepThatItHasDoneAndEnds(t *testing.T) {
	both(t, overtaken[*sql.Tx], overtaken[pgx.Tx])
}

func overtaken[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	first := bgriver.Define("first", func(context.Context, string) error {
		j.note("first")
		b.must(t, "UPDATE river_job SET attempt = attempt + 1")
		return nil
	})
	second := j.noting("second")
	s := b.site(t, quick(first, second))
	require.NoError(t, s.Add(t.Context(), first.With("x"), second.With("x")))
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Contains(t, jobs[0].Errors[0].Error, "gave the unit to another")
	assert.Equal(t, []string{"first", "second x"}, j.all())
}

// The second attempt is taken for lost, and the third is ahead of it when it fails.
func TestOvertakenAttemptThatFailsSetsNothingBack(t *testing.T) {
	both(t, overtakenAndFails[*sql.Tx], overtakenAndFails[pgx.Tx])
}

func overtakenAndFails[Tx any](t *testing.T, b *base[Tx]) {
	var seconds, fourths atomic.Int32
	hangs, fails, ahead, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	first := bgriver.Define("first", func(context.Context, string) error { return nil })
	second := bgriver.Define("second", func(context.Context, string) error {
		switch seconds.Add(1) {
		case 1:
			return errors.New("so that the next attempt has a step behind it")
		case 2:
			close(hangs)
			<-fails
			return errors.New("late")
		}
		return nil
	})
	third := bgriver.DefineTx("third", func(ctx context.Context, tx Tx, _ string) error {
		return b.exec(ctx, tx, "INSERT INTO done VALUES ('third')")
	})
	fourth := bgriver.Define("fourth", func(context.Context, string) error {
		if fourths.Add(1) == 1 {
			close(ahead)
			<-goOn
		}
		return nil
	})
	s := b.site(t, quick(first, second, third, fourth))
	require.NoError(t, s.Add(t.Context(), first.With("x"), second.With("x"), third.With("x"), fourth.With("x")))
	await(t, hangs, "the second attempt")
	b.must(t, "UPDATE river_job SET state = 'available'") // as the rescuer does
	await(t, ahead, "the third attempt")
	close(fails)
	s.until(t, rivertype.JobStateCompleted)
	close(goOn)
	require.NoError(t, s.run.Shutdown(t.Context()))
	assert.EqualValues(t, 3, seconds.Load(), "of the second step")
	assert.Equal(t, []string{"third"}, b.done(t, "what"))
}

func TestWhatAnOvertakenAttemptDidInItsTransactionIsUndone(t *testing.T) {
	both(t, overtakenTx[*sql.Tx], overtakenTx[pgx.Tx])
}

func overtakenTx[Tx any](t *testing.T, b *base[Tx]) {
	var calls atomic.Int32
	step := bgriver.DefineTx("step", func(ctx context.Context, tx Tx, order string) error {
		err := b.exec(ctx, tx, "INSERT INTO done VALUES ('"+order+"')")
		if calls.Add(1) == 1 { // as if the rescuer had been there before
			err = errors.Join(err, b.exec(ctx, tx, "UPDATE river_job SET state = 'retryable'"))
		}
		return err
	}, bgtasks.Retry(2, bgtasks.Backoff(0, 0))) // for which there is nothing to repeat
	s := b.site(t, quick(step))
	require.NoError(t, s.Add(t.Context(), step.With("x")))
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Contains(t, jobs[0].Errors[0].Error, "gave the unit to another")
	assert.EqualValues(t, 2, calls.Load())
	assert.Len(t, b.done(t, "what"), 1)
}

// Postgres stores no NUL, and River records the ends of many units in one statement.
func TestErrorWithANULInItIsRecordedAndHoldsUpNoOtherUnit(t *testing.T) {
	both(t, errorWithNUL[*sql.Tx], errorWithNUL[pgx.Tx])
}

func errorWithNUL[Tx any](t *testing.T, b *base[Tx]) {
	bad := bgriver.Define("bad", func(context.Context, string) error { return errors.New("answered: a\x00b") })
	ugly := bgriver.Define("ugly", func(context.Context, string) error { panic("a\x00b") })
	s := b.site(t, quick(bad, ugly))
	once := s.With(river.InsertOpts{MaxAttempts: 1})
	require.NoError(t, once.Add(t.Context(), bad.With("")))
	require.NoError(t, once.Add(t.Context(), ugly.With("")))
	for _, job := range s.until(t, rivertype.JobStateDiscarded) {
		assert.Contains(t, job.Errors[0].Error, "a\uFFFDb")
	}
}

func TestStepInATransactionIsDoneOnceThoughItsMiddlewareFailsAfterIt(t *testing.T) {
	both(t, middlewareFails[*sql.Tx], middlewareFails[pgx.Tx])
}

func middlewareFails[Tx any](t *testing.T, b *base[Tx]) {
	var calls atomic.Int32
	fails := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			if err := next(ctx); err != nil || calls.Add(1) > 1 {
				return err
			}
			return errBroken
		}
	})
	step := bgriver.DefineTx("step", func(ctx context.Context, tx Tx, _ string) error {
		return b.exec(ctx, tx, "INSERT INTO done VALUES ('step')")
	}, fails, bgtasks.Retry(3, bgtasks.Backoff(1, 1)))
	s := b.site(t, quick(step))
	require.NoError(t, s.Add(t.Context(), step.With("")))
	s.until(t, rivertype.JobStateCompleted)
	assert.Len(t, b.done(t, "what"), 1)
}

// Tracing, say, is a hook or middleware of River's.
func TestRiversHooksAndMiddlewareSeeTheErrorOfAStep(t *testing.T) {
	both(t, hooksSee[*sql.Tx], hooksSee[pgx.Tx])
}

func hooksSee[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	failing := bgriver.Define("failing", func(context.Context, string) error { return errBroken })
	cfg := quick(failing)
	cfg.River.Hooks = []rivertype.Hook{river.HookWorkEndFunc(func(_ context.Context, _ *rivertype.JobRow, err error) error {
		j.note(fmt.Sprint("hook: ", errors.Is(err, errBroken)))
		return err
	})}
	cfg.River.Middleware = []rivertype.Middleware{river.WorkerMiddlewareFunc(func(ctx context.Context, _ *rivertype.JobRow, work func(context.Context) error) error {
		err := work(ctx)
		j.note(fmt.Sprint("middleware: ", errors.Is(err, errBroken)))
		return err
	})}
	s := b.site(t, cfg)
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 1}).Add(t.Context(), failing.With("")))
	s.until(t, rivertype.JobStateDiscarded)
	assert.ElementsMatch(t, []string{"hook: true", "middleware: true"}, j.all())
}

func TestUnitThatIsRetriedByHandAfterItsCancellationIsNotCancelledAgain(t *testing.T) {
	both(t, retriedByHand[*sql.Tx], retriedByHand[pgx.Tx])
}

func retriedByHand[Tx any](t *testing.T, b *base[Tx]) {
	var calls atomic.Int32
	step := bgriver.Define("step", func(context.Context, string) error {
		if calls.Add(1) == 1 {
			return errBroken
		}
		return nil
	})
	s := b.site(t, quick(step))
	require.NoError(t, s.With(river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}).Add(t.Context(), step.With("")))
	id := s.jobs(t)[0].ID
	_, err := s.Client().JobCancel(t.Context(), id)
	require.NoError(t, err)
	s.until(t, rivertype.JobStateCancelled)
	require.NoError(t, s.run.Shutdown(t.Context())) // on Postgres it may hear of the cancellation later
	newer := b.site(t, quick(step))
	_, err = newer.Client().JobRetry(t.Context(), id)
	require.NoError(t, err)
	newer.until(t, rivertype.JobStateCompleted)
	assert.EqualValues(t, 2, calls.Load())
}
