package main

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/go-chi/chi/v5"
	"github.com/panjf2000/ants/v2"
	"golang.org/x/sync/errgroup"
)

// The ways to run something after a request without this library. Each has fn run in a
// goroutine that outlives the request. Where they differ from what a careful author would
// have to write, their comment says so.

type taskFunc = func(context.Context) error

// A rival has fn run after the request r.
type rival func(r *http.Request, name string, fn taskFunc)

// unsafe is what most programs have: nothing is recovered, awaited or copied, and the task
// may read another request's URL parameters.
func unsafe() rival {
	return func(r *http.Request, _ string, fn taskFunc) {
		ctx := context.WithoutCancel(r.Context())
		go func() { _ = fn(ctx) }()
	}
}

// detached is the context for a goroutine with the request's values: chi's route context has
// to be copied, as chi takes it back.
func detached(r *http.Request) context.Context {
	ctx := context.WithoutCancel(r.Context())
	return context.WithValue(ctx, chi.RouteCtxKey, chi.RouteContext(ctx).Clone())
}

// guarded runs fn and logs how it fails.
func guarded(ctx context.Context, name string, fn taskFunc) {
	defer func() {
		if v := recover(); v != nil {
			slog.ErrorContext(ctx, "task panicked", "task", name, "error", v, "stack", string(debug.Stack()))
		}
	}()
	if err := fn(ctx); err != nil {
		slog.ErrorContext(ctx, "task failed", "task", name, "error", err)
	}
}

// safe is the goroutine that is as safe as one can be by hand: values without cancellation,
// a route context of its own, panics and errors logged, and a WaitGroup for the shutdown.
func safe() rival {
	var wg sync.WaitGroup
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		wg.Add(1)
		go func() {
			defer wg.Done()
			guarded(ctx, name, fn)
		}()
	}
}

// background is the helper that Go books teach: it recovers and is awaited, but knows
// nothing of the request.
func background() rival {
	var wg sync.WaitGroup
	return func(_ *http.Request, name string, fn taskFunc) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			guarded(context.Background(), name, fn)
		}()
	}
}

const mostRunning = 1024 // as bgtasks.Config has it

// semaphore is safe with a limit: a full one blocks the handler.
func semaphore() rival {
	var wg sync.WaitGroup
	places := make(chan struct{}, mostRunning)
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		places <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-places }()
			guarded(ctx, name, fn)
		}()
	}
}

// group is safe by way of an errgroup with a limit: a full one blocks the handler.
func group() rival {
	var g errgroup.Group
	g.SetLimit(mostRunning)
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		g.Go(func() error {
			guarded(ctx, name, fn)
			return nil
		})
	}
}

// pondGo and pondSubmit: pond recovers by itself, and does not log.
func pondGo(b *bench) rival {
	pool := pond.NewPool(mostRunning)
	b.atEnd(pool.StopAndWait)
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		_ = pool.Go(func() { guarded(ctx, name, fn) })
	}
}

func pondSubmit(b *bench) rival {
	pool := pond.NewPool(mostRunning)
	b.atEnd(pool.StopAndWait)
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		pool.Submit(func() { guarded(ctx, name, fn) })
	}
}

func antsSubmit(b *bench) rival {
	pool, err := ants.NewPool(mostRunning)
	if err != nil {
		panic(err)
	}
	b.atEnd(pool.Release)
	return func(r *http.Request, name string, fn taskFunc) {
		ctx := detached(r)
		_ = pool.Submit(func() { guarded(ctx, name, fn) })
	}
}
