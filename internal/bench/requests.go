package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// These rows have a chi router answer a request that no socket brings, so that what is seen is
// the cost of the middleware and the tasks, not the kernel's.

func requestRows() []row {
	const safely = "hand-written goroutine, as safe"
	rows := []row{
		{"no task: time", "chi's RequestID", "ns", ratio(1), 0, func(b *bench) round {
			return b.timed(serving(oursWith(0)), serving(router(nil, middleware.RequestID)))
		}},
		{"no task: time", "bare route", "ns", noGoal(), 0, func(b *bench) round {
			return b.timed(serving(oursWith(0)), serving(router(nil)))
		}},
		{"no task: allocations", "bare route", "allocs", difference(2), 0, func(b *bench) round {
			ours, base := serving(oursWith(0)), serving(router(nil))
			return b.pair(func() float64 { return allocations(ours) }, func() float64 { return allocations(base) })
		}},
		{"1 task", safely, "ns", ratio(1), 0, against(1, func(*bench) rival { return safe() })},
		{"4 tasks", safely + ", 4 of them", "ns", ratio(0.6), 0, against(4, func(*bench) rival { return safe() })},
		{"1 task, from 2 cores at once", safely, "ns", ratio(1), 0, together(against(1, func(*bench) rival { return safe() }))},
		{"4 tasks, from 2 cores at once", safely + ", 4 of them", "ns", ratio(0.6), 0, together(against(4, func(*bench) rival { return safe() }))},
	}
	for _, other := range []struct {
		name string
		make func(*bench) rival
	}{
		{"goroutine without any safety", func(*bench) rival { return unsafe() }},
		{"WaitGroup helper of Go books", func(*bench) rival { return background() }},
		{"channel semaphore", func(*bench) rival { return semaphore() }},
		{"errgroup with a limit", func(*bench) rival { return group() }},
		{"pond v2, Go", pondGo},
		{"pond v2, Submit", pondSubmit},
		{"ants v2", antsSubmit},
	} {
		rows = append(rows,
			row{"1 task", other.name, "ns", noGoal(), 0, against(1, other.make)},
			row{"4 tasks", other.name + ", 4 of them", "ns", noGoal(), 0, against(4, other.make)})
	}
	return rows
}

// ran counts the tasks of one request.
type ran struct{ sync.WaitGroup }

func (r *ran) task(context.Context) error {
	r.Done()
	return nil
}

type ranKey struct{}

func ranOf(r *http.Request) *ran { return r.Context().Value(ranKey{}).(*ran) }

// router is a small chi router; after is what its handler does before it answers.
func router(after http.HandlerFunc, mws ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(mws...)
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if after != nil {
			after(w, r)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	})
	return r
}

var answer = []byte(`{"status":"created"}`)

// oursWith is the route with our middleware, and so many tasks a request.
func oursWith(tasks int) http.Handler { return oursOn(newRunner(), tasks) }

func oursOn(run *bgtasks.Runner, tasks int) http.Handler {
	return router(func(_ http.ResponseWriter, r *http.Request) {
		for range tasks {
			if err := bgtasks.Add(r.Context(), "task", ranOf(r).task); err != nil {
				panic(err)
			}
		}
	}, chimw.BackgroundTasks(run))
}

// against compares a request with that many tasks with one whose handler uses a rival for
// each of them. A request is over when all its tasks have run.
func against(tasks int, other func(*bench) rival) func(*bench) round {
	return func(b *bench) round {
		base := goroutines(other(b), tasks)
		if b.parallel {
			return b.timed(servingTogether(oursWith(tasks), tasks), servingTogether(base, tasks))
		}
		return b.timed(servingTasks(oursWith(tasks), tasks), servingTasks(base, tasks))
	}
}

// goroutines is the route with so many tasks a request, each given to a rival.
func goroutines(start rival, tasks int) http.Handler {
	return router(func(_ http.ResponseWriter, r *http.Request) {
		for range tasks {
			start(r, "task", ranOf(r).task)
		}
	})
}

// together has the row's requests come from two goroutines at once.
func together(open func(*bench) round) func(*bench) round {
	return func(b *bench) round {
		b.parallel = true
		b.atEnd(func() { b.parallel = false })
		return open(b)
	}
}

func serving(h http.Handler) side { return servingTasks(h, 0) }

// servingTasks sends one request after the other, waiting for the tasks of each.
func servingTasks(h http.Handler, tasks int) side {
	w, all := &nowhere{header: make(http.Header)}, new(ran)
	req := httptest.NewRequest(http.MethodPost, "/orders/7", nil)
	req = req.WithContext(context.WithValue(context.Background(), ranKey{}, all))
	return clocked(func(n int) {
		for range n {
			all.Add(tasks)
			clear(w.header)
			h.ServeHTTP(w, req)
			all.Wait()
		}
	})
}

func servingTogether(h http.Handler, tasks int) side {
	halves := [2]side{servingTasks(h, tasks), servingTasks(h, tasks)}
	return clocked(func(n int) {
		var wg sync.WaitGroup
		for _, half := range halves {
			wg.Go(func() { half((n + 1) / 2) })
		}
		wg.Wait()
	})
}

func allocations(s side) float64 { return testing.AllocsPerRun(100, func() { s(1) }) }

// nowhere is a response writer with the methods that net/http's has on HTTP/1.1, and no
// client.
type nowhere struct {
	http.ResponseWriter // nil: what is not below is not called
	http.Hijacker
	header http.Header
}

func (w *nowhere) Header() http.Header               { return w.header }
func (w *nowhere) WriteHeader(int)                   {}
func (w *nowhere) Write(p []byte) (int, error)       { return len(p), nil }
func (w *nowhere) WriteString(s string) (int, error) { return len(s), nil }
func (w *nowhere) Flush()                            {}
func (w *nowhere) FlushError() error                 { return nil }
