package bgriver_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

func TestShutdownLetsTheStepEndAndGivesTheRestBack(t *testing.T) {
	both(t, softStop[*sql.Tx], softStop[pgx.Tx])
}

func softStop[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	running, end := make(chan struct{}), make(chan struct{})
	slow := bgriver.Define("slow", func(ctx context.Context, _ string) error {
		close(running)
		<-end
		j.note("slow")
		return ctx.Err()
	})
	next := j.noting("next")
	s := b.site(t, quick(slow, next))
	require.NoError(t, s.Add(t.Context(), slow.With(""), next.With("a")))
	await(t, running, "the step")
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stopped <- s.run.Shutdown(ctx)
	}()
	eventually(t, "the shutdown to begin", s.Stopping)
	assert.Empty(t, stopped, "it waits for the step")
	close(end)
	require.NoError(t, await(t, stopped, "the shutdown"))
	assert.Equal(t, []string{"slow"}, j.all())
	job := s.jobs(t)[0]
	assert.Equal(t, rivertype.JobStateAvailable, job.State, "for the next process, at once")
	assert.Zero(t, job.Attempt, "it cost no attempt")
	assert.Empty(t, job.Errors)
	for _, line := range s.log.lines(t, "refused") {
		assert.Equal(t, "in memory", line["task"], "no step is")
	}

	newer := b.site(t, quick(slow, next))
	job = newer.until(t, rivertype.JobStateCompleted)[0]
	assert.Equal(t, []string{"slow", "next a"}, j.all())
	assert.Equal(t, 1, job.Attempt)
}

// accepts reports whether run takes tasks, which it does until a shutdown begins.
func accepts(run *bgtasks.Runner) bool {
	ctx, list := run.Open(context.Background(), bgtasks.Info{})
	defer list.Start(bgtasks.Outcome{})
	return bgtasks.Add(ctx, "in memory", func(context.Context) error { return nil }) == nil
}

func TestShutdownsDeadlineCutsTheStepAtNoCost(t *testing.T) {
	both(t, hardStop[*sql.Tx], hardStop[pgx.Tx])
}

func hardStop[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	running := make(chan struct{}, 1)
	first := j.noting("first")
	endless := bgriver.Define("endless", func(ctx context.Context, _ int) error {
		j.note("endless")
		running <- struct{}{}
		<-ctx.Done()
		return errBroken // and not ctx's error
	})
	s := b.site(t, quick(first, endless))
	require.NoError(t, s.Add(t.Context(), first.With("a"), endless.With(1)))
	await(t, running, "the step")
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // the last quarter is for the step to return in
	defer cancel()
	require.NoError(t, s.run.Shutdown(ctx), "the step heeds its context: nothing is unfinished in memory")
	job := s.jobs(t)[0]
	assert.Equal(t, rivertype.JobStateAvailable, job.State)
	assert.Zero(t, job.Attempt)
	assert.Empty(t, job.Errors)

	b.site(t, quick(first, endless))
	await(t, running, "the step, again")
	assert.Equal(t, []string{"first a", "endless", "endless"}, j.all(), "the first is not run again")
}

func TestShutdownNamesAStepThatDoesNotHeedItsContext(t *testing.T) {
	both(t, stubbornStep[*sql.Tx], stubbornStep[pgx.Tx])
}

func stubbornStep[Tx any](t *testing.T, b *base[Tx]) {
	running, end := make(chan struct{}), make(chan struct{})
	stubborn := bgriver.Define("stubborn", func(context.Context, int) error {
		close(running)
		<-end
		return nil
	})
	s := b.site(t, quick(stubborn))
	require.NoError(t, s.Add(t.Context(), stubborn.With(1)))
	await(t, running, "the step")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := s.run.Shutdown(ctx)
	var unfinished *bgtasks.ShutdownError
	require.ErrorAs(t, err, &unfinished)
	assert.Equal(t, "stubborn", unfinished.Unfinished[0].Name)
	assert.ErrorContains(t, err, "RescueStuckJobsAfter")
	close(end)
	require.NoError(t, s.run.Wait(t.Context()))
}

func TestShutdownWhoseContextIsCancelledWaitsForStepsThatHeedTheirs(t *testing.T) {
	both(t, cancelledShutdown[*sql.Tx], cancelledShutdown[pgx.Tx])
}

func cancelledShutdown[Tx any](t *testing.T, b *base[Tx]) {
	running := make(chan struct{})
	step := bgriver.Define("step", func(ctx context.Context, _ string) error {
		close(running)
		<-ctx.Done()
		return ctx.Err()
	})
	s := b.site(t, quick(step))
	require.NoError(t, s.Add(t.Context(), step.With("")))
	await(t, running, "the step")
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.run.Shutdown(ctx) }()
	eventually(t, "the shutdown to begin", s.Stopping)
	cancel()
	if err := await(t, stopped, "the shutdown"); err != nil {
		assert.NotContains(t, err.Error(), "do not heed")
	}
	job := s.jobs(t)[0]
	assert.Equal(t, rivertype.JobStateAvailable, job.State, "for the next process, at once")
	assert.Zero(t, job.Attempt, "it cost no attempt")
}

func TestUnitWhoseInsertPanicsHoldsUpNoShutdown(t *testing.T) {
	both(t, insertPanics[*sql.Tx], insertPanics[pgx.Tx])
}

func insertPanics[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	var none Tx
	assert.Panics(t, func() { _ = s.AddTx(ctx, none, step.With("x")) }, "in the handler")
	answer()
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.run.Shutdown(limited))
}

func TestUnitAddedDuringAShutdownIsReleasedForOthers(t *testing.T) {
	both(t, addedDuringShutdown[*sql.Tx], addedDuringShutdown[pgx.Tx])
}

func addedDuringShutdown[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	require.NoError(t, s.Add(ctx, step.With("before")))
	stopped := make(chan error, 1)
	go func() { stopped <- s.run.Shutdown(context.Background()) }()
	eventually(t, "the shutdown to begin", func() bool { return !accepts(s.run) })
	require.NoError(t, s.Add(ctx, step.With("meanwhile")))
	answer()
	require.NoError(t, await(t, stopped, "the shutdown"))
	for _, job := range s.jobs(t) {
		if job.State != rivertype.JobStateCompleted { // the first may have been run
			assert.Equal(t, rivertype.JobStateAvailable, job.State)
		}
	}
	newer := b.site(t, quick(step))
	newer.until(t, rivertype.JobStateCompleted)
	assert.ElementsMatch(t, []string{"step before", "step meanwhile"}, j.all())
}

func TestUnitWhoseContextPanicsHoldsUpNoShutdown(t *testing.T) {
	both(t, contextPanics[*sql.Tx], contextPanics[pgx.Tx])
}

// A rudeContext panics when it is asked for something, the rude-th time.
type rudeContext struct {
	context.Context
	asked, rude int
}

func (c *rudeContext) Value(key any) any {
	if c.asked++; c.asked == c.rude {
		panic("rude")
	}
	return c.Context.Value(key)
}

func contextPanics[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	for _, rude := range []int{1, 2} { // when it is asked for the list, and for the span
		ctx, answer := s.request(t)
		assert.PanicsWithValue(t, "rude", func() { _ = s.Add(&rudeContext{Context: ctx, rude: rude}, step.With("x")) }, "in the handler, whose context it is")
		answer()
	}
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.run.Shutdown(limited))
}

func TestQueueThatIsOpenedAfterTheShutdownIsRefused(t *testing.T) {
	both(t, openedTooLate[*sql.Tx], openedTooLate[pgx.Tx])
}

func openedTooLate[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	require.NoError(t, run.Shutdown(t.Context()))
	_, err := b.open(run, quick(j.noting("step")))
	require.ErrorIs(t, err, bgtasks.ErrShutdown)
	require.ErrorContains(t, err, "before the runner shuts down")
}
