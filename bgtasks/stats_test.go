package bgtasks_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// checkBalance checks the equation that Stats promises when nothing is in motion.
func checkBalance(t testing.TB, s bgtasks.Stats) {
	t.Helper()
	assert.Equal(t, s.Accepted,
		s.Pending+s.Succeeded+s.Failed+s.Panicked+s.Skipped+s.Forgotten+s.Unfinished, "%+v", s)
}

func TestStatsOfAFreshRunnerAreZero(t *testing.T) {
	assert.Equal(t, bgtasks.Stats{}, newRunner(bgtasks.Config{}).Stats())
}

func TestStatsCountEachWayToEnd(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 8})
	ctx, list := open(run)
	add(t, ctx, "good", nothing)
	add(t, ctx, "bad", failing)
	add(t, ctx, "exit", exiting)
	add(t, ctx, "panic", panics)
	add(t, ctx, "when", nothing, bgtasks.When(bgtasks.Outcome.Failed))
	add(t, ctx, "needs", nothing, bgtasks.Needs("bad"))
	add(t, ctx, "gone", nothing)
	add(t, ctx, "retried", failing, bgtasks.Retry(3, every(0)))
	require.ErrorIs(t, bgtasks.Add(ctx, "full", nothing), bgtasks.ErrFull)
	require.Error(t, bgtasks.Add(ctx, "", nothing))
	require.Error(t, bgtasks.Add(context.Background(), "no list", nothing))
	require.Equal(t, 1, bgtasks.Forget(ctx, "gone"))
	assert.Equal(t, bgtasks.Stats{Accepted: 8, Refused: 2, Pending: 7, Forgotten: 1}, run.Stats())
	checkBalance(t, run.Stats())

	list.Start(sent)
	drain(t, run)
	require.Eventually(t, func() bool { return run.Stats().Running == 0 }, patience, time.Millisecond)
	assert.Equal(t, bgtasks.Stats{
		Accepted: 8, Refused: 2, Succeeded: 1, Failed: 3, Panicked: 1, Skipped: 2, Forgotten: 1,
	}, run.Stats())
	checkBalance(t, run.Stats())
}

func TestStatsWhileListsRunAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, g := newRunner(bgtasks.Config{MaxRunning: 2}), newGate()
		for range 5 {
			ctx, list := open(run)
			add(t, ctx, "held", g.task)
			add(t, ctx, "after", nothing)
			list.Start(sent)
		}
		ctx, _ := open(run) // neither runs nor waits for a place
		add(t, ctx, "not started", nothing)
		synctest.Wait()
		assert.Equal(t, bgtasks.Stats{Accepted: 11, Pending: 11, Running: 2, Waiting: 3}, run.Stats())
		close(g.open)
		synctest.Wait()
		assert.Equal(t, bgtasks.Stats{Accepted: 11, Pending: 1, Succeeded: 10}, run.Stats())
	})
}

func TestStatsAfterAShutdownThatRanOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{MaxRunning: 1})
		ctx, list := open(run)
		add(t, ctx, "good", nothing)
		add(t, ctx, "deaf", stubborn(time.Hour))
		add(t, ctx, "pending", nothing)
		list.Start(sent)
		ctx, list = open(run)
		add(t, ctx, "waiting", nothing)
		list.Start(sent)
		ctx, _ = open(run)
		add(t, ctx, "not started", nothing)
		require.Len(t, unfinished(t, shutdownWithin(run, time.Minute)), 4)
		want := bgtasks.Stats{Accepted: 5, Succeeded: 1, Unfinished: 4}
		s := run.Stats()
		checkBalance(t, s)
		s.Running, s.Waiting = 0, 0
		assert.Equal(t, want, s)
		settle(t, run) // deaf returns, and is not counted a second time
		synctest.Wait()
		assert.Equal(t, want, run.Stats())
	})
}

func TestStatsMayBeReadAtAnyTime(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	stop := make(chan struct{})
	stopped := make(chan bool)
	go func() {
		sane := true
		for {
			select {
			case <-stop:
				stopped <- sane
				return
			default:
				s := run.Stats()
				sane = sane && s.Accepted >= 0 && s.Pending >= 0 && s.Running >= 0 && s.Waiting >= 0
			}
		}
	}()
	for range 500 {
		ctx, list := open(run)
		add(t, ctx, "task", nothing)
		list.Start(sent)
	}
	drain(t, run)
	close(stop)
	assert.True(t, await(t, stopped, "the reader"), "no count is ever negative")
}
