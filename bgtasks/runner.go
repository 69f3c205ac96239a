package bgtasks

import (
	"context"
	"sync/atomic"

	"github.com/chi-bgtasks/chi-bgtasks/internal/testhook"
)

// A Runner runs the task lists of requests. One is enough for a program; make it with
// New. All methods may be called from any goroutine, Use and Observe only before the
// first request.
type Runner struct {
	cfg        Config
	middleware []Middleware
	observers  []func(Event)
	hook       testhook.Func // nil but for package bgtest
	fresh      atomic.Bool   // no list has been opened yet

	clock clock

	live context.Context // parent of every task's context, ended by the end of a shutdown
	kill context.CancelCauseFunc

	sender  sendWatch // SendTimeout
	down    shutdown
	refused refusals

	lists   registry // those with tasks, and their counts
	_       [cacheLine]byte
	pending atomic.Int64 // MaxPending
	_       [cacheLine]byte
	places  places // MaxRunning
}

// New returns a Runner. It starts nothing: a runner that is no longer used needs no
// closing, though Shutdown is how to wait for its tasks. For a testing/synctest bubble make
// it inside.
func New(cfg Config) *Runner {
	r := &Runner{cfg: cfg.withDefaults()}
	r.clock.init()
	r.fresh.Store(true)
	r.places.max = min(int64(r.cfg.MaxRunning), starting-1)
	r.live, r.kill = context.WithCancelCause(context.Background())
	r.down.init()
	r.sender.init(r)
	return r
}

// Use puts middleware around every task, the first given outermost. It panics once a
// list has been opened, as chi's Use does once there is a route, and for a nil
// middleware.
func (r *Runner) Use(mws ...Middleware) {
	r.mustBeFresh("Use")
	for _, mw := range mws {
		if mw == nil {
			panic("bgtasks: Use: nil Middleware")
		}
	}
	r.middleware = append(r.middleware, mws...)
}

func (r *Runner) mustBeFresh(method string) {
	if !r.fresh.Load() {
		panic("bgtasks: " + method + " must be called before the first request")
	}
}

// reserve takes one of MaxPending places.
func (r *Runner) reserve() bool {
	for {
		n := r.pending.Load()
		if n >= int64(r.cfg.MaxPending) {
			return false
		}
		if r.pending.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// dispatch has l run, now or when there is a place for it.
func (r *Runner) dispatch(l *List) {
	if !r.places.line.waits() && r.places.start() {
		go l.work()
		return
	}
	r.places.line.push(l)
	r.startNext()
}

// startNext starts a goroutine for the next list in line, if there can be one.
func (r *Runner) startNext() {
	if l := r.places.next(); l != nil {
		go l.work()
	}
}

// work runs l in a goroutine that has been started for it, and then lists that wait.
func (l *List) work() {
	r := l.runner
	r.places.begun()
	r.startNext()
	r.work(l)
}

// work runs l, and then lists that wait, in the place that l has.
func (r *Runner) work(l *List) {
	defer func() {
		if l != nil { // runtime.Goexit: this goroutine ends with the task that called it
			go r.resume(l)
		}
	}()
	for l != nil {
		l.drain()
		l = r.places.pass()
	}
}

// resume goes on with l after its current task has called runtime.Goexit, or something else
// has (a log handler, say).
func (r *Runner) resume(l *List) {
	defer func() { go r.work(l) }() // also if a log handler ends this goroutine in its turn
	if a := l.current(); a != nil {
		l.finish(a, ErrGoexit)
	}
}
