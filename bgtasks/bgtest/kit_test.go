package bgtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
)

func TestDoReturnsTheResponseWhenTheTasksHaveEnded(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	var done []string // without a lock: the race detector would tell if Do came back too early
	note := func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		done = append(done, info.Name)
		return nil
	}
	for range 100 {
		done = nil
		res := k.Do(adding(k.Runner, add("first", note), add("second", note)), post())
		require.Equal(t, []string{"first", "second"}, done)
		assert.Equal(t, http.StatusOK, res.Code)
		assert.Equal(t, "done", res.Body.String())
	}
}

func TestDoReturnsWhenUploadedFilesAreGone(t *testing.T) {
	t.Parallel()
	for range 20 {
		k := bgtest.New(t, bgtasks.Config{})
		var name string
		res := k.Do(uploading(k.Runner, &name), upload(t))
		require.Equal(t, http.StatusOK, res.Code, res.Body)
		require.NotEmpty(t, name)
		assert.NoFileExists(t, name)
	}
}

func TestTasksAreThoseOfProduction(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	var id string
	var info bgtasks.Info
	k.Do(app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_ = bgtasks.Add(r.Context(), "read", func(ctx context.Context) error {
			id = chi.URLParam(r, "id")
			info, _ = bgtasks.InfoFrom(ctx)
			_, err := w.Write([]byte("too late")) //bgvet:ignore it is to be refused
			assert.ErrorIs(t, err, bgtasks.ErrResponseSent)
			return nil
		})
	}), post())
	assert.Equal(t, "7", id)
	assert.Equal(t, "/orders/{id}", info.Route)
	assert.NotEmpty(t, info.RequestID)
	assert.Equal(t, http.StatusAccepted, k.Task("read").Outcome.Status)
}

func TestTasksThatDoNotEndFailTheTestByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		deadline time.Duration
		within   func(*testing.T, func(*testing.T))
	}{
		{"OnTheClock", 50 * time.Millisecond, func(t *testing.T, f func(*testing.T)) { f(t) }},
		{"OnFakeTime", 0, synctest.Test},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.within(t, func(t *testing.T) {
				returned := false
				got := try(func(ft *fakeT) {
					k := bgtest.New(ft, bgtasks.Config{})
					k.Deadline = c.deadline
					k.Do(adding(k.Runner, add("fine", nothing), add("send mail", forever), add("audit", nothing)), post())
					returned = true
				})
				assert.False(t, returned, "Do has to end the test")
				assert.True(t, got.stopped)
				require.Len(t, got.errors, 1)
				assert.Regexp(t, `task "send mail" of POST /orders/\{id\} has been running for `, got.text())
				assert.Contains(t, got.text(), `task "audit" of POST /orders/{id} has not started`)
				assert.NotContains(t, got.text(), `"fine"`)
			})
		})
	}
}

func TestTheDeadlineNamesATaskBetweenItsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Deadline = time.Minute
			hourly := bgtasks.Retry(2, func(int, error) (time.Duration, bool) { return time.Hour, true })
			k.Do(adding(k.Runner, add("send mail", failing, hourly)), post())
		})
		assert.Contains(t, got.text(), "not all has ended within 1m0s\n\t"+
			`task "send mail" of POST /orders/{id} has failed in attempt 1 and is tried again: server down`)
	})
}

func TestTheDeadlineOfABubbleAllowsForLongPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		began := time.Now()
		k.Fail("send mail", errDown, errDown, errDown, nil)
		hourly := bgtasks.Retry(4, func(int, error) (time.Duration, bool) { return time.Hour, true })
		k.Do(adding(k.Runner, add("send mail", nothing, hourly)), post())
		assert.Equal(t, 3*time.Hour, time.Since(began))
		assert.Equal(t, 3*time.Hour, k.Task("send mail").Elapsed)
		assert.Equal(t, 4, k.Task("send mail").Info.Attempt)
	})
}

func TestWaitIsForRequestsThatDoDidNotMake(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	panicking := app(k.Runner, func(_ http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "audit", nothing)
		panic("kaboom")
	})
	assert.PanicsWithValue(t, "kaboom", func() { k.Do(panicking, post()) })
	k.Wait()
	k.WantRan("audit")
	assert.True(t, k.Task("audit").Outcome.Panicked)
}

func TestTasksThatAreAddedLaterAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		began := time.Now()
		taking := func(d time.Duration) http.Handler {
			return adding(k.Runner, add("task", func(context.Context) error { time.Sleep(d); return nil }))
		}
		time.AfterFunc(time.Second, func() { k.Do(taking(time.Hour), post()) })
		k.Do(taking(time.Minute), post())
		assert.Equal(t, time.Minute, time.Since(began))
	})
}

func TestTasksThatAreAddedLaterAreNotWaitedForUnderHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		began := time.Now()
		serve(adding(k.Runner, add("running", func(context.Context) error { time.Sleep(time.Minute); return nil })))
		synctest.Wait()
		k.Hold()
		serve(adding(k.Runner, add("held", nothing)))
		time.AfterFunc(time.Second, func() {
			serve(app(k.Runner, func(_ http.ResponseWriter, r *http.Request) {
				_ = bgtasks.Add(r.Context(), "later", nothing)
				time.Sleep(time.Hour) // the handler, so it cannot be held yet
			}))
		})
		k.Wait()
		assert.Equal(t, time.Minute, time.Since(began))
		k.WantRan("running")
		k.Release()
		assert.Equal(t, time.Hour+time.Second, time.Since(began))
	})
}

func TestRequestsAtTheSameTime(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	h := adding(k.Runner, add("one", nothing), add("two", nothing))
	var requests sync.WaitGroup
	for range 8 {
		requests.Go(func() {
			for range 25 {
				k.Do(h, post())
			}
		})
	}
	requests.Wait()
	assert.Len(t, k.Names(bgtasks.Finished), 400)
}

func TestKitsInParallel(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			k := bgtest.New(t, bgtasks.Config{})
			if i%2 == 0 {
				k.Fail("mine", errDown)
			}
			for range 20 {
				k.Do(adding(k.Runner, add("mine", nothing)), post())
			}
			for _, e := range k.Tasks() {
				assert.Equal(t, i%2 == 0, e.Err != nil)
			}
		})
	}
}

func TestUseAndObserveOfTheRunnerWorkAsEver(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	var kinds []bgtasks.Kind
	k.Runner.Observe(func(e bgtasks.Event) { kinds = append(kinds, e.Kind) })
	k.Do(adding(k.Runner, add("task", nothing)), post())
	assert.Equal(t, []bgtasks.Kind{bgtasks.Accepted, bgtasks.Started, bgtasks.Finished}, kinds)
	assert.Panics(t, func() { k.Runner.Use(func(next bgtasks.Func) bgtasks.Func { return next }) })
}

func TestARequestWithoutTasks(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	res := k.Do(adding(k.Runner), httptest.NewRequest(http.MethodGet, "/nowhere", nil))
	assert.Equal(t, http.StatusNotFound, res.Code)
	k.WantRan()
	assert.Empty(t, k.Tasks())
}
