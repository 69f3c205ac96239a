package bgtest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

func TestHoldShowsTheStateRightAfterTheResponse(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	var done []string
	note := func(name string) toAdd {
		return add(name, func(context.Context) error { done = append(done, name); return nil })
	}
	h := adding(k.Runner, note("log"), note("mail"), note("audit"))
	k.Hold()
	res := k.Do(h, post())
	assert.Equal(t, http.StatusOK, res.Code)
	assert.Empty(t, done)
	assert.Equal(t, []string{"log", "mail", "audit"}, k.Names(bgtasks.Accepted))
	k.WantRan()

	assert.Equal(t, "log", k.Next())
	assert.Equal(t, []string{"log"}, done)
	k.WantRan("log")
	assert.Equal(t, bgtasks.Accepted, k.Task("mail").Kind)

	assert.Equal(t, "mail", k.Next())
	assert.Equal(t, []string{"log", "mail"}, done)

	k.Release()
	assert.Equal(t, []string{"log", "mail", "audit"}, done)
	k.Do(h, post())
	assert.Len(t, done, 6)
}

func TestNextTakesTheOneThatHasWaitedLongest(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	k.Hold()
	k.Do(adding(k.Runner, add("a1", nothing), add("a2", nothing)), post())
	k.Do(adding(k.Runner, add("b1", nothing), add("b2", nothing)), post())
	for _, want := range []string{"a1", "b1", "a2", "b2"} {
		assert.Equal(t, want, k.Next())
	}
	assert.Zero(t, k.Runner.Stats().Pending)
}

func TestAHeldTaskUsesUpNoneOfItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		var left time.Duration
		k.Hold()
		k.Do(adding(k.Runner, add("task", func(ctx context.Context) error {
			at, _ := ctx.Deadline()
			left = time.Until(at)
			return ctx.Err()
		}, bgtasks.Timeout(time.Minute))), post())
		time.Sleep(time.Hour)
		assert.Empty(t, k.Ran())
		k.Next()
		assert.Equal(t, time.Minute, left)
		assert.NoError(t, k.Task("task").Err)
		assert.Equal(t, time.Hour, k.Task("task").Wait)
		assert.Zero(t, k.Task("task").Elapsed)
	})
}

func TestAttemptsAndSkippedTasksAreNotHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		k.Fail("mail", errDown)
		k.Hold()
		k.Do(adding(k.Runner, add("mail", nothing, twice), add("log", nothing, bgtasks.Needs("mail")), add("audit", nothing)), post())
		assert.Equal(t, "mail", k.Next())
		assert.Equal(t, 2, k.Task("mail").Info.Attempt)
		k.Want(bgtasks.Skipped, "log")
		assert.Equal(t, "audit", k.Next())
	})
}

func TestNextWithoutAHeldTaskFailsTheTest(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Hold()
		k.Do(adding(k.Runner, add("task", nothing)), post())
		k.Next()
		assert.False(t, ft.Failed())
		k.Next()
		t.Error("Next has to end the test")
	})
	assert.True(t, got.stopped)
	assert.Equal(t, "bgtest: Next: no task is held", got.text())
}

func TestNextNamesATaskThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Hold()
			k.Do(adding(k.Runner, add("task", forever)), post())
			k.Next()
		})
		assert.Contains(t, got.text(), `task "task" of POST /orders/{id} has been running for 24h0m0s`)
	})
}

func TestHeldTasksNeverStartWhenTheTestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		ran := false
		began := time.Now()
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Hold()
			k.Do(adding(k.Runner, add("task", func(context.Context) error { ran = true; return nil }), add("other", nothing)), post())
		})
		assert.False(t, got.Failed(), got.text())
		assert.False(t, ran)
		assert.Zero(t, time.Since(began))
		assert.Contains(t, got.logged(), `2 unfinished: "task" of request`)
	})
}

func TestAShutdownGivesUpHeldTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		k.Hold()
		k.Do(adding(k.Runner, add("first", nothing), add("second", nothing)), post())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := k.Runner.Shutdown(ctx)
		var unfinished *bgtasks.ShutdownError
		require.ErrorAs(t, err, &unfinished)
		require.Len(t, unfinished.Unfinished, 2)
		assert.True(t, unfinished.Unfinished[0].Started.IsZero())
		k.Wait()
		k.WantRan()
		k.Want(bgtasks.Unfinished, "first", "second")
	})
}

func TestAShutdownWaitsForHeldTasksThatAreLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		k.Hold()
		k.Do(adding(k.Runner, add("first", nothing), add("second", nothing)), post())
		down := make(chan error, 1)
		go func() { down <- k.Runner.Shutdown(t.Context()) }()
		synctest.Wait()
		assert.Empty(t, down)
		k.Release()
		require.NoError(t, <-down)
		k.WantRan("first", "second")
	})
}

func TestHoldWithFewerPlacesThanLists(t *testing.T) {
	k := bgtest.New(t, bgtasks.Config{MaxRunning: 1})
	var ran []string
	app := chimw.BackgroundTasks(k.Runner)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), r.URL.Path, func(context.Context) error {
			ran = append(ran, r.URL.Path)
			return nil
		}))
	}))
	k.Hold()
	for _, path := range []string{"/1", "/2", "/3"} {
		k.Do(app, httptest.NewRequest(http.MethodPost, path, nil))
	}
	assert.Empty(t, ran)
	assert.Equal(t, "/1", k.Next())
	assert.Equal(t, "/2", k.Next())
	k.Release()
	assert.Equal(t, []string{"/1", "/2", "/3"}, ran)
}
