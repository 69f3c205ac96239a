package dropped

import (
	"context"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
)

func task(ctx context.Context) error { return nil }

func handler(w http.ResponseWriter, r *http.Request) {
	bgtasks.Add(r.Context(), "task", task) // want `a refused task .* does not run, and here nobody is told: answer 503`
}

func several(w http.ResponseWriter, r *http.Request) {
	bgtasks.Add(r.Context(), "task", func(ctx context.Context) error { // want `a refused task`
		return nil
	})
	w.WriteHeader(http.StatusAccepted)
}

func returning(ctx context.Context) error {
	bgtasks.Add(ctx, "task", task) // want `a refused task`
	return nil
}

func withoutWriter(ctx context.Context) {
	bgtasks.Add(ctx, "task", task) // want `a refused task`
}

func asStatement(w http.ResponseWriter, r *http.Request) {
	go bgtasks.Add(r.Context(), "task", task)    // want `a refused task .* call it in the handler itself`
	defer bgtasks.Add(r.Context(), "task", task) // want `a refused task .* call it in the handler itself`
}

func enqueue(r *http.Request, fn bgtasks.Func) error {
	return bgtasks.Add(r.Context(), "task", fn)
}

func throughAHelper(w http.ResponseWriter, r *http.Request) {
	enqueue(r, task) // want `a refused task`
}

func mount(r chi.Router) {
	r.Post("/", func(w http.ResponseWriter, r *http.Request) {
		bgtasks.Add(r.Context(), "task", task) // want `a refused task`
	})
}

// Near misses.

func checked(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", task)
	if err := bgtasks.Add(r.Context(), "task", task); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = enqueue(r, task)
	must(bgtasks.Add(r.Context(), "task", task))
	logged(r, task)
	bgtasks.Forget(r.Context(), "task")
}

func must(error) {}

func logged(r *http.Request, fn bgtasks.Func) {
	if err := bgtasks.Add(r.Context(), "task", fn); err != nil {
		println(err.Error())
	}
}
