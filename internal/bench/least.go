package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// These rows tell what the goals of "1 task" and "4 tasks" leave room for.

func leastRows() []row {
	rows := []row{{"no task, the least", "chi's RequestID", "ns", noGoal(), 0, func(b *bench) round {
		return b.timed(serving(leastWith(leastAlone, 0)), serving(router(nil, middleware.RequestID)))
	}}}
	for _, tasks := range []int{1, 4} {
		for _, more := range []leastMore{leastAlone, leastTimes, leastAccounts} {
			what := fmt.Sprintf("%d of the least%s", tasks, more)
			rows = append(rows, row{what, "hand-written goroutine, as safe, each", "ns", noGoal(), 0, func(b *bench) round {
				return b.timed(servingTasks(leastWith(more, tasks), tasks), servingTasks(goroutines(safe(), tasks), tasks))
			}})
		}
	}
	return rows
}

func leastWith(more leastMore, tasks int) http.Handler {
	return router(func(_ http.ResponseWriter, r *http.Request) {
		for range tasks {
			addLeast(r, "task", ranOf(r).task)
		}
	}, withLeast(more))
}

// least is the least that a middleware can do for tasks after the response that are as safe
// as a hand-written goroutine. What its rows measure is a floor for ours: one allocation for what
// it keeps of a request, the copy of the request that net/http makes for a new context, a copy
// of the URL parameters, a writer that is shut once the handler has returned, and one goroutine
// for all tasks of a request, which recovers, logs, and is awaited by a WaitGroup.
//
// It has nothing of what the library is for beside that: no limit, no count, no time, no lock, no
// shutdown that names what is left, no option, no task that adds another, no response that is
// still being sent, no optional method of the writer, and no context of a task's own. Some of
// that is added in other rows: see leastMore.
type least struct {
	http.ResponseWriter
	parent context.Context
	shut   atomic.Bool
	wg     *sync.WaitGroup
	route  []string // as of the first task: path, method, URL parameters, patterns
	few    [5]string
	params int
	tasks  []leastTask
	first  [1]leastTask

	more       leastMore
	books      *leastBooks // these for leastAccounts
	mu         sync.Mutex
	prev, next *least
}

type leastTask struct {
	name   string
	fn     taskFunc
	record *leastRecord // for leastTimes
}

type leastKey struct{}

func withLeast(more leastMore) func(http.Handler) http.Handler {
	var wg sync.WaitGroup
	var books leastBooks
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l := &least{ResponseWriter: w, parent: r.Context(), wg: &wg, more: more, books: &books}
			defer l.finish()
			next.ServeHTTP(l, r.WithContext(leastContext{l}))
		})
	}
}

func addLeast(r *http.Request, name string, fn taskFunc) {
	l := r.Context().Value(leastKey{}).(*least)
	if l.more >= leastAccounts {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.books.accept(l)
	}
	task := leastTask{name: name, fn: fn}
	if l.more >= leastTimes {
		task.record = &leastRecord{leastContext: leastContext{l}, name: name, position: len(l.tasks) + 1, added: passed()}
	}
	if l.tasks == nil {
		l.tasks = l.first[:0]
		c := chi.RouteContext(r.Context())
		l.params = len(c.URLParams.Keys)
		l.route = append(l.few[:0], c.RoutePath, c.RouteMethod)
		l.route = append(append(append(l.route, c.URLParams.Keys...), c.URLParams.Values...), c.RoutePatterns...)
	}
	l.tasks = append(l.tasks, task)
}

func (l *least) finish() {
	l.shut.Store(true)
	if len(l.tasks) == 0 {
		return
	}
	l.wg.Add(1)
	if l.more < leastSent {
		go l.run()
		return
	}
	l.parent.Value(leastConnKey{}).(*leastConn).waiting = l
}

func (l *least) run() {
	defer l.wg.Done()
	if l.more >= leastAccounts {
		defer l.books.end(l)
	}
	for _, task := range l.tasks {
		var ctx context.Context = leastContext{l}
		if record := task.record; record != nil {
			record.started = passed()
			ctx = record
		}
		guarded(ctx, task.name, task.fn)
		if l.more >= leastAccounts {
			l.books.finished(l)
		}
	}
}

func (l *least) Write(p []byte) (int, error) {
	if l.shut.Load() {
		return 0, http.ErrHandlerTimeout
	}
	return l.ResponseWriter.Write(p)
}

func (l *least) WriteHeader(status int) {
	if !l.shut.Load() {
		l.ResponseWriter.WriteHeader(status)
	}
}

// leastContext is a pointer, so that making one does not allocate.
type leastContext struct{ *least }

func (c leastContext) Value(key any) any {
	switch key {
	case leastKey{}:
		return c.least
	case chi.RouteCtxKey:
		if c.shut.Load() {
			return c.routeContext()
		}
	}
	return c.parent.Value(key)
}

func (c leastContext) Done() <-chan struct{} {
	if c.shut.Load() {
		return nil
	}
	return c.parent.Done()
}

func (c leastContext) Err() error {
	if c.shut.Load() {
		return nil
	}
	return c.parent.Err()
}

func (c leastContext) Deadline() (time.Time, bool) {
	if c.shut.Load() {
		return time.Time{}, false
	}
	return c.parent.Deadline()
}

// routeContext is made for the few tasks that ask.
func (c leastContext) routeContext() *chi.Context {
	made := chi.NewRouteContext()
	made.RoutePath, made.RouteMethod = c.route[0], c.route[1]
	values, patterns := 2+c.params, 2+2*c.params
	made.URLParams.Keys, made.URLParams.Values = c.route[2:values:values], c.route[values:patterns:patterns]
	made.RoutePatterns = c.route[patterns:]
	return made
}
