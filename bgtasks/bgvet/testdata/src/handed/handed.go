// Package handed has the ways in which a function can get to Add.
package handed

import (
	"context"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func variable(w http.ResponseWriter, r *http.Request) {
	task := func(ctx context.Context) error {
		w.WriteHeader(1) // want `w belongs to a response`
		return nil
	}
	var typed bgtasks.Func = func(ctx context.Context) error {
		w.WriteHeader(2) // want `w belongs to a response`
		return nil
	}
	_ = bgtasks.Add(r.Context(), "task", task)
	_ = bgtasks.Add(r.Context(), "task", typed)
}

func conversion(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Func(func(ctx context.Context) error {
		w.WriteHeader(1) // want `w belongs to a response`
		return nil
	}))
}

func bind(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(func(ctx context.Context, status int) error {
		w.WriteHeader(status) // want `w belongs to a response`
		return nil
	}, 1))
}

type api struct{ w http.ResponseWriter }

func (a *api) task(ctx context.Context) error {
	a.w.WriteHeader(1) // want `a.w belongs to a response`
	return nil
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.w = w
	_ = bgtasks.Add(r.Context(), "task", a.task)
}

func middleware(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(context.Context) error { return nil },
		bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
			return func(ctx context.Context) error {
				w.WriteHeader(1) // want `w belongs to a response`
				return next(ctx)
			}
		}),
		bgtasks.When(func(bgtasks.Outcome) bool {
			w.WriteHeader(2) // want `w belongs to a response`
			return true
		}),
		bgtasks.Retry(3, func(int, error) (time.Duration, bool) {
			w.WriteHeader(3) // want `w belongs to a response`
			return 0, true
		}))
}

func timed(next bgtasks.Func) bgtasks.Func {
	return func(ctx context.Context) error { return next(ctx) }
}

func wrapped(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", timed(func(ctx context.Context) error {
		w.WriteHeader(1) // want `w belongs to a response`
		return nil
	}))
}

func later(ctx context.Context, name string, fn bgtasks.Func) {
	if err := bgtasks.Add(ctx, name, fn); err != nil {
		println(err.Error())
	}
}

func laterStill(r *http.Request, fns ...func()) {
	for _, fn := range fns {
		later(r.Context(), "task", func(context.Context) error { fn(); return nil })
	}
}

func helper(w http.ResponseWriter, r *http.Request) {
	later(r.Context(), "task", func(ctx context.Context) error {
		w.WriteHeader(1) // want `w belongs to a response`
		return nil
	})
	laterStill(r, func() {
		w.WriteHeader(2) // want `w belongs to a response`
	}, func() {
		w.WriteHeader(3) // want `w belongs to a response`
	})
	add := func(fn bgtasks.Func) { _ = bgtasks.Add(r.Context(), "task", fn) }
	add(func(ctx context.Context) error {
		w.WriteHeader(4) // want `w belongs to a response`
		return nil
	})
}

func table(w http.ResponseWriter, r *http.Request) {
	for _, step := range []struct {
		name string
		fn   bgtasks.Func
	}{
		{"a", func(ctx context.Context) error {
			w.WriteHeader(1) // want `w belongs to a response`
			return nil
		}},
		{name: "b", fn: func(ctx context.Context) error {
			w.WriteHeader(2) // want `w belongs to a response`
			return nil
		}},
	} {
		_ = bgtasks.Add(r.Context(), step.name, step.fn)
	}
	for name, fn := range map[string]bgtasks.Func{"c": func(ctx context.Context) error {
		w.WriteHeader(3) // want `w belongs to a response`
		return nil
	}} {
		_ = bgtasks.Add(r.Context(), name, fn)
	}
}

func recursive(w http.ResponseWriter, r *http.Request) {
	var again bgtasks.Func
	again = func(ctx context.Context) error {
		w.WriteHeader(1) // want `w belongs to a response`
		return bgtasks.Add(ctx, "again", again)
	}
	_ = bgtasks.Add(r.Context(), "again", again)
}

type tree map[string]tree

func planted(ctx context.Context, t tree, fn bgtasks.Func) error {
	return bgtasks.Add(ctx, "task", bgtasks.Bind(func(ctx context.Context, _ tree) error { return fn(ctx) }, t))
}

// Near misses: functions that run in the handler.

func now(w http.ResponseWriter, fn func()) { fn() }

func inTheHandler(w http.ResponseWriter, r *http.Request) {
	now(w, func() { w.WriteHeader(1) })
	answer := func() { w.WriteHeader(2) }
	later(r.Context(), "task", func(context.Context) error { return nil })
	answer()
}

type step struct {
	name string
	fn   bgtasks.Func
}

// change calls f in the handler. What f returns are tasks, f is none.
func change(ctx context.Context, f func(status int) ([]step, error)) error {
	return locked(func() error {
		steps, err := f(1)
		if err == nil {
			err = addAll(ctx, steps)
		}
		return err
	})
}

func locked(f func() error) error { return f() }

func addAll(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := bgtasks.Add(ctx, s.name, s.fn); err != nil {
			return err
		}
	}
	return nil
}

func changeAgain(ctx context.Context, f func(status int) ([]step, error)) error {
	return change(ctx, f)
}

func changeAtLast(ctx context.Context, fn bgtasks.Func) error {
	return change(ctx, func(int) ([]step, error) { return []step{{"task", fn}}, nil })
}

func made(w http.ResponseWriter, r *http.Request) {
	task := func(context.Context) error { return nil }
	_ = change(r.Context(), func(status int) ([]step, error) {
		w.WriteHeader(status)
		return []step{{"task", task}}, r.Context().Err()
	})
	_ = changeAgain(r.Context(), func(status int) ([]step, error) {
		w.WriteHeader(status)
		return []step{{"task", func(context.Context) error {
			w.WriteHeader(3) // want `w belongs to a response`
			return nil
		}}}, r.Context().Err()
	})
	steps := func(status int) ([]step, error) {
		w.WriteHeader(status)
		return []step{{"task", func(context.Context) error {
			w.WriteHeader(4) // want `w belongs to a response`
			return nil
		}}}, nil
	}
	_ = change(r.Context(), steps)
	_ = changeAtLast(r.Context(), func(context.Context) error {
		w.WriteHeader(5) // want `w belongs to a response`
		return nil
	})
}

// with makes a task of what around returns: around itself is called in the handler.
func with(around func(bgtasks.Func) bgtasks.Func, fn bgtasks.Func) bgtasks.Func { return around(fn) }

func madeByAMaker(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", with(func(next bgtasks.Func) bgtasks.Func {
		w.WriteHeader(1)
		return func(ctx context.Context) error {
			w.WriteHeader(2) // want `w belongs to a response`
			return next(ctx)
		}
	}, func(context.Context) error {
		w.WriteHeader(3) // want `w belongs to a response`
		return nil
	}))
}

// changeInTheTask calls f in a task.
func changeInTheTask(ctx context.Context, f func(status int) ([]step, error)) error {
	return bgtasks.Add(ctx, "change", func(ctx context.Context) error {
		steps, err := f(1)
		if err == nil {
			err = addAll(ctx, steps)
		}
		return err
	})
}

func madeInATask(w http.ResponseWriter, r *http.Request) {
	_ = changeInTheTask(r.Context(), func(status int) ([]step, error) {
		w.WriteHeader(status) // want `w belongs to a response`
		return nil, nil
	})
}
