//go:build !race

// The race detector allocates as well: these run without it.

package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// allocationsOfARequest counts those of a request that adds so many tasks, all of them run.
func allocationsOfARequest(tasks int, mws ...func(http.Handler) http.Handler) float64 {
	ran := make(chan struct{}, tasks)
	task := func(context.Context) error { ran <- struct{}{}; return nil }
	r := chi.NewRouter()
	r.Use(mws...)
	r.Get("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		for range tasks {
			if err := bgtasks.Add(r.Context(), "task", task); err != nil {
				panic(err)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil)
	return testing.AllocsPerRun(2000, func() {
		r.ServeHTTP(w, req)
		for range tasks {
			<-ran
		}
	})
}

func TestAllocationsOfARequest(t *testing.T) {
	bare := allocationsOfARequest(0)
	for tasks, most := range map[int]float64{
		0: 2, // the exchange, and the request with its context
		1: 5, // and the task, what its goroutine is given, and a copy of the route context
		4: 9, // and three tasks, and a list of four
	} {
		more := allocationsOfARequest(tasks, chimw.BackgroundTasks(bgtasks.New(bgtasks.Config{}))) - bare
		assert.LessOrEqual(t, more, most, "%d tasks", tasks)
	}
}

// Behind a server, what a pending list keeps is its own: none of net/http's response, its
// buffers, or the request.
func TestPendingListIsSmallBehindAServer(t *testing.T) {
	const requests = 2000
	run := bgtasks.New(bgtasks.Config{MaxRunning: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	ctx, blocker := run.Open(t.Context(), bgtasks.Info{})
	require.NoError(t, bgtasks.Add(ctx, "holds the only place", func(context.Context) error {
		close(held)
		<-hold
		return nil
	}))
	blocker.Start(bgtasks.Outcome{})
	<-held
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Get("/orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "task", func(context.Context) error { return nil }))
	})
	s := servertest.Start(t, servertest.HTTP1, r)
	get := func() {
		res, _, err := s.Get(t.Context(), "/orders/7")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	get()
	before := heapInUse()
	for range requests {
		get()
	}
	perRequest := (int64(heapInUse()) - int64(before)) / requests
	// Some 900: 512, and the values of the request's context, which the task can ask for.
	assert.LessOrEqual(t, perRequest, int64(1024), "bytes")
	close(hold)
	awaitIdle(t, run)
}
