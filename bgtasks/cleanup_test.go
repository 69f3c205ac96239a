package bgtasks_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// Whoever makes a request can have it looked at for files to remove. Lists for that must not
// queue up behind tasks that take their time: no limit counts them.
func TestCleanupOfAListWithoutTasksDoesNotWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, g := newRunner(bgtasks.Config{MaxRunning: 1}), newGate()
		ctx, hung := open(run)
		add(t, ctx, "hangs", g.task)
		hung.Start(sent)
		cleaned := 0
		for range 100 {
			_, list := hosted(run, &host{end: func() error { cleaned++; return nil }})
			list.Start(sent)
			synctest.Wait()
		}
		assert.Equal(t, 100, cleaned)
		assert.Zero(t, run.Stats().Waiting)
		close(g.open)
		settle(t, run)
	})
}

func TestCleanupIsNotHeldForEverByAShutdownThatFoundNothingElseToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, g := newRunner(bgtasks.Config{SendTimeout: time.Second}), newGate()
		ctx, list := open(run)
		add(t, ctx, "task", g.task)
		list.Start(sent)
		down := make(chan error, 1)
		go func() { down <- run.Shutdown(t.Context()) }()
		synctest.Wait()
		cleaned := false
		_, late := hosted(run, &host{end: func() error { cleaned = true; return nil }})
		require.True(t, late.Await(sent), "and Start is never called")
		close(g.open)
		require.NoError(t, <-down)
		<-time.After(2 * time.Second)
		synctest.Wait()
		assert.True(t, cleaned)
		settle(t, run)
	})
}
