package bgtest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// try runs a test to its end, cleanups included, and returns what it came to.
func try(test func(t *fakeT)) *fakeT {
	t := &fakeT{goexit: runtime.Goexit}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(t)
	}()
	<-done
	t.finish()
	return t
}

var (
	errDown = errors.New("server down")
	twice   = bgtasks.Retry(2, bgtasks.Backoff(time.Second, time.Second))
)

func nothing(context.Context) error { return nil }
func failing(context.Context) error { return errDown }

// forever is a task that ends with its context only.
func forever(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// app is a router, whose handler of POST /orders/{id} is h, as a service would make it.
func app(run *bgtasks.Runner, h func(w http.ResponseWriter, r *http.Request)) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, chimw.BackgroundTasks(run))
	r.HandleFunc("/orders/{id}", h)
	return r
}

// adding is an app whose handler adds these tasks.
func adding(run *bgtasks.Runner, tasks ...toAdd) http.Handler {
	return app(run, func(w http.ResponseWriter, r *http.Request) {
		for _, task := range tasks {
			if bgtasks.Add(r.Context(), task.name, task.fn, task.opts...) != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = w.Write([]byte("done"))
	})
}

type toAdd struct {
	name string
	fn   bgtasks.Func
	opts []bgtasks.Option
}

func add(name string, fn bgtasks.Func, opts ...bgtasks.Option) toAdd {
	return toAdd{name, fn, opts}
}

func post() *http.Request { return httptest.NewRequest(http.MethodPost, "/orders/7", nil) }

// serve makes the request without waiting for its tasks.
func serve(h http.Handler) { h.ServeHTTP(httptest.NewRecorder(), post()) }
